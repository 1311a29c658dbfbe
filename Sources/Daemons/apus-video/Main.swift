// SPDX-License-Identifier: Apache-2.0
// apus-video: takes one camera's frames and publishes its streams.

import Daemon

@main
struct Main {
    static func main() {
        DaemonMain.run(
            "apus-video",
            "Takes a camera's frames and publishes its streams.",
            scope: .oneCamera,
            needs: .capture
        ) { context in
            try VideoService(context)
        }
    }
}
