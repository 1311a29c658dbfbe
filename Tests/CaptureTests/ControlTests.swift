// SPDX-License-Identifier: Apache-2.0
// Controls: their values, the order in which they are set, and what is kept over a loss.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import Testing

@testable import Capture

/// A camera whose exposure can be set only while its automatic is off.
private final class FakeCamera: ControlledSource {
    var wantsPictures = true
    var list = [
        CameraControl(id: 1, name: "gain", title: "Gain", group: "", kind: .integer, maximum: 10, standard: .number(5)),
        CameraControl(id: 2, name: "auto_gain", title: "Gain", group: "", kind: .boolean, standard: .number(1)),
        CameraControl(id: 3, name: "lit", title: "Lit", group: "", kind: .integer, flags: .readOnly),
        CameraControl(
            id: 4,
            name: "mode",
            title: "Mode",
            group: "",
            kind: .menu,
            maximum: 7,
            standard: .number(0),
            choices: [.init(0, "Off"), .init(7, "Very Bright"), .init(3, "7")]
        ),
    ]
    var calls: [String] = []

    init() { for index in list.indices { list[index].value = list[index].standard } }

    var controls: [CameraControl] {
        list.map { control in
            var control = control
            if control.name == "gain", list[1].value == .number(1) { control.flags = .inactive }
            return control
        }
    }

    func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal) {
        calls.append(control.name)
        for index in list.indices where list[index].id == control.id { list[index].value = value }
    }

    func value(_ name: String) -> CameraControl.Value? { list.first { $0.name == name }?.value }
    func start(_ output: SourceOutput) {}
    func stop() {}
}

@Suite("camera controls") struct ControlTests {
    @Test("an entry of a menu that has more than are listed is named by its number")
    func longMenu() throws {
        let listed = (0..<512).map { CameraControl.Choice(Int64($0), "Entry \($0)") }
        let long = CameraControl(
            id: 1,
            name: "mode",
            title: "Mode",
            group: "",
            kind: .menu,
            maximum: 599,
            choices: listed
        )
        var short = long
        short.maximum = 511

        #expect(try long.value(of: "598") == .number(598) && long.value(of: "Entry 7") == .number(7))
        #expect(throws: ControlRefusal(.value, "mode must be an entry's number from 0 to 599, not \"600\"")) {
            try long.value(of: "600")
        }
        #expect(!short.hasMoreChoices && (try? short.value(of: "512")) == nil)
    }

    @Test("switches are set before what they make active, and all again for the next device")
    func order() throws {
        let board = ControlBoard(configured: try #require(ControlList(parsing: "gain=7, auto_gain=off")))
        let camera = FakeCamera()
        var notes: [String] = []

        board.apply(to: camera) { notes.append("\($0): \($1)") }

        #expect(camera.calls == ["auto_gain", "gain"])
        #expect(camera.value("gain") == .number(7))
        #expect(notes.isEmpty)
    }

    @Test("what was set goes before the configuration, until it is reset")
    func kept() throws {
        let board = ControlBoard(configured: try #require(ControlList(parsing: "auto_gain=no,gain=7")))
        let camera = FakeCamera()
        board.apply(to: camera) { _, _ in }

        let control = try board.set("gain", "9", on: camera)
        let next = FakeCamera()
        board.apply(to: next) { _, _ in }

        #expect(control.value == .number(9))
        #expect(next.value("gain") == .number(9))
        #expect(board.wanted("gain") == "9")

        try board.reset(nil, on: next)
        #expect(next.value("gain") == .number(7))
        #expect(next.value("auto_gain") == .number(0))
    }

    @Test("before there are frames, all but buttons is set, and nothing is complained of")
    func beforeFrames() throws {
        let board = ControlBoard(configured: try #require(ControlList(parsing: "mode=7, gain=99, go=1, none=3")))
        let camera = FakeCamera()
        camera.list.append(CameraControl(id: 5, name: "go", title: "Go", group: "", kind: .button))
        var notes: [String] = []

        board.apply(to: camera, at: .beforeFrames) { name, _ in notes.append(name) }
        #expect(camera.calls == ["mode"])
        #expect(notes.isEmpty)

        board.apply(to: camera) { name, _ in notes.append(name) }
        #expect(camera.calls == ["mode", "go"])
        #expect(Set(notes) == ["gain", "none"])
    }

    @Test("a configured value that the camera does not have does not keep one that was set")
    func resetToNonsense() throws {
        let board = ControlBoard(configured: try #require(ControlList(parsing: "auto_gain=off, gain=much")))
        let camera = FakeCamera()
        board.apply(to: camera) { _, _ in }
        _ = try board.set("gain", "9", on: camera)

        try board.reset(nil, on: camera)
        #expect(camera.value("gain") == .number(5))
        #expect(camera.value("auto_gain") == .number(0))
    }

    @Test("without a configuration, reset goes back to the device's own values")
    func reset() throws {
        let board = ControlBoard()
        let camera = FakeCamera()
        _ = try board.set("auto_gain", "false", on: camera)
        _ = try board.set("gain", "1", on: camera)
        _ = try board.set("mode", "very bright", on: camera)

        try board.reset("mode", on: camera)
        #expect(camera.value("mode") == .number(0))
        #expect(camera.value("gain") == .number(1))

        try board.reset(nil, on: camera)
        #expect(camera.value("gain") == .number(5))
        #expect(camera.value("auto_gain") == .number(1))
        #expect(board.wanted("gain") == nil)
    }

    @Test(
        "what cannot be set says why",
        arguments: [
            ("gain", "1", ControlRefusal.Fault.moment, "gain is inactive; auto_gain has it now"),
            ("gain", "11", .value, "gain must be a whole number from 0 to 10, not \"11\""),
            ("gain", "much", .value, "gain must be a whole number from 0 to 10, not \"much\""),
            ("auto_gain", "2", .value, "auto_gain must be true or false, not \"2\""),
            ("mode", "1", .value, "mode must be one of Off, Very Bright, 7, not \"1\""),
            ("lit", "1", .name, "lit can only be read"),
            ("zoom", "1", .name, "the camera has no control \"zoom\", only gain, auto_gain, lit, mode"),
        ]
    )
    func refusals(name: String, text: String, fault: ControlRefusal.Fault, reason: String) {
        let camera = FakeCamera()
        let error = #expect(throws: ControlRefusal.self) { try ControlBoard().set(name, text, on: camera) }
        #expect(error?.fault == fault)
        #expect(error?.description == reason)
        #expect(camera.calls.isEmpty)
    }

    @Test("a wanted value that is not taken is noted, and the others are set all the same")
    func notes() throws {
        let board = ControlBoard(
            configured: try #require(ControlList(parsing: "zoom=1,gain=3,mode=Off,lit=1,auto_gain=on"))
        )
        let camera = FakeCamera()
        var notes: [String] = []

        camera.list[3].value = .number(3)
        board.apply(to: camera) { name, _ in notes.append(name) }

        #expect(camera.value("mode") == .number(0))
        #expect(notes.sorted() == ["gain", "lit", "zoom"])
    }

    @Test("an entry's number goes before an entry of that name")
    func menu() throws {
        let camera = FakeCamera()
        #expect(try ControlBoard().set("mode", "7", on: camera).value == .number(7))
    }

    @Test(
        "names are made of titles as other tools make them",
        arguments: [
            ("White Balance, Automatic", "white_balance_automatic"), ("Gain", "gain"), (" 2 (Test) ", "2_test"),
            ("Größe", "gr_e"), ("", ""),
        ]
    )
    func names(title: String, name: String) { #expect(CameraControl.name(of: title) == name) }

    @Test("the pattern's controls change what is painted, and an automatic takes one over")
    func pattern() throws {
        var controls = PatternControls()
        #expect(controls.look == PatternLook())
        #expect(controls.set(1, to: .number(55)) == [1])
        #expect(controls.look.brightness == 55)
        #expect(controls.set(4, to: .number(1)) == [4, 1])
        #expect(controls.list[0].flags == [.inactive, .volatile])
        #expect(controls.look.brightness == 0)
        #expect(Set(controls.list.map(\.name)).count == controls.list.count)
        #expect(
            Set(controls.list.map(\.kind)).isSuperset(of: [.integer, .boolean, .menu, .integerMenu, .string, .button])
        )

        let painter = try PatternPainter(width: 320, height: 180, frameRate: 30, name: "cam")
        painter.look.motif = .white
        let white = Self.mean(try painter.paint(.init(utc: 0, number: 1, elapsed: 0)))
        painter.look.motif = .black
        let black = Self.mean(try painter.paint(.init(utc: 0, number: 2, elapsed: 0)))
        painter.look.brightness = 80
        let lifted = Self.mean(try painter.paint(.init(utc: 0, number: 3, elapsed: 0)))
        #expect(white > black + 100)
        #expect(lifted > black + 40)
    }

    @Test(
        "a list of settings is read, and what is none is refused",
        arguments: [
            ("", 0), ("a=1", 1), ("a=1, b_2 = Manual Mode", 2), ("a", nil), ("a=1,a=2", nil), ("=1", nil),
            ("A=1", nil), ("a=1,,b=2", nil), (",", nil), ("a=", 1),
        ]
    )
    func list(text: String, count: Int?) {
        #expect(ControlList(parsing: text)?.settings.count == count)
    }

    @Test("at most 64 settings are read") func limit() {
        let settings = (0...ControlList.limit).map { "c\($0)=1" }
        #expect(ControlList(parsing: settings.dropLast().joined(separator: ",")) != nil)
        #expect(ControlList(parsing: settings.joined(separator: ",")) == nil)
    }

    /// The mean luma of the picture's upper half.
    private static func mean(_ picture: PictureBuffer) -> Int {
        picture.withReadOnlyPlane(0) { luma in
            let count = picture.stride(ofPlane: 0) * picture.height / 2
            return (0..<count).reduce(0) { $0 + Int(luma[$1]) } / count
        }
    }
}
