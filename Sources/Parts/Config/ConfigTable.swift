// SPDX-License-Identifier: Apache-2.0
// A document's values after each was checked against the schema.

import Media

/// Looks up values by section and key; what the file does not set, or sets wrongly, has its default.
struct ConfigTable {
    /// What was found wrong so far.
    var issues: [ConfigIssue]
    /// The cameras that the file names, in its order.
    private(set) var cameras: [String] = []
    private let name: String
    private var values: [String: [String: (value: ConfigValue, line: Int)]] = [:]
    private var sectionLines: [String: Int] = [:]

    /// Checks every section and key of `document`.
    init(_ document: ConfigDocument, issues: [ConfigIssue]) {
        name = document.name
        self.issues = issues
        for section in document.sections { take(section) }
        for entry in document.entries where sectionLines[entry.section] != nil { take(entry) }
    }

    /// Reports a fault of what a key says together with others, at its line, its section's, or that of the
    /// first section below it.
    mutating func report(_ section: String, _ key: String, _ message: String) {
        let line = values[section]?[key]?.line ?? sectionLines[section] ?? firstLine(below: section) ?? 0
        issues.append(ConfigIssue(file: name, line: line, message: message))
    }

    private func firstLine(below section: String) -> Int? {
        sectionLines.filter { $0.key.hasPrefix(section + ".") }.values.min()
    }

    private mutating func take(_ section: ConfigDocument.Section) {
        guard let (_, camera) = ConfigSchema.pattern(of: section.name) else {
            let known = ConfigSchema.sections.map { $0.pattern.section(camera: ConfigTable.camera(in: section.name)) }
            let hint = Suggestion.phrase(for: section.name, among: known)
            let form = section.name.hasPrefix("camera ") ? "; a camera's is [camera.NAME]" : hint
            return add(section.line, "unknown section [\(section.name)]\(form)")
        }
        if let camera {
            if let problem = CameraName.problem(with: camera) { return add(section.line, problem) }
            if !cameras.contains(camera) { cameras.append(camera) }
        }
        if let first = sectionLines[section.name] {
            return add(section.line, "section [\(section.name)] is already opened in line \(first)")
        }
        sectionLines[section.name] = section.line
    }

    private mutating func take(_ entry: ConfigDocument.Entry) {
        guard let pattern = ConfigSchema.pattern(of: entry.section)?.pattern else { return }
        guard let key = ConfigSchema.key(pattern, entry.key) else {
            let hint = Suggestion.phrase(for: entry.key, among: ConfigSchema.names(pattern))
            return add(entry.line, "unknown key \"\(entry.key)\" in [\(entry.section)]\(hint)")
        }
        if let first = values[entry.section]?[entry.key] {
            return add(entry.line, "key \"\(entry.key)\" is already set in line \(first.line)")
        }
        do {
            let value = try key.type.parse(entry.value)
            values[entry.section, default: [:]][entry.key] = (value, entry.line)
        } catch {
            add(
                entry.line,
                "\(entry.key) = \(entry.value.isEmpty ? "\"\"" : entry.value) in [\(entry.section)]: "
                    + error.problem
            )
        }
    }

    private mutating func add(_ line: Int, _ message: String) {
        issues.append(ConfigIssue(file: name, line: line, message: message))
    }

    /// The camera that a section which is not known seems to be about.
    private static func camera(in section: String) -> String {
        let parts = section.split(separator: ".")
        return parts.count > 1 ? String(parts[1]) : "NAME"
    }
}

// MARK: Typed look-up

extension ConfigTable {
    func text(_ section: String, _ key: String) -> String {
        guard case .text(let text) = value(section, key) else { preconditionFailure("\(key) is not a text") }
        return text
    }

    func boolean(_ section: String, _ key: String) -> Bool {
        guard case .boolean(let flag) = value(section, key) else { preconditionFailure("\(key) is not a boolean") }
        return flag
    }

    func integer(_ section: String, _ key: String) -> Int {
        guard case .integer(let number) = value(section, key) else { preconditionFailure("\(key) is not a number") }
        return number
    }

    func duration(_ section: String, _ key: String) -> Duration {
        guard case .duration(let duration) = value(section, key) else {
            preconditionFailure("\(key) is not a duration")
        }
        return duration
    }

    func size(_ section: String, _ key: String) -> PictureSize? {
        guard case .size(let size) = value(section, key) else { preconditionFailure("\(key) is not a size") }
        return size
    }

    func frameRate(_ section: String, _ key: String) -> Rational? {
        guard case .frameRate(let rate) = value(section, key) else { preconditionFailure("\(key) is not a frame rate") }
        return rate
    }

    func multicast(_ section: String, _ key: String) -> MulticastGroup? {
        guard case .multicast(let group) = value(section, key) else { preconditionFailure("\(key) is not a group") }
        return group
    }

    func controls(_ section: String, _ key: String) -> ControlList {
        guard case .controls(let list) = value(section, key) else { preconditionFailure("\(key) is not of controls") }
        return list
    }

    private func value(_ section: String, _ key: String) -> ConfigValue {
        if let value = values[section]?[key]?.value { return value }
        guard let pattern = ConfigSchema.pattern(of: section)?.pattern, let entry = ConfigSchema.key(pattern, key),
            let value = try? entry.type.parse(entry.standard)
        else { preconditionFailure("the schema has no usable default for \(key) in [\(section)]") }
        return value
    }
}
