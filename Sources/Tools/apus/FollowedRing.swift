// SPDX-License-Identifier: Apache-2.0
// A ring that a command reads, and what commands say of its header and frames.

import Bytes
import Control
import Daemon
import Loop
import Media
import Ring
import System

/// A ring with a loop of its own, for commands that do nothing else.
final class FollowedRing {
    let loop: EventLoop
    let reader: RingReader

    /// Attaches; waits a second for the producer.
    init(_ path: String, demand: Bool) throws {
        loop = try EventLoop()
        reader = RingReader(loop: loop, path: path, demand: demand)
        let deadline = Clock.monotonic() + .seconds(1)
        while !reader.isAttached, Clock.monotonic() < deadline { try loop.turn(waitingUntil: deadline) }
        guard reader.isAttached else {
            let reason = reader.lastError.map { ": \($0)" } ?? ""
            throw Failure(.notRunning, "the producer of \(path) does not answer\(reason)")
        }
    }

    /// Hands over the frames as they come, in order; a restarted producer's follow.
    func forEach(
        limit: Int?,
        until deadline: Instant? = nil,
        fromKeyframe: Bool = false,
        onlyNew: Bool = false,
        _ use: (FrameInfo, [UInt8]) throws -> Void
    ) throws {
        var left = limit ?? .max
        var isWaitingForKeyframe = fromKeyframe
        var bytes: [UInt8] = []
        var incarnation: UInt64?
        var next: UInt64 = 0
        while left > 0 {
            if let view = reader.view {
                if view.incarnation != incarnation {
                    // The first ring from its newest frame, those after a restart from their first.
                    next = incarnation == nil ? (onlyNew ? view.newest + 1 : max(1, view.newest)) : 1
                    if fromKeyframe { next = max(1, view.newestKeyframe) }
                    incarnation = view.incarnation
                }
                while left > 0, next <= view.newest {
                    var frame: FrameInfo?
                    let result = view.read(next) { info, span in
                        frame = info
                        bytes.removeAll(keepingCapacity: true)
                        if fromKeyframe { bytes.append(span) }
                    }
                    if result == .valid, let frame {
                        if isWaitingForKeyframe, !frame.flags.contains(.keyframe) {
                            next += 1
                            continue
                        }
                        isWaitingForKeyframe = false
                        try use(frame, bytes)
                        left -= 1
                        next += 1
                    } else {
                        // Lapped: go on where decoding can.
                        next = max(next + 1, fromKeyframe ? view.newestKeyframe : view.oldest)
                    }
                }
            }
            if let deadline, Clock.monotonic() >= deadline { return }
            if left > 0 { try loop.turn(waitingUntil: deadline) }
        }
    }
}

/// What a ring's header says, for people and programs.
struct RingHeader {
    private let view: RingView
    private let description: StreamDescription

    /// nil if the ring is not there or its header makes no sense.
    init?(_ ring: FollowedRing?) {
        guard let view = ring?.reader.view, let description = view.description()?.description else { return nil }
        self.view = view
        self.description = description
    }

    private var size: String { description.codec.isAudio ? "" : "\(description.width)x\(description.height)" }

    private var rate: String {
        description.codec.isAudio ? "\(description.sampleRate) Hz" : "\(Format.tenths(description.frameRate.value)) fps"
    }

    /// Codec, size, rate, frames, capacity, state.
    var cells: [String] {
        [
            description.codec.name, size, rate, "\(view.newest)", Format.bytes(view.capacity),
            view.isEnded ? "ended" : "live",
        ]
    }

    var members: [JSON.Member] {
        [
            JSON.Member("codec", .string(description.codec.name)),
            JSON.Member("width", JSON(description.width)),
            JSON.Member("height", JSON(description.height)),
            JSON.Member("fps", JSON(description.frameRate.value)),
            JSON.Member("sample_rate", JSON(description.sampleRate)),
            JSON.Member("channels", JSON(description.channels)),
            JSON.Member("configuration_bytes", JSON(description.configuration.count)),
            JSON.Member("generation", JSON(view.descriptionGeneration)),
            JSON.Member("incarnation", .string(String(view.incarnation, radix: 16))),
            JSON.Member("capacity", JSON(view.capacity)),
            JSON.Member("slots", JSON(view.slotCount)),
            JSON.Member("newest", JSON(view.newest)),
            JSON.Member("newest_keyframe", JSON(view.newestKeyframe)),
            JSON.Member("oldest", JSON(view.oldest)),
            JSON.Member("head", JSON(view.headPosition)),
            JSON.Member("tail", JSON(view.tailPosition)),
            JSON.Member("ended", .boolean(view.isEnded)),
            JSON.Member("utc_offset_ns", JSON(view.utc?.offset ?? 0)),
            JSON.Member("utc_uncertainty_ns", JSON(view.utc?.uncertainty ?? 0)),
        ]
    }
}

extension FrameInfo {
    private var flagNames: [String] {
        (flags.contains(.keyframe) ? ["keyframe"] : []) + (flags.contains(.discontinuity) ? ["discontinuity"] : [])
            + (flags.contains(.slate) ? ["slate"] : [])
    }

    /// The frame in one line.
    var line: String {
        let latency = Format.milliseconds((published - captured).nanoseconds)
        let flags = flagNames.joined(separator: ",")
        return "\(sequence)  \(length) bytes  captured \(Format.milliseconds(captured.nanoseconds)) ms  "
            + "ring +\(latency) ms\(flags.isEmpty ? "" : "  \(flags)")"
    }

    var json: JSON {
        [
            "sequence": JSON(sequence),
            "bytes": JSON(length),
            "captured_ns": JSON(captured.nanoseconds),
            "published_ns": JSON(published.nanoseconds),
            "flags": .array(flagNames.map(JSON.string)),
        ]
    }
}

/// The distribution of times in nanoseconds.
struct Percentiles {
    private var samples: [Int64] = []

    mutating func add(_ nanoseconds: Int64) { samples.append(nanoseconds) }

    var count: Int { samples.count }

    /// min, avg, p50, p95, p99, max; zeros without samples.
    private var figures: [(name: String, nanoseconds: Int64)] {
        let sorted = samples.sorted()
        guard let least = sorted.first, let most = sorted.last else { return [] }
        func percentile(_ part: Int) -> Int64 { sorted[min(sorted.count - 1, sorted.count * part / 100)] }
        return [
            ("min", least), ("avg", sorted.reduce(0, +) / Int64(sorted.count)), ("p50", percentile(50)),
            ("p95", percentile(95)), ("p99", percentile(99)), ("max", most),
        ]
    }

    /// The standard deviation; 0 without samples.
    var deviation: Int64 {
        guard count > 0 else { return 0 }
        let mean = samples.reduce(0.0) { $0 + Double($1) } / Double(count)
        let variance = samples.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(count)
        return Int64(variance.squareRoot())
    }

    /// The least sample.
    var least: Int64? { samples.min() }

    /// How many samples are below zero.
    var negatives: Int { samples.count { $0 < 0 } }

    /// The count, then the figures in milliseconds.
    var cells: [String] { ["\(count)"] + figures.map { Format.milliseconds($0.nanoseconds) } }

    var json: JSON {
        .object(
            [JSON.Member("frames", JSON(count))] + figures.map { JSON.Member("\($0.name)_ns", JSON($0.nanoseconds)) }
        )
    }
}
