// SPDX-License-Identifier: Apache-2.0
// A reading of this machine as the API tells it, and as figures.

package import Bytes
package import Control
package import Metrics

extension SystemSample {
    /// The machine's members of `/api/v1/system`.
    package var members: [JSON.Member] {
        [
            JSON.Member("model", JSON(reading.model)),
            JSON.Member("cpu", totalUsage.map { JSON(Self.rounded($0)) } ?? .null),
            JSON.Member("cpus", .array(processors)),
            JSON.Member("load", reading.load.map { JSON($0) } ?? .null),
            JSON.Member(
                "memory",
                ["total": JSON(reading.memoryTotal), "available": JSON(reading.memoryAvailable)]
            ),
            JSON.Member(
                "temperatures",
                .array(reading.temperatures.map { ["zone": .string($0.zone), "celsius": JSON($0.celsius)] })
            ),
            JSON.Member("fans", .array(fans)), JSON.Member("throttling", throttling),
            JSON.Member("under_voltage_since_boot", hadUnderVoltage),
            JSON.Member("disks", .array(disks)), JSON.Member("storage", .array(storage)),
            JSON.Member("network", .array(network)),
        ]
    }

    /// Adds the machine's figures.
    package func collect(into samples: inout Samples) {
        for processor in reading.processors {
            samples.add(.systemProcessorTime, processor.name, value: processor.busy)
        }
        if let load = reading.load { samples.add(.systemLoad, value: load) }
        if reading.memoryTotal > 0 {
            samples.add(.systemMemory, "total", count: reading.memoryTotal)
            samples.add(.systemMemory, "available", count: reading.memoryAvailable)
        }
        for temperature in reading.temperatures {
            samples.add(.systemTemperature, temperature.zone, value: temperature.celsius)
        }
        for fan in reading.fans {
            samples.add(.systemFan, fan.name, count: fan.speed)
            if let power = fan.power { samples.add(.systemFanPower, fan.name, value: power) }
        }
        if let throttling = reading.throttling {
            for (name, bit) in Throttling.reasons {
                samples.add(.systemThrottled, name, value: throttling.contains(bit) ? 1 : 0)
            }
            let hadLittle = !throttling.isDisjoint(with: [.underVoltage, .hadUnderVoltage])
            samples.add(.systemUnderVoltage, value: hadLittle ? 1 : 0)
        }
        for disk in reading.disks {
            samples.add(.systemDisk, disk.path, "total", count: disk.total)
            samples.add(.systemDisk, disk.path, "free", count: disk.free)
        }
        for device in reading.storage {
            if let written = device.written { samples.add(.systemWritten, device.device, count: written) }
            if let discarded = device.discarded { samples.add(.systemDiscarded, device.device, count: discarded) }
            if let lifetime = device.lifetimeWritten {
                samples.add(.systemLifetimeWritten, device.device, count: lifetime)
            }
            if let wear = device.wear { samples.add(.systemWear, device.device, value: wear) }
            if let spare = device.spare { samples.add(.systemSpare, device.device, value: Double(spare.rawValue)) }
        }
        for interface in reading.interfaces {
            samples.add(.systemNetwork, interface.name, "received", count: interface.received)
            samples.add(.systemNetwork, interface.name, "sent", count: interface.sent)
        }
    }

    private var processors: [JSON] {
        reading.processors.enumerated()
            .map { index, processor in
                let usage = index < usage.count ? JSON(Self.rounded(usage[index])) : .null
                return ["name": .string(processor.name), "usage": usage]
            }
    }

    private var fans: [JSON] {
        reading.fans.map { fan in
            [
                "name": .string(fan.name), "rpm": JSON(fan.speed),
                "power": fan.power.map { JSON(Self.rounded($0)) } ?? .null,
            ]
        }
    }

    private var throttling: JSON {
        reading.throttling.map { bits in
            .array(Throttling.reasons.filter { bits.contains($0.bit) }.map { .string($0.name) })
        } ?? .null
    }

    private var hadUnderVoltage: JSON {
        reading.throttling.map { JSON(!$0.isDisjoint(with: [.underVoltage, .hadUnderVoltage])) } ?? .null
    }

    private var disks: [JSON] {
        reading.disks.map { ["path": .string($0.path), "total": JSON($0.total), "free": JSON($0.free)] }
    }

    private var storage: [JSON] {
        reading.storage.enumerated()
            .map { index, device in
                let rate = index < writeRates.count ? writeRates[index] : nil
                return [
                    "device": .string(device.device), "kind": .string(device.kind), "model": JSON(device.model),
                    "written": device.written.map { JSON($0) } ?? .null,
                    "write_rate": rate.map { JSON($0.rounded()) } ?? .null,
                    "discarded": device.discarded.map { JSON($0) } ?? .null,
                    "lifetime_written": device.lifetimeWritten.map { JSON($0) } ?? .null,
                    "wear": device.wear.map { JSON($0) } ?? .null, "spare": JSON(device.spare.map { "\($0)" }),
                ]
            }
    }

    private var network: [JSON] {
        reading.interfaces.enumerated()
            .map { index, interface in
                let rate = index < rates.count ? rates[index] : nil
                return [
                    "interface": .string(interface.name), "received": JSON(interface.received),
                    "sent": JSON(interface.sent), "receive_rate": rate.map { JSON($0.received.rounded()) } ?? .null,
                    "send_rate": rate.map { JSON($0.sent.rounded()) } ?? .null,
                ]
            }
    }

    private static func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }
}

extension MachineWarning {
    /// The warning as the API tells it; `now` makes its age.
    package func json(at now: Instant) -> JSON {
        .object(members + [JSON.Member("seconds", JSON((now - since).seconds))])
    }

    /// The warning as an event tells it.
    package var members: [JSON.Member] {
        [
            JSON.Member("name", .string(kind.rawValue)), JSON.Member("subject", JSON(subject.isEmpty ? nil : subject)),
            JSON.Member("value", value.map { JSON(($0 * 1000).rounded() / 1000) } ?? .null),
            JSON.Member("limit", limit.map { JSON($0) } ?? .null), JSON.Member("message", .string(text)),
        ]
    }
}

extension ThermalGovernor {
    /// What the encoders are held to, as the API tells it.
    package var members: [JSON.Member] {
        [
            JSON.Member("lower", .string(policy.lowered.rawValue)), JSON.Member("hot", JSON(policy.hot)),
            JSON.Member("at_least", JSON(policy.least)), JSON.Member("steps", JSON(steps)),
            JSON.Member("bitrate", JSON(bitrateShare)), JSON.Member("fps", JSON(frameRateShare)),
        ]
    }
}
