// SPDX-License-Identifier: Apache-2.0
// The values that somebody wants a camera's controls to have, put in force whenever the camera is there.

package import Config
import Devices

/// A source whose device has controls.
protocol ControlledSource: Source {
    /// All controls with their present values.
    var controls: [CameraControl] { get }

    /// Sets a control; the value was checked against it.
    func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal)
}

/// When in the life of a source its controls are set.
enum ControlMoment {
    /// No frames are captured yet: some controls can be set only now, others only later.
    case beforeFrames
    case withFrames
}

/// Remembers what was set of a camera, and sets it again after each loss of the camera.
package final class ControlBoard {
    /// What the configuration wants.
    package private(set) var configured: ControlList
    /// What was set since; it goes before the configuration.
    package private(set) var kept = ControlList()

    package init(configured: ControlList = ControlList()) { self.configured = configured }

    /// The value that is put in force again after a loss; nil if the device decides.
    package func wanted(_ name: String) -> String? { kept[name] ?? configured[name] }

    /// Puts all wanted values in force; `note` is told of those that are not taken, unless there will be another moment.
    func apply(
        to source: any ControlledSource,
        at moment: ControlMoment = .withFrames,
        note: (String, String) -> Void
    ) {
        let list = configured.overridden(by: kept)
        switch moment {
        case .beforeFrames: apply(list, to: source, withButtons: false) { _, _ in }
        case .withFrames: apply(list, to: source, note: note)
        }
    }

    /// Another configuration holds from the next start of the source on.
    package func reconfigure(_ configured: ControlList) { self.configured = configured }

    /// Another configuration holds from now on.
    func reconfigure(_ configured: ControlList, on source: (any ControlledSource)?, note: (String, String) -> Void) {
        let old = self.configured
        self.configured = configured
        guard let source else { return }
        var news = ControlList()
        for setting in configured.settings where old[setting.name] != setting.value && kept[setting.name] == nil {
            news[setting.name] = setting.value
        }
        apply(news, to: source, note: note)
    }

    /// Sets a control, and keeps the value.
    ///
    /// - Returns: the control as it is then.
    func set(_ name: String, _ text: String, on source: any ControlledSource) throws(ControlRefusal) -> CameraControl {
        let control = try Self.find(name, in: source.controls)
        let value = try control.value(of: text)
        try Self.check(control, among: source.controls)
        try source.set(control, to: value)
        if control.kind != .button { kept[name] = text }
        return source.controls.first { $0.name == name } ?? control
    }

    /// Forgets what was set of one control, or of all: the configuration's values are put in force, else the device's.
    func reset(_ name: String?, on source: any ControlledSource) throws(ControlRefusal) {
        if let name {
            let control = try Self.find(name, in: source.controls)
            kept[name] = nil
            try Self.check(control, among: source.controls)
            return try resetOne(control, on: source)
        }
        kept = ControlList()
        // First what is active, then the switches; and what they make active.
        for isSecond in [false, true] {
            for control in Self.inOrder(source.controls, switchesLast: !isSecond) where control.isSettable {
                if control.flags.contains(.inactive) || control.value == control.standard { continue }
                // A device that does not take its own default says so to nobody who could help.
                try? resetOne(control, on: source)
            }
        }
        apply(configured, to: source) { _, _ in }
    }

    private func resetOne(_ control: CameraControl, on source: any ControlledSource) throws(ControlRefusal) {
        // A configured value that the control does not have is as good as none; it was told when it was configured.
        if let text = configured[control.name], let value = try? control.value(of: text) {
            try source.set(control, to: value)
        } else if let standard = control.standard {
            try source.set(control, to: standard)
        }
    }

    /// Sets switches first, then what they make active.
    private func apply(
        _ list: ControlList,
        to source: any ControlledSource,
        withButtons: Bool = true,
        note: (String, String) -> Void
    ) {
        var waiting = list.settings
        for isLast in [false, true] where !waiting.isEmpty {
            let controls = source.controls
            for setting in waiting where !controls.contains(where: { $0.name == setting.name }) {
                note(setting.name, "the camera has no such control")
            }
            var inactive: [ControlList.Setting] = []
            for control in Self.inOrder(controls, switchesLast: false) {
                guard let setting = waiting.first(where: { $0.name == control.name }) else { continue }
                // What is done at a button is done twice by two.
                if control.kind == .button, !withButtons { continue }
                if control.flags.contains(.inactive), !isLast {
                    inactive.append(setting)
                    continue
                }
                do throws(ControlRefusal) {
                    let value = try control.value(of: setting.value)
                    try Self.check(control, among: controls)
                    if value != control.value { try source.set(control, to: value) }
                } catch {
                    note(setting.name, error.description)
                }
            }
            waiting = inactive
        }
    }

    private static func inOrder(_ controls: [CameraControl], switchesLast: Bool) -> [CameraControl] {
        let switches = controls.filter(\.isSwitch)
        let others = controls.filter { !$0.isSwitch }
        return switchesLast ? others + switches : switches + others
    }

    private static func find(_ name: String, in controls: [CameraControl]) throws(ControlRefusal) -> CameraControl {
        guard let control = controls.first(where: { $0.name == name }) else {
            let names = controls.map(\.name).joined(separator: ", ")
            throw ControlRefusal(.name, "the camera has no control \"\(name)\", only \(names.isEmpty ? "none" : names)")
        }
        return control
    }

    private static func check(_ control: CameraControl, among controls: [CameraControl]) throws(ControlRefusal) {
        guard control.kind != .compound else { throw ControlRefusal(.name, "\(control.name) cannot be set here") }
        guard !control.flags.contains(.readOnly) else {
            throw ControlRefusal(.name, "\(control.name) can only be read")
        }
        guard control.flags.contains(.inactive) else { return }
        let hint = automatic(of: control, among: controls).map { "; \($0.name) has it now" } ?? ""
        throw ControlRefusal(.moment, "\(control.name) is inactive\(hint)")
    }

    /// The switch that probably has taken a control over: one that calls itself automatic and shares a word with it.
    private static func automatic(of control: CameraControl, among controls: [CameraControl]) -> CameraControl? {
        let words = control.name.split(separator: "_").filter { $0.utf8.count > 3 }
        return controls.first { other in
            other.isSwitch && other.name != control.name && other.name.contains("auto")
                && words.contains { other.name.contains($0) }
        }
    }
}
