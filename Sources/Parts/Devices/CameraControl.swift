// SPDX-License-Identifier: Apache-2.0
// What a camera lets one set: brightness, exposure and their kin, whatever device it is.

/// One thing that can be set, or seen, of a camera.
package struct CameraControl: Sendable, Equatable {
    /// What its values are.
    package enum Kind: String, Sendable, CaseIterable {
        case integer
        case boolean
        /// One of the choices.
        case menu
        /// One of the choices, which are numbers.
        case integerMenu = "integer-menu"
        /// Something to do; it has no value.
        case button
        /// Any of the bits of `maximum`.
        case bitmask
        /// A text whose length is within the range.
        case string
        /// Something that programs for one kind of device know; it is listed, and cannot be set.
        case compound
    }

    /// A value: a truth value is 0 or 1, a choice its number.
    package enum Value: Sendable, Equatable {
        case number(Int64)
        case text(String)
    }

    /// One entry of a menu.
    package struct Choice: Sendable, Equatable {
        package var number: Int64
        package var name: String

        package init(_ number: Int64, _ name: String) {
            self.number = number
            self.name = name
        }
    }

    /// What else is so of it at present.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// It has no effect now, as another control, mostly an automatic, has taken its place.
        package static let inactive = Flags(rawValue: 1)
        package static let readOnly = Flags(rawValue: 2)
        /// Its value changes by itself.
        package static let volatile = Flags(rawValue: 4)
        /// It cannot be set while frames are captured.
        package static let busy = Flags(rawValue: 8)
    }

    /// More entries of a menu are not listed.
    package static let choiceLimit = 512

    /// The device's own number for it.
    package var id: UInt32
    /// Small letters, digits and `_`; no two controls of a camera have the same.
    package var name: String
    /// What people call it.
    package var title: String
    /// The title of the group that it belongs to.
    package var group: String
    package var kind: Kind
    package var minimum: Int64
    package var maximum: Int64
    package var step: Int64
    /// Nil for what has no value, and texts.
    package var standard: Value?
    /// Nil for what has none, or whose value cannot be read.
    package var value: Value?
    package var flags: Flags
    /// The entries of a menu.
    package var choices: [Choice]

    package init(
        id: UInt32,
        name: String,
        title: String,
        group: String,
        kind: Kind,
        minimum: Int64 = 0,
        maximum: Int64 = 1,
        step: Int64 = 1,
        standard: Value? = nil,
        value: Value? = nil,
        flags: Flags = [],
        choices: [Choice] = []
    ) {
        self.id = id
        self.name = name
        self.title = title
        self.group = group
        self.kind = kind
        self.minimum = minimum
        self.maximum = maximum
        self.step = step
        self.standard = standard
        self.value = value
        self.flags = flags
        self.choices = choices
    }
}

/// Why a control is not set.
package struct ControlRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is at fault.
    package enum Fault: Sendable {
        /// There is no such control.
        case name
        /// The value is none of the control's.
        case value
        /// It cannot be set now.
        case moment
        /// The device did not take it.
        case device
    }

    package let fault: Fault
    package let description: String

    package init(_ fault: Fault, _ description: String) {
        self.fault = fault
        self.description = description
    }
}

// MARK: Values

extension CameraControl {
    /// What a value must be, for people.
    package var expectation: String {
        switch kind {
        case .integer: "a whole number from \(minimum) to \(maximum)\(step > 1 ? " in steps of \(step)" : "")"
        case .boolean: "true or false"
        case .menu, .integerMenu:
            hasMoreChoices
                ? "an entry's number from \(minimum) to \(maximum)"
                : "one of \(choices.map(\.name).joined(separator: ", "))"
        case .button: "nothing"
        case .bitmask: "a number made of the bits of 0x\(String(maximum, radix: 16))"
        case .string: "a text of \(minimum) to \(maximum) bytes"
        case .compound: "not to be set here"
        }
    }

    /// Reads a value: a number, a word for a truth value, a choice's name or number, a text.
    package func value(of text: String) throws(ControlRefusal) -> Value {
        guard let value = parse(text) else {
            throw ControlRefusal(.value, "\(name) must be \(expectation), not \"\(text)\"")
        }
        return value
    }

    private func parse(_ text: String) -> Value? {
        switch kind {
        case .integer: Int64(text).flatMap { $0 >= minimum && $0 <= maximum ? .number($0) : nil }
        case .boolean: Self.truth(text).map { .number($0 ? 1 : 0) }
        case .menu, .integerMenu: choice(text).map { .number($0.number) } ?? unlisted(text)
        case .button: .number(1)
        case .bitmask: Self.bits(text).flatMap { $0 >= 0 && $0 & ~maximum == 0 ? .number($0) : nil }
        case .string:
            text.utf8.count >= minimum && text.utf8.count <= maximum && !text.utf8.contains(0) ? .text(text) : nil
        case .compound: nil
        }
    }

    private static func bits(_ text: String) -> Int64? {
        text.hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
    }

    private static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "1", "true", "yes", "on": true
        case "0", "false", "no", "off": false
        default: nil
        }
    }

    private func choice(_ text: String) -> Choice? {
        choices.first { Int64(text) == $0.number } ?? choices.first { $0.name == text }
            ?? choices.first { $0.name.lowercased() == text.lowercased() }
    }

    /// The number of an entry that is not listed; the device knows whether there is one.
    private func unlisted(_ text: String) -> Value? {
        guard hasMoreChoices, let number = Int64(text), number >= minimum, number <= maximum else { return nil }
        return .number(number)
    }

    /// True for a menu with more entries than are listed.
    package var hasMoreChoices: Bool {
        (kind == .menu || kind == .integerMenu) && maximum >= Int64(Self.choiceLimit) && maximum > minimum
    }

    /// True for what other controls depend on: automatics are switches and menus.
    package var isSwitch: Bool { kind == .boolean || kind == .menu }

    /// True if it can be set at all.
    package var isSettable: Bool { kind != .compound && !flags.contains(.readOnly) }
}

// MARK: Names

extension CameraControl {
    /// A name for programs made of a title, as other tools make it: `White Balance, Auto` is `white_balance_auto`.
    package static func name(of title: String) -> String {
        var name: [UInt8] = []
        var isPending = false
        for byte in title.utf8 {
            let small = (65...90).contains(byte) ? byte + 32 : byte
            guard (48...57).contains(small) || (97...122).contains(small) else {
                isPending = !name.isEmpty
                continue
            }
            if isPending { name.append(UInt8(ascii: "_")) }
            isPending = false
            name.append(small)
        }
        return String(decoding: name, as: UTF8.self)
    }
}
