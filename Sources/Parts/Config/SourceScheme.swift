// SPDX-License-Identifier: Apache-2.0
// The kinds of source that exist, as far as a configuration can check them without opening one.

import RTSP

/// The first part of a source string, up to its colon.
package enum SourceScheme: String, CaseIterable, Sendable {
    case auto
    case v4l2
    case libcamera
    case file
    case stdin
    case pattern
    case publish
    case rtsp
    case rtsps

    /// A list of examples, for the reference and for errors.
    package static let examples =
        "auto, v4l2:/dev/video0?size=1280x720&fps=30&format=mjpeg, libcamera:, file:/path/clip.mp4?loop, stdin:mjpeg, stdin:h264, "
        + "pattern:?size=1920x1080&fps=30, publish:, rtsp://user:password@camera/path?transport=udp"

    /// The scheme with its colon; only `auto` has none.
    var written: String { self == .auto ? rawValue : rawValue + ":" }

    /// The scheme of `source`; nil if it is none of these.
    package init?(of source: String) {
        let name = source.prefix { $0 != ":" }
        guard let scheme = SourceScheme(rawValue: String(name)) else { return nil }
        // Only `auto` stands alone.
        guard scheme == .auto ? name.count == source.count : name.count < source.count else { return nil }
        self = scheme
    }

    /// The source as it may be printed: without the password of a URL.
    package static func redacted(_ source: String) -> String { RTSPLocation.redact(source) }

    /// Why `source` cannot be a source; nil if it may be one.
    package static func problem(with source: String) -> String? {
        do throws(SourceAddressError) {
            _ = try SourceAddress(parsing: source)
            return nil
        } catch {
            return error.description
        }
    }
}
