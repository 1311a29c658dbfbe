// SPDX-License-Identifier: Apache-2.0
// The addresses of apus-http.

import HTTP
import Testing

@testable import apus_http

@Suite("Addresses")
struct RouteTests {
    /// What `target` leads to, in a word.
    private func destination(_ target: String) throws -> String {
        let request = try #require(requests("GET \(target) HTTP/1.0\r\n\r\n").first)
        switch Route(request.head.target, cameras: ["front", "yard"]) {
        case .file(let file): return file.contentType
        case .snapshot(let camera): return "snapshot \(camera)"
        case .mjpeg(let camera, let advance): return "mjpeg \(camera)\(advance ? " advance" : "")"
        case .cameras: return "cameras"
        case .health: return "health"
        case .nothing: return "nothing"
        }
    }

    @Test(
        "each address leads to its thing",
        arguments: [
            ("/", "text/html; charset=utf-8"), ("/?x=1", "text/html; charset=utf-8"),
            ("/app.js", "text/javascript; charset=utf-8"), ("/style.css", "text/css; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml"), ("/favicon.ico", "image/svg+xml"),
            ("/healthz", "health"), ("/api/v1/cameras", "cameras"),
            ("/snap.jpg", "snapshot front"), ("/snapshot", "snapshot front"), ("/?action=snapshot", "snapshot front"),
            ("/mjpeg", "mjpeg front"), ("/stream", "mjpeg front"), ("/video.mjpg", "mjpeg front"),
            ("/?action=stream", "mjpeg front"), ("/?action=stream&advance_headers=1", "mjpeg front advance"),
            ("/yard/snapshot.jpg", "snapshot yard"), ("/yard/mjpeg", "mjpeg yard"),
            ("/yard/mjpeg?advance_headers=1", "mjpeg yard advance"), ("/y%61rd/mjpeg", "mjpeg yard"),
            ("/roof/mjpeg", "nothing"), ("/yard", "nothing"), ("/yard/mjpeg/x", "nothing"), ("/index.html", "nothing"),
            ("/api", "nothing"), ("/?action=x", "text/html; charset=utf-8"),
        ]
    )
    func addresses(target: String, expected: String) throws {
        #expect(try destination(target) == expected)
    }

    @Test("a client that has a file is told that it did not change")
    func entityTags() throws {
        let file = try #require(WebFile(path: ["app.js"]))
        func answer(_ field: String) throws -> Response {
            file.response(to: try #require(requests("GET /app.js HTTP/1.0\r\n\(field)\r\n\r\n").first).head)
        }

        #expect(try answer("If-None-Match: \"x\", \(file.entityTag)").status == .notModified)
        #expect(try answer("If-None-Match: \"x\"").status == .ok)
        #expect(try answer("A: b").body != .bytes([]))
    }
}
