// SPDX-License-Identifier: Apache-2.0
// The keys of [http] that say which pages and names the server deals with, and how people log in.

extension ConfigSchema {
    /// How HLS is cut.
    static let hlsKeys = [
        ConfigKey(
            .fixed("hls"),
            "part",
            .duration(.milliseconds(100)...(.seconds(2))),
            "350ms",
            .live,
            "How long a part is at most, in whole frames; players stay about three of them behind. At most half a segment. "
                + "A multiple of the frame interval and a little more: ten frames of 30 fps are 333 ms."
        ),
        ConfigKey(
            .fixed("hls"),
            "segment",
            .duration(.seconds(1)...(.seconds(20))),
            "2s",
            .live,
            "How long a segment is about: it ends in front of the first keyframe after three quarters of this."
        ),
        ConfigKey(
            .fixed("hls"),
            "window",
            .duration(.seconds(3)...(.seconds(600))),
            "30s",
            .live,
            "How much of the past is listed, for players that go back: at least three segments, at most 64 and what the "
                + "stream's ring_size holds."
        ),
    ]

    /// What `[http]` has beside what all servers have.
    static let webKeys = [
        ConfigKey(
            .fixed("http"),
            "tls_port",
            .integer(0...65_535),
            "8443",
            "The TCP port of HTTPS, which is listened on if [tls] has a certificate; 0 takes a free one."
        ),
        ConfigKey(
            .fixed("http"),
            "encryption",
            .choice(["optional", "required"]),
            "optional",
            .live,
            "Required sends who asks without TLS from another machine to the TLS port; it needs a certificate in [tls]."
        ),
        ConfigKey(
            .fixed("http"),
            "hsts",
            .duration(.zero...(.seconds(63_072_000))),
            "0s",
            .live,
            "For how long browsers are told to come by TLS only; they hold to it even if the certificate is taken away."
        ),
        ConfigKey(
            .fixed("http"),
            "hosts",
            .text,
            "none",
            .live,
            "Names under which clients reach this server, with commas between: cams.example.com, *.example.com; * takes "
                + "all. Addresses, names without a dot and this machine's own always do. Others are answered 421, since "
                + "a page could make a name of its own point here and ask as its visitor."
        ),
        ConfigKey(
            .fixed("http"),
            "allow_origin",
            .text,
            "none",
            .live,
            "Other sites whose pages may ask this server and frame its page, with commas between: https://example.com; "
                + "* lets all read what needs no cookie."
        ),
        ConfigKey(
            .fixed("http"),
            "plain_login",
            .choice(["auto", "yes", "no"]),
            "auto",
            .live,
            "Whether people may log in over HTTP without TLS from other machines, which shows their password to whoever "
                + "listens; auto allows it while [tls] has no certificate."
        ),
        ConfigKey(
            .fixed("http"),
            "session_timeout",
            .duration(.seconds(10)...(.seconds(30 * 86_400))),
            "168h",
            .live,
            "Who has logged in is logged out after not having done anything for this long."
        ),
        ConfigKey(
            .fixed("http"),
            "websocket_port",
            .integer(0...65_535),
            "0",
            "The TCP port for reCamera's clients, who expect 8765; 0 for none."
        ),
        ConfigKey(
            .fixed("http"),
            "unix_socket",
            .path,
            "",
            "A Unix socket that is listened on as well, for a proxy on this machine; whoever may open it counts as this "
                + "machine. Its directory must be writable."
        ),
        ConfigKey(
            .fixed("http"),
            "unix_socket_mode",
            .choice(["600", "660", "666"]),
            "660",
            "The Unix socket's file mode: for the user of the server, for its group too, for everybody."
        ),
    ]
}
