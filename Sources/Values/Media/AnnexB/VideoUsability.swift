// SPDX-License-Identifier: Apache-2.0
// What the two codecs' sequence parameter sets share: cropping and the video usability information.

import Bytes

/// The cropping offsets of a sequence parameter set, in chroma units.
struct Cropping {
    var left: UInt32 = 0
    var right: UInt32 = 0
    var top: UInt32 = 0
    var bottom: UInt32 = 0

    /// Reads the flag and, if it is set, left, right, top and bottom.
    init(ifPresent bits: inout BitReader) throws(WireError) {
        guard try bits.bit() else { return }
        left = try bits.exponentialGolomb()
        right = try bits.exponentialGolomb()
        top = try bits.exponentialGolomb()
        bottom = try bits.exponentialGolomb()
    }

    /// Takes both offsets, each of `unit` pixels, off `length`.
    func apply(to length: UInt64, _ first: UInt32, _ second: UInt32, unit: UInt64) throws(WireError) -> UInt32 {
        let cropped = (UInt64(first) + UInt64(second)) * unit
        guard cropped < length, length - cropped <= UInt64(H264.maximumDimension) else {
            throw .invalid(field: "cropped picture size", value: length)
        }
        return UInt32(length - cropped)
    }
}

/// The bit depths of a sequence parameter set.
enum BitDepth {
    /// Reads `bit_depth_…_minus8`; more than 16 bits there are not.
    static func read(_ bits: inout BitReader) throws(WireError) -> UInt8 {
        let beyond = try bits.exponentialGolomb()
        guard beyond <= 8 else { throw .invalid(field: "bit depth beyond 8", value: UInt64(beyond)) }
        return UInt8(8 + beyond)
    }
}

/// The part of the VUI that H.264 §E.1.1 and H.265 §E.2.1 have in common.
enum VideoUsability {
    /// Moves past aspect ratio, overscan, video signal type and chroma location.
    static func skipColours(_ bits: inout BitReader) throws(WireError) {
        if try bits.bit() {
            let ratio = try bits.bits(8)
            if ratio == 255 { try bits.skip(32) }  // Extended_SAR: width and height
        }
        if try bits.bit() { try bits.skip(1) }
        if try bits.bit() {
            try bits.skip(4)
            if try bits.bit() { try bits.skip(24) }
        }
        if try bits.bit() {
            _ = try bits.exponentialGolomb()
            _ = try bits.exponentialGolomb()
        }
    }

    /// `scale / units` in lowest terms; nil where it makes no sense as a rate.
    static func frameRate(scale: UInt64, units: UInt64) -> Rational? {
        guard scale > 0, units > 0, scale / units <= 1000 else { return nil }
        var (a, b) = (scale, units)
        while b != 0 { (a, b) = (b, a % b) }
        guard let numerator = UInt32(exactly: scale / a), let denominator = UInt32(exactly: units / a) else {
            return nil
        }
        return Rational(numerator, denominator)
    }
}
