// SPDX-License-Identifier: Apache-2.0
// Values for a camera's controls as the configuration writes them: auto_exposure=Manual Mode, gain=10.

/// Names with values, in order; no name stands twice.
package struct ControlList: Sendable, Equatable {
    /// More are refused.
    package static let limit = 64

    package private(set) var settings: [Setting] = []

    /// A control's name, and the value as it is written.
    package struct Setting: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    package init() {}

    /// Reads `name=value, name=value`; nil if it is nothing of the kind.
    package init?(parsing text: String) {
        for part in text.split(separator: ",", omittingEmptySubsequences: text.isEmpty) {
            guard let equals = part.firstIndex(of: "=") else { return nil }
            let name = Self.trimmed(part[..<equals])
            let isSpelt = name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
            guard !name.isEmpty, isSpelt, self[name] == nil, settings.count < Self.limit else { return nil }
            self[name] = Self.trimmed(part[part.index(after: equals)...])
        }
    }

    /// The value kept for a control; nil if there is none.
    package subscript(_ name: String) -> String? {
        get { settings.first { $0.name == name }?.value }
        set {
            settings.removeAll { $0.name == name }
            if let newValue, settings.count < Self.limit { settings.append(Setting(name: name, value: newValue)) }
        }
    }

    /// These settings, and where `other` has one of the same name, that one.
    package func overridden(by other: ControlList) -> ControlList {
        var result = self
        for setting in other.settings { result[setting.name] = setting.value }
        return result
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
