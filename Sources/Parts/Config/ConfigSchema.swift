// SPDX-License-Identifier: Apache-2.0
// The one table of all keys: parsing, errors, config/apus.conf and the reference page come from it.

/// Which sections a key belongs to.
package enum SectionPattern: Sendable, Hashable {
    /// `[rtsp]`: exactly this name.
    case fixed(String)
    /// `[camera.NAME]`.
    case camera
    /// `[camera.NAME.main]` and its siblings.
    case stream(String)

    /// The pattern as it is written in errors and in the reference.
    package var text: String {
        switch self {
        case .fixed(let name): name
        case .camera: "camera.NAME"
        case .stream(let stream): "camera.NAME.\(stream)"
        }
    }

    /// A section of this pattern, for camera `camera`.
    package func section(camera: String) -> String {
        switch self {
        case .fixed(let name): name
        case .camera: "camera.\(camera)"
        case .stream(let stream): "camera.\(camera).\(stream)"
        }
    }
}

/// What it takes for a changed key to hold.
package enum ConfigEffect: String, Sendable {
    /// `apus config reload` applies it without a restart.
    case live
    /// `apus config reload` restarts the daemon that reads it.
    case restart
}

/// One key: what it is called, what it may be, what it is if nobody says.
package struct ConfigKey: Sendable {
    package let section: SectionPattern
    package let name: String
    package let type: ConfigType
    /// As it would be written in the file; "" if the key has no value unless it is set.
    package let standard: String
    package let effect: ConfigEffect
    /// One or two sentences.
    package let documentation: String

    init(
        _ section: SectionPattern,
        _ name: String,
        _ type: ConfigType,
        _ standard: String,
        _ effect: ConfigEffect,
        _ documentation: String
    ) {
        self.section = section
        self.name = name
        self.type = type
        self.standard = standard
        self.effect = effect
        self.documentation = documentation
    }

    /// A key that holds after a restart of the daemon that reads it.
    init(
        _ section: SectionPattern,
        _ name: String,
        _ type: ConfigType,
        _ standard: String,
        _ documentation: String
    ) {
        self.init(section, name, type, standard, .restart, documentation)
    }
}

/// The table of all sections and keys.
package enum ConfigSchema {
    /// The sections in the order of the reference, each with its introduction.
    package static let sections: [(pattern: SectionPattern, documentation: String)] = [
        (.fixed("apus"), "The suite as a whole."),
        (.fixed("log"), "What is written to standard error."),
        (
            .camera,
            "A camera. NAME has 1 to 32 of a–z, 0–9, _ and -; it is the first part of the camera's addresses. "
                + "Without any camera in the file there is one, cam, with the source auto."
        ),
        (.stream("main"), "The camera's full picture."),
        (.stream("sub"), "The camera's small picture, for previews and analysis."),
        (.stream("jpeg"), "The camera's single pictures, for snapshots and MJPEG."),
        (.stream("audio"), "The camera's sound, if its source has any."),
        (.fixed("tls"), "What the encrypted listeners show to their clients; a reload reads both files again."),
        (.fixed("rtsp"), "The RTSP server."),
        (.fixed("http"), "The HTTP server: page, snapshots, MJPEG, health."),
        (
            .fixed("hls"),
            "How streams are cut for HLS. A change holds from the next segment on; a playlist that is watched does not "
                + "take back how long its segments and parts may be."
        ),
        (
            .fixed("telemetry"),
            "When the machine's own readings are worth a warning: an event, a log line, a line in the status."
        ),
        (
            .fixed("thermal"),
            "What encoders do while the processor is hot; streams that pass through untouched are not lowered."
        ),
    ]

    /// All keys in the order of the reference.
    package static let keys: [ConfigKey] =
        [
            ConfigKey(
                .fixed("apus"),
                "auth",
                .choice(["on", "off"]),
                "on",
                "Off serves everybody who can reach a listener. On asks for users; while there are none, everybody on this "
                    + "machine is served, and other listeners than loopback are an error."
            ),
            ConfigKey(
                .fixed("apus"),
                "users",
                .text,
                "auto",
                .live,
                "The file of users, which apus user writes; auto is the file users beside this one, and without a "
                    + "configuration file ~/.config/apus/users (root: /etc/apus/users)."
            ),
            ConfigKey(
                .fixed("apus"),
                "auth_failures",
                .integer(2...1000),
                "10",
                .live,
                "So many failed attempts lock an address (of IPv6, the /64); before, each is slowed more than the last."
            ),
            ConfigKey(
                .fixed("apus"),
                "auth_lockout",
                .duration(.seconds(1)...(.seconds(86_400))),
                "5m",
                .live,
                "How long an address stays locked. Who is connected and authenticated is not touched."
            ),
            ConfigKey(
                .fixed("apus"),
                "user",
                .text,
                "none",
                "Who apus up becomes when root starts it; none stays root. Whoever it is must be able to read this file, the "
                    + "users, certificates and sources, and be in the groups that own the devices (video, render, audio)."
            ),
            ConfigKey(
                .fixed("apus"),
                "sandbox",
                .boolean,
                "yes",
                "Whether the daemons close to themselves what they do not need (Landlock, seccomp): files, programs, kinds "
                    + "of sockets. Off for GPU drivers that start helpers of their own."
            ),
            ConfigKey(
                .fixed("apus"),
                "simulated_devices",
                .choice(["auto"] + (0...8).map { "\($0)" }),
                "auto",
                .live,
                "How many simulated capture devices are plugged in: test patterns that are handled as cameras are. Auto is "
                    + "one where the system knows of no video devices at all, and none elsewhere."
            ),
            ConfigKey(
                .fixed("apus"),
                "patience",
                .integer(1...20),
                "1",
                .live,
                "So many times as long as usual apus up waits for a daemon to be ready (30 s), to give a sign of life (10 s) "
                    + "and to end (0.8 s): for slow machines, as emulators are. It holds for daemons that start from then on."
            ),
            ConfigKey(
                .fixed("log"),
                "level",
                .choice(["error", "warn", "info", "debug"]),
                "info",
                .live,
                "The least important lines that are written."
            ),
            ConfigKey(
                .camera,
                "source",
                .source,
                "auto",
                "Where the frames come from: \(SourceScheme.examples)."
            ),
            ConfigKey(
                .camera,
                "encoder",
                .choice(["auto", "nvenc", "vaapi", "qsv", "v4l2m2m", "software"]),
                "auto",
                "Which encoder is used; auto tries them in this order and takes the first that really encodes."
            ),
            ConfigKey(
                .camera,
                "controls",
                .controls,
                "",
                .live,
                "What controls of the camera are set to, as in brightness=10, auto_exposure=Manual Mode; apus ctl "
                    + "video.NAME controls lists what there is. Others are left as the device has them."
            ),
            ConfigKey(
                .camera,
                "usb_reset",
                .boolean,
                "no",
                "Whether a USB camera that gives no frames, however often it is opened, is reset on its bus, with all that is "
                    + "in it, such as a microphone. Needs write access to its node below /dev/bus/usb."
            ),
            ConfigKey(
                .camera,
                "talkback",
                .boolean,
                "no",
                .live,
                "Whether RTSP clients may send sound to the camera's loudspeaker (ONVIF backchannel)."
            ),
            ConfigKey(
                .camera,
                "on_demand",
                .boolean,
                "no",
                "Whether the source is opened only while somebody watches, and for 10 s after."
            ),
            ConfigKey(
                .camera,
                "slate",
                .boolean,
                "yes",
                "Whether a slate stands in for a source that is lost, in the same streams, so that viewers stay."
            ),
            ConfigKey(
                .camera,
                "slate_after",
                .duration(.zero...(.seconds(60))),
                "1s",
                "How long the source is lost before the slate comes."
            ),
        ]
        + videoKeys("main", codecs: ["auto", "h264", "h265"], size: "source", bitrate: "4M", ring: "8M")
        + videoKeys("sub", codecs: ["h264", "h265"], size: "640x360", bitrate: "640k", ring: "2M")
        + [
            enabled(.stream("jpeg"), "Whether the camera has single pictures."),
            ConfigKey(
                .stream("jpeg"),
                "size",
                .size,
                "source",
                "The picture's size; source takes the source's, and passes a JPEG source's pictures on untouched."
            ),
            ConfigKey(
                .stream("jpeg"),
                "fps",
                .frameRate,
                "source",
                "Pictures per second at most."
            ),
            ConfigKey(
                .stream("jpeg"),
                "quality",
                .integer(1...100),
                "80",
                .live,
                "The JPEG quality of pictures that are encoded here."
            ),
            multicast(.stream("jpeg")),
            ConfigKey(
                .stream("jpeg"),
                "ring_size",
                .bytes((1 << 18)...(1 << 30)),
                "8M",
                "How much shared memory holds the newest pictures."
            ),
            enabled(.stream("audio"), "Whether the source's sound is passed on."),
            ConfigKey(
                .stream("audio"),
                "ring_size",
                .bytes((1 << 16)...(1 << 30)),
                "512k",
                "How much shared memory holds the newest sound."
            ),
        ]
        + [
            ConfigKey(
                .fixed("tls"),
                "certificate",
                .path,
                "",
                .live,
                "A PEM file: the server's certificate, then those that lead to the authority; self-signed has "
                    + "apus up make one beside the users' file. Without it nothing is encrypted."
            ),
            ConfigKey(
                .fixed("tls"),
                "key",
                .path,
                "",
                .live,
                "A PEM file: the certificate's key, not encrypted. Self-signed needs none."
            ),
        ]
        + serverKeys(
            "rtsp",
            name: "RTSP",
            port: 8554,
            latency: "2s",
            more: [
                ConfigKey(
                    .fixed("rtsp"),
                    "udp_pace",
                    .bitrate(0...10_000_000_000),
                    "200M",
                    .live,
                    "How fast a large frame leaves over UDP, so that it does not overrun the receiver; 0 is at once."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "tls_port",
                    .integer(0...65_535),
                    "8322",
                    "The TCP port of RTSPS, which is listened on if [tls] has a certificate; 0 takes a free one."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "encryption",
                    .choice(["optional", "required"]),
                    "optional",
                    "Required serves RTSPS only, and UDP only as SRTP; it needs a certificate in [tls]."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "max_clients_per_address",
                    .integer(1...10_000),
                    "64",
                    .live,
                    "More connections from one address (of IPv6, from one /64) are refused; loopback addresses may have as many "
                        + "as there can be."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "max_tracks",
                    .integer(1...3),
                    "3",
                    .live,
                    "More tracks cannot be set up on one connection: pictures, sound, the way back."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "max_request",
                    .bytes((1 << 10)...(1 << 16)),
                    "64k",
                    .live,
                    "A request with a larger body, or a larger head (at most 16k), ends its connection."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "max_headers",
                    .integer(8...64),
                    "64",
                    .live,
                    "A request with more header lines ends its connection."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "max_half_open_tunnels",
                    .integer(1...1000),
                    "64",
                    "More HTTP tunnels that wait for their other half are refused; from one address, more than 8 always are."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "first_request_timeout",
                    .duration(.seconds(1)...(.seconds(600))),
                    "10s",
                    .live,
                    "A connection that has made no request that was served by then, where there are users by one of them, is "
                        + "closed. If max_clients is reached, the oldest such connection makes room."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "session_timeout",
                    .duration(.seconds(10)...(.seconds(3600))),
                    "1m",
                    .live,
                    "A session without a sign of life for so long is ended."
                ),
                ConfigKey(
                    .fixed("rtsp"),
                    "workers",
                    .integer(1...RTSPConfiguration.maximumWorkers),
                    "1",
                    .live,
                    "How many processes serve, each on a processor core of its own; a viewer's address decides which of "
                        + "them it gets. Limits hold in each. From one to several, or back, ends all connections."
                ),
            ]
        )
        + serverKeys("http", name: "HTTP", port: 8080, latency: "1s", more: webKeys)
        + hlsKeys
        + machineKeys

    /// The key called `name` of the sections that match `pattern`.
    package static func key(_ pattern: SectionPattern, _ name: String) -> ConfigKey? {
        keys.first { $0.section == pattern && $0.name == name }
    }

    /// The names of all keys of the sections that match `pattern`.
    package static func names(_ pattern: SectionPattern) -> [String] {
        keys.filter { $0.section == pattern }.map(\.name)
    }

    /// The pattern that `section` matches, with the camera's name where it has one.
    package static func pattern(of section: String) -> (pattern: SectionPattern, camera: String?)? {
        let parts = section.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count > 1 else {
            return sections.contains { $0.pattern == .fixed(section) } ? (.fixed(section), nil) : nil
        }
        guard parts[0] == "camera" else { return nil }
        if parts.count == 2 { return (.camera, parts[1]) }
        let pattern = SectionPattern.stream(parts[2])
        guard parts.count == 3, sections.contains(where: { $0.pattern == pattern }) else { return nil }
        return (pattern, parts[1])
    }

    private static func enabled(_ section: SectionPattern, _ documentation: String) -> ConfigKey {
        ConfigKey(section, "enabled", .boolean, "yes", documentation)
    }

    private static func multicast(_ section: SectionPattern) -> ConfigKey {
        ConfigKey(
            section,
            "multicast",
            .multicast,
            "off",
            .live,
            "The group that RTSP clients may get the stream from: address:port, and /TTL if packets pass routers."
        )
    }

    private static func videoKeys(
        _ stream: String,
        codecs: [String],
        size: String,
        bitrate: String,
        ring: String
    ) -> [ConfigKey] {
        let section = SectionPattern.stream(stream)
        return [
            enabled(section, "Whether the camera has this stream."),
            ConfigKey(
                section,
                "codec",
                .choice(codecs),
                codecs[0],
                codecs[0] == "auto"
                    ? "The coding; auto passes H.264, H.265 and AV1 sources on as they are and encodes others as h264."
                    : "The coding."
            ),
            ConfigKey(section, "size", .size, size, "The picture's size; source takes the source's."),
            ConfigKey(section, "fps", .frameRate, "source", .live, "Frames per second at most."),
            ConfigKey(section, "bitrate", .bitrate(16_000...200_000_000), bitrate, .live, "The mean rate in bit/s."),
            multicast(section),
            ConfigKey(
                section,
                "gop",
                .duration(.milliseconds(100)...(.seconds(60))),
                "2s",
                .live,
                "The time from one keyframe to the next."
            ),
            ConfigKey(
                section,
                "stamp",
                .boolean,
                "no",
                .live,
                "Whether each frame carries its capture time in UTC, as an SEI message; frames that are passed on "
                    + "untouched get it, too."
            ),
            ConfigKey(
                section,
                "ring_size",
                .bytes((1 << 18)...(1 << 30)),
                ring,
                "How much shared memory holds the newest frames; it should hold two GOPs."
            ),
        ]
    }

    private static func serverKeys(
        _ section: String,
        name: String,
        port: Int,
        latency: String,
        more: [ConfigKey]
    ) -> [ConfigKey] {
        let pattern = SectionPattern.fixed(section)
        return [
            enabled(pattern, "Whether the \(name) server runs."),
            ConfigKey(
                pattern,
                "listen",
                .address,
                "127.0.0.1",
                "The address to listen on, * for all; others than loopback need users, or auth = off in [apus]."
            ),
            ConfigKey(pattern, "port", .integer(0...65_535), "\(port)", "The TCP port; 0 takes a free one."),
            ConfigKey(
                pattern,
                "max_latency",
                .duration(.milliseconds(100)...(.seconds(30))),
                latency,
                .live,
                "A client that falls behind by more goes on at the newest keyframe."
            ),
            ConfigKey(pattern, "max_clients", .integer(1...10_000), "128", .live, "More connections are refused."),
        ] + more
    }
}
