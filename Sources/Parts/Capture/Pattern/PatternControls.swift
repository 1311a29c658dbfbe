// SPDX-License-Identifier: Apache-2.0
// The controls of the test pattern: one of each kind that cameras have, so that nothing needs hardware to be tried.

import Devices

/// How the test pattern looks.
struct PatternLook: Equatable {
    /// What fills the space above the panel.
    enum Motif: Int64, CaseIterable {
        case bars
        case ramp
        case checkerboard
        case white
        case black
    }

    /// What is added to luma: -100 to 100.
    var brightness = 0
    /// In per cent: 0 to 200.
    var contrast = 100
    var saturation = 100
    var motif = Motif.bars
    /// Shown instead of the camera's name, if it is not empty.
    var label = ""

    /// A sample of luma as this look shows it.
    func luma(_ level: UInt8) -> UInt8 {
        UInt8(min(240, max(16, (Int(level) - 128) * contrast / 100 + 128 + brightness)))
    }

    /// A sample of chroma as this look shows it.
    func chroma(_ level: UInt8) -> UInt8 { UInt8(min(240, max(16, (Int(level) - 128) * saturation / 100 + 128))) }
}

/// The pattern's controls with their values, and what follows of them.
struct PatternControls {
    private(set) var list: [CameraControl]

    init() {
        list = [
            Self.control(1, "Brightness", .integer, minimum: -100, maximum: 100, standard: 0),
            Self.control(2, "Contrast", .integer, maximum: 200, standard: 100),
            Self.control(3, "Saturation", .integer, maximum: 200, standard: 100),
            Self.control(4, "Brightness, Automatic", .boolean, standard: 0),
            Self.control(5, "Speed", .integer, maximum: 400, standard: 100),
            Self.control(6, "Pattern", .menu, maximum: 4, standard: 0, Self.motifs),
            Self.control(7, "Frame Skip", .integerMenu, maximum: 3, standard: 0, Self.skips),
            Self.control(8, "Label", .string, maximum: 32),
            Self.control(9, "Restart", .button, maximum: 0),
            Self.control(10, "Frames", .integer, maximum: Int64(Int32.max), standard: 0),
        ]
        list[7].value = .text("")
        list[9].flags = [.readOnly, .volatile]
    }

    private static let motifs = ["Bars", "Ramp", "Checkerboard", "White", "Black"]
    private static let skips = ["1", "2", "5", "10"]

    /// Sets a control to a value that fits it; the ids of all controls that changed with it.
    mutating func set(_ id: UInt32, to value: CameraControl.Value) -> [UInt32] {
        let index = Int(id) - 1
        guard list.indices.contains(index), list[index].kind != .button else { return [] }
        list[index].value = value
        guard list[index].name == "brightness_automatic" else { return [id] }
        // As with an automatic exposure: while it is on, the value behind it is not ours to set.
        list[0].flags = value == .number(1) ? [.inactive, .volatile] : []
        if value == .number(1) { list[0].value = list[0].standard }
        return [id, 1]
    }

    /// Sets the number of frames that is shown.
    mutating func count(_ frames: UInt64) { list[9].value = .number(Int64(frames & 0x7FFF_FFFF)) }

    var look: PatternLook {
        var look = PatternLook()
        look.brightness = number(0)
        look.contrast = number(1)
        look.saturation = number(2)
        look.motif = PatternLook.Motif(rawValue: Int64(number(5))) ?? .bars
        if case .text(let label)? = list[7].value { look.label = label }
        return look
    }

    /// How fast the ball is; 1 is as usual.
    var speed: Double { Double(number(4)) / 100 }

    /// Of so many frames, one is given.
    var skip: Int { Int(Self.skips[number(6)]) ?? 1 }

    private func number(_ index: Int) -> Int {
        guard case .number(let number)? = list[index].value else { return 0 }
        return Int(number)
    }

    private static func control(
        _ id: UInt32,
        _ title: String,
        _ kind: CameraControl.Kind,
        minimum: Int64 = 0,
        maximum: Int64 = 1,
        standard: Int64? = nil,
        _ names: [String] = []
    ) -> CameraControl {
        CameraControl(
            id: id,
            name: CameraControl.name(of: title),
            title: title,
            group: "Test Pattern",
            kind: kind,
            minimum: minimum,
            maximum: maximum,
            standard: standard.map { .number($0) },
            value: standard.map { .number($0) },
            choices: names.enumerated().map { CameraControl.Choice(Int64($0.offset), $0.element) }
        )
    }
}
