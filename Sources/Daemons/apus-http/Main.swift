// SPDX-License-Identifier: Apache-2.0
// Where the program starts.

import Daemon

@main
struct Main {
    static func main() {
        DaemonMain.run(
            "apus-http",
            "Serves the cameras' page, snapshots and motion JPEG over HTTP.",
            needs: .web
        ) { context in
            try Server(context)
        }
    }
}
