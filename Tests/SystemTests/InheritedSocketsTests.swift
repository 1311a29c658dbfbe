// SPDX-License-Identifier: Apache-2.0
// Sockets that a service manager hands over: what sd_listen_fds(3) promises, and what does not keep to it.

import System
import Testing

@Suite("Inherited sockets") struct InheritedSocketsTests {
    @Test("sockets are named in their order, from descriptor 3 on")
    func named() throws {
        let sockets = try announced("LISTEN_PID=7", "LISTEN_FDS=2", "LISTEN_FDNAMES=http:rtsp")

        #expect(sockets == [.init(name: "http", descriptor: 3), .init(name: "rtsp", descriptor: 4)])
    }

    @Test("sockets without names are unknown")
    func unnamed() throws {
        #expect(try announced("LISTEN_PID=7", "LISTEN_FDS=1") == [.init(name: "unknown", descriptor: 3)])
    }

    @Test(
        "what is missing or for another process is no socket",
        arguments: [
            [], ["LISTEN_FDS=2"], ["LISTEN_PID=7"], ["LISTEN_PID=8", "LISTEN_FDS=2"], ["LISTEN_PID=7", "LISTEN_FDS=0"],
        ]
    )
    func none(variables: [String]) throws {
        #expect(try InheritedSockets.announced(variables, process: 7).isEmpty)
    }

    @Test(
        "what is no number, or does not fit together, is an error",
        arguments: [
            ["LISTEN_PID=", "LISTEN_FDS=1"], ["LISTEN_PID=-7", "LISTEN_FDS=1"], ["LISTEN_PID=7x", "LISTEN_FDS=1"],
            ["LISTEN_PID=7", "LISTEN_FDS="], ["LISTEN_PID=7", "LISTEN_FDS=-1"], ["LISTEN_PID=7", "LISTEN_FDS=1e3"],
            ["LISTEN_PID=7", "LISTEN_FDS=99999999999999999999"], ["LISTEN_PID=99999999999", "LISTEN_FDS=1"],
            ["LISTEN_PID=7", "LISTEN_FDS=2", "LISTEN_FDNAMES=http"],
            ["LISTEN_PID=7", "LISTEN_FDS=1", "LISTEN_FDNAMES=a:b"],
            ["LISTEN_PID=7", "LISTEN_FDS=0", "LISTEN_FDNAMES=a"],
        ]
    )
    func wrong(variables: [String]) {
        #expect(throws: InheritanceError.self) { try InheritedSockets.announced(variables, process: 7) }
    }

    @Test("as many sockets as the limit are taken, and one more is an error")
    func limit() throws {
        #expect(try announced("LISTEN_PID=7", "LISTEN_FDS=32").count == InheritedSockets.limit)
        #expect(throws: InheritanceError.self) { try announced("LISTEN_PID=7", "LISTEN_FDS=33") }
    }

    @Test("what is assigned to a child is what it finds", arguments: [0, 1, 3, InheritedSockets.limit])
    func roundTrip(count: Int) throws {
        let sockets = (0..<count).map { InheritedSocket(name: "http-\($0)", descriptor: Int32(3 + $0 * 2)) }

        let found = try InheritedSockets.assigned(InheritedSockets.assignment(sockets).map { [$0] } ?? [])

        #expect(found == sockets)
    }

    @Test(
        "an assignment that is none is an error",
        arguments: ["http", "http=", "=3", "http=3,", ",", "http=2", "http=-1", "http=x", "http=3=4", "http=3;rtsp=4"]
    )
    func badAssignment(text: String) {
        #expect(throws: InheritanceError.self) { try InheritedSockets.assigned(["APUS_SOCKETS=\(text)"]) }
    }

    @Test("a listening socket is adopted; a datagram socket, a connected one and none at all are not")
    func adoption() throws {
        let address = try #require(SocketAddress(host: "127.0.0.1", port: 0))
        let listening = try Socket.listenTCP(address)
        let datagrams = try Socket.bindUDP(address)
        let pair = try Socket.pair(.stream)

        try InheritedSockets.adopt([.init(name: "http", descriptor: listening.raw)])

        for descriptor in [datagrams.raw, pair.first.raw, 9999] {
            #expect(throws: InheritanceError.self) {
                try InheritedSockets.adopt([.init(name: "http", descriptor: descriptor)])
            }
        }
        withExtendedLifetime(listening) {}
        withExtendedLifetime(datagrams) {}
        withExtendedLifetime(pair) {}
    }

    private func announced(_ variables: String...) throws -> [InheritedSocket] {
        try InheritedSockets.announced(variables, process: 7)
    }
}
