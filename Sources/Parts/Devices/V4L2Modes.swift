// SPDX-License-Identifier: Apache-2.0
// The modes that a V4L2 device lists: formats, of each the sizes, of each the rates.

import CShimLinux
package import Config

extension V4L2Device {
    /// Sizes worth looking at where a device offers a range.
    private static let usualSizes = [
        (3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (800, 600), (640, 480), (640, 360), (320, 240),
    ]
    .map { PictureSize(width: $0.0, height: $0.1) }
    /// Frames per second worth looking at where a device offers a range, highest first.
    private static let usualRates: [Double] = [60, 50, 30, 25, 20, 15, 10, 7.5, 5, 2, 1]

    /// All modes that the device lists; where it offers a range of sizes, usual ones and those that are wanted.
    package func modes(including wanted: [PictureSize] = []) -> [V4L2Mode] {
        var result: [V4L2Mode] = []
        for index in 0..<Self.listLimit {
            var fourCC: UInt32 = 0
            // Safe: this and the calls below fill in variables of ours.
            guard unsafe apus_v4l2_format_at(descriptor, type, index, &fourCC) == 0 else { break }
            let count = result.count
            for sizeIndex in 0..<Self.listLimit {
                var sizes = apus_v4l2_sizes()
                guard unsafe apus_v4l2_sizes_at(descriptor, fourCC, sizeIndex, &sizes) == 0 else { break }
                for size in Self.candidates(sizes, wanted) {
                    result.append(V4L2Mode(fourCC: fourCC, size: size, rates: rates(fourCC, size)))
                }
                if sizes.step_width != 0 { break }
            }
            // What digitises a signal lists no sizes: it has the signal's.
            if result.count == count, let size = presentSize {
                result.append(V4L2Mode(fourCC: fourCC, size: size, rates: rates(fourCC, size)))
            }
        }
        return result
    }

    /// The sizes worth looking at: the one that is offered, or some of the range.
    private static func candidates(_ sizes: apus_v4l2_sizes, _ wanted: [PictureSize]) -> [PictureSize] {
        let largest = PictureSize(width: Int(sizes.max_width), height: Int(sizes.max_height))
        guard sizes.step_width != 0 else { return [largest] }
        let (width, height) = (Int(sizes.min_width), Int(sizes.min_height))
        return chosen(
            width...max(width, largest.width),
            height...max(height, largest.height),
            steps: (max(1, Int(sizes.step_width)), max(1, Int(sizes.step_height))),
            wanted
        )
    }

    /// Of a range of sizes, those that are wanted, and usual ones.
    static func chosen(
        _ widths: ClosedRange<Int>,
        _ heights: ClosedRange<Int>,
        steps: (width: Int, height: Int),
        _ wanted: [PictureSize]
    ) -> [PictureSize] {
        (wanted + usualSizes.filter { !wanted.contains($0) })
            .filter {
                widths.contains($0.width) && heights.contains($0.height)
                    && ($0.width - widths.lowerBound) % steps.width == 0
                    && ($0.height - heights.lowerBound) % steps.height == 0
            }
    }

    /// The frames per second that are offered at a size, highest first; of a range the usual ones and its ends.
    private func rates(_ fourCC: UInt32, _ size: PictureSize) -> [Double] {
        var rates: Set<Double> = []
        for index in 0..<Self.listLimit {
            var intervals = apus_v4l2_intervals()
            let (width, height) = (UInt32(size.width), UInt32(size.height))
            // Safe: the call fills in a structure of ours.
            guard unsafe apus_v4l2_intervals_at(descriptor, fourCC, width, height, index, &intervals) == 0 else {
                break
            }
            guard intervals.shortest_numerator > 0 else { continue }
            let highest = Double(intervals.shortest_denominator) / Double(intervals.shortest_numerator)
            rates.insert(highest)
            guard intervals.is_range != 0, intervals.longest_numerator > 0 else { continue }
            let lowest = Double(intervals.longest_denominator) / Double(intervals.longest_numerator)
            rates.formUnion(Self.usualRates.filter { $0 < highest && $0 > lowest })
            rates.insert(lowest)
        }
        return rates.filter { $0 > 0 }.sorted(by: >)
    }
}
