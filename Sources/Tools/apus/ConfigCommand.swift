// SPDX-License-Identifier: Apache-2.0
// `apus config`: check, look up, set, save, reload, and the reference.

import Access
import Config
import Control
import Daemon
import System

/// Works on configuration files.
enum ConfigCommand {
    static let command = Command(
        "config",
        "Checks, reads and changes the configuration.",
        details: "Keys are written SECTION.KEY: rtsp.port, camera.cam.main.bitrate.",
        [check, get, set, save, reload, reference]
    )

    private static let file = Option("--config", "FILE", "The file; else the running instance's.")

    private static let check = Command(
        "check",
        "Checks a configuration file and reports every fault.",
        usage: "[OPTION]… [FILE]",
        options: [file, .json, .runDirectory],
        operands: 0...1
    ) { arguments in
        let path = try arguments.operands.first ?? path(arguments)
        do {
            let configuration = try Configuration.load(path)
            _ = try UserList.load(configuration.users.path)
            if let exposure = try load(path).0.exposure { Terminal.complain("apus config check", exposure) }
            let count = configuration.cameras.count
            let text =
                arguments.has("--json")
                ? "{\"file\": \(JSON.string(path).text), \"issues\": []}"
                : "\(path): good, \(count) camera\(count == 1 ? "" : "s")"
            try Terminal.write(text + "\n")
            return .success
        } catch let error as ConfigError {
            guard arguments.has("--json") else { throw Failure(.usage, error.description) }
            let issues = error.issues.map { issue in
                JSON.object([
                    JSON.Member("file", .string(issue.file)), JSON.Member("line", JSON(issue.line)),
                    JSON.Member("message", .string(issue.message)),
                ])
            }
            try Terminal.write(
                JSON.object([JSON.Member("file", .string(path)), JSON.Member("issues", .array(issues))]).prettyText
                    + "\n"
            )
            return .usage
        }
    }

    private static let get = Command(
        "get",
        "Shows the values of keys, defaults included; without KEY, all that the file sets.",
        usage: "[OPTION]… [KEY]…",
        options: [
            file, Option("--passwords", nil, "Shows passwords in sources, too; else they are ***."), .runDirectory,
        ],
        operands: 0...64
    ) { arguments in
        let (document, _) = try load(try path(arguments))
        let shown = { (value: String) in arguments.has("--passwords") ? value : SourceScheme.redacted(value) }
        guard !arguments.operands.isEmpty else {
            for entry in document.entries {
                try Terminal.write("\(entry.section).\(entry.key)=\(shown(entry.value))\n")
            }
            return .success
        }
        for operand in arguments.operands {
            let key = try keyPath(operand)
            do throws(ConfigKeyError) {
                try key.checkCamera(document)
            } catch {
                throw Failure(.usage, error.description)
            }
            try Terminal.write(shown(document.value(key.section, key.name) ?? key.key.standard) + "\n")
        }
        return .success
    }

    private static let set = Command(
        "set",
        "Sets keys in the file, keeping its comments and order; apus config reload puts them in force.",
        usage: "[OPTION]… KEY=VALUE…",
        options: [file, .runDirectory],
        operands: 1...64
    ) { arguments in
        let path = try path(arguments)
        var (document, issues) = try load(path)
        for operand in arguments.operands {
            do throws(ConfigKeyError) {
                try document.set(ConfigAssignment(operand))
            } catch {
                throw Failure(.usage, error.description)
            }
        }
        // What was wrong before is told, too: a file with faults is not written.
        (_, issues) = ConfigDocument.parse(document.text, name: path)
        do throws(ConfigError) {
            _ = try Configuration(document, issues: issues)
        } catch {
            throw Failure(.usage, error.description)
        }
        try document.save()
        if let exposure = document.exposure { Terminal.complain("apus config set", exposure) }
        return .success
    }

    private static let save = Command(
        "save",
        "Writes the running instance's configuration, command line included, to a file.",
        usage: "[OPTION]… FILE",
        options: [Option("--force", nil, "Replaces a file that is there."), .runDirectory],
        operands: 1...1
    ) { arguments in
        let instance = try Instance(arguments.runDirectory)
        let file = arguments.operands[0]
        // A relative path of the instance's may be another file from here.
        let isOwn = file.hasPrefix("/") && file == instance.status["config"]?.string
        guard isOwn || arguments.has("--force") || !File.exists(file) else {
            throw Failure(.usage, "\(file) is already there; --force replaces it")
        }
        let (document, _) = try load(instance.runDirectory.configuration)
        // For the owner alone: sources may hold passwords.
        try File.replace(file, with: Array(document.text.utf8).span, mode: 0o600)
        return .success
    }

    private static let reload = Command(
        "reload",
        "Lets the running instance read its configuration again; what did not change is not touched.",
        options: [.runDirectory]
    ) { arguments in
        let answer = try Instance.request("supervisor", "config-reload", [], arguments.runDirectory)
        let changed = answer["changed"]?.elements.compactMap(\.string) ?? []
        try Terminal.write(
            changed.isEmpty
                ? "nothing changed in the configuration; users and certificates were read again\n"
                : "changed: \(changed.joined(separator: " "))\n"
        )
        return .success
    }

    private static let reference = Command(
        "reference",
        "Writes a configuration file with every key, its default and its meaning.",
        options: [Option("--markdown", nil, "Writes the reference page instead.")]
    ) { arguments in
        try Terminal.write(arguments.has("--markdown") ? ConfigReference.page : ConfigReference.file)
        return .success
    }

    /// The file that the command line names, or the one that the running instance was started with.
    private static func path(_ arguments: ParsedArguments) throws(Failure) -> String {
        if let path = arguments.value("--config") { return path }
        let instance: Instance
        do throws(Failure) {
            instance = try Instance(arguments.runDirectory)
        } catch {
            throw Failure(.usage, "no configuration file is named and nothing runs; name one with --config FILE")
        }
        guard let path = instance.status["config"]?.string else {
            throw Failure(
                .usage,
                "the running instance was started without a file; apus config save FILE writes one, --config FILE names one"
            )
        }
        return path
    }

    private static func keyPath(_ text: String) throws(Failure) -> ConfigKeyPath {
        do throws(ConfigKeyError) {
            return try ConfigKeyPath(text)
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    private static func load(_ path: String) throws(Failure) -> (ConfigDocument, [ConfigIssue]) {
        do throws(ConfigError) {
            return try ConfigDocument.load(path)
        } catch {
            throw Failure(.usage, error.description)
        }
    }
}
