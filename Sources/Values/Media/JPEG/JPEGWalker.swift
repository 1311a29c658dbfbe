// SPDX-License-Identifier: Apache-2.0
// The marker structure of a JPEG (ITU-T T.81 Annex B), followed byte by byte.

/// Follows a JPEG's markers from behind SOI to EOI, with the bytes coming in at any split.
///
/// Accepts fill bytes in front of markers, segments of any legal length (what is in them, such as a thumbnail in an
/// APPn, is passed over by length), several scans, and restart markers within them. Everything else is refused.
package struct JPEGWalker {
    /// What became of the bytes given.
    package enum Event: Sendable, Hashable {
        /// All bytes were taken; the image goes on.
        case needsMore
        /// The image ends in front of the given index.
        case complete(Int)
        /// The byte in front of the given index makes it no JPEG.
        case rejected(Int, Reason)
    }

    /// Why bytes are no JPEG.
    package enum Reason: Sendable, Hashable {
        /// A marker was due and the byte is not FF.
        case noMarker
        /// A marker code that may not stand here.
        case marker(UInt8)
        /// A segment shorter than its own length field.
        case segmentLength
        /// A scan without a frame header, or the end without a scan.
        case missing(UInt8)
    }

    private enum State {
        case markerStart
        case markerCode
        case lengthHigh
        case lengthLow
        case segment(remaining: Int)
        case scan
        case scanMarker
    }

    private var state = State.markerStart
    private var marker: UInt8 = 0
    private var lengthHigh: UInt8 = 0
    private var hasFrame = false
    private var hasScan = false

    /// Starts behind SOI.
    package init() {}

    /// Takes `bytes` from `start` on.
    package mutating func advance(_ bytes: Span<UInt8>, from start: Int) -> Event {
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch state {
            case .scan:
                if byte == 0xFF {
                    state = .scanMarker
                } else {
                    // Entropy-coded data is most of a JPEG: go on to the next FF without the switch.
                    while index < bytes.count, bytes[index] != 0xFF { index += 1 }
                }
            case .scanMarker:
                switch byte {
                case 0x00, 0xD0...0xD7: state = .scan
                case 0xFF: break
                default:
                    if let event = begin(marker: byte, at: index) { return event }
                }
            case .markerStart:
                guard byte == 0xFF else { return .rejected(index, .noMarker) }
                state = .markerCode
            case .markerCode:
                if byte != 0xFF, let event = begin(marker: byte, at: index) { return event }
            case .lengthHigh:
                lengthHigh = byte
                state = .lengthLow
            case .lengthLow:
                let length = Int(lengthHigh) << 8 | Int(byte)
                guard length >= 2 else { return .rejected(index, .segmentLength) }
                endLength(remaining: length - 2)
            case .segment(let remaining):
                let taken = min(remaining, bytes.count - index + 1)
                index += taken - 1
                endLength(remaining: remaining - taken)
            }
        }
        return .needsMore
    }

    private mutating func begin(marker code: UInt8, at index: Int) -> Event? {
        switch code {
        case 0xD9:
            return hasScan ? .complete(index) : .rejected(index, .missing(0xDA))
        case 0xDA:
            guard hasFrame else { return .rejected(index, .missing(0xC0)) }
            hasScan = true
        case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
            hasFrame = true
        case 0xC4, 0xCC, 0xDB...0xDF, 0xE0...0xEF, 0xFE:
            break
        default:
            return .rejected(index, .marker(code))
        }
        marker = code
        state = .lengthHigh
        return nil
    }

    private mutating func endLength(remaining: Int) {
        if remaining > 0 {
            state = .segment(remaining: remaining)
        } else {
            state = marker == 0xDA ? .scan : .markerStart
        }
    }
}
