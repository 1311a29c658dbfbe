// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes
import SDP

/// Entry points for fuzzing this module.
package enum RTSPFuzz {
    /// Runs a session over `bytes` at once and byte by byte; both ways have to give the same answers.
    package static func session(_ bytes: Span<UInt8>) {
        let whole = answers(bytes, step: max(1, bytes.count))
        let single = answers(bytes, step: 1)
        precondition(whole == single, "answers depend on how the bytes are split")
    }

    /// Parses a Transport header and prints what it read; reading that again must give the same.
    package static func transport(_ bytes: Span<UInt8>) {
        guard let offers = RTSPTransport.offers(String(decoding: [UInt8](bytes), as: UTF8.self)) else { return }
        for offer in offers { precondition(RTSPTransport.offers(offer.text) == [offer], "transport changed") }
    }

    /// Parses a URL and prints it; reading that again must give the same.
    package static func address(_ bytes: Span<UInt8>) {
        guard let address = RTSPAddress(String(decoding: [UInt8](bytes), as: UTF8.self)) else { return }
        precondition(!address.authority.contains("@"), "a password was kept")
        guard !address.authority.isEmpty, let track = address.track, track >= 0 else { return }
        let text = address.trackURL(track)
        guard let again = RTSPAddress(text) else {
            precondition(text.utf8.count > RTSPAddress.maximumLength, "a printed URL cannot be read")
            return
        }
        precondition(again.segments == address.segments && again.track == track, "address changed")
    }

    /// Parses a session description and prints it; reading that again must give the same.
    package static func description(_ bytes: Span<UInt8>) {
        guard let description = try? SessionDescription(parsing: bytes) else { return }
        let text = Array(description.text.utf8)
        guard text.count <= SessionDescription.maximumLength else { return }
        guard let again = try? SessionDescription(parsing: text.span) else {
            preconditionFailure("a printed description cannot be read")
        }
        precondition(again.media.count == description.media.count, "media changed")
    }

    /// The answers of a server to `bytes`, fed `step` bytes at a time.
    package static func answers(_ bytes: Span<UInt8>, step: Int) -> [[UInt8]] {
        var parser = RTSPParser()
        var session = ServerSession(identifier: "1", server: "fuzz", at: .zero)
        var answers: [[UInt8]] = []
        var offset = 0
        var end = 0
        while end < bytes.count {
            end = min(bytes.count, end + step)
            while true {
                let result: (consumed: Int, item: RTSPParser.Item?)
                do throws(WireError) {
                    result = try parser.parse(bytes.extracting(offset..<end))
                } catch {
                    return answers
                }
                offset += result.consumed
                if case .request(let request)? = result.item {
                    var output: [UInt8] = []
                    answer(request, &session).serialize(into: &output)
                    answers.append(output)
                } else if result.consumed == 0 {
                    break
                }
            }
        }
        return answers
    }

    private static func answer(_ request: RTSPRequest, _ session: inout ServerSession) -> RTSPResponse {
        switch session.handle(request, at: .zero) {
        case .respond(let response), .pause(let response), .teardown(let response): return response
        case .describe: return session.answerDescribe(.success("v=0\r\n"))
        case .announce: return session.answerAnnounce(nil)
        case .setup(let request): return session.answerSetup(.success(.init(request.offers[0])))
        case .record: return session.answerRecord(nil)
        case .play:
            return session.answerPlay(
                .success(session.tracks.map { .init(track: $0.number, sequence: 1, timestamp: 2) })
            )
        }
    }
}
