// SPDX-License-Identifier: Apache-2.0
// Proves on the real machine that no torn frame is ever accepted, whoever is killed.

import Bytes
import Loop
import Media
import Ring
import System

/// A writer without mercy, readers of which one is much too slow, and a hand that kills both kinds.
enum RingStress {
    static func run(frames: UInt64, readers: Int) throws {
        let path = "/tmp/apus-stress-\(Process.id).sock"
        defer { File.remove(path) }
        let output = try Socket.pair(.stream)
        try setNonBlocking(output.first.raw, false)
        func spawn(_ arguments: [String]) throws -> Int32 {
            var launch = Process.Launch(path: Process.executablePath, arguments: arguments)
            launch.standardOutput = output.second.raw
            return try Process.spawn(launch)
        }
        var life: UInt64 = 1
        var writer = try spawn(["stress-writer", path, "1"])
        var children = try (0..<readers).map { try spawn(["stress-reader", path, $0 == 0 ? "slow" : "reader \($0)"]) }
        var totals = Totals()
        var kills = 0
        while totals.accepted < frames {
            guard try waitUntilReady(output.first.raw, timeout: .seconds(20)) else {
                throw SystemError("no reader reports any more", code: 110)
            }
            try totals.take(output.first.raw)
            // Every 15th part of the way somebody dies: by turns the writer and a reader.
            guard totals.accepted > frames / 15 * UInt64(kills + 1) else { continue }
            kills += 1
            if kills % 2 == 1 {
                try Process.signal(.kill, to: writer)
                life += 1
                writer = try spawn(["stress-writer", path, String(life)])
            } else {
                let index = kills / 2 % readers
                try Process.signal(.kill, to: children[index])
                children[index] = try spawn(["stress-reader", path, index == 0 ? "slow" : "reader \(index)"])
            }
        }
        for pid in children + [writer] { try Process.signal(.kill, to: pid) }
        print(
            "accepted \(totals.accepted), refused as overtaken \(totals.overtaken) (slow reader: \(totals.slowOvertaken)), "
                + "torn \(totals.torn), processes killed \(kills), writer lives \(life)"
        )
        if totals.torn > 0 || totals.slowOvertaken == 0 { Process.exit(1) }
    }

    private struct Totals {
        var accepted: UInt64 = 0
        var overtaken: UInt64 = 0
        var slowOvertaken: UInt64 = 0
        var torn: UInt64 = 0
        private var buffer: [UInt8] = []

        mutating func take(_ fd: Int32) throws {
            _ = try read(fd, appendingTo: &buffer, atMost: 65536)
            while buffer.count >= 32 {
                var reader = ByteReader(buffer.span)
                let report = try (0..<4).map { _ in try reader.littleEndian(UInt64.self) }
                accepted += report[0]
                overtaken += report[1]
                torn += report[2]
                slowOvertaken += report[3] * report[1]
                buffer.removeFirst(32)
            }
        }
    }

    /// Publishes as fast as it can for ever: frames of 8 to 4,096 bytes, each word of which depends on the frame's
    /// number and the writer's life.
    static func writer(path: String, life: UInt64) throws {
        let loop = try EventLoop()
        let writer = try RingWriter(
            loop: loop,
            path: path,
            description: StreamDescription(video: .h264, width: 64, height: 64, frameRate: Rational(30)),
            capacity: 1 << 16,
            slots: 64
        )
        var sequence: UInt64 = 0
        while true {
            for turn in 0..<64 {
                sequence += 1
                let words = words(of: sequence)
                let mark = sequence << 8 | life & 0xFF
                let fill = { (frame: inout MutableSpan<UInt8>) in
                    for word in 0..<words {
                        let value = mark &* UInt64(word + 1)
                        for byte in 0..<8 {
                            frame[word * 8 + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
                        }
                    }
                }
                let flags: FrameFlags = sequence % 16 == 1 ? .keyframe : []
                // One wake-up for many frames: the time is for publishing and being overtaken.
                if turn < 63 {
                    try writer.store.publish(captured: Clock.monotonic(), flags: flags, length: words * 8, fill: fill)
                } else {
                    try writer.publish(captured: Clock.monotonic(), flags: flags, length: words * 8, fill: fill)
                }
            }
            try loop.turn(waitingUntil: Clock.monotonic())
        }
    }

    /// Checks every frame it accepts; the slow one dawdles inside each, so that the writer laps it.
    static func reader(path: String, name: String) throws {
        let isSlow = name == "slow"
        let loop = try EventLoop()
        let reader = RingReader(loop: loop, path: path, demand: true)
        var next: UInt64 = 0
        var counts = Counts()
        reader.onAttach = { next = 0 }
        reader.onFrames = {
            guard let view = reader.view else { return }
            if next == 0 { next = max(1, view.newestKeyframe) }
            for _ in 0..<4096 where next <= view.newest {
                var isWhole = true
                let result = view.read(next) { info, frame in
                    isWhole = check(frame, sequence: info.sequence)
                    if isSlow { dawdle() }
                }
                switch result {
                case .valid:
                    counts.accepted += 1
                    if !isWhole { counts.torn += 1 }
                    next += 1
                case .overwritten:
                    counts.overtaken += 1
                    next = max(view.newestKeyframe, next + 1)
                case .notYet: return
                }
                counts.reportNowAndThen(isSlow)
            }
        }
        try loop.run()
    }

    /// A frame's length in 8-byte words, 1 to 512.
    private static func words(of sequence: UInt64) -> Int { 1 + Int((sequence &* 0x9E37_79B9_7F4A_7C15) >> 55) }

    private static func dawdle() {
        let end = Clock.monotonic() + .microseconds(50)
        while Clock.monotonic() < end {}
    }

    private static func check(_ frame: Span<UInt8>, sequence: UInt64) -> Bool {
        guard frame.count >= 8, frame.count % 8 == 0 else { return false }
        var reader = ByteReader(frame)
        guard let mark = try? reader.littleEndian(UInt64.self), mark >> 8 == sequence,
            frame.count / 8 == words(of: sequence)
        else { return false }
        var factor: UInt64 = 1
        while !reader.isAtEnd {
            factor += 1
            guard let value = try? reader.littleEndian(UInt64.self), value == mark &* factor else { return false }
        }
        return true
    }

    private struct Counts {
        var accepted: UInt64 = 0
        var overtaken: UInt64 = 0
        var torn: UInt64 = 0

        mutating func reportNowAndThen(_ isSlow: Bool) {
            guard accepted + overtaken >= 1000 || torn > 0 else { return }
            var bytes: [UInt8] = []
            for value in [accepted, overtaken, torn, isSlow ? 1 : 0] { bytes.append(littleEndian: value) }
            // The pipe is shared: a report is shorter than what is written at once or not at all.
            while case .some(.wouldBlock) = try? write(1, bytes.span) {}
            self = Counts()
        }
    }
}
