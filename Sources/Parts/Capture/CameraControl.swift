// SPDX-License-Identifier: Apache-2.0
// What can be set of a source while it runs: brightness, exposure, the test pattern's speed.

/// One thing that can be set of a source, as it stands now.
///
/// Values are whole numbers as V4L2 has them; of a boolean 0 and 1, of a menu the number of the entry.
package struct CameraControl: Sendable, Equatable {
    /// An entry of a menu.
    package struct Choice: Sendable, Equatable {
        package var value: Int
        /// For people.
        package var label: String

        package init(_ value: Int, _ label: String) {
            self.value = value
            self.label = label
        }
    }

    /// Which values there are.
    package enum Kind: Sendable, Equatable {
        case integer(ClosedRange<Int>, step: Int)
        case boolean
        case menu([Choice])
        /// Does something when it is set; has no value.
        case button
    }

    /// Letters, digits and underscores, as in `v4l2-ctl`: `exposure_time_absolute`.
    package var name: String
    /// For people: `Exposure Time, Absolute`.
    package var label: String
    package var kind: Kind
    /// The value that the source starts with.
    package var standard: Int
    package var value: Int
    /// True if it only tells something.
    package var isReadOnly: Bool
    /// False while another control, such as automatic exposure, decides in its place.
    package var isActive: Bool

    package init(
        _ name: String,
        _ label: String,
        _ kind: Kind,
        standard: Int = 0,
        value: Int = 0,
        isReadOnly: Bool = false,
        isActive: Bool = true
    ) {
        self.name = name
        self.label = label
        self.kind = kind
        self.standard = standard
        self.value = value
        self.isReadOnly = isReadOnly
        self.isActive = isActive
    }

    /// Why the control cannot take a value; nil if it can.
    package func problem(with value: Int) -> CameraControlError? {
        if isReadOnly { return .unavailable("\(name) cannot be set, it only tells") }
        switch kind {
        case .button: return nil
        case .boolean: return (0...1).contains(value) ? nil : .outOfRange("\(name) must be true or false")
        case .integer(let range, let step):
            guard range.contains(value) else {
                return .outOfRange("\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
            guard step < 2 || (value - range.lowerBound).isMultiple(of: step) else {
                return .outOfRange("\(name) must be \(range.lowerBound) and steps of \(step), not \(value)")
            }
            return nil
        case .menu(let choices):
            guard choices.contains(where: { $0.value == value }) else {
                let known = choices.map { "\($0.value)" }.joined(separator: ", ")
                return .outOfRange("\(name) must be one of \(known), not \(value)")
            }
            return nil
        }
    }
}

/// Why a control was not set.
package enum CameraControlError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknown(String)
    case outOfRange(String)
    /// Cannot be set, or not now.
    case unavailable(String)

    package var description: String {
        switch self {
        case .unknown(let reason), .outOfRange(let reason), .unavailable(let reason): reason
        }
    }
}
