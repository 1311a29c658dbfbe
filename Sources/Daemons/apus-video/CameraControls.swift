// SPDX-License-Identifier: Apache-2.0
// What can be set of a camera: its source's controls and its encoders' settings, in one list with one verb.

import Bytes
import Capture
import Config
import Control
import Daemon
import Media

/// One thing that can be set, however it is done.
private struct Setting {
    let json: JSON
    let name: String
    let set: (JSON) throws(ControlError) -> Void
}

extension VideoService {
    /// Adds the verbs that list and set what can be set.
    func addControlVerbs() {
        context.control.commands.add(
            Verb("controls", "Lists what can be set of the camera: the source's controls, then the encoders'.") {
                [unowned self] _ in
                ["controls": .array(settings.map(\.json))]
            }
        )
        context.control.commands.add(
            Verb(
                "set-control",
                "Sets one of the controls until the daemon ends, and tells how it stands then.",
                [
                    Argument("name", .text, "The control's name, as controls tells it."),
                    Argument("value", .value, optional: true, "What it is to be; a button needs none."),
                ]
            ) { [unowned self] arguments throws(ControlError) in
                let name = arguments.text("name") ?? ""
                guard let setting = settings.first(where: { $0.name == name }) else {
                    throw ControlError(.outOfRange, key: "name", "there is no control \"\(name)\"")
                }
                let pressed: JSON? = setting.json["type"] == "button" ? .some(.boolean(true)) : .none
                guard let value = arguments.value("value") ?? pressed else {
                    throw ControlError(.missingKey, key: "value", "\(name) needs a value")
                }
                try setting.set(value)
                return settings.first { $0.name == name }?.json ?? [:]
            }
        )
    }

    private var settings: [Setting] {
        var settings = sourceControls.map(setting)
        for stream in video where !stream.isPassing { settings += encoderSettings(stream) }
        if let jpeg, !jpeg.isPassing {
            let quality = jpeg.qualityOverride ?? jpeg.configuration.quality
            settings.append(
                number("jpeg", "quality", "Quality", 1...100, quality, jpeg.configuration.quality, "%") {
                    jpeg.qualityOverride = $0
                }
            )
        }
        return settings
    }

    // MARK: The source's

    private func setting(_ control: CameraControl) -> Setting {
        var members = [
            JSON.Member("name", .string(control.name)), JSON.Member("label", .string(control.label)),
            JSON.Member("group", "source"), JSON.Member("type", .string(control.kind.name)),
        ]
        switch control.kind {
        case .integer(let range, let step):
            members += [
                JSON.Member("minimum", JSON(range.lowerBound)), JSON.Member("maximum", JSON(range.upperBound)),
                JSON.Member("step", JSON(step)),
            ]
        case .menu(let choices):
            let entries = choices.map { choice -> JSON in
                ["value": JSON(choice.value), "label": .string(choice.label)]
            }
            members.append(JSON.Member("choices", .array(entries)))
        case .boolean, .button: break
        }
        if control.kind != .button {
            members.append(JSON.Member("value", control.kind.json(control.value)))
            members.append(JSON.Member("default", control.kind.json(control.standard)))
        }
        members.append(JSON.Member("read_only", .boolean(control.isReadOnly)))
        members.append(JSON.Member("active", .boolean(control.isActive)))
        return Setting(json: .object(members), name: control.name) { [unowned self] value throws(ControlError) in
            guard let number = control.kind.number(value) else {
                throw ControlError(.wrongType, key: "value", "\(control.name) is \(control.kind.expectation)")
            }
            do throws(CameraControlError) {
                try setSourceControl(control.name, number)
            } catch {
                switch error {
                case .unknown: throw ControlError(.outOfRange, key: "name", error.description)
                case .outOfRange: throw ControlError(.outOfRange, key: "value", error.description)
                case .unavailable: throw ControlError(.unavailable, key: "name", error.description)
                }
            }
        }
    }

    // MARK: The encoders'

    private func encoderSettings(_ stream: VideoStream) -> [Setting] {
        let configuration = stream.configuration
        let gop = configuration.gop.seconds
        let rate = configuration.frameRate?.value
        return [
            number(
                stream.name,
                "bitrate",
                "Bitrate",
                16_000...200_000_000,
                stream.bitrateOverride ?? configuration.bitrate,
                configuration.bitrate,
                "bit/s"
            ) { stream.bitrateOverride = $0 },
            fraction(stream.name, "gop", "Keyframe distance", 0.1...60, stream.gopOverride?.seconds ?? gop, gop, "s") {
                stream.gopOverride = .milliseconds(Int64($0 * 1000))
            },
            fraction(stream.name, "fps", "Frame rate", 1...240, stream.frameRateOverride?.value ?? rate, rate, "1/s") {
                stream.frameRateOverride = Rational(UInt32($0 * 1000), 1000)
            },
            Setting(
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
    ) -> Setting {
        let json = JSON.object([
            JSON.Member("name", .string("\(stream).\(name)")), JSON.Member("label", .string(label)),
            JSON.Member("group", "encoder"), JSON.Member("stream", .string(stream)), JSON.Member("type", "integer"),
            JSON.Member("unit", .string(unit)), JSON.Member("minimum", JSON(range.lowerBound)),
            JSON.Member("maximum", JSON(range.upperBound)), JSON.Member("step", 1), JSON.Member("value", JSON(value)),
            JSON.Member("default", JSON(standard)), JSON.Member("read_only", false), JSON.Member("active", true),
        ])
        return Setting(json: json, name: "\(stream).\(name)") { value throws(ControlError) in
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
    ) -> Setting {
        let json = JSON.object([
            JSON.Member("name", .string("\(stream).\(name)")), JSON.Member("label", .string(label)),
            JSON.Member("group", "encoder"), JSON.Member("stream", .string(stream)), JSON.Member("type", "number"),
            JSON.Member("unit", .string(unit)), JSON.Member("minimum", JSON(range.lowerBound)),
            JSON.Member("maximum", JSON(range.upperBound)), JSON.Member("value", value.map { JSON($0) } ?? .null),
            JSON.Member("default", standard.map { JSON($0) } ?? .null), JSON.Member("read_only", false),
            JSON.Member("active", true),
        ])
        return Setting(json: json, name: "\(stream).\(name)") { value throws(ControlError) in
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

extension CameraControl.Kind {
    /// The type as `controls` tells it.
    fileprivate var name: String {
        switch self {
        case .integer: "integer"
        case .boolean: "boolean"
        case .menu: "menu"
        case .button: "button"
        }
    }

    fileprivate var expectation: String {
        switch self {
        case .integer: "a whole number"
        case .boolean: "true or false"
        case .menu: "the number of an entry"
        case .button: "a button"
        }
    }

    fileprivate func json(_ value: Int) -> JSON { self == .boolean ? .boolean(value != 0) : JSON(value) }

    /// The number that a value of this kind stands for; nil if it is of another type.
    fileprivate func number(_ value: JSON) -> Int? {
        switch self {
        case .integer, .menu: value.integer
        case .boolean: value.boolean.map { $0 ? 1 : 0 } ?? value.integer
        case .button: 1
        }
    }
}
