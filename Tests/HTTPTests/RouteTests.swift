// SPDX-License-Identifier: Apache-2.0
// The addresses of apus-http.

import HTTP
import Testing

@testable import apus_http

@Suite("Addresses")
struct RouteTests {
    /// A table as the server's, whose answers are not of interest.
    private let table: EndpointTable = {
        var table = EndpointTable()
        func add(_ name: String, _ method: HTTP.Method, _ path: String, when condition: Target.QueryItem? = nil) {
            table.add([Endpoint(method, path, needs: .view, when: condition, name) { _ in }])
        }
        add("stream", .get, "/", when: Target.QueryItem(name: "action", value: "stream"))
        add("page", .get, "/")
        add("mjpeg", .get, "/{camera}/mjpeg")
        add("list", .get, "/api/v1/cameras")
        add("one", .get, "/api/v1/cameras/{name}")
        add("remove", .delete, "/api/v1/cameras/{name}")
        add("all", .get, "/api/v1/cameras/all")
        add("part", .get, "/{camera}/hls/{file…}")
        return table
    }()

    /// What `target` leads to, in a word.
    private func destination(_ target: String, _ method: HTTP.Method = .get) throws -> String {
        let request = try #require(requests("GET \(target) HTTP/1.0\r\n\r\n").first)
        switch table.match(method, request.head.target, isCamera: ["front", "yard"].contains) {
        case .found(let endpoint, let parameters):
            return ([endpoint.summary] + parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
                .joined(separator: " ")
        case .otherMethods(let methods): return EndpointTable.allow(methods)
        case .nothing: return "nothing"
        }
    }

    @Test(
        "each address leads to its thing",
        arguments: [
            ("/", "page"), ("/?x=1", "page"), ("/?action=x", "page"), ("/?action=stream", "stream"),
            ("/yard/mjpeg", "mjpeg camera=yard"), ("/y%61rd/mjpeg", "mjpeg camera=yard"), ("/roof/mjpeg", "nothing"),
            ("/yard", "nothing"), ("/yard/mjpeg/x", "nothing"), ("/api/v1/cameras", "list"),
            ("/api/v1/cameras/roof", "one name=roof"), ("/api/v1/cameras/all", "all"), ("/api", "nothing"),
            ("/front/hls/a/b.mp4", "part camera=front file=a/b.mp4"), ("/front/hls", "part camera=front file="),
        ]
    )
    func addresses(target: String, expected: String) throws {
        #expect(try destination(target) == expected)
    }

    @Test("a method that an address does not have is told the ones it has")
    func methods() throws {
        #expect(try destination("/api/v1/cameras/roof", .delete) == "remove name=roof")
        #expect(try destination("/api/v1/cameras/roof", .put) == "GET, DELETE, HEAD, OPTIONS")
        #expect(try destination("/yard/mjpeg", .head) == "mjpeg camera=yard")
    }

    @Test("a client that has a file is told that it did not change")
    func entityTags() throws {
        let file = try #require(WebFile.all["/web/app.js"])
        func answer(_ field: String) throws -> Response {
            file.response(to: try #require(requests("GET /web/app.js HTTP/1.0\r\n\(field)\r\n\r\n").first).head)
        }

        #expect(try answer("If-None-Match: \"x\", \(file.entityTag)").status == .notModified)
        #expect(try answer("If-None-Match: \"x\"").status == .ok)
        #expect(try answer("A: b").body != .bytes([]))
    }
}
