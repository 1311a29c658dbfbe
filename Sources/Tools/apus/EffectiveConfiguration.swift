// SPDX-License-Identifier: Apache-2.0
// The configuration that an instance runs with: the file, then what the command line says on top.

import Access
import Config
import Daemon
import System

/// What the command line of `apus up` says about the configuration; kept for reloads.
struct ConfigurationSource {
    /// nil: the defaults.
    let file: String?
    /// Replace all cameras of the file.
    let cameras: [(name: String, source: String)]
    let rtspPort: Int?
    let httpPort: Int?

    init(_ arguments: ParsedArguments) throws(Failure) {
        file = arguments.value("--config")
        rtspPort = try arguments.integer("--rtsp-port", 0...65_535)
        httpPort = try arguments.integer("--http-port", 0...65_535)
        var cameras: [(name: String, source: String)] = []
        for text in arguments.values("--camera") {
            let camera = try ConfigurationSource.camera(text)
            guard !cameras.contains(where: { $0.name == camera.name }) else {
                throw Failure(.usage, "--camera \"\(text)\": there is a camera \(camera.name) already")
            }
            cameras.append(camera)
        }
        self.cameras = cameras
    }

    /// Reads the file, and puts the command line's word over it.
    func load() throws(Failure) -> (document: ConfigDocument, configuration: Configuration) {
        let (document, issues): (ConfigDocument, [ConfigIssue])
        do throws(ConfigError) {
            (document, issues) = try merge()
        } catch {
            throw Failure(.usage, error.description)
        }
        let configuration: Configuration
        do throws(ConfigError) {
            configuration = try Configuration(document, issues: issues)
        } catch {
            throw Failure(.usage, describe(error, document))
        }
        do throws(ConfigError) {
            // Read for its faults, which are better told before anything is started or changed.
            _ = try UserList.load(configuration.users.path)
        } catch {
            throw Failure(.usage, error.description)
        }
        return (document, configuration)
    }

    /// What to say of a file that shows passwords to everybody; nil if it does not.
    var exposure: String? { file.flatMap { try? ConfigDocument.load($0).document.exposure } }

    private func merge() throws(ConfigError) -> (ConfigDocument, [ConfigIssue]) {
        var document = ConfigDocument(name: ConfigDocument.defaultsName)
        var issues: [ConfigIssue] = []
        if let file { (document, issues) = try ConfigDocument.load(file) }
        if !cameras.isEmpty {
            // Faults in the cameras that are replaced still count: the file is wrong.
            _ = try Configuration(document, issues: issues)
            issues = []
            document.removeSections { $0.hasPrefix("camera.") }
            for camera in cameras { document.set("camera.\(camera.name)", "source", to: camera.source) }
        }
        // The daemons read another file in another place, and have to find the same users.
        let users = UsersLocation(document.value("apus", "users") ?? "auto", configuration: document.name)
        document.set("apus", "users", to: users.path)
        if let rtspPort { document.set("rtsp", "port", to: "\(rtspPort)") }
        if let httpPort { document.set("http", "port", to: "\(httpPort)") }
        return (document, issues)
    }

    /// The file's own faults with its own lines; else those that came with the options, each behind its option.
    private func describe(_ error: ConfigError, _ document: ConfigDocument) -> String {
        if let file {
            do throws(ConfigError) {
                _ = try Configuration.load(file)
            } catch {
                return error.description
            }
        }
        return error.issues
            .map { issue in
                let section = document.sections.last { $0.line <= issue.line }?.name ?? ""
                return "\(option(for: section) ?? "command line"): \(issue.message)"
            }
            .joined(separator: "\n")
    }

    /// The option that says something about a section, as it was written.
    private func option(for section: String) -> String? {
        switch section {
        case "rtsp": rtspPort.map { "--rtsp-port \($0)" }
        case "http": httpPort.map { "--http-port \($0)" }
        default:
            cameras.first { section == "camera.\($0.name)" }
                .map { "--camera \"\($0.name)=\(SourceScheme.redacted($0.source))\"" }
        }
    }

    private static func camera(_ text: String) throws(Failure) -> (name: String, source: String) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw Failure(.usage, "--camera \"\(text)\": expected --camera NAME=SOURCE, such as cam=v4l2:/dev/video0")
        }
        let name = String(text[..<equals])
        let source = String(text[text.index(after: equals)...])
        if let problem = CameraName.problem(with: name) { throw Failure(.usage, "--camera \"\(text)\": \(problem)") }
        if let problem = SourceScheme.problem(with: source) {
            throw Failure(.usage, "--camera \"\(SourceScheme.redacted(text))\": \(problem)")
        }
        return (name, source)
    }
}
