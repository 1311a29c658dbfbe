// SPDX-License-Identifier: Apache-2.0
// The types that several of the API's answers share.

extension Schema {
    /// The shared schemas by name, in the order of the document.
    package static let shared: [(name: String, schema: Schema)] = [
        (
            "Error",
            .object([
                .always(
                    "error",
                    .object([
                        .always("code", .text(), "What kind of fault it is; programs decide by it."),
                        .sometimes("key", .text(), "The parameter or member that is at fault, if one is."),
                        .always("message", .text(), "For people."),
                    ])
                )
            ])
        ),
        (
            "Camera",
            .object([
                .always("name", .text()), .always("online", .boolean, "False while the source is lost."),
                .always("state", .choice(["live", "lost", "ended", "starting", "idle", "down"])),
                .sometimes("reason", .text(), "Why the source is lost."),
                .always("viewers", .integer(), "Of all transports."), .always("streams", .list(.shared("Stream"))),
            ])
        ),
        (
            "Stream",
            .object([
                .always("name", .choice(["main", "sub", "jpeg"])),
                .always("online", .boolean, "True while frames of the source, not the slate's, come."),
                .sometimes("state", .choice(["passthrough", "encoding", "idle", "slate"])),
                .sometimes("codec", .text()), .sometimes("width", .integer()), .sometimes("height", .integer()),
                .sometimes("fps", .number, "Measured; 0 for a stream that rests."),
                .sometimes("bitrate", .integer(), "Bits per second, measured."),
                .sometimes("age_ms", .integer(), "Age of the newest frame."),
                .always("viewers", .map(.integer()), "How many watch, by transport."),
            ])
        ),
        ("ControlValue", .any([.integer(), .number, .boolean, .text()])),
        (
            "Controls",
            .object([
                .sometimes("state", .text(), "live, lost, idle, ended or starting."),
                .always("controls", .list(.shared("Control"))),
            ])
        ),
        (
            "Control",
            .object([
                .always("name", .text()), .always("label", .text(), "For people."),
                .always("group", .choice(["source", "encoder"])),
                .always(
                    "type",
                    .choice([
                        "integer", "number", "boolean", "menu", "integer-menu", "button", "bitmask", "string",
                        "compound",
                    ])
                ),
                .sometimes("value", .optional(.shared("ControlValue"))),
                .sometimes("default", .optional(.shared("ControlValue"))), .sometimes("minimum", .number),
                .sometimes("maximum", .number), .sometimes("step", .number), .sometimes("unit", .text()),
                .sometimes("stream", .text()),
                .sometimes(
                    "choices",
                    .list(.object([.always("value", .integer()), .always("label", .text())]))
                ),
                .always("read_only", .boolean), .always("active", .boolean, "False while another control decides."),
                .sometimes("category", .text(), "The device's own group."),
                .sometimes("kept", .text(), "What is set again after each loss of the camera."),
                .sometimes("volatile", .boolean, "It changes by itself."),
                .sometimes("busy", .boolean, "It cannot be set while frames are captured."),
            ])
        ),
        (
            "Client",
            .object([
                .always("daemon", .text()), .always("id", .integer()), .always("peer", .text()),
                .always("user", .optional(.text())), .always("camera", .optional(.text())),
                .always("stream", .optional(.text())), .always("transport", .optional(.text())),
                .always("state", .text()), .sometimes("seconds", .integer()), .sometimes("frames", .integer()),
                .always("sent", .integer(), "Bytes."), .always("pending", .integer(), "Bytes."),
                .always("drops", .integer(), "Frames that the client did not get."),
                .sometimes("lag_ms", .number),
            ])
        ),
        (
            "Device",
            .object([
                .always("id", .text(), "What finds the device again: v4l2:ID is a source."),
                .always("name", .text()), .always("node", .text()),
                .always("source", .text(), "What to write into the configuration."),
                .always("camera", .optional(.text())), .always("driver", .text()), .always("bus", .text()),
                .always("simulated", .boolean), .always("formats", .list(.text()), "Those that can be used."),
                .always("links", .list(.text())),
                .sometimes(
                    "usb",
                    .object([
                        .always("vendor", .text()), .always("product", .text()), .always("serial", .text()),
                        .always("port", .text()), .always("speed", .text(), "Mbit/s."),
                    ])
                ),
                .sometimes("input", .object([.always("name", .text()), .always("state", .optional(.text()))])),
                .sometimes(
                    "problem",
                    .object([
                        .always("code", .choice(["permission", "busy", "formats", "pipeline", "silent", "failure"])),
                        .always("message", .text()),
                    ]),
                    "Why it cannot be used."
                ),
            ])
        ),
        (
            "Daemon",
            .object([
                .always("name", .text()), .always("program", .text()), .always("camera", .optional(.text())),
                .always("state", .text(), "starting, running, stopping, waiting, failing, stopped."),
                .always("pid", .optional(.integer())), .always("uptime", .optional(.number), "Seconds."),
                .always("restarts", .integer()), .always("last_end", .optional(.text())),
                .sometimes("reason", .optional(.text()), "Why it is not well; null if it is."),
                .sometimes("last_words", .list(.text()), "The last lines that it wrote before it ended."),
                .always("cpu", .optional(.number), "Processors used, 1 is one of them; null at first."),
                .always("cpu_seconds", .optional(.number)),
                .always("memory", .optional(.shared("Memory"))),
            ])
        ),
        (
            "Memory",
            .object([
                .always("resident", .integer(), "Bytes, shared ones in full."),
                .always("pss", .optional(.integer()), "Bytes, shared ones by their part."),
                .always("private", .optional(.integer()), "Bytes that no other process has."),
            ])
        ),
        (
            "System",
            .object([
                .always("model", .optional(.text())),
                .always("cpu", .optional(.number), "Part of all processors' time that is used, 0 to 1; null at first."),
                .always("cpus", .list(.object([.always("name", .text()), .always("usage", .optional(.number))]))),
                .always("load", .optional(.number)),
                .always("memory", .object([.always("total", .integer()), .always("available", .integer())])),
                .always(
                    "temperatures",
                    .list(.object([.always("zone", .text()), .always("celsius", .number)]))
                ),
                .always(
                    "fans",
                    .list(
                        .object([
                            .always("name", .text()), .always("rpm", .integer()),
                            .always("power", .optional(.number), "Part of its power, 0 to 1."),
                        ])
                    )
                ),
                .always("throttling", .optional(.list(.text())), "null on machines that do not tell."),
                .always("under_voltage_since_boot", .optional(.boolean)),
                .always(
                    "disks",
                    .list(
                        .object([.always("path", .text()), .always("total", .integer()), .always("free", .integer())])
                    )
                ),
                .always(
                    "storage",
                    .list(
                        .object([
                            .always("device", .text()), .always("kind", .text()), .always("model", .optional(.text())),
                            .always("written", .optional(.integer()), "Bytes since the machine's start."),
                            .always("write_rate", .optional(.number), "Bytes written per second."),
                            .always(
                                "discarded",
                                .optional(.integer()),
                                "Bytes given back as unused since the machine's start."
                            ),
                            .always(
                                "lifetime_written",
                                .optional(.integer()),
                                "Bytes that its ext4 and f2fs file systems have written since they were made; null without any."
                            ),
                            .always(
                                "wear",
                                .optional(.number),
                                "Part of its life that is over at most, in tenths; null if it does not say, as SD cards never do."
                            ),
                            .always("spare", .optional(.text()), "Spare blocks: normal, warning, urgent."),
                        ])
                    )
                ),
                .always("warnings", .list(.shared("Warning"))),
                .always("thermal", .optional(.shared("Thermal"))),
                .always(
                    "network",
                    .list(
                        .object([
                            .always("interface", .text()), .always("received", .integer(), "Bytes."),
                            .always("sent", .integer(), "Bytes."),
                            .always("receive_rate", .optional(.number), "Bytes per second."),
                            .always("send_rate", .optional(.number), "Bytes per second."),
                        ])
                    )
                ),
            ])
        ),
        (
            "Warning",
            .object([
                .always("name", .text(), "hot, under-voltage, throttled, memory-low, disk-low, worn-out …"),
                .always("subject", .optional(.text()), "Which path or device."),
                .always("value", .optional(.number), "°C, or a part of 1."), .always("limit", .optional(.number)),
                .always("message", .text()), .always("seconds", .number, "Since when."),
            ])
        ),
        (
            "Thermal",
            .object([
                .always("lower", .choice(["off", "bitrate", "fps", "both"])), .always("hot", .number, "°C."),
                .always("at_least", .number), .always("steps", .integer(), "0: encoders do what is configured."),
                .always("bitrate", .number, "What part of it is left."), .always("fps", .number),
                .always("untouched", .list(.text()), "Streams that pass through: cam/main."),
            ])
        ),
        (
            "ConfigKey",
            .object([
                .always("key", .text(), "camera.cam.main.bitrate"), .always("value", .text()),
                .always("default", .text()), .always("is_set", .boolean), .always("expects", .text()),
                .always("effect", .choice(["live", "restart"])), .always("doc", .text()),
            ])
        ),
        (
            "ConfigChange",
            .object([
                .always("dry_run", .boolean), .always("changed", .list(.text()), "Keys whose value is another one."),
                .always(
                    "daemons",
                    .list(
                        .object([
                            .always("name", .text()),
                            .always("effect", .choice(["live", "restart", "start", "stop"])),
                        ])
                    )
                ),
                .always(
                    "in_force",
                    .optional(.boolean),
                    "True once the daemons have taken it; false if they are still at it, or apus-http itself starts "
                        + "again; null if nothing was changed."
                ),
                .always("interrupted", .list(.text()), "Streams that pause or end: cam/main."),
                .always("viewers", .integer(), "Viewers that are affected."),
            ])
        ),
        (
            "Session",
            .object([
                .always("authenticated", .boolean), .always("users", .boolean, "False: nobody is asked who he is."),
                .always("proof", .optional(.choice(["none", "password", "session", "token", "share"]))),
                .always("user", .optional(.text())), .always("role", .optional(.text())),
                .always("permissions", .list(.text()), "What he may do with some camera at least."),
                .always("cameras", .list(.text()), "Those that he may see."),
                .always("share", .optional(.object([]))), .always("encrypted", .boolean),
                .always("login", .boolean, "Whether a password may be sent over this connection."),
            ])
        ),
        (
            "Share",
            .object([
                .always("id", .text()), .always("camera", .text()), .always("label", .text()),
                .always("expires", .optional(.integer()), "Seconds since 1970 UTC; null: never."),
                .always("viewers", .integer(), "At most so many at once."), .always("watching", .integer()),
                .always("by", .text()), .always("made", .integer(), "Seconds since 1970 UTC."),
                .sometimes("path", .text(), "What opens it: told once, when it is made."),
            ])
        ),
        (
            "Path",
            .object([
                .always("name", .text()), .always("confName", .text()), .always("ready", .boolean),
                .always("readyTime", .optional(.text())), .always("tracks", .list(.text())),
                .always("bytesReceived", .integer()), .always("bytesSent", .integer()),
                .always("readers", .list(.object([.always("type", .text()), .always("id", .text())]))),
            ])
        ),
    ]
}
