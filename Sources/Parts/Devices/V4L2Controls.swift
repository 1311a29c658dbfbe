// SPDX-License-Identifier: Apache-2.0
// The controls of a V4L2 device: listed, read, set, and watched.

import CShimLinux
import System

extension V4L2Device {
    /// More controls than this are not asked for.
    static let controlLimit = 512
    /// Longer texts are not read, in bytes.
    static let textLimit: Int64 = 4096

    /// Something that the device tells by itself.
    package enum Event {
        case control(UInt32)
        /// The signal that it digitises has another size or rate, has come, or is gone.
        case sourceChange
        /// No more frames come.
        case end
    }

    /// All controls that are not disabled, with their present values.
    package func controls() -> [CameraControl] {
        var result: [CameraControl] = []
        var names: [UInt32: (name: String, group: String)] = [:]
        var taken: Set<String> = []
        var group = ""
        var found = apus_v4l2_control()
        var last: UInt32 = 0
        // Safe: the call fills in a structure of ours.
        while result.count < Self.controlLimit, unsafe apus_v4l2_control_after(descriptor, last, &found) == 0,
            found.id > last
        {
            last = found.id
            if found.type == ControlType.group {
                group = Self.title(found)
                continue
            }
            if found.flags & ControlFlag.disabled != 0 { continue }
            let plain = CameraControl.name(of: Self.title(found))
            // Two controls may have the same title.
            let name = taken.contains(plain) || plain.isEmpty ? "\(plain)_\(String(last, radix: 16))" : plain
            taken.insert(name)
            names[last] = (name, group)
            result.append(describe(found, name, group))
        }
        controlNames = names
        return result
    }

    /// One control as it is now; nil if it was never listed.
    package func control(_ id: UInt32) -> CameraControl? {
        if controlNames.isEmpty { _ = controls() }
        var found = apus_v4l2_control()
        // Safe: the call fills in a structure of ours.
        guard let known = controlNames[id], unsafe apus_v4l2_control_at(descriptor, id, &found) == 0 else { return nil }
        return describe(found, known.name, known.group)
    }

    /// Sets a control to a value that fits it.
    package func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal) {
        let result: Int32
        switch value {
        case .number(let number):
            result = apus_v4l2_set_number(descriptor, control.id, isWide(control.id) ? 1 : 0, number)
        case .text(let text):
            // Safe: the call reads a NUL-terminated text of this length.
            result = unsafe apus_v4l2_set_text(descriptor, control.id, text, UInt32(text.utf8.count + 1))
        }
        guard result == 0 else {
            let error = SystemError("", code: lastErrorCode)
            if error.isBusy { throw ControlRefusal(.moment, "\(control.name) cannot be set while frames are captured") }
            throw ControlRefusal(.device, "\(card) does not take \(control.name): \(error.reason)")
        }
    }

    /// Has the device tell of changes of its controls and of its source.
    package func watchControls() {
        // A device without events is as good as one where nothing changes.
        apus_v4l2_subscribe_stream(descriptor)
        for control in controls() where control.kind != .button { _ = apus_v4l2_subscribe(descriptor, control.id) }
    }

    /// What the device has to tell; nil if there is nothing more.
    package func nextEvent() -> Event? {
        var event = apus_v4l2_event()
        // Safe: the call fills in a structure of ours. Events that were not asked for do not come.
        guard unsafe apus_v4l2_next_event(descriptor, &event) == 0 else { return nil }
        switch Int(event.kind) {
        case apus_v4l2_event_source: return .sourceChange
        case apus_v4l2_event_end: return .end
        default: return .control(event.id)
        }
    }

    private func isWide(_ id: UInt32) -> Bool {
        var found = apus_v4l2_control()
        // Safe: the call fills in a structure of ours.
        return unsafe apus_v4l2_control_at(descriptor, id, &found) == 0 && found.type == ControlType.wideInteger
    }

    private func describe(_ found: apus_v4l2_control, _ name: String, _ group: String) -> CameraControl {
        var control = CameraControl(
            id: found.id,
            name: name,
            title: Self.title(found),
            group: group,
            kind: Self.kind(found),
            minimum: found.minimum,
            maximum: found.type == ControlType.bitmask
                ? Int64(UInt32(truncatingIfNeeded: found.maximum)) : found.maximum,
            step: max(1, found.step),
            flags: Self.flags(found)
        )
        if control.kind == .menu || control.kind == .integerMenu { control.choices = choices(found) }
        switch control.kind {
        case .button, .compound: break
        case .string: control.value = text(control)
        default:
            control.standard = .number(found.standard)
            var value: Int64 = 0
            let isWide: Int32 = found.type == ControlType.wideInteger ? 1 : 0
            let isBits: Int32 = found.type == ControlType.bitmask ? 1 : 0
            // Safe: the call fills in a variable of ours.
            if found.flags & ControlFlag.writeOnly == 0,
                unsafe apus_v4l2_get_number(descriptor, found.id, isWide, isBits, &value) == 0
            {
                control.value = .number(value)
            }
        }
        return control
    }

    private func choices(_ found: apus_v4l2_control) -> [CameraControl.Choice] {
        let last = min(found.maximum, Int64(CameraControl.choiceLimit) - 1)
        guard found.minimum >= 0, found.minimum <= last else { return [] }
        let isNumber: Int32 = found.type == ControlType.integerMenu ? 1 : 0
        return (found.minimum...last)
            .compactMap { index in
                var name = InlineArray<32, CChar>(repeating: 0)
                var span = name.mutableSpan
                // Safe: the call writes at most 32 bytes, the last of them a NUL.
                let result = unsafe span.withUnsafeMutableBufferPointer { buffer in
                    unsafe apus_v4l2_choice_at(descriptor, found.id, UInt32(index), isNumber, buffer.baseAddress)
                }
                guard result == 0 else { return nil }
                var bytes: [UInt8] = []
                for place in name.indices where name[place] != 0 { bytes.append(UInt8(bitPattern: name[place])) }
                return CameraControl.Choice(index, DeviceText.plain(String(decoding: bytes, as: UTF8.self)))
            }
    }

    private func text(_ control: CameraControl) -> CameraControl.Value? {
        let size = Int(min(max(control.maximum, 0), Self.textLimit)) + 1
        var buffer = [CChar](repeating: 0, count: size)
        // Safe: the call writes at most `size` bytes.
        guard unsafe apus_v4l2_get_text(descriptor, control.id, &buffer, UInt32(size)) == 0 else { return nil }
        return .text(String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    private static func title(_ found: apus_v4l2_control) -> String {
        // Safe: the shim always ends the name with a NUL.
        let title = unsafe withUnsafeBytes(of: found.name) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return DeviceText.plain(title)
    }

    private static func kind(_ found: apus_v4l2_control) -> CameraControl.Kind {
        // An array of numbers, which has a payload as texts have, is more than one value.
        if found.flags & ControlFlag.payload != 0, found.type != ControlType.string { return .compound }
        return switch found.type {
        case 1, ControlType.wideInteger: .integer
        case 2: .boolean
        case 3: .menu
        case 4: .button
        case ControlType.string: .string
        case ControlType.bitmask: .bitmask
        case ControlType.integerMenu: .integerMenu
        default: .compound
        }
    }

    private static func flags(_ found: apus_v4l2_control) -> CameraControl.Flags {
        var flags: CameraControl.Flags = []
        if found.flags & ControlFlag.grabbed != 0 { flags.insert(.busy) }
        if found.flags & ControlFlag.readOnly != 0 { flags.insert(.readOnly) }
        if found.flags & ControlFlag.inactive != 0 { flags.insert(.inactive) }
        if found.flags & ControlFlag.volatile != 0 { flags.insert(.volatile) }
        return flags
    }
}

/// V4L2_CTRL_TYPE_…, those that are named here.
private enum ControlType {
    static let wideInteger: UInt32 = 5
    static let group: UInt32 = 6
    static let string: UInt32 = 7
    static let bitmask: UInt32 = 8
    static let integerMenu: UInt32 = 9
}

/// V4L2_CTRL_FLAG_….
private enum ControlFlag {
    static let disabled: UInt32 = 0x0001
    static let grabbed: UInt32 = 0x0002
    static let readOnly: UInt32 = 0x0004
    static let inactive: UInt32 = 0x0010
    static let writeOnly: UInt32 = 0x0040
    static let volatile: UInt32 = 0x0080
    static let payload: UInt32 = 0x0100
}
