// SPDX-License-Identifier: Apache-2.0
// The table of the API's operations.

import Access
import HTTP

extension Operation {
    /// The operation of that name.
    package static func named(_ id: String) -> Operation {
        guard let operation = all.first(where: { $0.id == id }) else { preconditionFailure("no operation \(id)") }
        return operation
    }

    /// Longer pages are not given.
    package static let maximumPage = 500
    /// The length of a page that nobody asked to be of another.
    package static let standardPage = 100

    private static let camera = Parameter(
        name: "camera",
        isInPath: true,
        schema: .text(pattern: "^[a-z0-9_-]{1,32}$"),
        documentation: "The camera's name."
    )
    private static let daemon = Parameter(
        name: "daemon",
        isInPath: true,
        schema: .text(pattern: "^[a-z0-9_.-]{1,64}$"),
        documentation: "The daemon's name: rtsp, http, video.cam, supervisor."
    )
    private static let limit = query(
        "limit",
        .integer(1...maximumPage),
        "How many entries the page may have; \(standardPage) if it is left out."
    )

    private static func query(_ name: String, _ schema: Schema, _ documentation: String) -> Parameter {
        Parameter(name: name, isInPath: false, schema: schema, documentation: documentation)
    }

    private static func after(_ documentation: String) -> Parameter { query("after", .text(), documentation) }

    /// All operations, in the order of the document.
    package static let all: [Operation] = cameras + viewers + access + running + configuring + metrics + compatibility

    private static let cameras: [Operation] = [
        Operation(
            "listCameras",
            .get,
            "/api/v1/cameras",
            needs: .view,
            "The cameras that the user may see, with their streams.",
            [limit, after("The name of the last camera of the page before.")],
            answer: .object([
                .always("version", .text()), .always("uptime", .integer(), "Seconds."),
                .sometimes("rtsp_port", .integer(0...65_535), "Missing while the RTSP server is off."),
                .always("cameras", .list(.shared("Camera"))), .always("next", .optional(.text())),
            ])
        ),
        Operation(
            "getCamera",
            .get,
            "/api/v1/cameras/{camera}",
            needs: .view,
            "One camera: its source, its streams, who watches.",
            [camera],
            answer: .shared("Camera"),
            failures: [.notFound]
        ),
        Operation(
            "listStreams",
            .get,
            "/api/v1/cameras/{camera}/streams",
            needs: .view,
            "A camera's streams.",
            [camera],
            answer: .object([.always("streams", .list(.shared("Stream")))]),
            failures: [.notFound]
        ),
        Operation(
            "listControls",
            .get,
            "/api/v1/cameras/{camera}/controls",
            needs: .view,
            "What can be set of a camera, with the values of this moment.",
            [camera],
            answer: .shared("Controls"),
            failures: [.notFound, .unavailable]
        ),
        Operation(
            "changeControls",
            .patch,
            "/api/v1/cameras/{camera}/controls",
            needs: .control,
            "Sets the controls that the body names, null to the default; what is left out stays as it is.",
            [camera],
            body: .map(.optional(.shared("ControlValue"))),
            answer: .shared("Controls"),
            failures: [.notFound, .contentTooLarge, .unsupportedMediaType, .unprocessable, .unavailable]
        ),
        Operation(
            "replaceControls",
            .put,
            "/api/v1/cameras/{camera}/controls",
            needs: .control,
            "Sets the controls that the body names, and all others that can be set to their defaults.",
            [camera],
            body: .map(.optional(.shared("ControlValue"))),
            answer: .shared("Controls"),
            failures: [.notFound, .contentTooLarge, .unsupportedMediaType, .unprocessable, .unavailable]
        ),
    ]

    private static let viewers: [Operation] = [
        Operation(
            "listClients",
            .get,
            "/api/v1/clients",
            needs: .control,
            ofEachCamera: true,
            "The connections of all daemons that have to do with cameras of the user; all, if he has all cameras.",
            [
                limit, after("What the page before has as next."),
                query("camera", .text(), "Only those that have to do with this camera."),
                query("transport", .text(), "Only those of this transport."),
            ],
            answer: .object([
                .always("clients", .list(.shared("Client"))), .always("next", .optional(.text())),
            ]),
            failures: [.unprocessable]
        ),
        Operation(
            "kickClient",
            .delete,
            "/api/v1/clients/{daemon}/{id}",
            needs: .control,
            ofEachCamera: true,
            "Ends a connection that has to do with a camera of the user.",
            [
                daemon,
                Parameter(
                    name: "id",
                    isInPath: true,
                    schema: .integer(1...(1 << 53)),
                    documentation: "The connection's number."
                ),
            ],
            failures: [.notFound, .conflict, .unavailable]
        ),
        Operation(
            "listEvents",
            .get,
            "/api/v1/events",
            needs: .view,
            "What happens, as Server-Sent Events; with Last-Event-ID, from there on as far as it is still known.",
            contentType: "text/event-stream"
        ),
    ]

    private static let running: [Operation] = [
        Operation(
            "listDaemons",
            .get,
            "/api/v1/daemons",
            needs: .configure,
            "The daemons with state, processor time and memory.",
            answer: .object([.always("daemons", .list(.shared("Daemon")))])
        ),
        Operation(
            "getDaemon",
            .get,
            "/api/v1/daemons/{daemon}",
            needs: .configure,
            "What a daemon says of itself (status), and what it can be told (verbs).",
            [daemon],
            answer: .object([
                .always("name", .text()), .always("status", .object([])), .always("verbs", .list(.object([]))),
                .always("events", .list(.object([]))),
            ]),
            failures: [.notFound, .unavailable]
        ),
        Operation(
            "tellDaemon",
            .post,
            "/api/v1/daemons/{daemon}/verbs/{verb}",
            needs: .configure,
            "Tells a daemon what to do: a verb of its table, with the body's members as arguments.",
            [
                daemon,
                Parameter(
                    name: "verb",
                    isInPath: true,
                    schema: .text(pattern: "^[a-z-]{1,32}$"),
                    documentation: "The verb."
                ),
            ],
            body: .object([]),
            answer: .object([]),
            failures: [.notFound, .contentTooLarge, .unsupportedMediaType, .unprocessable, .unavailable]
        ),
        Operation(
            "getSystem",
            .get,
            "/api/v1/system",
            needs: .configure,
            "This machine: processors, memory, temperature, fan, throttling, disk, network.",
            answer: .shared("System")
        ),
        Operation(
            "listDevices",
            .get,
            "/api/v1/devices",
            needs: .configure,
            "The capture devices of this machine, and which cameras they are.",
            answer: .object([
                .always("devices", .list(.shared("Device"))),
                .always(
                    "lost",
                    .list(.object([.always("camera", .text()), .always("id", .text()), .always("name", .text())])),
                    "Cameras that a device has become by itself, and whose device is not plugged in."
                ),
                .always("heard_by", .list(.text()), "How it is noticed that devices come and go."),
            ]),
            failures: [.unavailable]
        ),
        Operation(
            "listLogs",
            .get,
            "/api/v1/logs",
            needs: .configure,
            "The newest lines that the daemons have logged.",
            [
                limit, query("after", .integer(0...(1 << 53)), "The number of the last line that is known already."),
            ],
            answer: .object([
                .always("lines", .list(.object([.always("number", .integer()), .always("text", .text())]))),
                .always("next", .integer(), "What after has to be for the lines to come."),
            ]),
            failures: [.unprocessable, .unavailable]
        ),
    ]

    private static let configuring: [Operation] = [
        Operation(
            "getConfig",
            .get,
            "/api/v1/config",
            needs: .configure,
            "The keys of the configuration with their values; passwords are ***.",
            answer: .object([
                .always("file", .optional(.text()), "null if the instance runs without a file."),
                .always("keys", .list(.shared("ConfigKey"))),
            ]),
            failures: [.unavailable]
        ),
        Operation(
            "changeConfig",
            .patch,
            "/api/v1/config",
            needs: .configure,
            "Sets keys in the configuration file and puts them in force; with dry_run, only tells what that would do.",
            [query("dry_run", .boolean, "True: nothing is changed.")],
            body: .map(.any([.text(), .integer(), .number, .boolean])),
            answer: .shared("ConfigChange"),
            failures: [.contentTooLarge, .unsupportedMediaType, .unprocessable, .unavailable]
        ),
        Operation(
            "getDocument",
            .get,
            "/api/v1/openapi.json",
            needs: .view,
            "This document.",
            answer: .object([])
        ),
    ]

    private static let metrics: [Operation] = [
        Operation(
            "getMetrics",
            .get,
            "/metrics",
            needs: .configure,
            "The figures of all daemons for Prometheus.",
            contentType: "text/plain"
        ),
        Operation(
            "getHealth",
            .get,
            "/healthz",
            needs: nil,
            "Whether the daemon does its job.",
            answer: .object([.always("ok", .boolean)]),
            failures: [.unavailable]
        ),
        Operation(
            "getReadiness",
            .get,
            "/readyz",
            needs: nil,
            "Whether the daemons of all configured cameras are ready.",
            answer: .object([
                .always("ready", .boolean),
                .always("waiting", .list(.text()), "Cameras that are not, as far as the user may see them."),
            ]),
            failures: [.unavailable]
        ),
        Operation(
            "getTime",
            .get,
            "/api/v1/time",
            needs: nil,
            "What the server's clock shows, to tell by it how old a picture is.",
            answer: .object([.always("utc_ms", .integer(), "Milliseconds since 1970 UTC.")])
        ),
    ]

    private static let compatibility: [Operation] = [
        Operation(
            "frameOfGo2rtc",
            .get,
            "/api/frame.jpeg",
            needs: .view,
            ofEachCamera: true,
            "A camera's newest picture, as go2rtc has it.",
            [query("src", .text(), "The camera; the first one if it is left out.")],
            contentType: "image/jpeg",
            failures: [.notFound, .unavailable]
        ),
        Operation(
            "streamsOfGo2rtc",
            .get,
            "/api/streams",
            needs: .view,
            "The cameras, as go2rtc has its streams.",
            answer: .map(
                .object([
                    .always("producers", .list(.object([]))), .always("consumers", .optional(.list(.object([])))),
                ])
            ),
            failures: [.notFound]
        ),
        Operation(
            "pathsOfMediaMTX",
            .get,
            "/v3/paths/list",
            needs: .view,
            "The streams, as MediaMTX has its paths.",
            [
                query("page", .integer(0...1_000_000), "Which page, from 0."),
                query("itemsPerPage", .integer(1...1000), "100 if it is left out."),
            ],
            answer: .object([
                .always("itemCount", .integer()), .always("pageCount", .integer()),
                .always("items", .list(.shared("Path"))),
            ]),
            failures: [.unprocessable]
        ),
        Operation(
            "pathOfMediaMTX",
            .get,
            "/v3/paths/get/{name}",
            needs: .view,
            "One camera's path, as MediaMTX has it.",
            [
                Parameter(
                    name: "name",
                    isInPath: true,
                    schema: .text(pattern: "^[a-z0-9_-]{1,32}$"),
                    documentation: "The camera's name."
                )
            ],
            answer: .shared("Path"),
            failures: [.notFound]
        ),
    ]
}
