// SPDX-License-Identifier: Apache-2.0
// The modes that a V4L2 device lists: formats, of each the sizes, of each the rates.

import CShimLinux
package import Config

extension V4L2Device {
    /// Frames per second worth looking at where a device offers a range, highest first.
    private static let usualRates: [Double] = [60, 50, 30, 25, 20, 15, 10, 7.5, 5, 2, 1]

    /// All modes that the device lists; where it offers ranges of sizes, the one nearest to `wanted` and usual ones.
    ///
    /// `asked` is what somebody wants by all means, of devices too that list no sizes.
    package func modes(near wanted: PictureSize? = nil, asked: PictureSize? = nil) -> [V4L2Mode] {
        var result: [V4L2Mode] = []
        for index in 0..<Self.listLimit {
            var fourCC: UInt32 = 0
            // Safe: this and the calls below fill in variables of ours.
            guard unsafe apus_v4l2_format_at(descriptor, type, index, &fourCC) == 0 else { break }
            var sizes: [PictureSize] = []
            for sizeIndex in 0..<Self.listLimit {
                var found = apus_v4l2_sizes()
                // Safe: as above.
                guard unsafe apus_v4l2_sizes_at(descriptor, fourCC, sizeIndex, &found) == 0 else { break }
                guard found.is_range != 0 else {
                    sizes.append(PictureSize(width: Int(found.max_width), height: Int(found.max_height)))
                    continue
                }
                let range = V4L2SizeRange(found)
                sizes += range.candidates(near: wanted) { tried(fourCC, $0) }
                break
            }
            if sizes.isEmpty {
                // What digitises a signal lists no sizes: it has the signal's.
                if let size = asked.flatMap({ tried(fourCC, $0) }) ?? presentSize { sizes.append(size) }
            }
            for size in sizes { result.append(V4L2Mode(fourCC: fourCC, size: size, rates: rates(fourCC, size))) }
        }
        return result
    }

    /// The size that the driver would make of one; nil if it does not tell, or would take another format.
    private func tried(_ fourCC: UInt32, _ size: PictureSize) -> PictureSize? {
        var wanted = apus_v4l2_format()
        wanted.fourcc = fourCC
        wanted.width = UInt32(clamping: size.width)
        wanted.height = UInt32(clamping: size.height)
        // Safe: the call fills in a structure of ours.
        guard unsafe apus_v4l2_try_format(descriptor, type, &wanted) == 0, wanted.fourcc == fourCC, wanted.width > 0,
            wanted.height > 0
        else { return nil }
        return PictureSize(width: Int(wanted.width), height: Int(wanted.height))
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
        return rates.filter(Self.rates.contains).sorted(by: >)
    }
}

/// A range of sizes that a device offers.
struct V4L2SizeRange {
    /// Sizes worth looking at where a device offers a range.
    static let usual = [
        (3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (800, 600), (640, 480), (640, 360), (320, 240),
    ]
    .map { PictureSize(width: $0.0, height: $0.1) }

    var smallest: PictureSize
    var largest: PictureSize
    /// From one width or height to the next; nil if the driver does not tell: then only the ends are sure.
    var step: PictureSize?

    /// The size on the range's grid that is nearest to one.
    func nearest(to size: PictureSize) -> PictureSize {
        func fit(_ value: Int, _ lowest: Int, _ highest: Int, _ step: Int) -> Int {
            let step = max(1, step)
            let steps = (min(max(value, lowest), max(lowest, highest)) - lowest + step / 2) / step
            return lowest + min(steps, max(0, highest - lowest) / step) * step
        }
        return PictureSize(
            width: fit(size.width, smallest.width, largest.width, step?.width ?? 1),
            height: fit(size.height, smallest.height, largest.height, step?.height ?? 1)
        )
    }

    /// The sizes worth looking at; `attempt` tells what the driver makes of one, nil if it does not say.
    func candidates(near wanted: PictureSize?, attempt: (PictureSize) -> PictureSize?) -> [PictureSize] {
        let within = Self.usual.filter {
            $0.width <= largest.width && $0.height <= largest.height && $0.width >= smallest.width
                && $0.height >= smallest.height
        }
        var sizes = step == nil ? [largest, smallest] : within.map(nearest)
        if let wanted {
            let size = nearest(to: wanted)
            if let taken = attempt(size) { sizes.append(taken) } else if step != nil { sizes.append(size) }
        }
        if sizes.isEmpty { sizes = [largest, smallest] }
        var seen: Set<PictureSize> = []
        return sizes.filter { seen.insert($0).inserted }
    }
}

extension V4L2SizeRange {
    init(_ found: apus_v4l2_sizes) {
        smallest = PictureSize(width: Int(found.min_width), height: Int(found.min_height))
        largest = PictureSize(width: Int(found.max_width), height: Int(found.max_height))
        let step = PictureSize(width: Int(found.step_width), height: Int(found.step_height))
        self.step = step.width > 0 && step.height > 0 ? step : nil
    }
}
