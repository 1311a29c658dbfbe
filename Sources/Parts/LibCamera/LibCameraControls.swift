// SPDX-License-Identifier: Apache-2.0
// libcamera's controls in the form of all cameras': names, whole numbers, menus with words.

import CLibCameraAPI
package import Devices
import System

extension LibCameraDevice {
    /// What is a fraction for libcamera is told in hundredths.
    static let scale = 100.0

    /// The controls of the camera that is open, by name.
    ///
    /// libcamera does not tell values: they are what was set, or else the camera's own.
    package var controls: [CameraControl] {
        var found: [apus_libcamera_control] = []
        for place in 0..<Self.listLimit {
            guard let control = control(at: place) else { break }
            found.append(control)
        }
        var controls = found.map(describe)
        let automatics = ["ae_enable": ["exposure_time", "analogue_gain"], "awb_enable": ["awb_mode"]]
        for (name, held) in automatics {
            guard let automatic = controls.first(where: { $0.name == name }) else { continue }
            // The white balance's mode is how its automatic works; what exposure's has, nobody else has.
            let holds = name == "ae_enable" ? Int64(1) : 0
            guard automatic.value == .number(holds) else { continue }
            for index in controls.indices where held.contains(controls[index].name) {
                controls[index].flags.insert(.inactive)
            }
        }
        if let mode = controls.first(where: { $0.name == "af_mode" }), mode.value != .number(0),
            let index = controls.firstIndex(where: { $0.name == "lens_position" })
        {
            controls[index].flags.insert(.inactive)
        }
        return controls.sorted { $0.name < $1.name }
    }

    /// Sets a control; it holds from one of the next frames on.
    package func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal) {
        guard case .number(let number) = value, let found = self.control(id: control.id) else {
            throw ControlRefusal(.value, "\(control.name) must be \(control.expectation)")
        }
        let isFraction = found.type == UInt32(APUS_LIBCAMERA_FLOAT)
        let wanted = isFraction ? Double(number) / Self.scale : Double(number)
        let code = setControl(control.id, wanted)
        guard code == 0 else {
            throw ControlRefusal(
                .device,
                "the camera does not take \(control.name): \(SystemError("", code: code).reason)"
            )
        }
        values[control.id] = wanted
    }

    private func control(id: UInt32) -> apus_libcamera_control? {
        for place in 0..<Self.listLimit {
            guard let found = control(at: place) else { return nil }
            if found.id == id { return found }
        }
        return nil
    }

    private func describe(_ found: apus_libcamera_control) -> CameraControl {
        // Safe: the library always ends the name with a NUL.
        let camel = unsafe withUnsafeBytes(of: found.name) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let scale = found.type == UInt32(APUS_LIBCAMERA_FLOAT) ? Self.scale : 1
        let name = Self.name(of: camel)
        let choices = Self.choices(found, camel)
        let isBoolean = found.type == UInt32(APUS_LIBCAMERA_BOOLEAN)
        return CameraControl(
            id: found.id,
            name: name,
            title: Self.title(of: name, inHundredths: scale != 1),
            group: "libcamera",
            kind: isBoolean ? .boolean : choices.isEmpty ? .integer : .menu,
            minimum: Self.whole(found.minimum * scale),
            maximum: Self.whole(found.maximum * scale),
            standard: .number(Self.whole(found.standard * scale)),
            value: .number(Self.whole((values[found.id] ?? found.standard) * scale)),
            choices: choices
        )
    }

    /// The nearest whole number; of what is none, or beyond all reason, an end of the range.
    private static func whole(_ number: Double) -> Int64 {
        guard !number.isNaN else { return 0 }
        return Int64(max(-1e15, min(1e15, number.rounded())))
    }

    private static func choices(_ found: apus_libcamera_control, _ camel: String) -> [CameraControl.Choice] {
        let words = words[camel] ?? []
        // Safe: as many as the structure has room for.
        let numbers = unsafe withUnsafeBytes(of: found.choice) { bytes in
            unsafe Array(bytes.bindMemory(to: Int32.self).prefix(Int(min(found.choices, 32))))
        }
        return numbers.map { number in
            let index = Int(number)
            return CameraControl.Choice(Int64(number), words.indices.contains(index) ? words[index] : "\(number)")
        }
    }

    /// `AeExposureMode` is `ae_exposure_mode`.
    package static func name(of camel: String) -> String {
        var name = ""
        var isAfterSmall = false
        for character in camel {
            if character.isUppercase, isAfterSmall { name.append("_") }
            isAfterSmall = !character.isUppercase
            name.append(contentsOf: character.lowercased())
        }
        return name
    }

    private static func title(of name: String, inHundredths: Bool) -> String {
        let words = name.split(separator: "_")
            .map { $0.count < 4 && $0.hasPrefix("a") ? $0.uppercased() : $0.lowercased() }
        let text = words.joined(separator: " ")
        return text.prefix(1).uppercased() + text.dropFirst() + (inHundredths ? " (hundredths)" : "")
    }

    /// The words of libcamera's enumerations, in the order of their numbers (control_ids.h).
    private static let words = [
        "AeMeteringMode": ["Centre-weighted", "Spot", "Matrix", "Custom"],
        "AeConstraintMode": ["Normal", "Highlight", "Shadows", "Custom"],
        "AeExposureMode": ["Normal", "Short", "Long", "Custom"],
        "AwbMode": ["Auto", "Incandescent", "Tungsten", "Fluorescent", "Indoor", "Daylight", "Cloudy", "Custom"],
        "AfMode": ["Manual", "Auto", "Continuous"],
        "AfRange": ["Normal", "Macro", "Full"],
        "AfSpeed": ["Normal", "Fast"],
        "AfMetering": ["Auto", "Windows"],
        "AfTrigger": ["Start", "Cancel"],
        "AfPause": ["Immediate", "Deferred", "Resume"],
        "NoiseReductionMode": ["Off", "Fast", "High Quality", "Minimal", "ZSL"],
    ]
}
