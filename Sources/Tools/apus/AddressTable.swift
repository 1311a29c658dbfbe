// SPDX-License-Identifier: Apache-2.0
// What `apus up` prints when all is ready: where the pictures are, and how to look at them.

import Config
import Control

/// The addresses of an instance.
struct AddressTable {
    private let configuration: Configuration
    private let sources: [String: String]
    private let rtsp: String?
    private let rtsps: String?
    private let http: String?
    private let https: String?
    /// The port that speaks reCamera's protocol.
    private let recamera: String?
    /// The path of the HTTP server's Unix socket.
    private let unix: String?
    private let troubles: [String: String]

    /// `sources` are what to call the sources of cameras, where the configuration does not say it; `listeners` are what
    /// the servers say of themselves in `status`; `troubles` say why cameras have no pictures yet.
    init(
        _ configuration: Configuration,
        sources: [String: String] = [:],
        listeners: [JSON],
        troubles: [String: String] = [:]
    ) {
        self.sources = sources
        self.configuration = configuration
        self.troubles = troubles
        rtsp = AddressTable.authority("rtsp", listeners)
        rtsps = AddressTable.authority("rtsps", listeners)
        http = AddressTable.authority("http", listeners)
        https = AddressTable.authority("https", listeners)
        unix = listeners.first { $0["protocol"]?.string == "unix" }?["path"]?.string
        recamera = AddressTable.authority("websocket", listeners)
    }

    var text: String {
        var table = Table([])
        for camera in configuration.cameras {
            let trouble = troubles[camera.name].map { "   (\($0))" } ?? ""
            let source = sources[camera.name] ?? SourceScheme.redacted(camera.source)
            table.append(["camera", camera.name, source + trouble])
            if let rtsp, let stream = camera.rtspStreams.first {
                let more = camera.rtspStreams.dropFirst().map { "/\(camera.name)\($0)" }.joined(separator: " ")
                table.append([
                    "", "RTSP", "rtsp://\(rtsp)/\(camera.name)\(stream)" + (more.isEmpty ? "" : "   \(more)"),
                ])
            }
            if let rtsps, let stream = camera.rtspStreams.first {
                table.append(["", "RTSPS", "rtsps://\(rtsps)/\(camera.name)\(stream)"])
            }
            if let http, camera.jpeg != nil {
                table.append(["", "snapshot", "http://\(http)/\(camera.name)/snapshot.jpg"])
                table.append(["", "MJPEG", "http://\(http)/\(camera.name)/mjpeg"])
            }
            if let http, camera.main != nil {
                table.append(["", "HLS", "http://\(http)/\(camera.name)/index.m3u8"])
                table.append(["", "WebSocket", "ws://\(http)/\(camera.name)/ws"])
            }
        }
        if let http { table.append(["page", "", "http://\(http)/"]) }
        if let https { table.append([http == nil ? "page" : "", "", "https://\(https)/"]) }
        if let recamera { table.append(["reCamera", "", "ws://\(recamera)/"]) }
        if let unix { table.append(["Unix socket", "", unix]) }
        var text = "\n" + table.text
        if let rtsp, let camera = configuration.cameras.first, let stream = camera.rtspStreams.first {
            let address = "rtsp://\(rtsp)/\(camera.name)\(stream)"
            text += "\n  ffplay -fflags nobuffer -flags low_delay -rtsp_transport tcp \(address)\n"
            // Over HTTP: Debian builds VLC without RTSP.
            if let http, camera.jpeg != nil {
                text += "  vlc --network-caching=100 http://\(http)/\(camera.name)/mjpeg\n"
            }
        }
        return text + "\nReady. Ctrl-C ends it.\n"
    }

    /// What an address of the HTTP server begins with; nil if there is none.
    ///
    /// Where there is a certificate, it is HTTPS.
    static func httpURL(_ listeners: [JSON]) -> String? {
        authority("https", listeners).map { "https://\($0)" } ?? authority("http", listeners).map { "http://\($0)" }
    }

    /// Host and port as they stand in a URL; an address for all is reached by loopback.
    private static func authority(_ protocolName: String, _ listeners: [JSON]) -> String? {
        guard let listener = listeners.first(where: { $0["protocol"]?.string == protocolName }),
            let host = listener["host"]?.string, let port = listener["port"]?.integer
        else { return nil }
        let reachable = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host
        return reachable.contains(":") ? "[\(reachable)]:\(port)" : "\(reachable):\(port)"
    }
}

extension CameraConfiguration {
    /// What follows the camera's name in the addresses of its streams.
    fileprivate var rtspStreams: [String] {
        (main != nil ? [""] : []) + (sub != nil ? ["/sub"] : []) + (jpeg != nil ? ["/jpeg"] : [])
    }
}
