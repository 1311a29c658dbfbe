// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes

/// Entry points for fuzzing this module.
package enum HTTPFuzz {
    /// Runs a connection over `bytes` at once and byte by byte; both ways have to see the same requests.
    package static func request(_ bytes: Span<UInt8>) {
        let whole = actions(bytes, step: max(1, bytes.count))
        let single = actions(bytes, step: 1)
        precondition(whole == single, "requests depend on how the bytes are split")
        for case .route(let request) in whole {
            precondition(request.body.count <= ServerConnection.bodyLimit, "body over its limit")
            precondition(request.head.fields.fields.count <= HeaderFields.countLimit, "fields over their limit")
            for segment in request.head.target.segments {
                precondition(segment != "..", "traversal")
                precondition(!segment.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }, "unsafe path segment")
            }
        }
    }

    /// Decodes `bytes` as chunks, at once and byte by byte.
    package static func chunked(_ bytes: Span<UInt8>) {
        precondition(
            chunks(bytes, step: max(1, bytes.count)) == chunks(bytes, step: 1),
            "chunks depend on how they are split"
        )
    }

    /// Reads `bytes` as credentials and as challenges; what was read stays within its limits and fits together.
    package static func authentication(_ bytes: Span<UInt8>) {
        if let field = try? AuthenticationField(credentials: bytes) {
            check(field)
            let challenges = try? AuthenticationField.challenges(bytes)
            precondition(challenges == [field], "credentials and challenges have one syntax")
            if let digest = DigestCredentials(field) {
                precondition(digest.response.utf8.count == (digest.algorithm.isSHA256 ? 64 : 32), "response's length")
            }
            _ = BasicCredentials(field)
        }
        let challenges = (try? AuthenticationField.challenges(bytes)) ?? []
        precondition(challenges.count <= AuthenticationField.challengeLimit, "challenges over their limit")
        for challenge in challenges { check(challenge) }
        var client = AuthenticationClient(user: "u\"\\", password: "p", allowsBasic: true)
        guard client.take(challenges) else { return }
        let hashes = DigestHashes(
            md5: { _ in String(repeating: "0", count: 32) },
            sha256: { _ in String(repeating: "0", count: 64) }
        )
        let value = Array((client.authorization(method: "GET", uri: "/", clientNonce: "c", hashes) ?? "").utf8)
        guard value.count <= AuthenticationField.byteLimit else { return }
        let answer = try? AuthenticationField(credentials: value.span)
        precondition(answer != nil, "a client's answer is read back")
    }

    /// Reads `bytes`, up to a zero, as a Range field, the rest as tags and dates, and answers with what they leave.
    package static func conditions(_ bytes: Span<UInt8>) {
        var all: [UInt8] = []
        for index in bytes.indices { all.append(bytes[index]) }
        let parts = all.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        var head = RequestHead(method: .get, target: .root, version: .http11, fields: HeaderFields())
        for (name, part) in zip(["range", "if-none-match", "if-range"], parts) {
            try? head.fields.append(parsing: (Array("\(name): ".utf8) + part)[...])
        }
        let content = (0..<256).map { UInt8($0) }
        let validators = Validators(tag: EntityTag("a"), modified: 784_111_777)
        let response = Response(content, validators: validators, fields: [], to: head)
        guard case .bytes(let body) = response.body else { preconditionFailure("the body is there") }
        if response.status == .ok { precondition(body == content, "the whole") }
        for length in [0, 1, 256, Int.max] {
            guard case .parts(let ranges) = RangeRequest(parsing: head.fields["range"], length: length) else {
                continue
            }
            precondition(ranges.count <= RangeRequest.countLimit, "ranges over their limit")
            precondition(ranges.reduce(0) { $0 + $1.count } <= length, "more than the whole")
            precondition(ranges.allSatisfy { !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= length }, "inside")
        }
    }

    private static func check(_ field: AuthenticationField) {
        precondition(field.parameters.count <= AuthenticationField.parameterLimit, "parameters over their limit")
        precondition(field.token == nil || field.parameters.isEmpty, "a token and parameters")
    }

    /// All requests and refusals in `bytes`, fed `step` bytes at a time.
    ///
    /// Interim responses are left out, since whether one is wanted does depend on what has come already.
    package static func actions(_ bytes: Span<UInt8>, step: Int) -> [ServerConnection.Action] {
        var connection = ServerConnection(at: .zero)
        var actions: [ServerConnection.Action] = []
        var offset = 0
        var end = 0
        while end < bytes.count {
            end = min(bytes.count, end + step)
            while true {
                let (consumed, action) = connection.receive(bytes.extracting(offset..<end), at: .zero)
                offset += consumed
                if action == .wait { break }
                if action == .sendContinue { continue }
                actions.append(action)
                var output: [UInt8] = []
                let outcome = connection.respond(Response(.ok), at: .zero, date: 0, into: &output)
                if outcome.closes { return actions }
            }
        }
        return actions
    }

    private static func chunks(_ bytes: Span<UInt8>, step: Int) -> Result<[UInt8], RequestError> {
        do throws(RequestError) {
            var decoder = try BodyDecoder(.chunked, limit: 1024)
            var offset = 0
            while offset < bytes.count, !decoder.isComplete {
                let end = min(bytes.count, offset + step)
                offset += try decoder.decode(bytes.extracting(offset..<end))
            }
            precondition(decoder.body.count <= 1024, "body over its limit")
            return .success(decoder.body)
        } catch {
            return .failure(error)
        }
    }
}
