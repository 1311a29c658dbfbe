// SPDX-License-Identifier: Apache-2.0
// How programs end: exit codes, and the one line that says why.

import Bytes
package import System

/// What a program's exit code means; scripts and the supervisor decide by it.
package enum ExitCode: Int32, Sendable, CaseIterable {
    case success = 0
    /// Something failed that should not have.
    case failure = 1
    /// The command line or the configuration is wrong.
    case usage = 2
    /// An address or a port cannot be listened on.
    case cannotListen = 3
    /// A source, a device or a file cannot be used.
    case source = 4
    /// Another instance uses the run directory.
    case alreadyRunning = 5
    /// Nothing runs that could answer.
    case notRunning = 6
    /// A daemon refused a request.
    case refused = 7

    /// The meaning in a sentence, for help.
    package var meaning: String {
        switch self {
        case .success: "Done."
        case .failure: "Something failed that should not have."
        case .usage: "The command line or the configuration is wrong."
        case .cannotListen: "An address or a port cannot be listened on, most often because it is in use."
        case .source: "A source, a device or a file cannot be used."
        case .alreadyRunning: "Another instance uses the run directory."
        case .notRunning: "Nothing runs that could answer."
        case .refused: "A daemon refused the request."
        }
    }

    /// True if starting again without a change would end the same way.
    package var isPermanent: Bool {
        switch self {
        case .usage, .cannotListen, .alreadyRunning: true
        case .success, .failure, .source, .notRunning, .refused: false
        }
    }
}

/// Why a program cannot go on: one line that names the thing and the remedy.
package struct Failure: Error, Sendable, CustomStringConvertible {
    package let code: ExitCode
    /// Without the program's name in front; ConfigError's is one line a fault.
    package let description: String

    package init(_ code: ExitCode, _ description: String) {
        self.code = code
        self.description = description
    }

    /// A listener of `section`, whose port `key` sets, that could not be opened.
    package static func cannotListen(
        _ section: String,
        key: String = "port",
        _ address: SocketAddress,
        _ error: SystemError
    ) -> Failure {
        let remedy =
            if error.isAddressInUse {
                "set another \(key) in [\(section)], or 0 for a free one"
            } else if error.isPermissionDenied {
                "set a \(key) of 1024 or more in [\(section)]"
            } else {
                "set another listen address in [\(section)]"
            }
        return Failure(.cannotListen, "cannot listen on \(address): \(error.reason); \(remedy)")
    }
}

/// Writes text to the standard descriptors.
package enum Terminal {
    /// Writes a line to standard error, for people.
    package static func complain(_ program: String, _ message: String) {
        for line in message.split(separator: "\n") {
            // What cannot be told cannot be helped.
            _ = try? writeAll(2, Array("\(program): \(line.harmless)\n".utf8).span)
        }
    }

    /// Writes text to standard output at once.
    ///
    /// What devices and clients call themselves is in it: nothing of it is obeyed by a terminal, and JSON stays JSON.
    ///
    /// - Throws: if nobody reads any more.
    package static func write(_ text: String) throws(SystemError) {
        try writeAll(1, Array(text.harmlessLines.utf8).span)
    }
}
