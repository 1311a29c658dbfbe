// SPDX-License-Identifier: Apache-2.0
// Request bodies: a stated length, or chunks (RFC 9112 §6, §7.1).

import Bytes

/// Collects one request body over any number of pieces.
package struct BodyDecoder: Sendable {
    /// At most this many digits in a chunk's size.
    package static let sizeDigitLimit = 8
    /// At most this many bytes of chunk extensions and of trailer fields in one body.
    package static let overheadLimit = 4 * 1024

    private enum State {
        case sized(remaining: Int)
        case chunkSize(digits: Int, value: Int)
        case chunkExtension(size: Int)
        case chunkSizeLineFeed(size: Int)
        case chunkData(remaining: Int)
        case chunkDataCarriageReturn
        case chunkDataLineFeed
        case trailer(lineIsEmpty: Bool)
        case trailerLineFeed(lineIsEmpty: Bool)
        case done
    }

    /// What has come so far, decoded.
    package private(set) var body: [UInt8] = []
    private var state: State
    private var overhead = 0
    private let limit: Int

    /// Starts a body of at most `limit` bytes.
    ///
    /// - Throws: 413 when the stated length is over the limit.
    package init(_ framing: BodyFraming, limit: Int) throws(RequestError) {
        self.limit = limit
        switch framing {
        case .none: state = .done
        case .length(let length):
            guard length <= limit else { throw Self.tooLarge(limit) }
            state = length == 0 ? .done : .sized(remaining: length)
        case .chunked: state = .chunkSize(digits: 0, value: 0)
        }
    }

    /// True when the whole body has come.
    package var isComplete: Bool {
        if case .done = state { true } else { false }
    }

    /// Takes bytes up to the end of the body, or all of them; returns how many.
    package mutating func decode(_ bytes: Span<UInt8>) throws(RequestError) -> Int {
        var index = 0
        while index < bytes.count, !isComplete {
            switch state {
            case .sized(let remaining):
                let count = min(remaining, bytes.count - index)
                body.append(bytes.extracting(index..<(index + count)))
                index += count
                state = count == remaining ? .done : .sized(remaining: remaining - count)
            case .chunkData(let remaining):
                let count = min(remaining, bytes.count - index)
                body.append(bytes.extracting(index..<(index + count)))
                index += count
                state = count == remaining ? .chunkDataCarriageReturn : .chunkData(remaining: remaining - count)
            default:
                try take(bytes[index])
                index += 1
            }
        }
        return index
    }

    /// Takes one byte of the framing around the chunks.
    private mutating func take(_ byte: UInt8) throws(RequestError) {
        switch state {
        case .chunkSize(let digits, let value):
            if let digit = Syntax.hexadecimal(byte) {
                guard digits < Self.sizeDigitLimit else { throw RequestError(.badRequest, "chunk size too long") }
                state = .chunkSize(digits: digits + 1, value: value << 4 | digit)
                return
            }
            guard digits > 0 else { throw RequestError(.badRequest, "chunk without a size") }
            guard value <= limit - body.count else { throw Self.tooLarge(limit) }
            try takeSizeEnd(byte, size: value)
        case .chunkExtension(let size):
            try countOverhead()
            if byte == Syntax.carriageReturn {
                state = .chunkSizeLineFeed(size: size)
            } else if !Syntax.isText(byte) {
                throw RequestError(.badRequest, "control character in a chunk extension")
            }
        case .chunkSizeLineFeed(let size):
            try expect(Syntax.lineFeed, byte)
            state = size == 0 ? .trailer(lineIsEmpty: true) : .chunkData(remaining: size)
        case .chunkDataCarriageReturn:
            try expect(Syntax.carriageReturn, byte)
            state = .chunkDataLineFeed
        case .chunkDataLineFeed:
            try expect(Syntax.lineFeed, byte)
            state = .chunkSize(digits: 0, value: 0)
        case .trailer(let lineIsEmpty):
            // Trailer fields are read past: nothing here uses one, and none may change the request.
            try countOverhead()
            if byte == Syntax.carriageReturn {
                state = .trailerLineFeed(lineIsEmpty: lineIsEmpty)
            } else {
                guard Syntax.isText(byte) else {
                    throw RequestError(.badRequest, "control character in a trailer field")
                }
                state = .trailer(lineIsEmpty: false)
            }
        case .trailerLineFeed(let lineIsEmpty):
            try expect(Syntax.lineFeed, byte)
            state = lineIsEmpty ? .done : .trailer(lineIsEmpty: true)
        case .sized, .chunkData, .done: break
        }
    }

    private mutating func takeSizeEnd(_ byte: UInt8, size: Int) throws(RequestError) {
        switch byte {
        case Syntax.carriageReturn: state = .chunkSizeLineFeed(size: size)
        case UInt8(ascii: ";"): state = .chunkExtension(size: size)
        default: throw RequestError(.badRequest, "invalid chunk size")
        }
    }

    private mutating func countOverhead() throws(RequestError) {
        overhead += 1
        guard overhead <= Self.overheadLimit else {
            throw RequestError(.contentTooLarge, "chunk extensions and trailers over \(Self.overheadLimit) bytes")
        }
    }

    private func expect(_ expected: UInt8, _ byte: UInt8) throws(RequestError) {
        guard byte == expected else { throw RequestError(.badRequest, "malformed chunk") }
    }

    private static func tooLarge(_ limit: Int) -> RequestError {
        RequestError(.contentTooLarge, "body longer than \(limit) bytes")
    }
}
