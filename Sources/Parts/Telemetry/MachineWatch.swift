// SPDX-License-Identifier: Apache-2.0
// Limits of the machine: each is told of once when it is passed, and once when that is over.

package import Bytes

/// When a machine's readings are worth a warning: `[telemetry]`.
package struct MachineLimits: Sendable, Equatable {
    /// °C from which the processor is hot.
    package var hot: Double
    /// Parts of 1 of memory and disk that are little; 0 is never.
    package var memory: Double
    package var disk: Double
    /// Part of 1 of a card's life from which it is worn.
    package var wear: Double

    package init(hot: Double = 80, memory: Double = 0.05, disk: Double = 0.05, wear: Double = 0.9) {
        self.hot = hot
        self.memory = memory
        self.disk = disk
        self.wear = wear
    }
}

/// One limit that is passed.
package struct MachineWarning: Sendable, Equatable {
    /// What is the matter; the raw value is its name in events.
    package enum Kind: String, Sendable, CaseIterable {
        case hot
        case underVoltage = "under-voltage"
        case frequencyCapped = "frequency-capped"
        case throttled
        case softTemperatureLimit = "soft-temperature-limit"
        case memoryLow = "memory-low"
        case diskLow = "disk-low"
        case wornOut = "worn-out"
        case sensorsSilent = "sensors-silent"
    }

    package var kind: Kind
    /// What it is about: a sensor, a path, a device; empty where there is one only.
    package var subject: String
    /// °C, seconds, or a part of 1; nil for what is so or not.
    package var value: Double?
    package var limit: Double?
    /// Of a card: how many of its spare blocks are left, if it says so.
    package var spare: StorageReading.Spare?
    /// When the limit was passed.
    package var since: Instant

    /// The warning in words.
    package var text: String {
        let value = self.value ?? 0
        let limit = self.limit ?? 0
        return switch kind {
        case .hot: "the processor is at \(Self.tenths(value)) °C (limit \(Self.tenths(limit)) °C)"
        case .underVoltage: "the power supply is too weak (under-voltage)"
        case .frequencyCapped: "the firmware holds the processor's frequency down"
        case .throttled: "the firmware has slowed the processor down"
        case .softTemperatureLimit: "the firmware's soft limit of temperature is reached"
        case .memoryLow: "\(Self.tenths(value * 100)) % of memory is left (limit \(Self.tenths(limit * 100)) %)"
        case .diskLow:
            "\(Self.tenths(value * 100)) % of the disk is left at \(subject) (limit \(Self.tenths(limit * 100)) %)"
        case .sensorsSilent:
            "the machine has not been read for \(Self.tenths(value)) s: a sensor does not answer (limit \(Self.tenths(limit)) s)"
        case .wornOut: wear
        }
    }

    /// How it is known that a card is worn: by its life, or by its spare blocks.
    private var wear: String {
        var told: [String] = []
        if let value, let limit, value >= limit {
            told.append("up to \(Self.tenths(value * 100)) % of its life is over (limit \(Self.tenths(limit * 100)) %)")
        }
        switch spare {
        case .warning: told.append("most of its spare blocks are used up")
        case .urgent: told.append("nearly all of its spare blocks are used up")
        case .normal, nil: break
        }
        return "\(subject) says that it is worn out: \(told.joined(separator: ", "))"
    }

    private static func tenths(_ number: Double) -> String {
        let tenths = (number * 10).rounded()
        guard abs(tenths) < 1e9 else { return "?" }
        let whole = Int(tenths)
        return whole % 10 == 0 ? "\(whole / 10)" : "\(whole / 10).\(abs(whole % 10))"
    }
}

/// Compares readings with limits. A limit that is passed is over only once the reading is well within it again.
package struct MachineWatch: Sendable {
    /// °C below the limit at which heat is over.
    package static let heatMargin = 5.0
    /// So much above the limit, as a part of it, little is enough again.
    package static let scarcityMargin = 0.25
    /// What the firmware says comes and goes within seconds; it is over when it has not come for so long.
    package static let calm = Duration.seconds(30)

    /// What has changed.
    package struct Crossing: Sendable, Equatable {
        package var warning: MachineWarning
        package var isOver: Bool
    }

    package var limits: MachineLimits
    /// What is passed now, the oldest first.
    package private(set) var warnings: [MachineWarning] = []
    /// When each of the firmware's was so last.
    private var lastSeen: [MachineWarning.Kind: Instant] = [:]

    package init(_ limits: MachineLimits = MachineLimits()) { self.limits = limits }

    /// Compares a reading, and returns what has changed.
    package mutating func look(_ reading: SystemReading, at now: Instant) -> [Crossing] {
        var present: [MachineWarning] = []
        var crossings: [Crossing] = []
        /// Notes one limit: nothing, if the reading is within.
        func note(
            _ kind: MachineWarning.Kind,
            _ subject: String,
            _ value: Double?,
            _ limit: Double?,
            bad: Bool,
            well: Bool,
            spare: StorageReading.Spare? = nil
        ) {
            let before = warnings.first { $0.kind == kind && $0.subject == subject }
            guard before == nil ? bad : !well else { return }
            present.append(
                MachineWarning(
                    kind: kind,
                    subject: subject,
                    value: value,
                    limit: limit,
                    spare: spare,
                    since: before?.since ?? now
                )
            )
        }
        if let hottest = reading.processorTemperature {
            let value = hottest.celsius
            note(.hot, "", value, limits.hot, bad: value >= limits.hot, well: value < limits.hot - Self.heatMargin)
        }
        if let throttling = reading.throttling {
            for (name, bit) in Throttling.reasons {
                guard let kind = MachineWarning.Kind(rawValue: name) else { continue }
                let isSo = throttling.contains(bit)
                if isSo { lastSeen[kind] = now }
                let isOver = lastSeen[kind].map { now - $0 >= Self.calm } ?? true
                note(kind, "", nil, nil, bad: isSo, well: isOver)
            }
        }
        /// Notes what there should be more of.
        func noteScarcity(_ kind: MachineWarning.Kind, _ subject: String, _ left: Int, of total: Int, _ limit: Double) {
            guard total > 0, limit > 0 else { return }
            let part = Double(left) / Double(total)
            let enough = min(limit * (1 + Self.scarcityMargin), 1)
            note(kind, subject, part, limit, bad: part < limit, well: part >= enough)
        }
        noteScarcity(.memoryLow, "", reading.memoryAvailable, of: reading.memoryTotal, limits.memory)
        for disk in reading.disks { noteScarcity(.diskLow, disk.path, disk.free, of: disk.total, limits.disk) }
        for device in reading.storage {
            let isWorn = device.wear.map { $0 >= limits.wear } ?? false || device.spare ?? .normal != .normal
            let (wear, spare) = (device.wear, device.spare)
            note(.wornOut, device.device, wear, limits.wear, bad: isWorn, well: !isWorn, spare: spare)
        }
        for warning in warnings where !present.contains(where: { Self.isSame($0, warning) }) {
            crossings.append(Crossing(warning: warning, isOver: true))
        }
        for warning in present where !warnings.contains(where: { Self.isSame($0, warning) }) {
            crossings.append(Crossing(warning: warning, isOver: false))
        }
        warnings = present.enumerated()
            .sorted { ($0.element.since, $0.offset) < ($1.element.since, $1.offset) }
            .map(\.element)
        return crossings
    }

    /// Notes that nothing could be read for longer than `limit`; the next reading ends it.
    package mutating func noteSilence(of seconds: Double, limit: Double, at now: Instant) -> [Crossing] {
        guard seconds > limit else { return [] }
        if let index = warnings.firstIndex(where: { $0.kind == .sensorsSilent }) {
            warnings[index].value = seconds
            return []
        }
        let warning = MachineWarning(kind: .sensorsSilent, subject: "", value: seconds, limit: limit, since: now)
        warnings.append(warning)
        return [Crossing(warning: warning, isOver: false)]
    }

    private static func isSame(_ left: MachineWarning, _ right: MachineWarning) -> Bool {
        left.kind == right.kind && left.subject == right.subject
    }
}
