// SPDX-License-Identifier: Apache-2.0
// The types that values may have, how they are read, and how the reference describes them.

package import Media
import System

/// A picture size in pixels.
package struct PictureSize: Sendable, Hashable, CustomStringConvertible {
    package let width: Int
    package let height: Int

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    package var description: String { "\(width)x\(height)" }
}

/// Where a stream's packets go for everybody who listens: an address and an even port, which RTCP's follows.
package struct MulticastGroup: Sendable, Hashable {
    package let address: String
    package let port: UInt16
    /// How many routers packets may pass, plus one.
    package let timeToLive: UInt8

    /// Reads `239.1.2.3:5004/16`; without `/16` packets stay in the local network.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let colon = parts[0].lastIndex(of: ":"), let port = UInt16(parts[0][parts[0].index(after: colon)...]),
            port >= 1024, port <= 65_532, port % 2 == 0
        else { return nil }
        var host = parts[0][..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard let address = SocketAddress(host: String(host), port: port), address.isMulticast else { return nil }
        self.address = String(host)
        self.port = port
        if parts.count == 2 {
            guard let number = UInt8(parts[1]), number > 0 else { return nil }
            timeToLive = number
        } else {
            timeToLive = 1
        }
    }
}

/// A value after it was read.
package enum ConfigValue: Sendable, Equatable {
    case text(String)
    case boolean(Bool)
    case integer(Int)
    case duration(Duration)
    /// nil: as the source has it.
    case size(PictureSize?)
    /// nil: as the source has it.
    case frameRate(Rational?)
    /// nil: none.
    case multicast(MulticastGroup?)
    case controls(ControlList)
}

/// The type of a key's value, with its range.
package enum ConfigType: Sendable {
    /// Any text that is not empty.
    case text
    /// A file's path; nothing if there is none.
    case path
    /// Where frames come from: `v4l2:/dev/video0`, `pattern:`.
    case source
    /// An IPv4 or IPv6 address, or `*` for all.
    case address
    /// `yes` or `no`.
    case boolean
    case integer(ClosedRange<Int>)
    /// `500ms`, `2s`, `1m`, `1h`.
    case duration(ClosedRange<Duration>)
    /// Bits per second, with decimal `k` or `M`.
    case bitrate(ClosedRange<Int>)
    /// Bytes, with binary `k` or `M`.
    case bytes(ClosedRange<Int>)
    /// `1280x720`, or `source`.
    case size
    /// `25`, `29.97`, `30000/1001`, or `source`.
    case frameRate
    /// `239.1.2.3:5004/16`, or `off`.
    case multicast
    /// `brightness=10, contrast=20`; nothing if there are none.
    case controls
    case choice([String])
}

/// Why a value is not of its type.
package struct ConfigValueError: Error, Equatable {
    /// What is wrong: `expected a number from 1 to 65535`.
    package let problem: String

    init(problem: String) { self.problem = problem }

    /// `expected` is what the value had to be; `hint` is said behind it: `; did you mean "h264"?`.
    init(expected: String, hint: String = "") { problem = "expected \(expected)\(hint)" }
}

extension ConfigType {
    /// Pictures are at most so many pixels wide and high.
    package static let pictureEdge = 16...8192

    /// Reads a value.
    package func parse(_ text: String) throws(ConfigValueError) -> ConfigValue {
        let problem = ConfigValueError(expected: expectation)
        switch self {
        case .text:
            guard !text.isEmpty else { throw problem }
            return .text(text)
        case .path: return .text(text)
        case .source:
            if let reason = SourceScheme.problem(with: text) { throw ConfigValueError(problem: reason) }
            return .text(text)
        case .address:
            guard SocketAddress(host: text, port: 0) != nil, !text.isEmpty else { throw problem }
            return .text(text)
        case .boolean:
            switch text {
            case "yes", "true", "on", "1": return .boolean(true)
            case "no", "false", "off", "0": return .boolean(false)
            default: throw problem
            }
        case .integer(let range):
            guard let number = Int(text), range.contains(number) else { throw problem }
            return .integer(number)
        case .duration(let range):
            guard let duration = ConfigType.duration(text), range.contains(duration) else { throw problem }
            return .duration(duration)
        case .bitrate(let range):
            guard let rate = ConfigType.scaled(text, kilo: 1000), range.contains(rate) else { throw problem }
            return .integer(rate)
        case .bytes(let range):
            guard let bytes = ConfigType.scaled(text, kilo: 1024), range.contains(bytes) else { throw problem }
            return .integer(bytes)
        case .size:
            if text == "source" { return .size(nil) }
            guard let size = ConfigType.size(text) else { throw problem }
            return .size(size)
        case .frameRate:
            if text == "source" { return .frameRate(nil) }
            guard let rate = ConfigType.frameRate(text) else { throw problem }
            return .frameRate(rate)
        case .multicast:
            if text == "off" { return .multicast(nil) }
            guard let group = MulticastGroup(text) else { throw problem }
            return .multicast(group)
        case .controls:
            guard let list = ControlList(parsing: text) else { throw problem }
            return .controls(list)
        case .choice(let names):
            guard names.contains(text) else {
                throw ConfigValueError(expected: expectation, hint: Suggestion.phrase(for: text, among: names))
            }
            return .text(text)
        }
    }

    /// What a value must be, for errors and for the reference: `a number from 1 to 65535`.
    package var expectation: String {
        switch self {
        case .text: "a text"
        case .path: "a file's path"
        case .source: "a source"
        case .address: "an IPv4 or IPv6 address, or * for all"
        case .boolean: "yes or no"
        case .integer(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "a duration from \(ConfigType.text(range.lowerBound)) to \(ConfigType.text(range.upperBound)), such as 2s"
        case .bitrate(let range):
            "a bit rate from \(ConfigType.text(range.lowerBound, kilo: 1000)) to "
                + "\(ConfigType.text(range.upperBound, kilo: 1000)), such as 4M or 640k"
        case .bytes(let range):
            "a number of bytes from \(ConfigType.text(range.lowerBound, kilo: 1024)) to "
                + "\(ConfigType.text(range.upperBound, kilo: 1024)), such as 8M"
        case .size: "a size such as 1280x720 with even edges from 16 to 8192, or source"
        case .frameRate: "a frame rate from 1 to 240 such as 25 or 30000/1001, or source"
        case .multicast: "a multicast address with an even port such as 239.1.2.3:5004 or 239.1.2.3:5004/16, or off"
        case .controls: "controls with values, such as brightness=10, contrast=20"
        case .choice(let names): names.count == 1 ? names[0] : ConfigType.listed(names)
        }
    }

    private static func listed(_ names: [String]) -> String {
        "\(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")"
    }
}

// MARK: Units

extension ConfigType {
    private static let durationUnits: [(suffix: String, nanoseconds: Int64)] = [
        ("ms", 1_000_000), ("us", 1000), ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ]

    private static func duration(_ text: String) -> Duration? {
        for (suffix, nanoseconds) in durationUnits where text.hasSuffix(suffix) {
            guard let number = Int64(text.dropLast(suffix.utf8.count)), number >= 0 else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: nanoseconds)
            return overflow ? nil : .nanoseconds(product)
        }
        return text == "0" ? .zero : nil
    }

    /// Writes a duration in its largest whole unit.
    package static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        guard attoseconds == 0 else { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms" }
        if seconds > 0, seconds % 3600 == 0 { return "\(seconds / 3600)h" }
        if seconds > 0, seconds % 60 == 0 { return "\(seconds / 60)m" }
        return "\(seconds)s"
    }

    private static func scaled(_ text: String, kilo: Int) -> Int? {
        let factor: Int
        switch text.last {
        case "k", "K": factor = kilo
        case "M": factor = kilo * kilo
        case "G": factor = kilo * kilo * kilo
        default: factor = 1
        }
        let digits = factor == 1 ? text[...] : text.dropLast()
        // A fraction (`1.5M`) is allowed where it comes out whole.
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, let units = Int(whole), units >= 0 else { return nil }
        let (product, overflow) = units.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        guard parts.count == 2 else { return product }
        guard factor > 1, parts[1].utf8.count <= 3, let fraction = Int(parts[1]), fraction >= 0 else { return nil }
        var divisor = 1
        for _ in parts[1].utf8 { divisor *= 10 }
        return product + fraction * factor / divisor
    }

    /// Writes a number with the largest unit that leaves it whole.
    package static func text(_ number: Int, kilo: Int) -> String {
        if number >= kilo * kilo, number % (kilo * kilo) == 0 { return "\(number / (kilo * kilo))M" }
        if number >= kilo, number % kilo == 0 { return "\(number / kilo)k" }
        return "\(number)"
    }

    private static func size(_ text: String) -> PictureSize? {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]),
            pictureEdge.contains(width), pictureEdge.contains(height), width % 2 == 0, height % 2 == 0
        else { return nil }
        return PictureSize(width: width, height: height)
    }

    private static func frameRate(_ text: String) -> Rational? {
        let rate: Rational
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2, let numerator = UInt32(parts[0]), let denominator = UInt32(parts[1]), denominator > 0 {
            rate = Rational(numerator, denominator)
        } else if let whole = UInt32(text) {
            rate = Rational(whole)
        } else if let thousandths = scaled(text + "k", kilo: 1000), let exact = UInt32(exactly: thousandths) {
            // 29.97 and its kin are written short for 30000/1001.
            rate =
                [24, 30, 60, 120].map { Rational($0 * 1000, 1001) }
                .first { UInt32(($0.value * 1000).rounded(.down)) / 10 == exact / 10 } ?? Rational(exact, 1000)
        } else {
            return nil
        }
        return (1.0...240.0).contains(rate.value) ? rate : nil
    }
}
