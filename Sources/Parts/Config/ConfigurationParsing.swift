// SPDX-License-Identifier: Apache-2.0
// From a document to a configuration: every key against the schema, then what keys say together.

import System

extension Configuration {
    /// More cameras are refused.
    package static let maximumCameras = 64

    /// Reads a configuration out of a file's text.
    /// - Throws: every fault that was found, not only the first.
    package init(parsing text: String, name: String) throws(ConfigError) {
        let (document, issues) = ConfigDocument.parse(text, name: name)
        try self.init(document, issues: issues)
    }

    /// Reads a configuration out of a document; `issues` were found in it before.
    package init(_ document: ConfigDocument, issues: [ConfigIssue] = []) throws(ConfigError) {
        var table = ConfigTable(document, issues: issues)
        let cameras = table.cameras.isEmpty ? ["cam"] : table.cameras
        authentication = AuthenticationMode(rawValue: table.text("apus", "auth")) ?? .on
        users = UsersLocation(table.text("apus", "users"), configuration: document.name)
        maximumFailures = table.integer("apus", "auth_failures")
        lockout = table.duration("apus", "auth_lockout")
        let systemUser = table.text("apus", "user")
        self.systemUser = systemUser == "none" ? nil : systemUser
        isSandboxed = table.boolean("apus", "sandbox")
        simulatedDevices = Int(table.text("apus", "simulated_devices"))
        patience = table.integer("apus", "patience")
        log = LogConfiguration(level: table.text("log", "level"))
        self.cameras = cameras.map { CameraConfiguration(name: $0, table) }
        tls = TLSConfiguration(table)
        rtsp = RTSPConfiguration(table)
        http = HTTPConfiguration(table)
        telemetry = TelemetryConfiguration(table)
        thermal = ThermalConfiguration(table)
        hls = HLSConfiguration(table)
        checkListeners(&table)
        checkEncryption(&table)
        checkPlaylists(&table)
        checkCameras(&table)
        table.issues.sort { $0.line < $1.line }
        if !table.issues.isEmpty { throw ConfigError(table.issues) }
    }

    /// The configuration of an empty file.
    package static func standard() throws(ConfigError) -> Configuration {
        try Configuration(ConfigDocument(name: ConfigDocument.defaultsName))
    }

    private func checkPlaylists(_ table: inout ConfigTable) {
        if hls.part * 2 > hls.segment {
            table.report("hls", "part", "part in [hls] is longer than half a segment")
        }
        // RFC 8216 §6.2.2 wants a playlist to hold three times the longest segment.
        if hls.segment * 3 > hls.window {
            table.report("hls", "window", "window in [hls] is shorter than three segments")
        }
    }

    private func checkListeners(_ table: inout ConfigTable) {
        let isSecure = rtsp.isEnabled && tls != nil
        let listeners = [
            (section: "rtsp", key: "port", isOpen: rtsp.isEnabled, address: rtsp.listen, port: rtsp.port),
            (section: "rtsp", key: "tls_port", isOpen: isSecure, address: rtsp.listen, port: rtsp.tlsPort),
            (section: "http", key: "port", isOpen: http.isEnabled, address: http.listen, port: http.port),
            (
                section: "http", key: "websocket_port", isOpen: http.isEnabled && http.webSocketPort != 0,
                address: http.listen, port: http.webSocketPort
            ),
            (
                section: "http", key: "tls_port", isOpen: http.isEnabled && tls != nil, address: http.listen,
                port: http.tlsPort
            ),
        ]
        for (index, listener) in listeners.enumerated() where listener.isOpen {
            if listener.key == "port", authentication == .on, !isLoopback(listener.address),
                !users.hasUsers
            {
                table.report(
                    listener.section,
                    "listen",
                    "listen = \(listener.address) in [\(listener.section)] would serve others, and there are "
                        + "no users in \(users.path): apus user add NAME, or auth = off in [apus] if that is meant"
                )
            }
            for other in listeners[..<index] where other.isOpen && other.port == listener.port && other.port != 0 {
                let overlaps =
                    other.address == listener.address || isAny(other.address) || isAny(listener.address)
                guard overlaps else { continue }
                table.report(
                    listener.section,
                    listener.key,
                    "\(listener.key) \(listener.port) in [\(listener.section)] is already taken by [\(other.section)]"
                )
            }
        }
    }

    private func checkEncryption(_ table: inout ConfigTable) {
        let certificate = table.text("tls", "certificate")
        let key = table.text("tls", "key")
        if certificate.isEmpty != key.isEmpty, certificate != TLSConfiguration.selfSigned {
            let missing = key.isEmpty ? "key" : "certificate"
            table.report("tls", certificate.isEmpty ? "key" : "certificate", "[tls] needs a \(missing), too")
        }
        checkRedirection(&table)
        if rtsp.isEnabled, rtsp.requiresEncryption, tls == nil {
            table.report(
                "rtsp",
                "encryption",
                "encryption = required in [rtsp] needs certificate and key in [tls]"
            )
        }
    }

    private func checkRedirection(_ table: inout ConfigTable) {
        guard http.isEnabled, http.redirectsToTLS, tls == nil else { return }
        table.report("http", "encryption", "encryption = required in [http] needs certificate and key in [tls]")
    }

    private func isLoopback(_ address: String) -> Bool {
        SocketAddress(host: address, port: 0)?.isLoopback ?? false
    }

    private func isAny(_ address: String) -> Bool { ["*", "0.0.0.0", "::"].contains(address) }

    private func checkCameras(_ table: inout ConfigTable) {
        if cameras.count > Configuration.maximumCameras {
            table.report("", "", "there are more than \(Configuration.maximumCameras) cameras")
        }
        var stdin: String?
        for camera in cameras {
            if SourceScheme(of: camera.source) == .stdin {
                if let stdin {
                    table.report(
                        "camera.\(camera.name)",
                        "source",
                        "camera \(camera.name) cannot read standard input: camera \(stdin) already does"
                    )
                }
                stdin = stdin ?? camera.name
            }
            if camera.isOnDemand, let scheme = SourceScheme(of: camera.source), scheme == .publish || scheme == .stdin {
                table.report(
                    "camera.\(camera.name)",
                    "on_demand",
                    "camera \(camera.name) cannot have on_demand: its source \(camera.source) is not ours to start"
                )
            }
            if let main = camera.main?.size, let sub = camera.sub?.size,
                sub.width > main.width || sub.height > main.height
            {
                table.report(
                    "camera.\(camera.name).sub",
                    "size",
                    "size \(sub) of [camera.\(camera.name).sub] is larger than the main stream's \(main)"
                )
            }
            if camera.main == nil, camera.sub == nil, camera.jpeg == nil {
                table.report("camera.\(camera.name)", "", "camera \(camera.name) has no stream that is enabled")
            }
        }
    }
}

/// Rules for what a camera may be called.
package enum CameraName {
    /// The longest name.
    package static let maximumLength = 32

    /// Words that already mean something in an address.
    package static let reserved: Set<String> = [
        "api", "audio", "healthz", "hls", "http", "jpeg", "luma", "main", "metrics", "mjpeg", "mse", "raw",
        "rtsp", "snap", "snapshot", "speaker", "state", "static", "stream", "stream0", "stream1", "sub", "video",
        "whep", "whip", "ws",
    ]

    /// Why a camera cannot be called `name`; nil if it can.
    package static func problem(with name: String) -> String? {
        let isSpelt = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isSpelt, (1...maximumLength).contains(name.utf8.count) else {
            return "camera name \"\(name)\" must be 1 to \(maximumLength) of a–z, 0–9, _ and -"
        }
        return reserved.contains(name) ? "camera name \"\(name)\" is reserved; choose another" : nil
    }
}

// MARK: From values to structs

extension CameraConfiguration {
    fileprivate init(name: String, _ table: ConfigTable) {
        let section = "camera.\(name)"
        self.name = name
        source = table.text(section, "source")
        encoder = EncoderChoice(rawValue: table.text(section, "encoder")) ?? .auto
        controls = table.controls(section, "controls")
        isOnDemand = table.boolean(section, "on_demand")
        slateDelay = table.boolean(section, "slate") ? table.duration(section, "slate_after") : nil
        mayResetUSB = table.boolean(section, "usb_reset")
        hasTalkback = table.boolean(section, "talkback")
        main = table.boolean("\(section).main", "enabled") ? VideoStreamConfiguration("\(section).main", table) : nil
        sub = table.boolean("\(section).sub", "enabled") ? VideoStreamConfiguration("\(section).sub", table) : nil
        jpeg = table.boolean("\(section).jpeg", "enabled") ? JPEGStreamConfiguration("\(section).jpeg", table) : nil
        audio = table.boolean("\(section).audio", "enabled") ? AudioStreamConfiguration("\(section).audio", table) : nil
    }
}

extension VideoStreamConfiguration {
    fileprivate init(_ section: String, _ table: ConfigTable) {
        codec = VideoCodecChoice(rawValue: table.text(section, "codec")) ?? .h264
        size = table.size(section, "size")
        frameRate = table.frameRate(section, "fps")
        bitrate = table.integer(section, "bitrate")
        gop = table.duration(section, "gop")
        hasStamp = table.boolean(section, "stamp")
        multicast = table.multicast(section, "multicast")
        ringSize = table.integer(section, "ring_size")
    }
}

extension JPEGStreamConfiguration {
    fileprivate init(_ section: String, _ table: ConfigTable) {
        size = table.size(section, "size")
        frameRate = table.frameRate(section, "fps")
        quality = table.integer(section, "quality")
        multicast = table.multicast(section, "multicast")
        ringSize = table.integer(section, "ring_size")
    }
}

extension AudioStreamConfiguration {
    fileprivate init(_ section: String, _ table: ConfigTable) {
        ringSize = table.integer(section, "ring_size")
    }
}

extension TLSConfiguration {
    fileprivate init?(_ table: ConfigTable) {
        certificate = table.text("tls", "certificate")
        key = table.text("tls", "key")
        if certificate.isEmpty || key.isEmpty && !isSelfSigned { return nil }
    }
}

extension RTSPConfiguration {
    fileprivate init(_ table: ConfigTable) {
        isEnabled = table.boolean("rtsp", "enabled")
        listen = table.text("rtsp", "listen")
        port = UInt16(table.integer("rtsp", "port"))
        maximumLatency = table.duration("rtsp", "max_latency")
        udpPace = table.integer("rtsp", "udp_pace")
        maximumClients = table.integer("rtsp", "max_clients")
        sessionTimeout = table.duration("rtsp", "session_timeout")
        tlsPort = UInt16(table.integer("rtsp", "tls_port"))
        requiresEncryption = table.text("rtsp", "encryption") == "required"
        maximumClientsPerAddress = table.integer("rtsp", "max_clients_per_address")
        maximumTracks = table.integer("rtsp", "max_tracks")
        maximumRequest = table.integer("rtsp", "max_request")
        maximumHeaders = table.integer("rtsp", "max_headers")
        maximumHalfOpenTunnels = table.integer("rtsp", "max_half_open_tunnels")
        firstRequestTimeout = table.duration("rtsp", "first_request_timeout")
        workers = table.integer("rtsp", "workers")
    }
}

extension HLSConfiguration {
    fileprivate init(_ table: ConfigTable) {
        part = table.duration("hls", "part")
        segment = table.duration("hls", "segment")
        window = table.duration("hls", "window")
    }
}

extension TelemetryConfiguration {
    fileprivate init(_ table: ConfigTable) {
        interval = table.duration("telemetry", "interval")
        hot = table.integer("telemetry", "hot")
        memoryLow = table.integer("telemetry", "memory_low")
        diskLow = table.integer("telemetry", "disk_low")
        wornOut = table.integer("telemetry", "worn_out")
    }
}

extension ThermalConfiguration {
    fileprivate init(_ table: ConfigTable) {
        lower = table.text("thermal", "lower")
        hot = table.integer("thermal", "hot")
        atLeast = table.integer("thermal", "at_least")
        pace = table.duration("thermal", "pace")
    }
}

extension HTTPConfiguration {
    fileprivate init(_ table: ConfigTable) {
        tlsPort = UInt16(table.integer("http", "tls_port"))
        redirectsToTLS = table.text("http", "encryption") == "required"
        strictTransport = table.duration("http", "hsts")
        isEnabled = table.boolean("http", "enabled")
        listen = table.text("http", "listen")
        port = UInt16(table.integer("http", "port"))
        maximumLatency = table.duration("http", "max_latency")
        maximumClients = table.integer("http", "max_clients")
        hosts = table.text("http", "hosts")
        allowedOrigins = table.text("http", "allow_origin")
        plainLogin = PlainLogin(rawValue: table.text("http", "plain_login")) ?? .auto
        sessionTimeout = table.duration("http", "session_timeout")
        webSocketPort = UInt16(table.integer("http", "websocket_port"))
        unixSocket = table.text("http", "unix_socket")
        unixSocketMode = UInt32(table.text("http", "unix_socket_mode"), radix: 8) ?? 0o660
    }
}
