// SPDX-License-Identifier: Apache-2.0
// What must hold for any bytes that claim to be files of /proc and /sys; for fuzzing and its corpus.

import Bytes
import Control
import Metrics

/// Checks of the readers of the kernel's files.
package enum TelemetryFuzz {
    /// More files are not made of one input.
    private static let maximumFiles = 64

    /// Reads the bytes as files, each of which begins with a line that is its path.
    ///
    /// A path that comes again is that file a second later, so that rates are made, too.
    package static func check(_ bytes: Span<UInt8>) {
        let (now, later) = files(bytes)
        let machines = [KernelFiles(now), KernelFiles(now.merging(later) { $1 })]
        let telemetry = Telemetry()
        var watch = MachineWatch()
        for (second, files) in machines.enumerated() {
            let moment = Instant.zero + .seconds(Int64(second))
            let reading = SystemReading(files)
            check(reading)
            let sample = telemetry.take(reading, at: moment)
            precondition(sample.usage.allSatisfy { (0...1).contains($0) }, "a processor is busy for a part of the time")
            let rates = sample.rates.flatMap { [$0.received, $0.sent] } + sample.writeRates.compactMap(\.self)
            precondition(rates.allSatisfy { $0 >= 0 && $0.isFinite }, "a rate is a number")
            let crossings = watch.look(reading, at: moment)
            let warnings = crossings.map { JSON.object($0.warning.members) }
            for told in warnings + [.object(sample.members)] {
                precondition((try? JSON(parsing: told.text)) != nil, "what is told is JSON")
            }
            var samples = Samples()
            sample.collect(into: &samples)
            guard let process = ProcessReading(1, files) else { continue }
            let sizes = [process.residentBytes, process.proportionalBytes ?? 0, process.privateBytes ?? 0]
            precondition(sizes.allSatisfy { $0 >= 0 } && process.threads >= 0, "a size is not less than nothing")
            precondition(process.processorTime >= 0 && process.processorTime.isFinite, "time is a number")
        }
    }

    private static func check(_ reading: SystemReading) {
        precondition(reading.processors.count <= SystemReading.maximumProcessors, "processors have a limit")
        precondition(reading.processors.allSatisfy { $0.busy >= 0 && $0.total >= $0.busy }, "who is busy is there")
        precondition(reading.memoryTotal >= 0 && reading.memoryAvailable >= 0, "memory is not less than nothing")
        precondition(reading.load.map { $0 >= 0 && $0.isFinite } ?? true, "load is a number")
        let counts = [reading.temperatures.count, reading.fans.count, reading.storage.count, reading.interfaces.count]
        precondition(counts.allSatisfy { $0 <= SystemReading.maximumEntries }, "lists have limits")
        precondition(reading.temperatures.allSatisfy { abs($0.celsius) <= 200 }, "heat is believable")
        precondition(reading.storage.allSatisfy { (0...1).contains($0.wear ?? 0) }, "wear is a part of a life")
        let names =
            reading.temperatures.map(\.zone) + reading.fans.map(\.name) + reading.interfaces.map(\.name)
            + reading.storage.flatMap { [$0.device, $0.kind, $0.model ?? ""] } + [reading.model ?? ""]
        precondition(
            names.allSatisfy { name in !name.utf8.contains { $0 < 0x20 || $0 == 0x7F } },
            "no name holds what a terminal would obey"
        )
    }

    /// The files by their paths, and those whose path came again.
    private static func files(_ bytes: Span<UInt8>) -> (now: [String: [UInt8]], later: [String: [UInt8]]) {
        var now: [String: [UInt8]] = [:]
        var later: [String: [UInt8]] = [:]
        var path: String?
        var content: [UInt8] = []
        func close() {
            guard let path, now.count + later.count < maximumFiles else { return }
            if now[path] == nil { now[path] = content } else { later[path] = content }
        }
        var line: [UInt8] = []
        for index in 0...bytes.count {
            if index < bytes.count { line.append(bytes[index]) }
            guard index == bytes.count || bytes[index] == UInt8(ascii: "\n") else { continue }
            if line.first == UInt8(ascii: "/") {
                close()
                path = String(decoding: line.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
                content = []
            } else {
                content += line
            }
            line = []
        }
        close()
        return (now, later)
    }
}
