// SPDX-License-Identifier: Apache-2.0
// What can be measured: names, kinds, labels; the one table from which the metrics page and its reference come.

/// One family of figures.
package struct Metric: Sendable, Equatable {
    /// What kind of figure it is.
    package enum Kind: String, Sendable {
        /// Only rises while its daemon lives.
        case counter
        /// Goes up and down.
        case gauge
        /// Counts of observations up to each bound.
        case histogram
    }

    /// With the unit and, of a counter, `_total` at its end.
    package let name: String
    package let kind: Kind
    /// The names of the labels, in the order in which samples have their values.
    package let labels: [String]
    /// Of a histogram, the upper bounds of its buckets in rising order; the last one, +Inf, is left out.
    package let bounds: [Double]
    /// One sentence.
    package let documentation: String

    private init(
        _ kind: Kind,
        _ name: String,
        _ labels: [String],
        bounds: [Double] = [],
        _ documentation: String
    ) {
        self.kind = kind
        self.name = "apus_" + name
        self.labels = labels
        self.bounds = bounds
        self.documentation = documentation
    }

    /// The metric of that name; nil if there is none.
    package static func named(_ name: String) -> Metric? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

// MARK: The table

extension Metric {
    private static let viewing = ["camera", "stream", "transport"]
    /// Seconds, from a frame's time on a fast network to what a person notices as waiting.
    private static let latencies = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

    package static let buildInformation = Metric(.gauge, "build_info", ["version"], "Always 1; the version is a label.")
    package static let up = Metric(.gauge, "up", ["daemon"], "Whether the daemon answers: 1, else 0.")
    package static let restarts = Metric(
        .counter,
        "daemon_restarts_total",
        ["daemon"],
        "How often the supervisor had to start the daemon again."
    )
    package static let uptime = Metric(.gauge, "daemon_uptime_seconds", ["daemon"], "Age of the daemon's process.")
    package static let processTime = Metric(
        .counter,
        "process_cpu_seconds_total",
        ["daemon"],
        "Processor time that the daemon's process has used."
    )
    package static let processMemory = Metric(
        .gauge,
        "process_memory_bytes",
        ["daemon", "kind"],
        "Memory of the daemon's process: pss shares what is shared, private is its own, resident all."
    )
    package static let connections = Metric(.gauge, "connections", ["daemon"], "Connections of clients.")

    package static let cameraOnline = Metric(
        .gauge,
        "camera_online",
        ["camera"],
        "Whether the camera's source gives frames: 1, else 0."
    )
    package static let sourceLosses = Metric(
        .counter,
        "source_losses_total",
        ["camera"],
        "How often the source was lost after it had given frames."
    )
    package static let sourceDrops = Metric(
        .counter,
        "source_dropped_frames_total",
        ["camera"],
        "Frames that the source could not deliver, or that came faster than they could be used."
    )
    package static let captureFaults = Metric(
        .counter,
        "capture_faults_total",
        ["camera", "fault"],
        "Frames of a V4L2 camera that were not delivered, by what was wrong."
    )
    package static let captureRecoveries = Metric(
        .counter,
        "capture_recoveries_total",
        ["camera", "step"],
        "What was done to get frames of a V4L2 camera again."
    )
    package static let streamFrames = Metric(
        .counter,
        "stream_frames_total",
        ["camera", "stream"],
        "Frames published."
    )
    package static let streamKeyframes = Metric(
        .counter,
        "stream_keyframes_total",
        ["camera", "stream"],
        "Keyframes published."
    )
    package static let streamBytes = Metric(.counter, "stream_bytes_total", ["camera", "stream"], "Bytes published.")
    package static let streamSkips = Metric(
        .counter,
        "stream_skipped_frames_total",
        ["camera", "stream"],
        "Pictures left out to keep to the stream's frame rate."
    )
    package static let streamFailures = Metric(
        .counter,
        "stream_failures_total",
        ["camera", "stream"],
        "Frames that could not be encoded or published."
    )
    package static let encodeTime = Metric(
        .histogram,
        "encode_seconds",
        ["camera", "stream"],
        bounds: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.033, 0.066, 0.1, 0.25],
        "Time that encoding a picture takes."
    )

    package static let viewers = Metric(.gauge, "viewers", viewing, "Who watches now.")
    package static let sentFrames = Metric(.counter, "sent_frames_total", viewing, "Frames handed to viewers.")
    package static let sentBytes = Metric(.counter, "sent_bytes_total", viewing, "Bytes of frames handed to viewers.")
    package static let droppedFrames = Metric(
        .counter,
        "dropped_frames_total",
        viewing + ["reason"],
        "Frames that a viewer did not get, and why."
    )
    package static let ringLag = Metric(
        .gauge,
        "ring_lag_seconds",
        viewing,
        "How old the frame was that was handed out last, from its publication on."
    )
    package static let joinTime = Metric(
        .histogram,
        "join_seconds",
        viewing,
        bounds: latencies,
        "From a viewer's request to its first frame."
    )
    package static let viewerLatency = Metric(
        .histogram,
        "viewer_latency_seconds",
        viewing,
        bounds: latencies,
        "From a frame's capture to its handing to a viewer's connection."
    )

    package static let systemProcessorTime = Metric(
        .counter,
        "system_cpu_seconds_total",
        ["cpu"],
        "Time that a processor of this machine was busy."
    )
    package static let systemLoad = Metric(
        .gauge,
        "system_load",
        [],
        "Processes that ran or wanted to, as a mean of the last minute."
    )
    package static let systemUnderVoltage = Metric(
        .gauge,
        "system_under_voltage_since_boot",
        [],
        "Whether a Raspberry Pi's power supply has been too weak since its start: 1, else 0."
    )
    package static let systemSpare = Metric(
        .gauge,
        "system_storage_spare",
        ["device"],
        "What an eMMC or UFS says of its spare blocks: 1 normal, 2 most are used, 3 next to none are left."
    )
    package static let systemMemory = Metric(
        .gauge,
        "system_memory_bytes",
        ["kind"],
        "Memory of this machine: total and available."
    )
    package static let systemTemperature = Metric(
        .gauge,
        "system_temperature_celsius",
        ["zone"],
        "What the thermal zones of this machine measure."
    )
    package static let systemFan = Metric(.gauge, "system_fan_speed_rpm", ["fan"], "Turns of a fan a minute.")
    package static let systemFanPower = Metric(
        .gauge,
        "system_fan_power_ratio",
        ["fan"],
        "What part of its power a fan is given, 0 to 1."
    )
    package static let systemThrottled = Metric(
        .gauge,
        "system_throttled",
        ["reason"],
        "Whether a Raspberry Pi slows down now, and why: 1, else 0."
    )
    package static let systemDisk = Metric(
        .gauge,
        "system_disk_bytes",
        ["path", "kind"],
        "Space of a file system: total and free."
    )
    package static let systemWritten = Metric(
        .counter,
        "system_storage_written_bytes_total",
        ["device"],
        "Bytes written to a card or disk since the machine's start."
    )
    package static let systemDiscarded = Metric(
        .counter,
        "system_storage_discarded_bytes_total",
        ["device"],
        "Bytes given back to a card or disk as unused since the machine's start."
    )
    package static let systemLifetimeWritten = Metric(
        .counter,
        "system_storage_lifetime_written_bytes_total",
        ["device"],
        "Bytes written by the ext4 and f2fs file systems of a card or disk, each since it was made."
    )
    package static let systemWear = Metric(
        .gauge,
        "system_storage_wear_ratio",
        ["device"],
        "What part of its life an eMMC or UFS says is behind it, 0 to 1, in tenths and rounded up."
    )
    package static let systemWarning = Metric(
        .gauge,
        "system_warning",
        ["name", "subject"],
        "Always 1: a limit of [telemetry] that is passed now, and what it is about."
    )
    package static let thermalShare = Metric(
        .gauge,
        "thermal_share_ratio",
        ["what"],
        "What part of the configured bitrate and fps encoders may use while the processor is hot; else 1."
    )
    package static let systemNetwork = Metric(
        .counter,
        "system_network_bytes_total",
        ["interface", "direction"],
        "Bytes that went through a network interface."
    )

    /// All metrics in the order of the page.
    package static let all: [Metric] = [
        buildInformation, up, restarts, uptime, processTime, processMemory, connections, cameraOnline, sourceLosses,
        sourceDrops, captureFaults, captureRecoveries, streamFrames, streamKeyframes, streamBytes, streamSkips,
        streamFailures, encodeTime, viewers,
        sentFrames, sentBytes, droppedFrames, ringLag, joinTime, viewerLatency, systemProcessorTime, systemMemory,
        systemLoad, systemTemperature, systemFan, systemFanPower, systemThrottled, systemUnderVoltage, systemDisk,
        systemWritten,
        systemDiscarded, systemLifetimeWritten, systemWear, systemSpare, systemNetwork, systemWarning, thermalShare,
    ]
}
