// SPDX-License-Identifier: Apache-2.0
// HTTP requests on the RTSP port: halves of tunnels, WebSocket, and browsers that came to the wrong port.

import HTTP
import WebSocket

/// What to do about an HTTP request on the RTSP port.
package enum HTTPOnRTSP {
    /// What tells a tunnel's requests from a browser's.
    package static let tunnelType = "application/x-rtsp-tunnelled"
    /// WebSocket's sub-protocol for RTSP (ONVIF Streaming Specification §5.1.1.5).
    package static let webSocketProtocol = "rtsp.onvif.org"
    /// The address of raspivid_mjpeg_server, whose port was the one that is RTSP's.
    package static let picturesPath = "/video.mjpg"
    /// Characters in the cookie that the two halves of a tunnel have in common.
    package static let maximumCookie = 128

    /// What a client wants.
    package enum Purpose: Sendable, Hashable {
        /// GET: the half of a tunnel on which responses and packets go out.
        case tunnelOutput(cookie: String)
        /// POST: the half of a tunnel on which requests come in, as base64.
        case tunnelInput(cookie: String)
        /// RTSP in WebSocket frames.
        case webSocket
        /// Motion JPEG, which some clients expect on this port; apus-http has it.
        case pictures
        /// A page.
        case page
    }

    /// What the client wants that sent a request.
    package static func purpose(of request: RTSPRequest) -> Purpose {
        if request.method.name == "GET", request.headers["Upgrade"]?.lowercased() == "websocket" { return .webSocket }
        let path = request.target.prefix { $0 != "?" }
        if path == picturesPath, ["GET", "HEAD", "OPTIONS"].contains(request.method.name),
            request.headers["x-sessioncookie"] == nil
        {
            return .pictures
        }
        guard let cookie = request.headers["x-sessioncookie"], !cookie.isEmpty, cookie.utf8.count <= maximumCookie
        else { return .page }
        switch request.method.name {
        case "GET" where request.headers["Accept"]?.lowercased() == tunnelType: return .tunnelOutput(cookie: cookie)
        // Some clients leave out the type here; the cookie is enough.
        case "POST": return .tunnelInput(cookie: cookie)
        default: return .page
        }
    }

    /// The head that a tunnel's GET is answered with; RTSP follows until the connection ends. A POST is never answered.
    package static func tunnelHead(server: String) -> [UInt8] {
        Array(
            ("HTTP/1.0 200 OK\r\nServer: \(server)\r\nConnection: close\r\nCache-Control: no-store\r\n"
                + "Pragma: no-cache\r\nContent-Type: \(tunnelType)\r\n\r\n")
                .utf8
        )
    }

    /// The answer to half a tunnel that cannot be had.
    package static func tunnelRefusal(_ refusal: TunnelRefusal) -> [UInt8] {
        let status =
            switch refusal {
            case .unknown: "404 Not Found"
            case .taken: "409 Conflict"
            case .tooMany: "503 Service Unavailable"
            }
        return Array("HTTP/1.1 \(status)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
    }

    /// The request as it goes on to an HTTP server, in the version that its fields show.
    package static func request(_ request: RTSPRequest) -> [UInt8] {
        var bytes: [UInt8] = []
        request.serialize(into: &bytes)
        // Nobody but HTTP/1.1's clients has to name the host, and with 1.1 the connection lives on.
        guard request.headers["Host"] != nil, let end = bytes.firstIndex(of: UInt8(ascii: "\r")) else { return bytes }
        bytes[end - 1] = UInt8(ascii: "1")
        return bytes
    }

    /// The answer to a request that another daemon would have to answer, which is not there.
    package static func unavailable(_ reason: String) -> [UInt8] {
        let body = reason + "\n"
        return Array(
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
                + "Content-Length: \(body.utf8.count)\r\nRetry-After: 5\r\nConnection: close\r\n\r\n" + body)
                .utf8
        )
    }

    /// The answer to a request for WebSocket.
    ///
    /// - Returns: the bytes to send, and true if the connection speaks WebSocket from here on; else it is to be closed.
    package static func answerWebSocket(
        _ request: RTSPRequest,
        date: Int64,
        sha1: ([UInt8]) -> [UInt8]
    ) -> (bytes: [UInt8], isOpen: Bool) {
        var bytes: [UInt8] = []
        do throws(RequestError) {
            var fields = HeaderFields()
            for field in request.headers.fields {
                try fields.append(parsing: Array("\(field.name):\(field.value)".utf8)[...])
            }
            let handshake = try WebSocketHandshake(
                isGet: request.method.name == "GET",
                fields: fields,
                protocols: [webSocketProtocol]
            )
            handshake.response(sha1: sha1).writeHead(connection: nil, date: date, into: &bytes)
            return (bytes, true)
        } catch {
            let refusal = WebSocketHandshake.refusal(error)
            refusal.writeHead(connection: "close", date: date, into: &bytes)
            if case .bytes(let body) = refusal.body { bytes += body }
            return (bytes, false)
        }
    }

    /// The whole response: a redirection to the same path on the HTTP port, or 404 where that is not known.
    ///
    /// The host is the one that the browser asked for, so that it works behind any name the machine has.
    ///
    /// - Parameter place: the scheme and the port that serve the page; nil if nothing does.
    package static func response(to request: RTSPRequest, place: (scheme: String, port: UInt16)?) -> [UInt8] {
        if let place, let host = host(request), request.target.hasPrefix("/"), !request.target.hasPrefix("//"),
            ["GET", "HEAD"].contains(request.method.name)
        {
            let location = "\(place.scheme)://\(host):\(place.port)\(request.target)"
            return Array(
                ("HTTP/1.1 302 Found\r\nLocation: \(location)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").utf8
            )
        }
        return Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
    }

    /// The Host header without its port; nil if it is no host.
    private static func host(_ request: RTSPRequest) -> String? {
        guard let header = request.headers["Host"] else { return nil }
        let host: Substring
        if header.hasPrefix("["), let end = header.firstIndex(of: "]") {
            host = header[...end]
        } else {
            host = header.prefix { $0 != ":" }
        }
        let isHost = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || ".-_[]:".utf8.contains(byte)
        }
        return isHost && !host.isEmpty ? String(host) : nil
    }
}
