// SPDX-License-Identifier: Apache-2.0
// The one error of every parser of outside bytes.

/// Why bytes from outside could not be parsed.
package enum WireError: Error, Equatable, Sendable {
    /// The input ends early: `needed` more bytes were wanted where `available` are left.
    case truncated(needed: Int, available: Int)
    /// A field holds a value that its specification forbids.
    case invalid(field: String, value: UInt64)
    /// A field holds a legal value that this project does not handle.
    case unsupported(field: String, value: UInt64)
    /// A list, header or body is longer than the stated limit.
    case limit(field: String, limit: Int)
}

extension WireError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let needed, let available): "truncated: needed \(needed) bytes, \(available) available"
        case .invalid(let field, let value): "invalid \(field): \(value)"
        case .unsupported(let field, let value): "unsupported \(field): \(value)"
        case .limit(let field, let limit): "\(field) exceeds the limit of \(limit)"
        }
    }
}
