// SPDX-License-Identifier: Apache-2.0
// Source strings: where a camera's frames come from.

package import Media
package import RTSP

/// A parsed source string.
package enum SourceAddress: Sendable, Equatable {
    /// The first capture device found, else the pattern.
    case auto
    /// A V4L2 capture device: a path below `/dev/`, or what `apus devices` calls it.
    case v4l2(device: String, V4L2Request)
    /// A camera of libcamera's: its id, a part of it, or its place in the list; nil is the first.
    case libcamera(String?, V4L2Request)
    /// A media file; `loops` means start again at its end.
    case file(path: String, loops: Bool)
    /// Standard input: JPEG images or an H.264 byte stream.
    case stdin(Codec)
    /// The test pattern; nil takes the main stream's.
    case pattern(size: PictureSize?, frameRate: Int?)
    /// Whoever publishes to the camera's RTSP address.
    case publish
    /// An RTSP server's stream.
    case rtsp(RTSPLocation)

    /// A pixel format of a V4L2 device.
    package enum V4L2Format: String, Sendable, CaseIterable {
        case mjpeg
        case h264
        case hevc
        case yuyv
        case uyvy
        case nv12
        case nv21
        case yu12
        case grey
        case rgb24
        case bgr24
    }

    /// A television standard of analogue inputs.
    package enum TelevisionStandard: String, Sendable, CaseIterable {
        case pal = "PAL"
        case ntsc = "NTSC"
        case secam = "SECAM"
    }

    /// Who else may change a V4L2 device while it captures.
    package enum V4L2Priority: String, Sendable, CaseIterable {
        /// Nobody.
        case record
        /// Other programs may set its controls.
        case shared
    }

    /// What a V4L2 device should be set to; nil takes what it does best.
    package struct V4L2Request: Sendable, Equatable {
        package var size: PictureSize?
        package var frameRate: Int?
        package var format: V4L2Format?
        /// Nil leaves the input that the device is set to.
        package var input: Int?
        /// Nil takes the one that the input sees.
        package var standard: TelevisionStandard?
        package var priority: V4L2Priority

        package init(
            size: PictureSize? = nil,
            frameRate: Int? = nil,
            format: V4L2Format? = nil,
            input: Int? = nil,
            standard: TelevisionStandard? = nil,
            priority: V4L2Priority = .record
        ) {
            self.size = size
            self.frameRate = frameRate
            self.format = format
            self.input = input
            self.standard = standard
            self.priority = priority
        }
    }

    /// True for sources that need the same of the system, so that one process can go over from one to another.
    package var isOfDevices: Bool {
        switch self {
        case .auto, .v4l2, .pattern: true
        case .libcamera, .file, .stdin, .publish, .rtsp: false
        }
    }

    /// The schemes that are known, but that no code answers yet.
    package static let plannedSchemes = ["cvmmap"]
    /// The longest source string taken.
    package static let maximumLength = 4096

    /// Parses a source string such as `v4l2:/dev/video0?size=1280x720`.
    ///
    /// - Throws: `SourceAddressError`, which names what is wrong and what would be right.
    package init(parsing text: String) throws(SourceAddressError) {
        guard text.utf8.count <= Self.maximumLength else {
            throw SourceAddressError("source is longer than \(Self.maximumLength) bytes")
        }
        if text == "auto" {
            self = .auto
            return
        }
        guard let colon = text.firstIndex(of: ":") else {
            if text.hasPrefix("/dev/video") { throw SourceAddressError("write v4l2:\(text)") }
            if text.hasPrefix("/") { throw SourceAddressError("write file:\(text)") }
            throw Self.unknown(text)
        }
        let name = String(text[..<colon])
        let rest = text[text.index(after: colon)...]
        switch SourceScheme(rawValue: name) {
        case .v4l2: self = try Self.v4l2(rest)
        case .libcamera: self = try Self.libcamera(rest)
        case .file: self = try Self.file(rest)
        case .stdin: self = try Self.stdin(rest)
        case .pattern: self = try Self.pattern(rest)
        case .publish:
            guard rest.isEmpty else {
                throw SourceAddressError("publish: stands alone; publishers use the camera's own RTSP address")
            }
            self = .publish
        case .rtsp, .rtsps:
            do throws(LocationError) {
                self = .rtsp(try RTSPLocation(parsing: text))
            } catch {
                throw SourceAddressError("\(name): \(error)")
            }
        case .auto: throw SourceAddressError("auto stands alone, without a colon")
        case nil where Self.plannedSchemes.contains(name):
            throw SourceAddressError("source \(name): is not supported yet; use one of \(Self.list)")
        case nil: throw Self.unknown(name)
        }
    }

    private static var list: String {
        SourceScheme.allCases.map(\.written).joined(separator: ", ")
    }

    private static func unknown(_ scheme: String) -> SourceAddressError {
        let meant = Suggestion.nearest(to: scheme, among: SourceScheme.allCases.map(\.rawValue))
            .flatMap(SourceScheme.init(rawValue:))
        let hint = meant.map { "; did you mean \"\($0.written)\"?" } ?? ""
        return SourceAddressError("unknown source \"\(scheme)\"; sources are \(list)\(hint)")
    }

    private static func v4l2(_ rest: Substring) throws(SourceAddressError) -> SourceAddress {
        let known = ["size", "fps", "format", "input", "standard", "priority"]
        let options = try SourceOptions(rest, of: "v4l2", known: known)
        guard options.path.hasPrefix("/dev/") || isDeviceID(options.path) else {
            let hint = options.path.hasPrefix("video") ? "; write v4l2:/dev/\(options.path)" : ""
            throw SourceAddressError(
                "v4l2: needs a device, as in v4l2:/dev/video0, or an id that apus devices lists\(hint)"
            )
        }
        let request = V4L2Request(
            size: try options.size(),
            frameRate: try options.frameRate(),
            format: try options.choice("format", among: V4L2Format.self),
            input: try options.number("input", in: 0...63),
            standard: try options.choice("standard", among: TelevisionStandard.self),
            priority: try options.choice("priority", among: V4L2Priority.self) ?? .record
        )
        return .v4l2(device: options.path, request)
    }

    private static func libcamera(_ rest: Substring) throws(SourceAddressError) -> SourceAddress {
        let options = try SourceOptions(rest, of: "libcamera", known: ["size", "fps", "format"])
        let request = V4L2Request(
            size: try options.size(),
            frameRate: try options.frameRate(),
            format: try options.choice("format", among: V4L2Format.self)
        )
        if let format = request.format, format == .h264 || format == .hevc {
            throw SourceAddressError("libcamera: has no format \(format.rawValue)")
        }
        return .libcamera(options.path.isEmpty ? nil : options.path, request)
    }

    /// The longest id of a device, in bytes.
    package static let maximumIDLength = 160

    /// True for a text that can be a device's id: `usb-046d:0892-5A3F-if00-index0`.
    package static func isDeviceID(_ text: String) -> Bool {
        (1...maximumIDLength).contains(text.utf8.count) && text.utf8.allSatisfy(isIdentifier)
            && text.utf8.dropFirst().contains(UInt8(ascii: "-"))
    }

    /// True for what ids of devices are made of.
    package static func isIdentifier(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_.:@".utf8.contains(byte)
        }
    }

    private static func file(_ rest: Substring) throws(SourceAddressError) -> SourceAddress {
        let options = try SourceOptions(rest, of: "file", known: ["loop"])
        guard !options.path.isEmpty else { throw SourceAddressError("file: needs a path, as in file:/path/clip.mp4") }
        return .file(path: options.path, loops: try options.flag("loop", default: true))
    }

    private static func stdin(_ rest: Substring) throws(SourceAddressError) -> SourceAddress {
        let options = try SourceOptions(rest, of: "stdin", known: [])
        switch options.path {
        case "mjpeg": return .stdin(.jpeg)
        case "h264": return .stdin(.h264)
        default:
            throw SourceAddressError(
                "stdin: takes mjpeg or h264, not \"\(options.path)\""
                    + Suggestion.phrase(for: options.path, among: ["mjpeg", "h264"])
            )
        }
    }

    private static func pattern(_ rest: Substring) throws(SourceAddressError) -> SourceAddress {
        let options = try SourceOptions(rest, of: "pattern", known: ["size", "fps"])
        guard options.path.isEmpty else {
            throw SourceAddressError("pattern: takes options only, as in pattern:?size=1920x1080&fps=30")
        }
        return .pattern(size: try options.size(), frameRate: try options.frameRate())
    }
}

extension SourceAddress: CustomStringConvertible {
    /// The source in as few words as tell it from others.
    package var description: String {
        switch self {
        case .auto: "auto"
        case .v4l2(let device, _): "v4l2:\(device)"
        case .libcamera(let camera, _): "libcamera:\(camera ?? "")"
        case .file(let path, _): "file:\(path)"
        case .stdin(let codec): codec == .jpeg ? "stdin:mjpeg" : "stdin:h264"
        case .pattern: "pattern:"
        case .publish: "publish:"
        case .rtsp(let location): location.target.redacted
        }
    }
}

/// What is wrong with a source string.
package struct SourceAddressError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
