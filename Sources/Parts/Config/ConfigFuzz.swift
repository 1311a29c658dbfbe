// SPDX-License-Identifier: Apache-2.0
// What must hold for any text that is taken for a configuration; the fuzzer and the tests ask for it.

/// Rules for every text.
package enum ConfigFuzz {
    /// Reads `text`, changes it, reads it again; traps where a rule is broken.
    package static func check(_ text: String) {
        var (document, issues) = ConfigDocument.parse(text, name: "fuzz")
        let written = document.text
        let isCut = issues.contains { $0.line > ConfigDocument.maximumLines }
        precondition(
            isCut || written.utf8.count + 1 >= text.utf8.count - text.utf8.count { $0 == 0x0D },
            "a line is lost"
        )
        precondition(ConfigDocument.parse(written, name: "fuzz").document == document, "the document reads differently")
        _ = try? Configuration(document, issues: issues)
        let value = String(
            text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(64).map(Character.init)
        )
        document.set("rtsp", "listen", to: value)
        let (again, _) = ConfigDocument.parse(document.text, name: "fuzz")
        precondition(isCut || again.value("rtsp", "listen") == value, "a value is not read back as it was set")
    }
}
