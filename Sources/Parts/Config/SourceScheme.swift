// SPDX-License-Identifier: Apache-2.0
// The kinds of source that exist, as far as a configuration can check them without opening one.

/// The first part of a source string, up to its colon.
package enum SourceScheme: String, CaseIterable, Sendable {
    case auto
    case v4l2
    case file
    case stdin
    case pattern

    /// A list of examples, for the reference and for errors.
    package static let examples =
        "auto, v4l2:/dev/video0?size=1280x720&fps=30&format=mjpeg, file:/path/clip.mp4?loop, stdin:mjpeg, stdin:h264, "
        + "pattern:?size=1920x1080&fps=30"

    /// The scheme of `source`; nil if it is none of these.
    package init?(of source: String) {
        let name = source.prefix { $0 != ":" }
        guard let scheme = SourceScheme(rawValue: String(name)) else { return nil }
        // Only `auto` stands alone.
        guard scheme == .auto ? name.count == source.count : name.count < source.count else { return nil }
        self = scheme
    }

    /// Why `source` cannot be a source; nil if it may be one.
    ///
    /// What follows the scheme is looked at by the daemon that opens it.
    package static func problem(with source: String) -> String? {
        guard let scheme = SourceScheme(of: source) else {
            let name = String(source.prefix { $0 != ":" })
            let hint = Suggestion.phrase(for: name, among: allCases.map(\.rawValue))
            return "a source such as \(examples)\(hint)"
        }
        let rest = source.dropFirst(scheme.rawValue.count + 1)
        let path = rest.prefix { $0 != "?" }
        switch scheme {
        case .auto, .pattern: return nil
        case .v4l2: return path.hasPrefix("/dev/") ? nil : "a device such as v4l2:/dev/video0"
        case .file: return path.isEmpty ? "a path such as file:/path/clip.mp4" : nil
        case .stdin: return path == "mjpeg" || path == "h264" ? nil : "stdin:mjpeg or stdin:h264"
        }
    }
}
