// SPDX-License-Identifier: Apache-2.0
// The choice among the modes of a V4L2 device, and what is tried instead where the bus has no room for it.

package import Config

/// A format and size that a device offers, with the rates that it has there.
package struct V4L2Mode: Sendable, Hashable {
    package var fourCC: UInt32
    package var size: PictureSize
    /// Frames per second, highest first; empty if the driver does not say.
    package var rates: [Double]

    package init(fourCC: UInt32, size: PictureSize, rates: [Double]) {
        self.fourCC = fourCC
        self.size = size
        self.rates = rates
    }

    /// A mode with one rate, or (0) one that is not told.
    package init(fourCC: UInt32, size: PictureSize, frameRate: Double) {
        self.init(fourCC: fourCC, size: size, rates: frameRate > 0 ? [frameRate] : [])
    }

    /// The highest frames per second; 0 if the driver does not say.
    package var frameRate: Double { rates.first ?? 0 }

    /// The mode nearest to what is asked for; nil if none has a usable format.
    ///
    /// A given format is kept; then the size counts, then the rate, then how much work the format makes: uncompressed
    /// frames need no decoding, but USB carries few of them; MJPEG also gives pictures to every other stream.
    package static func best(
        among modes: [V4L2Mode],
        for request: SourceAddress.V4L2Request,
        preferring target: PictureSize,
        rate: Int
    ) -> V4L2Mode? {
        let size = request.size ?? target
        let frameRate = Double(request.frameRate ?? rate)
        return
            modes
            .filter { mode in
                guard let format = V4L2Format(fourCC: mode.fourCC) else { return false }
                return request.format == nil || request.format == format
            }
            .min { left, right in score(left, size, frameRate) < score(right, size, frameRate) }
    }

    /// Lower is better.
    private static func score(_ mode: V4L2Mode, _ size: PictureSize, _ rate: Double) -> (Int, Double, Int) {
        let difference = abs(mode.size.width - size.width) + abs(mode.size.height - size.height)
        let missing = mode.frameRate > 0 ? max(0, rate - mode.frameRate - 0.5) : 0
        let work =
            switch V4L2Format(fourCC: mode.fourCC) {
            case .mjpeg: 0
            case .yu12, .nv12, .nv21: 1
            case .yuyv, .uyvy: 2
            case .rgb24, .bgr24: 3
            case .h264: 4
            case .hevc: 5
            case .grey: 6
            case nil: 7
            }
        return (difference, missing, work)
    }
}

/// A mode at one of its rates.
package struct V4L2Plan: Sendable, Hashable {
    package var mode: V4L2Mode
    /// Frames per second.
    package var frameRate: Double

    package init(_ mode: V4L2Mode, frameRate: Double) {
        self.mode = mode
        self.frameRate = frameRate
    }

    /// More plans than this are not tried at one start.
    package static let limit = 8
    /// A plan that takes less off the bus than this share is not worth a try after one that was refused.
    private static let relief = 0.75
    /// Pictures that come more seldom are no replacement for a film.
    private static let lowestRate = 5.0

    /// What to try in place of this plan, as wanted, after the bus has refused `refused`: the least loss that makes real
    /// room; nil if nothing is left.
    ///
    /// Each plan needs at most three quarters of the one refused, so that a few tries reach the smallest. Among those that
    /// do, what is lost counts: a compressed format loses nothing that most viewers see, unless another one was asked
    /// for; half the rate loses less than half the size, as each picture keeps all that it shows.
    package func next(after refused: V4L2Plan, among modes: [V4L2Mode], keeping format: V4L2Format?) -> V4L2Plan? {
        let limit = refused.load * Self.relief
        var best: (plan: V4L2Plan, loss: Double)?
        for mode in modes where V4L2Format(fourCC: mode.fourCC) != nil {
            guard mode.size.width <= self.mode.size.width, mode.size.height <= self.mode.size.height else { continue }
            for rate in mode.rates.isEmpty ? [frameRate, frameRate / 2] : mode.rates {
                guard rate <= frameRate + 0.5, rate >= min(Self.lowestRate, frameRate) else { continue }
                let plan = V4L2Plan(mode, frameRate: rate)
                guard plan.load <= limit else { continue }
                let loss = loss(plan, keeping: format)
                if best.map({ loss < $0.loss }) ?? true { best = (plan, loss) }
            }
        }
        return best?.plan
    }

    /// In halvings: of the rate once, of the size one and a half times, of the format by who wanted it.
    private func loss(_ plan: V4L2Plan, keeping format: V4L2Format?) -> Double {
        let rates = Self.halvings(frameRate / plan.frameRate)
        let sizes = Self.halvings(Double(mode.pixels) / Double(plan.mode.pixels))
        let isOther = V4L2Format(fourCC: plan.mode.fourCC) != V4L2Format(fourCC: mode.fourCC)
        let change = isOther ? (format == nil ? 0.25 : 1.25) : 0
        // Grey has no colour.
        let colour = isOther && V4L2Format(fourCC: plan.mode.fourCC) == .grey ? 3.0 : 0
        return rates + 1.5 * sizes + change + colour
    }

    /// How often a ratio can be halved before it is 1, as a straight line between whole numbers.
    private static func halvings(_ ratio: Double) -> Double {
        var rest = max(1, ratio)
        var count = 0.0
        while rest >= 2 {
            rest /= 2
            count += 1
        }
        return count + rest - 1
    }

    /// About how many bytes a second it takes.
    private var load: Double {
        let bytes =
            switch V4L2Format(fourCC: mode.fourCC) {
            case .h264, .hevc: 0.05
            case .mjpeg: 0.3
            case .grey: 1.0
            case .yu12, .nv12, .nv21: 1.5
            case .yuyv, .uyvy, nil: 2.0
            case .rgb24, .bgr24: 3.0
            }
        return bytes * Double(mode.pixels) * frameRate
    }
}

extension V4L2Mode {
    fileprivate var pixels: Int { max(1, size.width * size.height) }
}

extension V4L2Plan: CustomStringConvertible {
    /// In words: `mjpeg 1280x720 at 30 fps`.
    package var description: String {
        Self.text(V4L2Format(fourCC: mode.fourCC), mode.size, frameRate)
    }

    /// A format with its size and rate: `mjpeg 1280x720 at 30 fps`.
    package static func text(_ format: V4L2Format?, _ size: PictureSize, _ rate: Double) -> String {
        "\(format?.rawValue ?? "unknown") \(size) at \(text(rate)) fps"
    }

    /// A rate with two digits behind the point at most: `30`, `29.97`.
    package static func text(_ rate: Double) -> String {
        let rounded = (min(max(rate, 0), 1e6) * 100).rounded() / 100
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
