// SPDX-License-Identifier: Apache-2.0
// Attaching to a ring: demand, wake-ups, keyframe requests, death and return of either side.

import Bytes
import Loop
import Media
import Ring
import System
import Testing

/// A loop with a ring's path in a directory of its own, removed at the end.
final class RingBench {
    let loop: EventLoop
    let directory: String
    var path: String { directory + "/cam.main.sock" }

    init() throws {
        loop = try EventLoop()
        directory = "/tmp/apus-ring-test-\(Process.id)-\(Random.uint64() % 1_000_000)"
        try File.makeDirectory(directory)
    }

    deinit {
        File.remove(path)
        File.removeDirectory(directory)
    }

    func makeWriter() throws -> RingWriter {
        try RingWriter(
            loop: loop,
            path: path,
            description: StreamDescription(video: .jpeg, width: 64, height: 48, frameRate: Rational(30)),
            capacity: 1 << 16
        )
    }

    /// Runs the loop until the condition holds; fails after five seconds.
    func run(until condition: () -> Bool, _ comment: Comment, at location: SourceLocation = #_sourceLocation) throws {
        let deadline = Clock.monotonic() + .seconds(5)
        while !condition() {
            guard Clock.monotonic() < deadline else {
                Issue.record(comment, sourceLocation: location)
                return
            }
            try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(20))
        }
    }
}

@Suite("Ring socket")
struct RingSocketTests {
    @Test("a reader that is there first attaches when the writer comes, and is woken for frames")
    func attach() throws {
        let bench = try RingBench()
        let reader = RingReader(loop: bench.loop, path: bench.path, demand: true)
        var woken = 0
        reader.onFrames = { woken += 1 }

        let writer = try bench.makeWriter()
        try bench.run(until: { reader.isAttached }, "the reader attaches")
        try writer.publish([1, 2, 3].span, captured: .zero, flags: .keyframe)
        try bench.run(until: { woken > 0 }, "the reader is woken")

        #expect(reader.view?.newest == 1)
        #expect(reader.view?.copy(1) == [1, 2, 3])
        #expect(writer.readerCount == 1)
    }

    @Test("demand follows the readers that want frames, and their death")
    func demand() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        var changes: [Bool] = []
        writer.onDemandChange = { changes.append($0) }

        var reader: RingReader? = RingReader(loop: bench.loop, path: bench.path, demand: false)
        try bench.run(until: { writer.readerCount == 1 && reader?.isAttached == true }, "the reader attaches")
        #expect(!writer.hasDemand)
        reader?.demand = true
        try bench.run(until: { writer.hasDemand }, "demand is raised")
        reader?.demand = false
        try bench.run(until: { !writer.hasDemand }, "demand is dropped")
        reader?.demand = true
        try bench.run(until: { writer.hasDemand }, "demand is raised again")
        reader = nil
        try bench.run(until: { writer.readerCount == 0 }, "the reader is forgotten")

        #expect(changes == [true, false, true, false])
    }

    @Test("readers see that the frames stand in for a lost source, and that they do no more")
    func slate() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        let reader = RingReader(loop: bench.loop, path: bench.path, demand: true)
        try bench.run(until: { reader.isAttached }, "attached")

        writer.isSlate = true
        #expect(reader.view?.isSlate == true)
        writer.isSlate = false
        #expect(reader.view?.isSlate == false)
        reader.close()
        writer.close()
    }

    @Test("a keyframe request reaches the writer")
    func keyframeRequest() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        var requests = 0
        writer.onKeyframeRequest = { requests += 1 }
        let reader = RingReader(loop: bench.loop, path: bench.path, demand: true)
        reader.onAttach = { reader.requestKeyframe() }

        try bench.run(until: { requests == 1 }, "the request arrives")
    }

    @Test("a reader sees the writer go at once, keeps the last view, and attaches to the next writer")
    func writerRestart() throws {
        let bench = try RingBench()
        var writer: RingWriter? = try bench.makeWriter()
        let reader = RingReader(loop: bench.loop, path: bench.path, demand: true)
        var detached = 0
        reader.onDetach = { detached += 1 }
        try bench.run(until: { reader.isAttached }, "the reader attaches")
        try writer?.publish([9].span, captured: .zero, flags: .keyframe)
        let firstLife = reader.view?.incarnation

        writer?.close()
        writer = nil
        try bench.run(until: { detached == 1 }, "the end is seen")
        #expect(reader.view?.copy(1) == [9])
        #expect(reader.view?.isEnded == true)

        writer = try bench.makeWriter()
        try bench.run(until: { reader.isAttached }, "the reader attaches again")
        #expect(reader.view?.incarnation != firstLife)
        #expect(reader.view?.newest == 0)
    }

    @Test("a connection that talks rubbish is dropped, and others are not touched")
    func rubbish() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        let reader = RingReader(loop: bench.loop, path: bench.path, demand: true)
        try bench.run(until: { reader.isAttached }, "the reader attaches")
        for length in 0...32 {
            let hostile = try Socket.connectUnix(bench.path, kind: .sequencedPackets)
            _ = try Socket.send(hostile.raw, [UInt8](repeating: 0xA5, count: length).span)
            try bench.loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(2))
        }
        try bench.run(until: { writer.readerCount == 1 }, "only the good reader is left")
        #expect(reader.isAttached)
    }

    @Test("a reader that makes its descriptor blocking and fills it cannot stop the writer")
    func hostileDescriptor() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        let hostile = try Socket.connectUnix(bench.path, kind: .sequencedPackets)
        var attach: [UInt8] = []
        attach.append(littleEndian: RingLayout.Message.readerMagic)
        attach.append(littleEndian: UInt16(RingLayout.version))
        attach.append(littleEndian: RingLayout.Message.attach)
        attach.append(contentsOf: [1, 0, 0, 0, 0, 0, 0, 0])
        _ = try Socket.send(hostile.raw, attach.span)
        try bench.run(until: { writer.readerCount == 1 }, "the hostile reader attaches")
        var answer = [UInt8](repeating: 0, count: RingLayout.Message.size)
        var descriptors: [Int32] = []
        var span = answer.mutableSpan
        _ = try Socket.receive(hostile.raw, into: &span, descriptors: &descriptors)
        try #require(descriptors.count == 2)
        let wake = FileDescriptor(owning: descriptors[1])
        try setNonBlocking(wake.raw, false)
        _ = try? write(wake.raw, [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF].span)

        // More than a pipe holds: a writer that waited would never come to the end.
        for _ in 0..<70_000 { try writer.publish([1].span, captured: .zero, flags: .keyframe) }

        #expect(writer.store.newest == 70_000)
    }

    @Test("connections that say nothing do not keep readers out")
    func silentConnections() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        var silent: [Int32] = []
        defer { for fd in silent { _ = FileDescriptor(owning: fd) } }
        for _ in 0..<100 {
            silent.append(try Socket.connectUnix(bench.path, kind: .sequencedPackets).release())
            try bench.loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(1))
        }

        let reader = RingReader(loop: bench.loop, path: bench.path, demand: true)

        try bench.run(until: { reader.isAttached }, "the reader attaches")
        #expect(writer.readerCount == 1)
    }

    @Test("readers beyond the limit are turned away, and get in when others leave")
    func readerLimit() throws {
        let bench = try RingBench()
        let writer = try bench.makeWriter()
        var readers = (0..<RingWriter.readerLimit)
            .map { _ in
                RingReader(loop: bench.loop, path: bench.path, demand: false)
            }
        try bench.run(until: { writer.readerCount == RingWriter.readerLimit }, "as many as allowed attach")
        let late = RingReader(loop: bench.loop, path: bench.path, demand: false)
        for _ in 0..<20 { try bench.loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(1)) }
        #expect(!late.isAttached)

        readers.removeLast()

        try bench.run(until: { late.isAttached }, "the late reader gets in")
    }
}
