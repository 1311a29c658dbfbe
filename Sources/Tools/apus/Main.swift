// SPDX-License-Identifier: Apache-2.0
// Where `apus` starts: its commands, and how their ends become exit codes.

import API
import Control
import Daemon
import Metrics
import System

@main
struct Main {
    static func main() {
        Process.ignore(.pipe)
        do {
            let code = try root.perform("apus", Array(CommandLine.arguments.dropFirst()))
            Process.exit(code.rawValue)
        } catch let failure as Failure {
            Terminal.complain("apus", failure.description)
            Process.exit(failure.code.rawValue)
        } catch let error as SystemError where error.isPeerGone {
            // Whoever read the output has seen enough.
            Process.exit(ExitCode.success.rawValue)
        } catch {
            Terminal.complain("apus", "\(error)")
            Process.exit(ExitCode.failure.rawValue)
        }
    }

    static let root: Command = Command(
        "apus",
        "Apus streams cameras: frames in, RTSP and HTTP out.",
        options: [.version],
        details: """
            apus COMMAND --help tells more. apus up alone starts with the first camera found, or the test pattern.
            """,
        [
            Up.command, Status.command, Figures.memoryCommand, Figures.cpuCommand, Ctl.command, ConfigCommand.command,
            UserCommand.command, ShareCommand.command, RingCommand.command, DevicesCommand.command, Latency.command,
            exitCodes, reference,
            version,
        ]
    )

    private static let exitCodes = Command("exit-codes", "Lists the exit codes of all programs.") { _ in
        try Terminal.write(Table(ExitCode.allCases.map { ["\($0.rawValue)", $0.meaning] }).text)
        return .success
    }

    private static let reference: Command = Command(
        "reference",
        "Writes the reference page of all commands.",
        options: [
            Option("--metrics", nil, "Writes the page of all metrics instead."),
            Option("--openapi", nil, "Writes the HTTP API as an OpenAPI 3.1 document instead."),
        ]
    ) { arguments in
        if arguments.has("--openapi") {
            try Terminal.write(OpenAPI.document(version: apusVersion).prettyText + "\n")
        } else {
            try Terminal.write(arguments.has("--metrics") ? MetricsReference.page : root.referencePage)
        }
        return .success
    }

    private static let version = Command("version", "Shows the version.") { _ in
        try Terminal.write("apus \(apusVersion)\n")
        return .success
    }
}
