// SPDX-License-Identifier: Apache-2.0
// Changing keys by name: what the command line and the HTTP API have in common.

/// Why a key cannot be found or set.
package struct ConfigKeyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The key as it was written.
    package let key: String
    package let description: String
}

/// `camera.cam.main.bitrate` taken apart and found in the schema.
package struct ConfigKeyPath: Sendable {
    package let section: String
    package let name: String
    package let key: ConfigKey
    /// The camera that the key is about; nil for none.
    package let camera: String?

    package init(_ text: String) throws(ConfigKeyError) {
        guard let dot = text.lastIndex(of: ".") else {
            throw ConfigKeyError(
                key: text,
                description: "expected SECTION.KEY, such as rtsp.port, got \"\(SourceScheme.redacted(text))\""
            )
        }
        section = String(text[..<dot])
        name = String(text[text.index(after: dot)...])
        guard let (pattern, camera) = ConfigSchema.pattern(of: section) else {
            let known = ConfigSchema.sections.map { $0.pattern.text }
            throw ConfigKeyError(
                key: text,
                description: "unknown section [\(section)]\(Suggestion.phrase(for: section, among: known)); there are "
                    + known.joined(separator: ", ")
            )
        }
        self.camera = camera
        guard let key = ConfigSchema.key(pattern, name) else {
            let hint = Suggestion.phrase(for: name, among: ConfigSchema.names(pattern))
            throw ConfigKeyError(key: text, description: "unknown key \"\(name)\" in [\(section)]\(hint)")
        }
        self.key = key
    }

    /// The key as it is written in commands.
    package var text: String { "\(section).\(name)" }

    /// Refuses a camera that the file does not have; a file without any has the camera `cam`.
    package func checkCamera(_ document: ConfigDocument) throws(ConfigKeyError) {
        guard let camera else { return }
        var names: [String] = []
        for section in document.sections {
            guard let name = ConfigSchema.pattern(of: section.name)?.camera, !names.contains(name) else { continue }
            names.append(name)
        }
        if names.isEmpty { names = ["cam"] }
        guard !names.contains(camera) else { return }
        let hint = Suggestion.phrase(for: camera, among: names)
        throw ConfigKeyError(
            key: text,
            description: "there is no camera \"\(camera)\" in \(document.name), only "
                + "\(names.joined(separator: ", "))\(hint)"
        )
    }
}

/// `camera.cam.main.bitrate=3M`: a key with a value that it can have.
package struct ConfigAssignment: Sendable {
    package let path: ConfigKeyPath
    package let value: String

    package init(_ text: String) throws(ConfigKeyError) {
        guard let equals = text.firstIndex(of: "=") else {
            throw ConfigKeyError(key: text, description: "expected KEY=VALUE, got \"\(SourceScheme.redacted(text))\"")
        }
        path = try ConfigKeyPath(String(text[..<equals]))
        value = String(text[text.index(after: equals)...])
        guard !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw ConfigKeyError(key: path.text, description: "\(path.text): the value holds a control character")
        }
        do throws(ConfigValueError) {
            _ = try path.key.type.parse(value)
        } catch {
            throw ConfigKeyError(key: path.text, description: "\(SourceScheme.redacted(text)): \(error.problem)")
        }
    }
}

extension ConfigDocument {
    /// Sets a key to a value that was checked.
    package mutating func set(_ assignment: ConfigAssignment) {
        set(assignment.path.section, assignment.path.name, to: assignment.value)
    }
}

/// What a change means for the daemons that run.
package enum ConfigImpact: String, Sendable {
    /// The daemon takes it over as it runs.
    case live
    /// The daemon ends and starts again.
    case restart
    case start
    case stop

    /// What changed keys mean for the daemon called `daemon`, of camera `camera` if it is one's; nil for nothing.
    ///
    /// - Parameter live: keys that hold at once with these values, whatever holds for others.
    package static func of(
        _ keys: [ConfigKeyPath],
        daemon: String,
        camera: String?,
        live: Set<String> = []
    ) -> ConfigImpact? {
        var impact: ConfigImpact?
        for path in keys where concerns(path, daemon, camera) {
            if path.key.effect == .restart, !live.contains(path.text) { return .restart }
            impact = .live
        }
        return impact
    }

    private static func concerns(_ path: ConfigKeyPath, _ daemon: String, _ camera: String?) -> Bool {
        if let changed = path.camera { return camera == changed }
        let program = daemon.prefix { $0 != "-" }
        return switch path.section {
        case "log": true
        case "apus", "tls": camera == nil
        case "telemetry", "thermal": daemon == "supervisor"
        case "hls": program == "http"
        case let section: section == program
        }
    }
}
