// SPDX-License-Identifier: Apache-2.0
// The configuration file and its reference page are what the schema says.

import Config
import Testing

@Suite("Configuration reference")
struct ConfigReferenceTests {
    @Test("config/apus.conf is what `apus config reference` writes")
    func file() throws {
        let committed = try Repository.text("config/apus.conf")

        #expect(committed == ConfigReference.file, "mend it: apus config reference")
    }

    @Test("docs/reference/config.md is what `apus config reference --markdown` writes")
    func page() throws {
        let committed = try Repository.text("docs/reference/config.md")

        #expect(committed == ConfigReference.page, "mend it: apus config reference --markdown")
    }
}
