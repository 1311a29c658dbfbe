// SPDX-License-Identifier: Apache-2.0
// What a request wants of a camera's controls, and in which order that is to be told the camera.

import Control
import HTTP

/// Values for some controls, and others that go back to their default.
struct ControlChange {
    /// One control that is set.
    struct Assignment {
        let name: String
        /// Null for a button.
        let value: JSON
        /// False for what goes back to its default: it stays as it is where another control decides.
        let isWanted: Bool
    }

    private let values: [JSON.Member]
    private let resets: Set<String>

    /// What the body of a request says: null is the default, but of buttons; with `others`, all that it does not name goes
    /// back to its default.
    ///
    /// - Throws: `APIError` for what no control can take; then nothing is to be set.
    init(_ wanted: [JSON.Member], _ controls: [JSON], others: Bool) throws(APIError) {
        var values: [JSON.Member] = []
        var resets: Set<String> = []
        for member in wanted {
            guard let control = controls.first(where: { $0["name"]?.string == member.name }) else {
                throw APIError(
                    .unprocessable,
                    "unknown-key",
                    key: member.name,
                    "there is no control \"\(member.name)\""
                )
            }
            if let problem = Self.problem(with: member.value, control) {
                throw APIError(.unprocessable, problem.code, key: member.name, "\(member.name) \(problem.message)")
            }
            if member.value == .null, control["type"] != "button" {
                resets.insert(member.name)
            } else {
                values.append(member)
            }
        }
        if others {
            let names = Set(wanted.map(\.name))
            resets.formUnion(controls.compactMap { $0["name"]?.string }.filter { !names.contains($0) })
        }
        self.values = values
        self.resets = resets
    }

    /// What to set, of controls that stand like this.
    ///
    /// What is active goes back to its default first, as a switch that does may take it over. Then come the switches, as they
    /// free others; then all others.
    func assignments(_ controls: [JSON]) -> [Assignment] {
        let others = controls.filter { !Self.isSwitch($0) }
        let switches = controls.filter(Self.isSwitch)
        return others.compactMap(reset) + (switches.compactMap(reset) + inOrder(switches)) + inOrder(others)
    }

    /// What is to go back to its default and could not before, of controls that stand like this when all others are set.
    func remainder(_ controls: [JSON]) -> [Assignment] { controls.compactMap(reset) }

    /// Those that somebody has named: what is inactive may be freed by what is not.
    private func inOrder(_ controls: [JSON]) -> [Assignment] {
        let wanted = controls.compactMap { control -> (isActive: Bool, assignment: Assignment)? in
            guard let member = values.first(where: { .string($0.name) == control["name"] }) else { return nil }
            let assignment = Assignment(name: member.name, value: member.value, isWanted: true)
            return (control["active"] != false, assignment)
        }
        return (wanted.filter(\.isActive) + wanted.filter { !$0.isActive }).map(\.assignment)
    }

    private func reset(_ control: JSON) -> Assignment? {
        guard let name = control["name"]?.string, resets.contains(name), control["read_only"] != true,
            control["active"] != false, let standard = control["default"], standard != .null,
            standard != control["value"]
        else { return nil }
        return Assignment(name: name, value: standard, isWanted: false)
    }

    /// True for what others may depend on.
    private static func isSwitch(_ control: JSON) -> Bool { control["type"] == "boolean" || control["type"] == "menu" }

    /// Why a control cannot take a value; checked for all before the first one is set.
    private static func problem(with value: JSON, _ control: JSON) -> (code: String, message: String)? {
        if control["read_only"] == true { return ("out-of-range", "cannot be set, it only tells") }
        let type = control["type"]?.string
        if value == .null {
            let hasDefault = type == "button" || control["default"] ?? .null != .null
            return hasDefault ? nil : ("wrong-type", "has no default")
        }
        switch type {
        case "boolean": return value.boolean == nil ? ("wrong-type", "must be true or false") : nil
        case "menu", "integer-menu":
            let known = control["choices"]?.elements.contains { $0["value"] == value || $0["label"] == value } ?? false
            return known || isUnlisted(value, control)
                ? nil : ("out-of-range", "must be the value of one of its choices")
        case "integer" where value.integer == nil: return ("wrong-type", "must be a whole number")
        case "number" where value.number == nil: return ("wrong-type", "must be a number")
        case "integer", "number":
            guard let number = value.number, let minimum = control["minimum"]?.number,
                let maximum = control["maximum"]?.number
            else { return nil }
            let range = "must be from \(control["minimum"]?.text ?? "") to \(control["maximum"]?.text ?? "")"
            return number >= minimum && number <= maximum ? nil : ("out-of-range", range)
        case "bitmask":
            guard let bits = value.integer else { return ("wrong-type", "must be a whole number") }
            let all = control["maximum"]?.integer ?? 0
            let expected = "must be made of the bits of 0x\(String(all, radix: 16))"
            return bits >= 0 && bits & ~all == 0 ? nil : ("out-of-range", expected)
        case "string":
            guard let length = value.string?.utf8.count else { return ("wrong-type", "must be a text") }
            let (minimum, maximum) = (control["minimum"]?.integer ?? 0, control["maximum"]?.integer ?? Int.max)
            let range = "must be a text of \(minimum) to \(maximum) bytes"
            return length >= minimum && length <= maximum ? nil : ("out-of-range", range)
        default: return nil
        }
    }

    /// True for the number of an entry of a menu that has more than are listed.
    private static func isUnlisted(_ value: JSON, _ control: JSON) -> Bool {
        guard let number = value.integer, let minimum = control["minimum"]?.integer,
            let maximum = control["maximum"]?.integer
        else { return false }
        return number >= minimum && number <= maximum
    }
}
