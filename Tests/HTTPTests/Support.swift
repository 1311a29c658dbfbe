// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.

import Bytes
import HTTP

/// All requests and refusals that a fresh connection makes of `text`, each answered with 200.
func actions(_ text: String, step: Int = .max) -> [ServerConnection.Action] {
    let bytes = Array(text.utf8)
    return HTTPFuzz.actions(bytes.span, step: min(step, max(1, bytes.count)))
}

/// The refusal that `text` ends with, if it does.
func refusal(_ text: String) -> Status? {
    if case .refuse(let error)? = actions(text).last { error.status } else { nil }
}

/// The requests in `text`.
func requests(_ text: String) -> [Request] {
    actions(text).compactMap { if case .route(let request) = $0 { request } else { nil } }
}

/// The first `length` bytes of `text`, where CR LF counts as two.
func cut(_ text: String, _ length: Int) -> String { String(decoding: text.utf8.prefix(length), as: UTF8.self) }

extension ServerConnection {
    /// Hands in all of `text` at once.
    mutating func receive(_ text: String, at now: Instant = .zero) -> (consumed: Int, action: Action) {
        let bytes = Array(text.utf8)
        return receive(bytes.span, at: now)
    }

    /// Answers and returns the bytes as text.
    mutating func answer(_ response: Response, at now: Instant = .zero) -> (text: String, outcome: Outcome) {
        var output: [UInt8] = []
        let outcome = respond(response, at: now, date: 784_111_777, into: &output)
        return (String(decoding: output, as: UTF8.self), outcome)
    }
}
