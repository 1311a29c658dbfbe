// SPDX-License-Identifier: Apache-2.0
// What the fuzzer and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes
import HTTP

/// Entry points for fuzzing this module.
package enum HTTP2Fuzz {
    /// Runs a session over `bytes`, at once and in pieces of `step`, and answers what it is asked.
    ///
    /// Both ways have to see the same requests. Where a peer breaks the rules the library may stop earlier in one of
    /// them, since it looks at what is whole.
    package static func session(_ bytes: Span<UInt8>, step: Int = 1) {
        let whole = requests(bytes, step: max(1, bytes.count))
        let pieces = requests(bytes, step: step)
        precondition(zip(whole, pieces).allSatisfy { $0 == $1 }, "requests depend on how the bytes are split")
    }

    private static func requests(_ bytes: Span<UInt8>, step: Int) -> [Request] {
        guard let session = try? HTTP2Session(at: .zero) else { return [] }
        var found: [Request] = []
        var start = 0
        // Answers come at the end: what is open must not depend on the splits either.
        do throws(HTTP2Error) {
            while start < bytes.count {
                let end = min(bytes.count, start + step)
                for case .request(let stream, let request) in try session.receive(
                    bytes.extracting(start..<end),
                    at: .zero
                ) {
                    precondition(request.body.count <= ServerConnection.bodyLimit, "body over its limit")
                    precondition(request.head.fields.fields.count <= HeaderFields.countLimit, "fields over their limit")
                    precondition(stream % 2 == 1, "clients' streams are odd")
                    found.append(request)
                }
                start = end
            }
            let answer = Response(.ok, body: .bytes([1, 2, 3]))
            for stream in 1...Int32(9) { session.respond(stream, answer, date: 0) }
            while !(try session.nextOutput(at: .zero).isEmpty) {}
        } catch {
            return found
        }
        return found
    }
}
