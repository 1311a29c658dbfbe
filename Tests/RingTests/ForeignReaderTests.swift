// SPDX-License-Identifier: Apache-2.0
// The ring read by others than Swift: the C library, the C example, the Python example.

import Bytes
import CApusRing
import Foundation
import Loop
import Media
import Ring
import System
import Testing

@Suite("Foreign readers")
struct ForeignReaderTests {
    /// Publishes a frame every few milliseconds until the child has ended, and gives what it printed.
    private func follow(
        _ path: String,
        _ arguments: [String],
        frames: Int
    ) throws -> (status: System.ExitStatus, output: String) {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        let output = try Socket.pair(.stream)
        var launch = System.Process.Launch(path: path, arguments: arguments + [bench.path, String(frames)])
        launch.standardOutput = output.second.raw
        let pid = try System.Process.spawn(launch)
        var status: System.ExitStatus?
        var published: UInt8 = 0
        let deadline = Clock.monotonic() + .seconds(60)
        while status == nil, Clock.monotonic() < deadline {
            try bench.loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(5))
            if writer.hasDemand {
                published &+= 1
                try writer.publish(
                    [UInt8](repeating: published, count: 1000).span,
                    captured: Clock.monotonic(),
                    flags: .keyframe
                )
            }
            status = try System.Process.reap(pid)
        }
        var bytes: [UInt8] = []
        _ = try read(output.first.raw, appendingTo: &bytes, atMost: 1 << 20)
        return (try #require(status, "the reader ends"), String(decoding: bytes, as: UTF8.self))
    }

    /// The project's folder.
    private var root: String {
        String(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/"))
    }

    @Test("the C example follows a ring")
    func cExample() throws {
        let program = "/tmp/apus-follow-\(System.Process.id)"
        defer { File.remove(program) }
        let compile = try System.Process.spawn(
            .init(
                path: "/usr/bin/cc",
                arguments: [
                    "-Wall", "-Wextra", "-Werror", "-I", "\(root)/Sources/C/CApusRing/include",
                    "\(root)/examples/c/follow.c", "\(root)/Sources/C/CApusRing/apus_ring.c", "-o", program,
                ]
            )
        )
        let compiled = try System.Process.watch(compile)
        #expect(try waitUntilReady(compiled.raw, timeout: .seconds(60)))
        try #require(try System.Process.reap(compile) == .exited(0))

        let (status, output) = try follow(program, [], frames: 20)

        #expect(status == .exited(0))
        #expect(output.split(separator: "\n").count == 20)
        #expect(output.split(separator: "\n").allSatisfy { $0.contains("1000 bytes, keyframe") })
    }

    @Test("the Python example follows a ring")
    func pythonExample() throws {
        let (status, output) = try follow("/usr/bin/python3", ["\(root)/examples/python/follow.py"], frames: 20)

        #expect(status == .exited(0))
        let lines = output.split(separator: "\n")
        #expect(lines.first == "JPEG 64x48 at 30 fps")
        #expect(lines.dropFirst().count == 20)
        #expect(lines.dropFirst().allSatisfy { $0.contains("1000 bytes, keyframe") })
    }

    @Test("the C library finds every field where the writer put it, and sees the producer go")
    func cLibrary() throws {
        let bench = try RingBench()
        var writer: RingWriter? = try bench.makeWriter()
        var ring = apus_ring()
        let attached = try attachWhileTurning(&ring, bench)
        #expect(attached == 0)
        let description = StreamDescription(
            video: .h265,
            width: 1920,
            height: 1080,
            frameRate: Rational(30000, 1001),
            configuration: Array(0..<50)
        )
        try writer?.update(description)
        try writer?.publish([1, 2, 3].span, captured: Instant(nanoseconds: 5), flags: [.keyframe, .slate])
        try writer?.publish([4, 5].span, captured: Instant(nanoseconds: 9), flags: [])

        var found = apus_ring_description()
        #expect(apus_ring_describe(&ring, &found) == 0)
        #expect(found.codec == 0x3536_3248)
        #expect(found.width == 1920 && found.height == 1080)
        #expect(found.rate_numerator == 30000 && found.rate_denominator == 1001)
        #expect(found.configuration_size == 50)
        #expect(withUnsafeBytes(of: &found.configuration) { Array($0.prefix(50)) } == Array(0..<50))
        writer?.isSlate = true
        #expect(ring.header.pointee.flags == APUS_RING_SLATE_NOW)
        writer?.isSlate = false
        #expect(ring.header.pointee.flags == 0)
        #expect(apus_ring_newest(&ring) == 2)
        #expect(apus_ring_newest_keyframe(&ring) == 1)
        #expect(apus_ring_wait(&ring, 2, 0) == 1)
        var frame = apus_ring_frame()
        #expect(apus_ring_read(&ring, 1, &frame) == Int32(APUS_RING_OK))
        #expect(Array(UnsafeBufferPointer(start: frame.data, count: frame.length)) == [1, 2, 3])
        #expect(frame.flags == 5 && frame.captured == 5)
        #expect(apus_ring_is_valid(&ring, &frame) == 1)
        #expect(apus_ring_read(&ring, 3, &frame) == Int32(APUS_RING_NOT_YET))
        #expect(abs(apus_ring_utc_offset(&ring) - Clock.utcOffset().nanoseconds) < 1_000_000)

        for _ in 0..<100 { try writer?.publish([UInt8](repeating: 0, count: 2000).span, captured: .zero, flags: []) }
        #expect(apus_ring_read(&ring, 1, &frame) == Int32(APUS_RING_OVERWRITTEN))
        writer?.close()
        writer = nil
        #expect(apus_ring_wait(&ring, 1000, 1000) == -1)
        apus_ring_detach(&ring)
    }

    private func attachWhileTurning(_ ring: inout apus_ring, _ bench: RingBench) throws -> Int32 {
        // Safe: written by the thread before it signals `done`, read after that.
        final class Result: @unchecked Sendable {
            var ring = apus_ring()
            var code: Int32 = -1
            let done: FileDescriptor
            init() throws { done = try EventDescriptor.create() }
        }
        let result = try Result()
        let path = bench.path
        let thread = Thread {
            result.code = apus_ring_attach(&result.ring, path, Int32(APUS_RING_DEMAND))
            EventDescriptor.signal(result.done.raw)
        }
        thread.start()
        try bench.run(until: { EventDescriptor.clear(result.done.raw) }, "the library attaches")
        ring = result.ring
        return result.code
    }
}
