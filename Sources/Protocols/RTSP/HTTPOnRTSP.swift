// SPDX-License-Identifier: Apache-2.0
// Browsers that come to the RTSP port: where they are sent.

/// The answer to an HTTP request on the RTSP port.
package enum HTTPOnRTSP {
    /// The whole response: a redirection to the same path on the HTTP port, or 404 where that is not known.
    ///
    /// The host is the one that the browser asked for, so that it works behind any name the machine has.
    package static func response(to request: RTSPRequest, httpPort: UInt16?) -> [UInt8] {
        if let httpPort, let host = host(request), request.target.hasPrefix("/"), !request.target.hasPrefix("//"),
            ["GET", "HEAD"].contains(request.method.name)
        {
            let location = "http://\(host):\(httpPort)\(request.target)"
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
