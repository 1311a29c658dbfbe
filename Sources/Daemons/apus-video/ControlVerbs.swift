// SPDX-License-Identifier: Apache-2.0
// What can be set of a camera, by control verbs, and what subscribers are told of camera and controls.

import Capture
import Config
import Control
import Daemon
import Devices
import Encode
import Log
import Media

extension VideoService {
    /// Adds the verbs and events of the camera's controls to the control socket.
    func addControlVerbs() {
        context.control.commands.add(
            Verb("controls", "Lists what can be set of the camera: the source's controls, then the encoders'.") {
                [unowned self] _ in controlList
            }
        )
        context.control.commands.add(
            Verb(
                "set-control",
                "Sets one of the controls until the daemon ends, over losses of the camera too; tells how it stands then.",
                [
                    Argument("name", .text, "The control's name, as controls tells it."),
                    Argument(
                        "value",
                        .value,
                        optional: true,
                        "What it is to be; of a menu, an entry's number or label; a button needs none."
                    ),
                ]
            ) { [unowned self] arguments throws(ControlError) in
                try setControl(arguments.text("name") ?? "", arguments.value("value"))
            }
        )
        context.control.commands.add(
            Verb(
                "reset-controls",
                "Takes back what was set of the source: the configuration's values hold, and else the device's own.",
                [Argument("name", .text, optional: true, "Which control; all if left out.")]
            ) { [unowned self] arguments throws(ControlError) in
                try refusing { () throws(ControlRefusal) in
                    try reachable().resetControls(arguments.text("name"))
                }
                context.log.info("controls reset", ["control": arguments.text("name") ?? "all"])
                return controlList
            }
        )
        context.control.commands.add(EventKind("control", "A control has changed, or its flags have, whoever did it."))
    }

    private var controlList: JSON {
        [
            "state": .string(stateName),
            "controls": .array((session?.controls ?? []).map { json($0) } + encoderControls.map(\.json)),
        ]
    }

    private func setControl(_ name: String, _ value: JSON?) throws(ControlError) -> JSON {
        if let control = encoderControls.first(where: { $0.name == name }) {
            let pressed: JSON? = control.json["type"] == "button" ? .some(.boolean(true)) : .none
            guard var value = value ?? pressed else {
                throw ControlError(.missingKey, key: "value", "\(name) needs a value")
            }
            // Encoders have numbers only; whoever does not know that may send them as texts.
            if let text = value.string, let number = Double(text) {
                value = Int(text).map { .integer($0) } ?? JSON(number)
            }
            try tellingEncoders { () throws(ControlError) in try control.set(value) }
            return encoderControls.first { $0.name == name }?.json ?? [:]
        }
        let text = value.map { $0.string ?? $0.text } ?? ""
        let control = try refusing { () throws(ControlRefusal) in try reachable().setControl(name, text) }
        context.log.info("control set", ["control": name, "value": text])
        return json(control)
    }

    /// Another configuration's controls hold from now on.
    func reconfigureControls(_ list: ControlList) {
        if let session { session.configureControls(list) } else { board.reconfigure(list) }
    }

    /// Tells subscribers of a control that has changed.
    func tell(_ control: CameraControl) {
        context.control.emit("control", [JSON.Member("control", json(control))])
    }

    /// Tells subscribers of the encoders' controls that `change` has changed.
    func tellingEncoders(_ change: () throws(ControlError) -> Void) throws(ControlError) {
        let before = encoderControls.map(\.json)
        try change()
        for control in encoderControls where !before.contains(control.json) {
            context.control.emit("control", [JSON.Member("control", control.json)])
        }
    }

    private var stateName: String {
        switch session?.state {
        case .live: "live"
        case .lost: "lost"
        case .ended: "ended"
        case .starting: "starting"
        case nil: "idle"
        }
    }

    private func reachable() throws(ControlRefusal) -> CaptureSession {
        guard let session else { throw ControlRefusal(.moment, "the camera is idle, as nobody watches it") }
        return session
    }

    private func refusing<Result>(_ work: () throws(ControlRefusal) -> Result) throws(ControlError) -> Result {
        do throws(ControlRefusal) {
            return try work()
        } catch {
            switch error.fault {
            case .name: throw ControlError(.outOfRange, key: "name", error.description)
            case .value: throw ControlError(.outOfRange, key: "value", error.description)
            case .moment: throw ControlError(.unavailable, error.description)
            case .device: throw ControlError(.failed, error.description)
            }
        }
    }

    private func json(_ control: CameraControl) -> JSON {
        var members = [
            JSON.Member("name", .string(control.name)), JSON.Member("label", .string(control.title)),
            JSON.Member("group", "source"), JSON.Member("category", .string(control.group)),
            JSON.Member("type", .string(control.kind.rawValue)),
        ]
        switch control.kind {
        case .integer, .string:
            members.append(JSON.Member("minimum", JSON(control.minimum)))
            members.append(JSON.Member("maximum", JSON(control.maximum)))
            members.append(JSON.Member("step", JSON(control.step)))
        case .bitmask: members.append(JSON.Member("maximum", JSON(control.maximum)))
        case .menu, .integerMenu:
            let choices = control.choices.map { choice -> JSON in
                ["value": JSON(choice.number), "label": .string(choice.name)]
            }
            members.append(JSON.Member("choices", .array(choices)))
            guard control.hasMoreChoices else { break }
            members.append(JSON.Member("minimum", JSON(control.minimum)))
            members.append(JSON.Member("maximum", JSON(control.maximum)))
        case .boolean, .button, .compound: break
        }
        if let value = control.value { members.append(JSON.Member("value", json(value, control.kind))) }
        if let standard = control.standard { members.append(JSON.Member("default", json(standard, control.kind))) }
        if let wanted = board.wanted(control.name) { members.append(JSON.Member("kept", .string(wanted))) }
        members.append(JSON.Member("read_only", .boolean(!control.isSettable)))
        members.append(JSON.Member("active", .boolean(!control.flags.contains(.inactive))))
        members.append(JSON.Member("volatile", .boolean(control.flags.contains(.volatile))))
        members.append(JSON.Member("busy", .boolean(control.flags.contains(.busy))))
        return .object(members)
    }

    private func json(_ value: CameraControl.Value, _ kind: CameraControl.Kind) -> JSON {
        switch value {
        case .number(let number): kind == .boolean ? .boolean(number != 0) : JSON(number)
        case .text(let text): .string(text)
        }
    }
}
