// SPDX-License-Identifier: Apache-2.0
// Cuts a live Annex B byte stream, such as a pipe's, into access units.

import Bytes

/// Cuts an H.264 or H.265 byte stream into access units as its bytes arrive.
///
/// Bytes go in at any split. Each access unit comes out as a ring frame wants it: every NAL unit behind a
/// four-byte start code, and parameter sets in front of a keyframe even where the stream sent them only once.
/// A unit is complete when the first bytes of the next one are seen, or at `finish`.
package struct AccessUnitSplitter {
    /// Bytes of the longest access unit taken; a longer one is dropped and counted.
    package static let maximumLength = 16 << 20

    package let format: NALFormat
    /// The newest parameter sets seen.
    package private(set) var parameterSets: ParameterSets
    /// Access units dropped for their length.
    package private(set) var oversized: UInt64 = 0
    /// Bytes in front of the first start code, passed over.
    package private(set) var skippedBytes: UInt64 = 0

    /// Bytes not yet cut: the current NAL unit, without its start code once `inside`.
    private var input: [UInt8] = []
    /// Where in `input` the search for a start code goes on.
    private var searched = 0
    private var inside = false
    /// The boundary test of the current NAL unit is done.
    private var examined = false
    /// The current access unit is too long: the rest of it is thrown away.
    private var discarding = false
    private let limit: Int

    private var unit: [UInt8] = []
    private var unitHasPicture = false
    private var unitIsKeyframe = false
    /// Where in `unit` parameter sets would go: behind the delimiter.
    private var parameterOffset = 0
    private var unitParameterSets = 0

    /// Starts in front of the stream; `limit` is the longest access unit taken, in bytes.
    package init(_ format: NALFormat, limit: Int = AccessUnitSplitter.maximumLength) {
        self.format = format
        self.limit = limit
        parameterSets = ParameterSets(format)
    }

    /// Takes the next bytes of the stream and hands over each access unit that they complete.
    ///
    /// `emit` gets the flags and the bytes of one access unit; the bytes are valid during the call only.
    package mutating func push(_ chunk: Span<UInt8>, emit: (FrameFlags, Span<UInt8>) -> Void) {
        input.append(chunk)
        var start = 0
        while true {
            if inside, !examined { examine(from: start, emit) }
            guard let code = AnnexB.startCode(in: input.span, from: searched) else { break }
            if inside {
                close(start..<code)
            } else {
                skippedBytes += UInt64(code - start)
            }
            start = code + 3
            searched = start
            inside = true
            examined = false
        }
        // A start code may be cut in two: its first two bytes stay to be searched again.
        searched = max(start, input.count - 2)
        if !inside, searched > start {
            skippedBytes += UInt64(searched - start)
            start = searched
        }
        if inside, input.count - start > limit { discardCurrent(&start) }
        input.removeSubrange(0..<start)
        searched -= start
    }

    /// Ends the stream: hands over what is left of the last access unit and starts anew.
    package mutating func finish(emit: (FrameFlags, Span<UInt8>) -> Void) {
        if inside {
            if !examined, input.count > 0 { boundary(at: 0, emit) }
            close(0..<input.count)
        }
        input.removeAll(keepingCapacity: true)
        searched = 0
        inside = false
        emitUnit(emit)
    }

    /// Tests, as soon as its first bytes are there, whether the NAL unit at `start` opens an access unit.
    private mutating func examine(from start: Int, _ emit: (FrameFlags, Span<UInt8>) -> Void) {
        guard input.count - start >= format.boundaryLength else { return }
        boundary(at: start, emit)
    }

    private mutating func boundary(at start: Int, _ emit: (FrameFlags, Span<UInt8>) -> Void) {
        examined = true
        let opens = format.startsAccessUnit(input.span.extracting(start..<input.count))
        if opens, unitHasPicture || discarding { emitUnit(emit) }
    }

    /// Adds a complete NAL unit to the access unit.
    private mutating func close(_ range: Range<Int>) {
        let end = AnnexB.trimmingZeros(input.span, range)
        guard end > range.lowerBound, !discarding else { return }
        guard unit.count + (end - range.lowerBound) + AnnexB.startCodeLength <= limit else {
            discarding = true
            return
        }
        let header = input[range.lowerBound]
        unit.append(bigEndian: UInt32(1))
        unit.append(contentsOf: input[range.lowerBound..<end])
        if format.isPicture(header) {
            unitHasPicture = true
            if format.isKeyframe(header) { unitIsKeyframe = true }
        } else if format.parameterSet(header) != nil {
            unitParameterSets += 1
            let set = [UInt8](input[range.lowerBound..<end])
            parameterSets.absorb(set.span)
        } else if format.isDelimiter(header), unitParameterSets == 0, !unitHasPicture {
            parameterOffset = unit.count
        }
    }

    private mutating func discardCurrent(_ start: inout Int) {
        discarding = true
        start = searched
    }

    private mutating func emitUnit(_ emit: (FrameFlags, Span<UInt8>) -> Void) {
        if discarding {
            oversized += 1
        } else if unitHasPicture {
            if unitIsKeyframe, unitParameterSets == 0, !parameterSets.annexB.isEmpty {
                unit.insert(contentsOf: parameterSets.annexB, at: parameterOffset)
            }
            emit(unitIsKeyframe ? .keyframe : [], unit.span)
        }
        unit.removeAll(keepingCapacity: true)
        unitHasPicture = false
        unitIsKeyframe = false
        parameterOffset = 0
        unitParameterSets = 0
        discarding = false
    }
}
