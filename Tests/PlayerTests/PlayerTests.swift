// SPDX-License-Identifier: Apache-2.0
// Players and publishers against a small server in the same process.

import Bytes
import Loop
import Media
import Player
import RTP
import RTSP
import System
import Testing

/// A player on a loop of its own, with all that it says.
private final class Watcher {
    let loop: EventLoop
    let server: FakeServer
    var player: RTSPPlayer?
    var frames: [(time: Int64, isKeyframe: Bool, bytes: [UInt8])] = []
    var end: PlayerEnd?
    var switches: [RTSPTransport.Lower] = []

    init(_ manners: FakeServer.Manners = .init()) throws {
        loop = try EventLoop()
        server = try FakeServer(loop)
        server.manners = manners
    }

    func play(_ transport: TransportChoice = .auto, user: String = "", stall: Duration = .seconds(10)) throws {
        var settings = PlayerSettings()
        settings.transport = transport
        settings.stallTimeout = stall
        let target = try #require(RTSPTarget(try server.url(user)))
        let player = RTSPPlayer(loop: loop, target: target, settings: settings)
        player.onFrame = { [unowned self] _, frame, bytes in
            frames.append((frame.timestamp, frame.isKeyframe, [UInt8](bytes)))
        }
        player.onSwitch = { [unowned self] lower, _ in switches.append(lower) }
        player.onEnd = { [unowned self] reason in
            end = reason
            // Owners may let go of a player that has ended, from within its own call.
            self.player = nil
        }
        self.player = player
        player.start()
    }

    /// Runs the loop until something is so, or ten seconds are over.
    func run(until condition: () -> Bool) throws {
        let deadline = Clock.monotonic() + .seconds(10)
        while !condition(), Clock.monotonic() < deadline { try loop.turn(waitingUntil: deadline) }
    }
}

@Suite("RTSP player")
struct PlayerTests {
    @Test("frames come over TCP and over UDP, in order, from a keyframe on", arguments: [TransportChoice.tcp, .udp])
    func frames(transport: TransportChoice) throws {
        let watcher = try Watcher()

        try watcher.play(transport)
        try watcher.run { watcher.frames.count >= 25 }

        let times = watcher.frames.map(\.time)
        #expect(times.count >= 25)
        #expect(watcher.frames.first?.isKeyframe == true)
        #expect(watcher.frames.first?.bytes == FakeServer.keyframe)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 3000 })
        #expect(watcher.player?.transport == (transport == .udp ? .udp : .tcp))
        #expect(watcher.switches == [])
    }

    @Test("a refused transport gives way to the other on the same connection")
    func refused() throws {
        var manners = FakeServer.Manners()
        manners.refusesUDP = true
        let udp = try Watcher(manners)
        manners.refusesUDP = false
        manners.refusesTCP = true
        let tcp = try Watcher(manners)

        try udp.play(.udp)
        try tcp.play(.auto)
        try udp.run { !udp.frames.isEmpty }
        try tcp.run { !tcp.frames.isEmpty }

        #expect(udp.switches == [.tcp] && udp.server.connections == 1)
        #expect(tcp.switches == [.udp] && tcp.server.connections == 1)
    }

    @Test("UDP that brings nothing gives way to TCP on a new connection")
    func silentDatagrams() throws {
        var manners = FakeServer.Manners()
        manners.isSilentOverUDP = true
        let watcher = try Watcher(manners)

        try watcher.play(.udp)
        try watcher.run { !watcher.frames.isEmpty }

        #expect(watcher.switches == [.tcp])
        #expect(watcher.server.connections == 2)
        #expect(watcher.end == nil)
    }

    @Test("a transport that is insisted on is not changed")
    func insisted() throws {
        var manners = FakeServer.Manners()
        manners.refusesTCP = true
        let watcher = try Watcher(manners)

        try watcher.play(.tcp)
        try watcher.run { watcher.end != nil }

        #expect(watcher.end == .session(.transportRefused))
    }

    @Test("a challenge is answered by Digest with the name and password of the URL")
    func digest() throws {
        var manners = FakeServer.Manners()
        manners.asksForDigest = true
        let watcher = try Watcher(manners)

        try watcher.play(user: "me:pass@")
        try watcher.run { !watcher.frames.isEmpty }

        let values = watcher.server.requests.compactMap { $0.headers["Authorization"] }
        #expect(values.count == 3)
        #expect(values.allSatisfy { $0.hasPrefix("Digest username=\"me\"") && $0.contains("SHA-256") })
        #expect(!watcher.server.requests.contains { $0.target.contains("pass") })
    }

    @Test("a missing password is told as such")
    func noPassword() throws {
        var manners = FakeServer.Manners()
        manners.asksForDigest = true
        let watcher = try Watcher(manners)

        try watcher.play()
        try watcher.run { watcher.end != nil }

        #expect(watcher.end == .session(.unauthorized(hasCredentials: false)))
    }

    @Test("a redirect is followed")
    func redirect() throws {
        let watcher = try Watcher()
        watcher.server.manners.location = try watcher.server.url() + "2"

        try watcher.play()
        try watcher.run { !watcher.frames.isEmpty }

        #expect(watcher.server.requests.last { $0.method == .describe }?.target.hasSuffix("/live2") == true)
    }

    @Test("the server's end, silence and absence each end the player with their reason")
    func ends() throws {
        var manners = FakeServer.Manners()
        manners.closesAfter = 5
        let closed = try Watcher(manners)
        var silence = FakeServer.Manners()
        silence.isSilent = true
        let silent = try Watcher(silence)
        let absent = try Watcher()

        try closed.play(.tcp)
        try closed.run { closed.end != nil }
        try silent.play(.tcp, stall: .milliseconds(50))
        try silent.run { silent.end != nil }
        let player = RTSPPlayer(loop: absent.loop, target: try #require(RTSPTarget("rtsp://127.0.0.1:1/x")))
        absent.player = player
        player.onEnd = { reason in absent.end = reason }
        player.start()
        try absent.run { absent.end != nil }

        #expect(closed.end == .session(.closed))
        #expect(silent.end == .stalled(.milliseconds(50)))
        #expect(absent.end == .connection("127.0.0.1:1: Connection refused"))
    }

    @Test("nothing is called after stop, and the server hears TEARDOWN")
    func stop() throws {
        let watcher = try Watcher()
        try watcher.play(.tcp)
        try watcher.run { watcher.frames.count >= 3 }

        watcher.player?.stop()
        let count = watcher.frames.count
        try watcher.run { watcher.server.requests.last?.method == .teardown }

        #expect(watcher.server.requests.last?.method == .teardown)
        #expect(watcher.frames.count == count)
        #expect(watcher.end == nil)
    }

    @Test("receiver reports are sent")
    func reports() throws {
        let watcher = try Watcher()

        try watcher.play(.tcp)
        try watcher.run { watcher.server.reports > 0 }

        #expect(watcher.server.reports > 0)
    }

    @Test("a publisher's frames arrive as packets")
    func publish() throws {
        let watcher = try Watcher()
        let stream = StreamDescription(video: .h264, width: 64, height: 48, frameRate: Rational(30))
        let target = try #require(RTSPTarget(try watcher.server.url()))
        let publisher = try #require(RTSPPublisher(loop: watcher.loop, target: target, streams: [stream]))

        publisher.start()
        try watcher.run { publisher.isLive }
        let frame = FakeServer.keyframe
        publisher.send(frame.span, track: 0, captured: watcher.loop.now, isKeyframe: true)
        try watcher.run { watcher.server.packets >= 4 && watcher.server.reports > 0 }

        #expect(watcher.server.requests.map(\.method) == [.options, .announce, .setup, .record])
        #expect(watcher.server.packets == 4)
        #expect(publisher.sent == 1)
    }

    @Test(
        "sound is published beside pictures, on its own clock",
        arguments: [
            (
                StreamDescription(audio: .aac, sampleRate: 44_100, channels: 2, configuration: [0x12, 0x10]),
                "97 MPEG4-GENERIC/44100/2", [UInt8](repeating: 1, count: 300), UInt32(44_100)
            ),
            (
                StreamDescription(audio: .opus, sampleRate: 48_000, channels: 1), "97 opus/48000/2", [0x78, 1, 2, 3],
                48_000
            ),
            (
                StreamDescription(audio: .pcmu, sampleRate: 8000, channels: 1), "97 PCMU/8000",
                [UInt8](repeating: 0xFF, count: 160), 8000
            ),
            (
                StreamDescription(audio: .pcma, sampleRate: 8000, channels: 1), "97 PCMA/8000",
                [UInt8](repeating: 0xD5, count: 160), 8000
            ),
            (
                StreamDescription(audio: .l16, sampleRate: 16_000, channels: 2), "97 L16/16000/2",
                [UInt8](repeating: 0, count: 640), 16_000
            ),
        ]
    )
    func publishSound(sound: StreamDescription, mapping: String, frame: [UInt8], rate: UInt32) throws {
        let watcher = try Watcher()
        let pictures = StreamDescription(video: .h264, width: 64, height: 48, frameRate: Rational(30))
        let target = try #require(RTSPTarget(try watcher.server.url()))
        let publisher = try #require(RTSPPublisher(loop: watcher.loop, target: target, streams: [pictures, sound]))

        publisher.start()
        try watcher.run { publisher.isLive }
        let began = watcher.loop.now
        publisher.send(frame.span, track: 1, captured: began, isKeyframe: false)
        publisher.send(frame.span, track: 1, captured: began + .seconds(1), isKeyframe: false)
        try watcher.run { watcher.server.received.count >= 2 }

        let announced = try #require(watcher.server.requests.first { $0.method == .announce })
        let body = String(decoding: announced.body, as: UTF8.self)
        #expect(body.contains("a=rtpmap:\(mapping)\r\n"))
        #expect(publisher.sent == 2)
        let packets = watcher.server.received
        #expect(packets.map(\.channel) == [2, 2])
        let times = packets.map { $0.bytes[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        #expect(times.last.map { $0 &- times[0] } == rate)
    }
}
