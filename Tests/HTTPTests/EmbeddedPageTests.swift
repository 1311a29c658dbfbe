// SPDX-License-Identifier: Apache-2.0
// The page inside of apus-http is the page in its web folder.

import Foundation
import Testing

@Suite("Embedded page")
struct EmbeddedPageTests {
    @Test(
        "each file of the page is embedded as it is (run Sources/Daemons/apus-http/web/embed)",
        arguments: ["index.html", "style.css", "app.js", "favicon.svg"]
    )
    func embedded(name: String) throws {
        let daemon = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/Daemons/apus-http")
        let source = try String(contentsOf: daemon.appending(path: "web/\(name)"), encoding: .utf8)
        let embedded = try String(contentsOf: daemon.appending(path: "Embedded/\(name).swift"), encoding: .utf8)

        #expect(embedded.contains("###\"\"\"\n\(source)\"\"\"###\n"))
    }
}
