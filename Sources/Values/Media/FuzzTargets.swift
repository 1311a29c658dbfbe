// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes

/// Entry points for fuzzing this module.
package enum MediaFuzz {
    /// Parses `bytes` as every kind of parameter set and decoder configuration.
    package static func parameterSets(_ bytes: Span<UInt8>) {
        if let sps = try? H264.SPS(parsing: bytes) {
            precondition((1...H264.maximumDimension).contains(sps.width), "width out of range")
            precondition((1...H264.maximumDimension).contains(sps.height), "height out of range")
        }
        if let sps = try? H265.SPS(parsing: bytes) {
            precondition((1...H264.maximumDimension).contains(sps.width), "width out of range")
            precondition((1...H264.maximumDimension).contains(sps.height), "height out of range")
        }
        _ = try? DecoderConfiguration(avcC: bytes)
        _ = try? DecoderConfiguration(hvcC: bytes)
    }

    /// Cuts `bytes` into access units of both codecs, at once and byte by byte.
    package static func accessUnits(_ bytes: Span<UInt8>) {
        for format in [NALFormat.h264, .h265] {
            let whole = accessUnits(format, bytes, step: max(1, bytes.count))
            let single = accessUnits(format, bytes, step: 1)
            precondition(whole == single, "access units depend on how the bytes are split")
            for unit in whole { stamp(format, unit) }
        }
    }

    /// Cuts `bytes` into JPEGs, at once and byte by byte, and reads their headers.
    package static func images(_ bytes: Span<UInt8>) {
        let whole = images(bytes, step: max(1, bytes.count))
        let single = images(bytes, step: 1)
        precondition(whole == single, "images depend on how the bytes are split")
        for image in whole {
            precondition(JPEG.isValid(image.span), "an invalid image came out")
            if let header = try? JPEGHeader(parsing: image.span) {
                precondition(header.scanOffset <= image.count, "the scan leaves the image")
            }
        }
        _ = try? JPEGHeader(parsing: bytes)
        repair(bytes)
    }

    /// What is mended is whole, and both ways of mending give the same.
    private static func repair(_ bytes: Span<UInt8>) {
        guard let repair = try? JPEGRepair(bytes, acceptsMissingEnd: true) else { return }
        var mended: [UInt8] = []
        repair.append(bytes, to: &mended)
        precondition(mended.count == repair.mendedLength, "the mended image has another length")
        var copy = [UInt8](repeating: 0, count: mended.count)
        var span = copy.mutableSpan
        repair.write(bytes, into: &span)
        precondition(copy == mended, "two ways of mending differ")
        precondition((try? JPEGHeader(parsing: mended.span))?.hasHuffmanTables == true, "tables are missing")
        if !repair.needsEnd {
            precondition((try? JPEGRepair(mended.span))?.isWhole == true, "a mended image is not whole")
        }
    }

    /// Stamps an access unit that has no stamp, and finds the stamp again.
    private static func stamp(_ format: NALFormat, _ unit: [UInt8]) {
        guard case .place(let place) = CaptureStamp.look(format, in: unit.span) else { return }
        var stamped = Array(unit[..<place])
        CaptureStamp.append(format, unixNanoseconds: Int64(unit.count) << 32, to: &stamped)
        stamped += unit[place...]
        let found = CaptureStamp.find(format, in: stamped.span)
        precondition(found == Int64(unit.count) << 32, "a stamp is not found where it was put")
    }

    private static func accessUnits(_ format: NALFormat, _ bytes: Span<UInt8>, step: Int) -> [[UInt8]] {
        var splitter = AccessUnitSplitter(format)
        var units: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            let chunk = bytes.extracting(start..<min(start + step, bytes.count))
            splitter.push(chunk) { _, unit in units.append([UInt8](unit)) }
        }
        splitter.finish { _, unit in units.append([UInt8](unit)) }
        return units
    }

    private static func images(_ bytes: Span<UInt8>, step: Int) -> [[UInt8]] {
        var splitter = JPEGSplitter()
        var images: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            let chunk = bytes.extracting(start..<min(start + step, bytes.count))
            splitter.push(chunk) { images.append([UInt8]($0)) }
        }
        return images
    }
}
