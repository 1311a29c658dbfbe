// SPDX-License-Identifier: Apache-2.0
// The configuration that an instance runs with: the file, then what the command line says on top.

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
        do throws(ConfigError) {
            var document = ConfigDocument(name: "defaults")
            var issues: [ConfigIssue] = []
            if let file { (document, issues) = try ConfigDocument.load(file) }
            if !cameras.isEmpty {
                // Faults in the cameras that are replaced still count: the file is wrong.
                _ = try Configuration(document, issues: issues)
                document.removeSections { $0.hasPrefix("camera.") }
                for camera in cameras { document.set("camera.\(camera.name)", "source", to: camera.source) }
            }
            if let rtspPort { document.set("rtsp", "port", to: "\(rtspPort)") }
            if let httpPort { document.set("http", "port", to: "\(httpPort)") }
            if !cameras.isEmpty { issues = [] }
            return (document, try Configuration(document, issues: issues))
        } catch {
            throw Failure(.usage, error.description)
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
            throw Failure(.usage, "--camera \"\(text)\": \(problem)")
        }
        return (name, source)
    }
}
