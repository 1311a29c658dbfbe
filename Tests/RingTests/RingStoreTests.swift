// SPDX-License-Identifier: Apache-2.0
// The ring's memory: what is published is read back, what is overwritten is refused.

import Bytes
import Media
import Ring
import System
import Testing

/// A store and a view of the same memory.
func makeRing(capacity: Int = 1 << 16, slots: Int = 64, codec: Codec = .h264) throws -> (RingStore, RingView) {
    let store = try RingStore(
        name: "test",
        description: StreamDescription(video: codec, width: 640, height: 360, frameRate: Rational(30)),
        capacity: capacity,
        slots: slots
    )
    return (store, try RingView(store.memory.raw))
}

extension RingView {
    /// Copies a frame out, nil if it is not there or was overwritten meanwhile.
    func copy(_ sequence: UInt64) -> [UInt8]? {
        var bytes: [UInt8] = []
        let result = read(sequence) { _, frame in bytes = [UInt8](frame) }
        return result == .valid ? bytes : nil
    }
}

@Suite("Ring memory")
struct RingStoreTests {
    @Test("a frame comes out as it went in, with its properties")
    func roundTrip() throws {
        let (store, view) = try makeRing()
        let frame: [UInt8] = [1, 2, 3, 4, 5]

        try store.publish(frame.span, captured: Instant(nanoseconds: 1000), flags: .keyframe)

        #expect(view.newest == 1)
        #expect(view.newestKeyframe == 1)
        #expect(view.copy(1) == frame)
        let info = try #require(view.info(1))
        #expect(info.captured == Instant(nanoseconds: 1000))
        #expect(info.published > info.captured)
        #expect(info.flags == .keyframe)
        #expect(info.length == 5)
    }

    @Test("a frame that is not published yet is told apart from one that is gone")
    func notYetAndGone() throws {
        let (store, view) = try makeRing()
        #expect(view.read(1) { _, _ in Issue.record("there is no frame") } == .notYet)
        let frame = [UInt8](repeating: 7, count: 20_000)
        for _ in 0..<8 { try store.publish(frame.span, captured: .zero, flags: []) }

        #expect(view.read(1) { _, _ in Issue.record("the frame is gone") } == .overwritten)
        #expect(view.read(9) { _, _ in Issue.record("there is no frame") } == .notYet)
        #expect(view.copy(8) == frame)
    }

    @Test("a frame overwritten while it is being read is refused")
    func overtaken() throws {
        let (store, view) = try makeRing()
        let frame = [UInt8](repeating: 7, count: 30_000)
        try store.publish(frame.span, captured: .zero, flags: [])

        let result = view.read(1) { _, _ in
            for _ in 0..<3 { _ = try? store.publish(frame.span, captured: .zero, flags: []) }
        }

        #expect(result == .overwritten)
    }

    @Test("every length and every wrap keeps frames whole and contiguous")
    func wrapping() throws {
        let (store, view) = try makeRing()
        var generator = SystemRandomNumberGenerator()
        var expected: [UInt64: [UInt8]] = [:]
        for round in 0..<5000 {
            let frame = [UInt8](
                repeating: UInt8(truncatingIfNeeded: round),
                count: Int.random(in: 0...32768, using: &generator)
            )
            let sequence = try store.publish(frame.span, captured: .zero, flags: [])
            expected[sequence] = frame
            #expect(view.copy(sequence) == frame)
            let oldest = view.oldest
            if oldest > 0 {
                #expect(view.copy(oldest) == expected[oldest])
                if oldest > 1 { #expect(view.copy(oldest - 1) == nil) }
            }
            expected[sequence &- 64] = nil
        }
    }

    @Test("a frame of half the ring fits, one byte more does not and changes nothing")
    func frameLimit() throws {
        let (store, view) = try makeRing()
        try store.publish([UInt8](repeating: 1, count: store.frameLimit).span, captured: .zero, flags: [])

        #expect(throws: RingError.frameTooLarge(length: store.frameLimit + 1, limit: store.frameLimit)) {
            try store.publish([UInt8](repeating: 2, count: store.frameLimit + 1).span, captured: .zero, flags: [])
        }
        #expect(view.newest == 1)
    }

    @Test("the index leads from any frame to the keyframe it depends on")
    func keyframes() throws {
        let (store, view) = try makeRing()
        for sequence in 1...20 {
            try store.publish([UInt8(sequence)].span, captured: .zero, flags: sequence % 5 == 1 ? .keyframe : [])
        }

        #expect(view.newestKeyframe == 16)
        #expect(view.keyframe(of: 20) == 16)
        #expect(view.keyframe(of: 16) == 16)
        #expect(view.keyframe(of: 15) == 11)
        #expect(view.keyframe(of: 21) == nil)
    }

    @Test("capture instants are kept, out of order too: pictures may be coded so")
    func reordered() throws {
        let (store, view) = try makeRing()
        for instant in [100, 50, 50, 200] as [Int64] {
            try store.publish([0].span, captured: Instant(nanoseconds: instant), flags: [])
        }

        let captured = (1...4).compactMap { view.info($0)?.captured.nanoseconds }

        #expect(captured == [100, 50, 50, 200])
    }

    @Test("the description changes as a whole, and its generation with it")
    func description() throws {
        let (store, view) = try makeRing()
        let first = try #require(view.description())
        var changed = first.description
        changed.codec = .h265
        changed.width = 1920
        changed.configuration = Array(0..<200)

        try store.update(changed)

        let second = try #require(view.description())
        #expect(second.description == changed)
        #expect(second.generation != first.generation)
    }

    @Test("a configuration at the limit is kept, one byte more is refused")
    func configurationLimit() throws {
        let (store, view) = try makeRing()
        var description = store.description
        description.configuration = [UInt8](repeating: 3, count: RingLayout.configurationLimit)
        try store.update(description)
        #expect(view.description()?.description == description)

        description.configuration.append(3)
        #expect(throws: RingError.self) { try store.update(description) }
    }

    @Test("the map to UTC is right within a millisecond")
    func utc() throws {
        let (_, view) = try makeRing()
        let map = try #require(view.utc)
        let difference = map.utcNanoseconds(Clock.monotonic()) - Clock.realtimeNanoseconds()
        #expect(abs(difference) < 1_000_000)
        #expect(map.uncertainty >= 0)
        #expect(map.uncertainty < 1_000_000)
    }

    @Test("readers cannot map the memory writable, nor shrink it")
    func sealed() throws {
        let (store, _) = try makeRing()
        #expect(throws: SystemError.self) { try MappedRegionProbe.mapWritable(store.memory.raw) }
        #expect(MemoryFile.isSealed(store.memory.raw))
        #expect(throws: SystemError.self) { try MappedRegionProbe.write(store.memory.raw) }
    }

    @Test("memory that is no ring, or claims sizes it does not have, is refused")
    func hostileHeader() throws {
        let short = try MemoryFile.create("short", size: 100)
        try MemoryFile.seal(short.raw)
        #expect(throws: RingError.self) { try RingView(short.raw) }
        let unsealed = try MemoryFile.create("unsealed", size: 1 << 20)
        #expect(throws: RingError.self) { try RingView(unsealed.raw) }
        let empty = try MemoryFile.create("empty", size: 1 << 20)
        try MemoryFile.seal(empty.raw)
        #expect(throws: RingError.notARing("wrong magic")) { try RingView(empty.raw) }
    }
}

/// What a hostile reader would try.
enum MappedRegionProbe {
    static func mapWritable(_ fd: Int32) throws(SystemError) { _ = try MappedRegion(fd, size: 4096, writable: true) }

    static func write(_ fd: Int32) throws(SystemError) { try writeAll(fd, [1, 2, 3].span) }
}
