// SPDX-License-Identifier: Apache-2.0
// `apus ring`: look into the frame rings of a running instance.

import Bytes
import Control
import Daemon
import Loop
import Media
import Ring
import System

/// Looks into rings.
enum RingCommand {
    static let command = Command(
        "ring",
        "Looks into the frame rings.",
        details: "RING is CAMERA/STREAM, such as cam/main, or the path of a ring's socket.",
        [list, info, follow, dump, latency]
    )

    private static let count = Option("-n", "N", "Ends after N frames.")

    private static let list = Command(
        "list",
        "Lists the rings with what is in them.",
        options: [.json, .runDirectory]
    ) { arguments in
        let directory = arguments.runDirectory
        let names = ((try? File.list(directory.rings)) ?? []).filter { $0.hasSuffix(".sock") }
        guard !names.isEmpty || File.exists(directory.rings) else {
            throw Failure(.notRunning, "there are no rings in \(directory.path); apus up makes them")
        }
        var table = Table([["RING", "CODEC", "SIZE", "RATE", "FRAMES", "CAPACITY", "STATE"]])
        var rows: [JSON] = []
        for name in names {
            let ring = String(name.dropLast(5)).replacingLast(".", "/")
            guard let header = RingHeader(try? attach(ring, directory, demand: false)) else {
                table.append([ring, "", "", "", "", "", "no producer"])
                rows.append(["ring": .string(ring), "attached": false])
                continue
            }
            table.append([ring] + header.cells)
            rows.append(.object([JSON.Member("ring", .string(ring)), JSON.Member("attached", true)] + header.members))
        }
        try Terminal.write(arguments.has("--json") ? JSON.array(rows).prettyText + "\n" : table.text)
        return .success
    }

    private static let info = Command(
        "info",
        "Shows a ring's header.",
        usage: "[OPTION]… RING",
        options: [.json, .runDirectory],
        operands: 1...1
    ) { arguments in
        let ring = try attach(arguments.operands[0], arguments.runDirectory, demand: false)
        guard let header = RingHeader(ring) else { throw Failure(.failure, "the ring's header makes no sense") }
        let json = JSON.object(header.members)
        try Terminal.write(arguments.has("--json") ? json.prettyText + "\n" : Status.text("", json))
        return .success
    }

    private static let follow = Command(
        "follow",
        "Prints a line for each frame as it comes.",
        usage: "[OPTION]… RING",
        options: [count, .json, .runDirectory],
        operands: 1...1
    ) { arguments in
        let limit = try arguments.integer("-n", 1...Int.max)
        let ring = try attach(arguments.operands[0], arguments.runDirectory, demand: true)
        let isJSON = arguments.has("--json")
        var before: Instant?
        try ring.forEach(limit: limit) { frame, _ in
            let gap = before.map { (frame.captured - $0).nanoseconds }
            before = frame.captured
            let line =
                isJSON ? frame.json.text : frame.line + (gap.map { "  +\(Format.milliseconds($0)) ms" } ?? "")
            try Terminal.write(line + "\n")
        }
        return .success
    }

    private static let dump = Command(
        "dump",
        "Writes the frames' bytes to standard output, from a keyframe on.",
        usage: "[OPTION]… RING",
        options: [count, .runDirectory],
        operands: 1...1,
        details: "  apus ring dump cam/main | ffplay -f h264 -"
    ) { arguments in
        guard !Process.isTerminal(1) else {
            throw Failure(.usage, "the frames' bytes are not for a terminal; send them to a file or a program")
        }
        let limit = try arguments.integer("-n", 1...Int.max)
        let ring = try attach(arguments.operands[0], arguments.runDirectory, demand: true)
        try ring.forEach(limit: limit, fromKeyframe: true) { _, bytes in
            try writeAll(1, bytes.span)
        }
        return .success
    }

    private static let latency = Command(
        "latency",
        "Measures how long frames take: capture to ring, and ring to reader.",
        usage: "[OPTION]… RING",
        options: [
            Option("--seconds", "N", "How long to measure, 1 to 86400; else 5."), count, .json, .runDirectory,
        ],
        operands: 1...1
    ) { arguments in
        // A wrong option is told before anything is looked for.
        let seconds = try arguments.integer("--seconds", 1...86_400) ?? 5
        let limit = try arguments.integer("-n", 1...Int.max)
        let ring = try attach(arguments.operands[0], arguments.runDirectory, demand: true)
        var toRing = Percentiles()
        var toReader = Percentiles()
        try ring.forEach(
            limit: limit,
            until: Clock.monotonic() + .seconds(seconds),
            onlyNew: true
        ) { frame, _ in
            toRing.add((frame.published - frame.captured).nanoseconds)
            toReader.add((Clock.monotonic() - frame.published).nanoseconds)
        }
        guard toRing.count > 0 else { throw Failure(.source, "no frame came in \(seconds) s") }
        guard !arguments.has("--json") else {
            let json: JSON = ["capture_to_ring": toRing.json, "publish_to_read": toReader.json]
            try Terminal.write(json.prettyText + "\n")
            return .success
        }
        try Terminal.write(
            Table([
                ["ms", "frames", "min", "avg", "p50", "p95", "p99", "max"],
                ["capture → ring"] + toRing.cells,
                ["publish → read"] + toReader.cells,
            ])
            .text
        )
        return .success
    }

    /// Attaches to a ring and waits until its producer answers.
    private static func attach(_ name: String, _ directory: RunDirectory, demand: Bool) throws -> FollowedRing {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let isName = parts.count == 2 && !parts[0].isEmpty
        let path = isName ? directory.ring(parts[0], parts[1]) : name
        guard File.exists(path) else {
            throw Failure(
                .notRunning,
                "there is no ring \(name) in \(directory.path); apus ring list shows those there are"
            )
        }
        return try FollowedRing(path, demand: demand)
    }
}

extension String {
    /// The text with the last `character` replaced.
    fileprivate func replacingLast(_ character: Character, _ replacement: String) -> String {
        guard let index = lastIndex(of: character) else { return self }
        return String(self[..<index]) + replacement + String(self[self.index(after: index)...])
    }
}
