// SPDX-License-Identifier: Apache-2.0
// All that a device offers, format by format, for people and programs that choose.

import CShimLinux
package import Config
import System

/// A pixel format with the sizes that a device has in it.
package struct DeviceFormat: Sendable, Equatable {
    /// The kernel's code.
    package var fourCC: UInt32
    package var sizes: [DeviceSize]

    /// The kernel's code as four characters; of a format with the bytes of its pixels the other way round, with `-BE`.
    package var code: String {
        // The highest bit is no part of a character: v4l2_fourcc_be().
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: fourCC >> (8 * $0)) & ($0 == 3 ? 0x7F : 0xFF) }
        return DeviceText.plain(String(decoding: bytes, as: UTF8.self)) + (fourCC >> 31 == 1 ? "-BE" : "")
    }

    /// Nil if it cannot be used.
    package var format: V4L2Format? { V4L2Format(fourCC: fourCC) }
}

/// A size, or a range of sizes, with frames per second.
package struct DeviceSize: Sendable, Equatable {
    package var smallest: PictureSize
    /// The same as `smallest` unless it is a range.
    package var largest: PictureSize
    /// The highest first; at the smallest size if sizes are a range. Empty if the device does not say.
    package var rates: [Double]
    /// True if the device takes rates between those, too.
    package var isRateRange: Bool
}

extension DeviceFormat {
    /// More sizes or rates than this are not asked for.
    private static let limit: UInt32 = 64

    /// What a node offers; may wait for the device.
    ///
    /// - Throws: `CaptureError` if it cannot be opened.
    package static func all(of path: String) throws(CaptureError) -> [DeviceFormat] {
        let file: FileDescriptor
        do throws(SystemError) {
            file = try DeviceOpener.open(path)
        } catch {
            throw V4L2Device.explain(error, path)
        }
        var identity = apus_v4l2_identity()
        // Safe: this and the calls below fill in variables of ours.
        guard unsafe apus_v4l2_identify(file.raw, &identity) == 0 else {
            throw CaptureError("\(path): not a V4L2 device")
        }
        let type = apus_v4l2_capture_type(identity.capabilities)
        var formats: [DeviceFormat] = []
        for index in 0..<limit {
            var fourCC: UInt32 = 0
            guard type != 0, unsafe apus_v4l2_format_at(file.raw, type, index, &fourCC) == 0 else { break }
            formats.append(DeviceFormat(fourCC: fourCC, sizes: sizes(file.raw, fourCC)))
        }
        return formats
    }

    private static func sizes(_ fd: Int32, _ fourCC: UInt32) -> [DeviceSize] {
        var result: [DeviceSize] = []
        for index in 0..<limit {
            var found = apus_v4l2_sizes()
            // Safe: the call fills in a structure of ours.
            guard unsafe apus_v4l2_sizes_at(fd, fourCC, index, &found) == 0 else { break }
            let smallest = PictureSize(width: Int(found.min_width), height: Int(found.min_height))
            let (rates, isRange) = rates(fd, fourCC, found.min_width, found.min_height)
            result.append(
                DeviceSize(
                    smallest: smallest,
                    largest: PictureSize(width: Int(found.max_width), height: Int(found.max_height)),
                    rates: rates,
                    isRateRange: isRange
                )
            )
            // A range stands alone.
            if found.is_range != 0 { break }
        }
        return result
    }

    private static func rates(_ fd: Int32, _ fourCC: UInt32, _ width: UInt32, _ height: UInt32) -> ([Double], Bool) {
        var rates: [Double] = []
        for index in 0..<limit {
            var found = apus_v4l2_intervals()
            // Safe: the call fills in a structure of ours.
            guard unsafe apus_v4l2_intervals_at(fd, fourCC, width, height, index, &found) == 0 else { break }
            let highest = rate(found.shortest_numerator, found.shortest_denominator)
            if found.is_range != 0 {
                let lowest = rate(found.longest_numerator, found.longest_denominator)
                return ([highest, lowest].compactMap(\.self), true)
            }
            if let highest, !rates.contains(highest) { rates.append(highest) }
        }
        return (rates.sorted(by: >), false)
    }

    private static func rate(_ numerator: UInt32, _ denominator: UInt32) -> Double? {
        numerator > 0 && denominator > 0 ? Double(denominator) / Double(numerator) : nil
    }
}
