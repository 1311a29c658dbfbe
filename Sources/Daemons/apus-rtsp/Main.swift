// SPDX-License-Identifier: Apache-2.0
// Where the program starts.

import Daemon

@main
struct Main {
    static func main() {
        DaemonMain.run("apus-rtsp", "Serves the cameras' streams over RTSP.", scope: .workers) { context in
            try Server(context)
        }
    }
}
