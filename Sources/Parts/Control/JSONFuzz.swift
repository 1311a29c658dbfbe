// SPDX-License-Identifier: Apache-2.0
// What must hold for any bytes that are taken for JSON or for a request; the fuzzer and the tests ask for it.

/// Rules for all bytes.
package enum JSONFuzz {
    /// Reads `bytes` as a value and as a request; traps where a rule is broken.
    package static func check(_ bytes: Span<UInt8>) {
        if let value = try? JSON(parsing: bytes) {
            let again = try? JSON(parsing: value.text)
            precondition(again == value, "a value is not read back as it was written")
            precondition(!value.text.utf8.contains(UInt8(ascii: "\n")), "a value takes more than one line")
            precondition((try? JSON(parsing: value.prettyText)) == value, "a value for people is another one")
        }
        var subscriptions: Set<String> = []
        let reply = commands.answer(bytes, subscriptions: &subscriptions)
        precondition((reply["ok"] == nil) != (reply["error"] == nil), "a reply is neither ok nor error")
        precondition(subscriptions.isSubset(of: ["motion"]), "a subscription to an unknown event")
    }

    /// A table with an argument of each type.
    private static var commands: CommandTable {
        var commands = CommandTable()
        commands.add(EventKind("motion", "Something moved."))
        commands.add(
            Verb(
                "set",
                "Sets.",
                [
                    Argument("text", .text, optional: true, "A text."),
                    Argument("flag", .boolean, optional: true, "A flag."),
                    Argument("value", .integer(1...100), optional: true, "A number."),
                    Argument("rate", .number(0...1), optional: true, "A rate."),
                    Argument("mode", .choice(["a", "b"]), optional: true, "A mode."),
                ]
            ) { arguments in
                precondition(arguments.integer("value").map { (1...100).contains($0) } ?? true, "out of range")
                return [:]
            }
        )
        return commands
    }
}
