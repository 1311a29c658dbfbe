// SPDX-License-Identifier: Apache-2.0
// The commented configuration file and the reference page, both written from the schema.

/// Writes the schema down for people.
package enum ConfigReference {
    /// The camera that stands for all in `config/apus.conf`.
    private static let exampleCamera = "cam"

    /// `config/apus.conf`: every key with its default, as a comment to be opened.
    package static var file: String {
        var text = """
            # Apus configuration: every key with its default.
            #
            # This file is written by `apus config reference`. A key holds when the "#" in front of it is taken away.
            # Check a file with `apus config check FILE`, start with it by `apus up --config FILE`.

            """
        for section in ConfigSchema.sections {
            text += "\n"
            text += comment(section.documentation)
            text += "[\(section.pattern.section(camera: exampleCamera))]\n"
            for key in ConfigSchema.keys where key.section == section.pattern {
                text += "\n"
                text += comment("\(key.documentation) Value: \(key.type.expectation).")
                text += "#\(key.name) = \(key.standard)\n"
            }
        }
        return text
    }

    /// `docs/reference/config.md`.
    package static var page: String {
        var text = """
            # Configuration

            One INI-style file; [config/apus.conf](../../config/apus.conf) has every key with its default. This page is \
            written by `apus config reference --markdown` from the same table that the file is checked against.

            - `[section]` opens a section, `key = value` sets a key, `#` or `;` opens a comment line; behind a value, a \
            space and `#` do. A value in double quotes may hold anything.
            - Unknown sections and keys, bad values and conflicts are errors that name file, line and the nearest \
            valid name.
            - *live* keys hold after `apus config reload` at once; others restart the daemon that reads them, and no \
            other.

            """
        for section in ConfigSchema.sections {
            text += "\n## [\(section.pattern.text)]\n\n\(section.documentation)\n\n"
            text += "| key | default | value | changed | meaning |\n|---|---|---|---|---|\n"
            for key in ConfigSchema.keys where key.section == section.pattern {
                let effect = key.effect == .live ? "live" : "restart"
                text += "| `\(key.name)` | `\(key.standard)` | \(key.type.expectation) | \(effect) | "
                text += "\(key.documentation) |\n"
            }
        }
        return text
    }

    /// Wraps text into comment lines of at most 100 columns.
    private static func comment(_ text: String) -> String {
        var lines = ""
        var line = "#"
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > 100 {
                lines += line + "\n"
                line = "#"
            }
            line += " " + word
        }
        return lines + line + "\n"
    }
}
