// SPDX-License-Identifier: Apache-2.0
// Brings H.264 and H.265 access units into the one form that the ring carries.

package import Media

/// One access unit in ring form: every NAL unit behind a 4-byte start code, and the parameter sets in front of
/// every keyframe.
///
/// Encoders and demuxers give 3-byte start codes, and not all repeat the parameter sets. The buffer is reused from
/// one unit to the next.
package struct AccessUnitBuffer {
    /// The unit in ring form.
    package private(set) var bytes: [UInt8] = []
    /// True if decoding can start at the unit.
    package private(set) var isKeyframe = false
    /// The newest parameter sets seen.
    package private(set) var parameterSets: ParameterSets

    private let format: NALFormat

    /// Makes an empty buffer.
    package init(_ format: NALFormat) {
        self.format = format
        parameterSets = ParameterSets(format)
    }

    /// Loads one access unit, given in Annex B form with start codes of either length.
    package mutating func load(_ unit: Span<UInt8>) {
        bytes.removeAll(keepingCapacity: true)
        isKeyframe = false
        var hasParameterSets = false
        // Where missing parameter sets go: an access unit delimiter must stay first (H.264 §7.4.1.2.3).
        var insertion = 0
        var units = NALUnits(unit)
        while let range = units.next() {
            let nal = unit.extracting(range)
            append(nal)
            if format.isKeyframe(nal[0]) {
                isKeyframe = true
            } else if format.parameterSet(nal[0]) != nil {
                hasParameterSets = true
                parameterSets.absorb(nal)
            } else if format.isDelimiter(nal[0]) {
                insertion = bytes.count
            }
        }
        if isKeyframe && !hasParameterSets { bytes.insert(contentsOf: parameterSets.annexB, at: insertion) }
    }

    private mutating func append(_ nal: Span<UInt8>) {
        bytes.append(0)
        bytes.append(0)
        bytes.append(0)
        bytes.append(1)
        // Safe: the bytes are only read, for the length of the call.
        unsafe nal.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }
}
