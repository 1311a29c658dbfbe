// SPDX-License-Identifier: Apache-2.0
// Options that several commands have.

import Control
import Daemon

extension Option {
    static let runDirectory = Option(
        "--run-dir",
        "DIR",
        "The run directory; else $APUS_RUN_DIR, else /run/apus or the user's own."
    )
    static let json = Option("--json", nil, "Writes JSON for programs.")
}

extension ParsedArguments {
    /// The run directory that the command line names, or the standard one.
    var runDirectory: RunDirectory { value("--run-dir").map { RunDirectory($0) } ?? .standard() }
}
