// SPDX-License-Identifier: Apache-2.0
// Who may ask for what: every address of the server against a table that somebody has looked at.

import API
import Access
import Config
import Foundation
import HTTP
import Log
import System
import Testing

@testable import Daemon
@testable import apus_http

@Suite("Endpoints")
struct EndpointTableTests {
    /// Method, path and permission: `-` lets everybody ask, `view*` asks for it with some camera only.
    ///
    /// A line that is added here says that who asks may see or do all of what the handler tells or does: that cameras
    /// which are not his are left out, and that no name, address or figure of them is in the answer.
    private static let reviewed = """
        GET / view
        GET / view
        GET / -
        GET /api/channels view
        GET /api/deviceMgr/getCameraWebsocketUrl view
        GET /api/frame.jpeg view*
        GET /api/streams view
        GET /api/v1/cameras view
        GET /api/v1/cameras/{camera} view
        GET /api/v1/cameras/{camera}/controls view
        PATCH /api/v1/cameras/{camera}/controls control
        PUT /api/v1/cameras/{camera}/controls control
        GET /api/v1/cameras/{camera}/streams view
        GET /api/v1/clients control*
        DELETE /api/v1/clients/{daemon}/{id} control*
        GET /api/v1/config configure
        PATCH /api/v1/config configure
        GET /api/v1/devices configure
        GET /api/v1/daemons configure
        GET /api/v1/daemons/{daemon} configure
        POST /api/v1/daemons/{daemon}/verbs/{verb} configure
        GET /api/v1/events view
        POST /api/v1/login -
        GET /api/v1/logs configure
        POST /api/v1/logout -
        GET /api/v1/openapi.json view
        GET /api/v1/session -
        GET /api/v1/shares configure
        POST /api/v1/shares configure
        DELETE /api/v1/shares/{id} configure
        GET /api/v1/system configure
        GET /api/v1/time -
        GET /healthz -
        GET /metrics configure
        GET /readyz -
        GET /s/{token} -
        GET /v3/paths/get/{name} view
        GET /v3/paths/list view
        GET /{camera}/clip.mp4 view
        GET /{camera}/index.m3u8 view
        GET /{camera}/mjpeg view
        GET /{camera}/mse view
        GET /{camera}/snapshot.jpg view
        GET /{camera}/state view
        GET /{camera}/ws view
        GET /{camera}/{stream}/hls/{file} view
        GET /{camera}/{stream}/index.m3u8 view
        """

    private static let configuration = """
        [http]
        port = 0
        [rtsp]
        port = 0
        [camera.cam]
        source = pattern:
        [camera.yard]
        source = pattern:
        """

    private func withServer(_ body: (Server) throws -> Void) throws {
        let directory = RunDirectory("/tmp/apus-endpoints-\(Random.uint64())")
        try directory.prepare()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let start = DaemonStart(
            configuration: try Configuration(parsing: Self.configuration, name: "test"),
            configurationFile: nil,
            runDirectory: directory,
            camera: nil,
            worker: 1,
            level: .error,
            hasFixedLevel: true,
            triesSandbox: false,
            isSandboxed: false
        )
        let context = try DaemonContext("apus-http", start, .standardError("http", level: .error))
        let server = try Server(context)
        try body(server)
        context.stop()
    }

    private func line(_ endpoint: Endpoint) -> String {
        let permission = endpoint.permission.map { "\($0)" + (endpoint.isOfEachCamera ? "*" : "") } ?? "-"
        return "\(endpoint.method.rawValue) \(endpoint.paths.first ?? "") \(permission)"
    }

    @Test("every address is one that was looked at for who may ask (a new one has to be added to the table)")
    func permissions() throws {
        try withServer { server in
            // Files of the page are everybody's.
            let endpoints = server.endpoints.endpoints.filter { endpoint in
                endpoint.paths.first == "/" || WebFile.all[endpoint.paths.first ?? ""] == nil
            }
            let lines = Set(endpoints.map(line))
            let reviewed = Set(Self.reviewed.split(separator: "\n").map(String.init))
            #expect(lines.subtracting(reviewed).sorted() == [], "not looked at")
            #expect(reviewed.subtracting(lines).sorted() == [], "not there")
        }
    }

    @Test("what is about one camera and needs a user names it, and nothing changes by GET or without a permission")
    func forms() throws {
        try withServer { server in
            for endpoint in server.endpoints.endpoints {
                let needsCamera = endpoint.paths.contains { $0.contains("{camera}") }
                #expect(!needsCamera || endpoint.isAboutCamera && endpoint.permission != nil, "\(line(endpoint))")
                if endpoint.method != .get, endpoint.permission == nil {
                    #expect(["/api/v1/login", "/api/v1/logout"].contains(endpoint.paths.first), "\(line(endpoint))")
                }
                if endpoint.method != .get, let permission = endpoint.permission {
                    #expect(permission == .control || permission == .configure, "\(line(endpoint))")
                }
            }
        }
    }

    @Test("a grant is good for its role's permissions with its user's cameras, and a link for seeing its camera")
    func grants() throws {
        // Permission, camera (nil: none), then: viewer, publisher, operator, admin of cam; admin of all; a link of cam.
        let table: [(Permission, String?, String)] = [
            (.view, "cam", "yny yyy"), (.view, "yard", "nnn nyn"), (.view, nil, "yny yyn"),
            (.publish, "cam", "nyy yyn"), (.publish, "yard", "nnn nyn"), (.publish, nil, "nnn nyn"),
            (.talk, "cam", "nny yyn"), (.talk, "yard", "nnn nyn"), (.talk, nil, "nnn nyn"),
            (.control, "cam", "nny yyn"), (.control, "yard", "nnn nyn"), (.control, nil, "nnn nyn"),
            (.configure, "cam", "nnn yyn"), (.configure, "yard", "nnn nyn"), (.configure, nil, "nnn nyn"),
        ]
        let grants = try made()
        for (permission, camera, expected) in table {
            let found = grants.map { $0.may(permission, camera) ? "y" : "n" }.joined()
            #expect(found == expected.filter { $0 != " " }, "\(permission) \(camera ?? "-")")
        }
    }

    private func made() throws -> [Grant] {
        let lines = [
            "a role=viewer cameras=cam password=x", "b role=publisher cameras=cam password=x",
            "c role=operator cameras=cam password=x", "d role=admin cameras=cam password=x",
            "e role=admin cameras=* password=x",
        ]
        let users = try UserList(parsing: lines.joined(separator: "\n") + "\n", name: "users").users
        var book = ShareBook(try ShareList(parsing: "", name: "shares"))
        let link = try book.add(camera: "cam", lifetime: nil, viewers: 1, label: "", by: "e", utc: 0)
        let key = try #require(SessionKey(cookie: String(repeating: "a", count: 43)))
        return users.map { Grant(proof: .password, user: $0) } + [Grant(proof: .share(link.share, key), user: nil)]
    }
}
