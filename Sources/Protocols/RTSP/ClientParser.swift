// SPDX-License-Identifier: Apache-2.0
// The client's ear: like RTSPParser, but it goes on behind what it cannot read.

import Bytes

/// Takes messages and packets off a connection to a server that may say odd things.
///
/// Used like `RTSPParser`. It never gives up: bytes that begin nothing are skipped up to the next message, or to a packet
/// on a channel that is known.
struct ClientParser: Sendable {
    private var parser = RTSPParser(isTolerant: true)
    /// Bytes are being skipped; then only what is certain begins anew.
    private var isLost = false
    /// The last message was a refusal without Content-Length: what follows may be its body.
    private var mayHaveBody = false
    /// What was odd; the session takes it.
    var deviations: Set<ClientDeviation> = []

    /// What begins a message of a server.
    private static let beginnings = [
        "RTSP/", "OPTIONS ", "REDIRECT ", "ANNOUNCE ", "GET_PARAMETER ", "SET_PARAMETER ", "TEARDOWN ", "PLAY_NOTIFY ",
    ]
    .map { Array($0.utf8) }

    private enum Begin { case yes, no, needsMore }

    mutating func parse(
        _ bytes: Span<UInt8>,
        isKnown: (UInt8) -> Bool
    ) -> (consumed: Int, item: RTSPParser.Item?) {
        guard bytes.count > 0 else { return (0, nil) }
        if isLost { return skip(bytes, isKnown) }
        switch bytes[0] {
        case UInt8(ascii: "$"): break
        case UInt8(ascii: "\r"), UInt8(ascii: "\n"):
            deviations.insert(.extraLineEnds)
            return (1, nil)
        default:
            switch Self.begin(bytes, 0) {
            case .yes: break
            case .needsMore: return (0, nil)
            case .no:
                deviations.insert(mayHaveBody ? .bodyWithoutLength : .strayBytes)
                isLost = true
                return skip(bytes, isKnown)
            }
        }
        do throws(WireError) {
            let result = try parser.parse(bytes)
            if parser.hasLeftOutHeaders {
                deviations.insert(.malformedHeader)
                parser.hasLeftOutHeaders = false
            }
            if case .response(let response)? = result.item {
                mayHaveBody = response.status.rawValue >= 300 && response.headers["Content-Length"] == nil
            }
            return result
        } catch {
            deviations.insert(.malformedMessage)
            parser = RTSPParser(isTolerant: true)
            isLost = true
            return (1, nil)
        }
    }

    /// Moves on to where something certainly begins.
    private mutating func skip(
        _ bytes: Span<UInt8>,
        _ isKnown: (UInt8) -> Bool
    ) -> (consumed: Int, item: RTSPParser.Item?) {
        var index = 0
        while index < bytes.count {
            var begin = Begin.no
            if bytes[index] == UInt8(ascii: "$") {
                begin = index + 1 == bytes.count ? .needsMore : isKnown(bytes[index + 1]) ? .yes : .no
            } else if bytes[index] >= UInt8(ascii: "A"), bytes[index] <= UInt8(ascii: "Z") {
                begin = Self.begin(bytes, index)
            }
            switch begin {
            case .no: index += 1
            case .needsMore: return (index, nil)
            case .yes:
                isLost = false
                mayHaveBody = false
                // A turn that consumes nothing would say that more bytes are needed.
                return index > 0 ? (index, nil) : parse(bytes, isKnown: isKnown)
            }
        }
        return (index, nil)
    }

    private static func begin(_ bytes: Span<UInt8>, _ start: Int) -> Begin {
        var result = Begin.no
        for beginning in beginnings {
            var matched = 0
            while matched < beginning.count, start + matched < bytes.count,
                bytes[start + matched] == beginning[matched]
            { matched += 1 }
            if matched == beginning.count { return .yes }
            if start + matched == bytes.count { result = .needsMore }
        }
        return result
    }
}
