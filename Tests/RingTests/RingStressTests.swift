// SPDX-License-Identifier: Apache-2.0
// One fast writer and several readers, one of them too slow, on threads of one process: no torn frame is accepted.
//
// `make stress` runs this under ThreadSanitizer, with APUS_STRESS_FRAMES, and the same with processes that are killed.

import Bytes
import Foundation
import Media
import Ring
import Synchronization
import System
import Testing

@Suite("Ring under stress")
struct RingStressTests {
    @Test("no reader accepts a torn frame, and the slow one is told that it was overtaken")
    func threads() throws {
        let frames = System.Process.environment("APUS_STRESS_FRAMES").flatMap(UInt64.init) ?? 30_000
        let store = try RingStore(
            name: "stress",
            description: StreamDescription(video: .h264, width: 64, height: 48, frameRate: Rational(30)),
            capacity: 1 << 16,
            slots: 64
        )
        let memory = store.memory.raw
        let isDone = Flag()
        let accepted = Counter()

        let results = Mutex<[Counts]>([])
        let readers = (0..<3)
            .map { reader in
                Thread {
                    guard let counts = try? read(memory, isSlow: reader == 0, until: isDone, accepted) else { return }
                    results.withLock { $0.append(counts) }
                }
            }
        for reader in readers { reader.start() }
        // On a busy machine the readers may hardly run: then the writer goes on until they have read enough.
        try write(store) { $0 >= frames && accepted.value.load(ordering: .relaxed) >= frames / 10 }
        isDone.value.store(true, ordering: .releasing)
        while readers.contains(where: { !$0.isFinished }) { usleep(1000) }

        let counts = results.withLock { $0 }
        #expect(counts.count == 3)
        #expect(counts.allSatisfy { $0.torn == 0 })
        #expect(counts.reduce(0) { $0 + $1.accepted } >= frames / 10)
        #expect(counts.contains { $0.overtaken > 0 })
    }

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    private final class Counter: Sendable {
        let value = Atomic<UInt64>(0)
    }

    private struct Counts {
        var accepted: UInt64 = 0
        var overtaken: UInt64 = 0
        var torn: UInt64 = 0
    }

    /// Every byte of a frame is the same function of its number.
    private func mark(_ sequence: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: (sequence &* 0x9E37_79B1) >> 7) }

    private func write(_ store: RingStore, until isEnough: (UInt64) -> Bool) throws {
        var sequence: UInt64 = 0
        while !isEnough(sequence) {
            sequence += 1
            let length = 16 + Int(sequence &* 2_654_435_761 % 900)
            try store.publish(
                [UInt8](repeating: mark(sequence), count: length).span,
                captured: .zero,
                flags: sequence % 16 == 1 ? .keyframe : []
            )
        }
    }

    private func read(_ memory: Int32, isSlow: Bool, until done: Flag, _ accepted: Counter) throws -> Counts {
        let view = try RingView(memory)
        var counts = Counts()
        var next: UInt64 = 1
        while true {
            let isLast = done.value.load(ordering: .acquiring)
            var isWhole = true
            let result = view.read(next) { info, frame in
                for index in frame.indices where frame[index] != mark(info.sequence) { isWhole = false }
                guard isSlow else { return }
                let end = Clock.monotonic() + .microseconds(100)
                while Clock.monotonic() < end {}
            }
            switch result {
            case .valid:
                counts.accepted += 1
                accepted.value.add(1, ordering: .relaxed)
                if !isWhole { counts.torn += 1 }
                next += 1
            case .overwritten:
                counts.overtaken += 1
                next = max(view.newestKeyframe, next + 1)
            case .notYet: if isLast { return counts }
            }
        }
    }
}
