// SPDX-License-Identifier: Apache-2.0
// From a line to its reply: what is carried out, and the typed error for everything else.

import Control
import Testing

@Suite("Command table")
struct CommandTableTests {
    /// A table with a verb for bit rates and one event.
    private func commands() -> CommandTable {
        var commands = CommandTable()
        commands.add(EventKind("motion", "Something moved."))
        commands.add(
            Verb(
                "set-bitrate",
                "Sets the bit rate.",
                [
                    Argument("stream", .choice(["main", "sub"]), "The stream."),
                    Argument("value", .integer(1000...9000), "Bits per second."),
                    Argument("force", .boolean, optional: true, "Also now."),
                    Argument("factor", .number(0...1), optional: true, "A factor."),
                    Argument("note", .text, optional: true, "A note."),
                ]
            ) { arguments throws(ControlError) in
                if arguments.text("note") == "fail" { throw ControlError(.unavailable, "no encoder runs") }
                return [
                    "value": JSON(arguments.integer("value") ?? 0),
                    "factor": arguments.number("factor").map { JSON($0) } ?? nil,
                ]
            }
        )
        return commands
    }

    private func answer(_ line: String) -> JSON {
        var subscriptions: Set<String> = []
        return commands().answer(Array(line.utf8).span, subscriptions: &subscriptions)
    }

    @Test("a request is carried out, and its reply has its id")
    func request() {
        #expect(
            answer(#"{"id":7,"do":"set-bitrate","stream":"main","value":3000,"factor":1}"#)
                == ["id": 7, "ok": ["value": 3000, "factor": 1.0]]
        )
        #expect(answer(#"{"do":"set-bitrate","stream":"sub","value":1000}"#) == ["ok": ["value": 1000, "factor": nil]])
        #expect(answer(#"{"id":{"a":["b"]},"do":"help"}"#)["id"] == ["a": ["b"]])
    }

    @Test(
        "what cannot be carried out is a typed error that names the key",
        arguments: [
            ("", "bad-request", nil), ("nonsense", "bad-request", nil), ("[]", "bad-request", nil),
            (#"{"id":1}"#, "bad-request", "do"), (#"{"do":3}"#, "bad-request", "do"),
            (#"{"do":"set-bitrat"}"#, "unknown-verb", "do"),
            (#"{"do":"set-bitrate","stream":"main"}"#, "missing-key", "value"),
            (#"{"do":"set-bitrate","stream":"main","value":"3000"}"#, "wrong-type", "value"),
            (#"{"do":"set-bitrate","stream":"main","value":3000.5}"#, "wrong-type", "value"),
            (#"{"do":"set-bitrate","stream":"main","value":null}"#, "wrong-type", "value"),
            (#"{"do":"set-bitrate","stream":"main","value":999}"#, "out-of-range", "value"),
            (#"{"do":"set-bitrate","stream":"main","value":9001}"#, "out-of-range", "value"),
            (#"{"do":"set-bitrate","stream":"luma","value":3000}"#, "out-of-range", "stream"),
            (#"{"do":"set-bitrate","stream":["main"],"value":3000}"#, "wrong-type", "stream"),
            (#"{"do":"set-bitrate","stream":"main","value":3000,"force":1}"#, "wrong-type", "force"),
            (#"{"do":"set-bitrate","stream":"main","value":3000,"factor":1.1}"#, "out-of-range", "factor"),
            (#"{"do":"set-bitrate","stream":"main","value":3000,"speed":1}"#, "unknown-key", "speed"),
            (#"{"do":"set-bitrate","stream":"main","value":3000,"note":"fail"}"#, "unavailable", nil),
            (#"{"do":"subscribe"}"#, "missing-key", "events"),
            (#"{"do":"subscribe","events":"motion"}"#, "wrong-type", "events"),
            (#"{"do":"subscribe","events":["noise"]}"#, "out-of-range", "events"),
            (#"{"do":"help","a":1}"#, "unknown-key", "a"),
        ] as [(String, String, String?)]
    )
    func errors(line: String, code: String, key: String?) {
        let error = answer(line)["error"]

        #expect(error?["code"]?.string == code)
        #expect(error?["key"]?.string == key)
        #expect(error?["message"]?.string?.isEmpty == false)
    }

    @Test("an error has the request's id, if the line had one")
    func errorID() {
        #expect(answer(#"{"id":"x","do":"none"}"#)["id"] == "x")
        #expect(answer("{")["id"] == nil)
    }

    @Test("subscribing replaces what was subscribed to")
    func subscribe() {
        let commands = commands()
        var subscriptions: Set<String> = ["old"]

        _ = commands.answer(Array(#"{"do":"subscribe","events":["motion"]}"#.utf8).span, subscriptions: &subscriptions)
        #expect(subscriptions == ["motion"])
        _ = commands.answer(Array(#"{"do":"subscribe","events":[]}"#.utf8).span, subscriptions: &subscriptions)

        #expect(subscriptions == [])
    }

    @Test("help tells every verb, argument and event")
    func help() {
        let help = answer(#"{"do":"help"}"#)["ok"]

        #expect(help?["verbs"]?.elements.map { $0["name"] } == ["set-bitrate", "help", "subscribe"])
        let value = help?["verbs"]?.elements[0]["arguments"]?.elements[1]
        #expect(value?["type"] == "integer")
        #expect(value?["value"] == "a whole number from 1000 to 9000")
        #expect(value?["optional"] == false)
        #expect(help?["events"]?.elements.map { $0["name"] } == ["motion"])
    }
}
