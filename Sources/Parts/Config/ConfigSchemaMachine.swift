// SPDX-License-Identifier: Apache-2.0
// The keys of [telemetry] and [thermal]: what apus up makes of the machine's readings.

extension ConfigSchema {
    /// What `apus up` reads for itself.
    static let machineKeys = [
        ConfigKey(
            .fixed("telemetry"),
            "interval",
            .duration(.seconds(1)...(.seconds(60))),
            "5s",
            .live,
            "How often the machine is looked at."
        ),
        ConfigKey(
            .fixed("telemetry"),
            "hot",
            .integer(30...120),
            "80",
            .live,
            "The processor is hot from so many °C on; it is over 5 °C below. A Raspberry Pi slows itself down at 80 to 85 °C."
        ),
        ConfigKey(
            .fixed("telemetry"),
            "memory_low",
            .integer(0...100),
            "5",
            .live,
            "Less memory than so many per cent is little; 0 never warns. It is over at a quarter more."
        ),
        ConfigKey(
            .fixed("telemetry"),
            "disk_low",
            .integer(0...100),
            "5",
            .live,
            "Less space than so many per cent is little, on / and on the run directory; 0 never warns. It is over at a "
                + "quarter more."
        ),
        ConfigKey(
            .fixed("telemetry"),
            "worn_out",
            .integer(10...100),
            "90",
            .live,
            "From so many per cent of its life on, an eMMC or UFS is worn; also when it says that its spare blocks run out. SD "
                + "cards do not tell: for them, what is written to them is told."
        ),
        ConfigKey(
            .fixed("thermal"),
            "lower",
            .choice(["off", "bitrate", "fps", "both"]),
            "both",
            .live,
            "What of the encoders is lowered while the processor is hot; off leaves them alone."
        ),
        ConfigKey(
            .fixed("thermal"),
            "hot",
            .integer(30...120),
            "80",
            .live,
            "From so many °C on, each step takes a fifth; steps are given back once it is 5 °C cooler."
        ),
        ConfigKey(
            .fixed("thermal"),
            "at_least",
            .integer(5...100),
            "25",
            .live,
            "So many per cent of what is configured are left in any case."
        ),
        ConfigKey(
            .fixed("thermal"),
            "pace",
            .duration(.seconds(1)...(.seconds(600))),
            "10s",
            .live,
            "From one step down to the next; steps back up take three times as long."
        ),
    ]
}
