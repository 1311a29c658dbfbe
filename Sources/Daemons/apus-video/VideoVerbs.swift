// SPDX-License-Identifier: Apache-2.0
// What can be changed of a camera's streams while it runs, by control verbs.

import Bytes
import Control
import Daemon
import Media

extension VideoService {
    /// Adds the camera's verbs to the control socket.
    func addVerbs() {
        addControlVerbs()
        addFigureVerbs()
        addReliefVerb()
        let names = streams.video.map(\.name)
        guard !names.isEmpty else { return }
        let stream = Argument("stream", .choice(names), "Which stream.")
        add(
            "set-bitrate",
            "Sets a stream's bitrate until the daemon ends.",
            stream,
            Argument("value", .integer(16_000...200_000_000), "Bits per second.")
        ) { stream, arguments in stream.wishes.bitrateOverride = arguments.integer("value") }
        add(
            "set-gop",
            "Sets the time from one keyframe to the next until the daemon ends.",
            stream,
            Argument("value", .number(0.1...60), "Seconds.")
        ) { stream, arguments in
            stream.wishes.gopOverride = arguments.number("value").map { .milliseconds(Int64($0 * 1000)) }
        }
        add(
            "set-fps",
            "Sets a stream's frames per second, at most the source's, until the daemon ends.",
            stream,
            Argument("value", .number(1...240), "Frames per second.")
        ) { stream, arguments in
            stream.wishes.frameRateOverride = arguments.number("value").map { Rational(UInt32($0 * 1000), 1000) }
        }
        add("request-idr", "Makes a stream's next frame a keyframe.", stream, nil) { stream, _ in
            stream.requestKeyframe()
        }
        if streams.jpeg != nil {
            let quality = Argument("value", .integer(1...100), "1 is smallest, 100 is best.")
            context.control.commands.add(
                Verb("set-quality", "Sets the JPEG stream's quality until the daemon ends.", [quality]) {
                    [unowned self] arguments throws(ControlError) in
                    try tellingEncoders { () throws(ControlError) in
                        streams.jpeg?.qualityOverride = arguments.integer("value")
                    }
                    return streams.jpeg?.status ?? [:]
                }
            )
        }
    }

    private func add(
        _ verb: String,
        _ documentation: String,
        _ stream: Argument,
        _ value: Argument?,
        _ change: @escaping (VideoStream, Arguments) -> Void
    ) {
        context.control.commands.add(
            Verb(verb, documentation, [stream] + (value.map { [$0] } ?? [])) {
                [unowned self] arguments throws(ControlError) in
                guard let stream = streams.video.first(where: { $0.name == arguments.text("stream") }) else {
                    return [:]
                }
                guard !stream.isPassing else {
                    throw ControlError(
                        .failed,
                        key: "stream",
                        "\(stream.name) passes the source on as it is; there is no encoder to set"
                    )
                }
                try tellingEncoders { () throws(ControlError) in change(stream, arguments) }
                return stream.status
            }
        )
    }
}
