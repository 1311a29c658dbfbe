// SPDX-License-Identifier: Apache-2.0
// What can be set of a camera's encoders, in the same form as its source's controls.

import Bytes
import Config
import Control
import Media

/// One thing that can be set of an encoder.
struct EncoderControl {
    let json: JSON
    let name: String
    let set: (JSON) throws(ControlError) -> Void
}

extension VideoService {
    /// The settings of the streams that are encoded here.
    var encoderControls: [EncoderControl] {
        var settings: [EncoderControl] = []
        for stream in streams.video where !stream.isPassing { settings += encoderSettings(stream) }
        if let jpeg = streams.jpeg, !jpeg.isPassing {
            let quality = jpeg.qualityOverride ?? jpeg.configuration.quality
            settings.append(
                number("jpeg", "quality", "Quality", 1...100, quality, jpeg.configuration.quality, "%") {
                    jpeg.qualityOverride = $0
                }
            )
        }
        return settings
    }

    private func encoderSettings(_ stream: VideoStream) -> [EncoderControl] {
        let configuration = stream.configuration
        let gop = configuration.gop.seconds
        let rate = configuration.frameRate?.value
        return [
            number(
                stream.name,
                "bitrate",
                "Bitrate",
                16_000...200_000_000,
                stream.wishes.bitrateOverride ?? configuration.bitrate,
                configuration.bitrate,
                "bit/s"
            ) { stream.wishes.bitrateOverride = $0 },
            fraction(
                stream.name,
                "gop",
                "Keyframe distance",
                0.1...60,
                stream.wishes.gopOverride?.seconds ?? gop,
                gop,
                "s"
            ) {
                stream.wishes.gopOverride = .milliseconds(Int64($0 * 1000))
            },
            fraction(
                stream.name,
                "fps",
                "Frame rate",
                1...240,
                stream.wishes.frameRateOverride?.value ?? rate,
                rate,
                "1/s"
            ) {
                stream.wishes.frameRateOverride = Rational(UInt32($0 * 1000), 1000)
            },
            EncoderControl(
                json: [
                    "name": .string("\(stream.name).keyframe"), "label": "Keyframe now", "group": "encoder",
                    "stream": .string(stream.name), "type": "button", "read_only": false, "active": true,
                ],
                name: "\(stream.name).keyframe"
            ) { _ in stream.requestKeyframe() },
        ]
    }

    private func number(
        _ stream: String,
        _ name: String,
        _ label: String,
        _ range: ClosedRange<Int>,
        _ value: Int,
        _ standard: Int,
        _ unit: String,
        _ set: @escaping (Int) -> Void
    ) -> EncoderControl {
        let json = JSON.object([
            JSON.Member("name", .string("\(stream).\(name)")), JSON.Member("label", .string(label)),
            JSON.Member("group", "encoder"), JSON.Member("stream", .string(stream)), JSON.Member("type", "integer"),
            JSON.Member("unit", .string(unit)), JSON.Member("minimum", JSON(range.lowerBound)),
            JSON.Member("maximum", JSON(range.upperBound)), JSON.Member("step", 1), JSON.Member("value", JSON(value)),
            JSON.Member("default", JSON(standard)), JSON.Member("read_only", false), JSON.Member("active", true),
        ])
        return EncoderControl(json: json, name: "\(stream).\(name)") { value throws(ControlError) in
            guard let number = value.integer else {
                throw ControlError(.wrongType, key: "value", "\(stream).\(name) is a whole number")
            }
            guard range.contains(number) else {
                let limits = "\(range.lowerBound) to \(range.upperBound)"
                throw ControlError(.outOfRange, key: "value", "\(stream).\(name) must be from \(limits), not \(number)")
            }
            set(number)
        }
    }

    /// A setting with a fraction; without a value, it is as the source has it.
    private func fraction(
        _ stream: String,
        _ name: String,
        _ label: String,
        _ range: ClosedRange<Double>,
        _ value: Double?,
        _ standard: Double?,
        _ unit: String,
        _ set: @escaping (Double) -> Void
    ) -> EncoderControl {
        let json = JSON.object([
            JSON.Member("name", .string("\(stream).\(name)")), JSON.Member("label", .string(label)),
            JSON.Member("group", "encoder"), JSON.Member("stream", .string(stream)), JSON.Member("type", "number"),
            JSON.Member("unit", .string(unit)), JSON.Member("minimum", JSON(range.lowerBound)),
            JSON.Member("maximum", JSON(range.upperBound)), JSON.Member("value", value.map { JSON($0) } ?? .null),
            JSON.Member("default", standard.map { JSON($0) } ?? .null), JSON.Member("read_only", false),
            JSON.Member("active", true),
        ])
        return EncoderControl(json: json, name: "\(stream).\(name)") { value throws(ControlError) in
            guard let number = value.number else {
                throw ControlError(.wrongType, key: "value", "\(stream).\(name) is a number")
            }
            guard range.contains(number) else {
                let limits = "\(range.lowerBound) to \(range.upperBound)"
                throw ControlError(.outOfRange, key: "value", "\(stream).\(name) must be from \(limits), not \(number)")
            }
            set(number)
        }
    }
}
