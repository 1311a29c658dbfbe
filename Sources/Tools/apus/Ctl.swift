// SPDX-License-Identifier: Apache-2.0
// `apus ctl`: any verb of any daemon, with help out of the daemon's own table.

import Bytes
import Config
import Control
import Daemon
import System

/// Tells a daemon what to do.
enum Ctl {
    static let command = Command(
        "ctl",
        "Tells a daemon what to do.",
        usage: "[OPTION]… DAEMON[.CAMERA] [VERB [KEY=VALUE]…]",
        options: [.json, .runDirectory],
        operands: 0...64,
        details: """
            DAEMON is rtsp, http, video.CAMERA or supervisor. Without a VERB, the daemon's verbs are listed.
            With [rtsp] workers, the others are rtsp-2 and so on; apus ctl rtsp clients shows the clients of all.
            A list is written a,b. The verb subscribe prints events until Ctrl-C.

              apus ctl rtsp status
              apus ctl video.cam set-bitrate stream=main value=3000000
            """
    ) { arguments in
        let runDirectory = arguments.runDirectory
        guard let name = arguments.operands.first else {
            let instance = try Instance(runDirectory)
            try Terminal.write((instance.daemons.map(\.name) + ["supervisor"]).joined(separator: "\n") + "\n")
            return .success
        }
        let child = try child(name, runDirectory)
        let client = try Instance.client(child, runDirectory)
        let help = try request(client, child, "help", [])
        guard arguments.operands.count > 1 else {
            try Terminal.write(arguments.has("--json") ? help.prettyText + "\n" : helpText(child, help))
            return .success
        }
        let verb = arguments.operands[1]
        let verbs = help["verbs"]?.elements ?? []
        guard let types = verbs.first(where: { $0["name"]?.string == verb })?["arguments"]?.elements else {
            let hint = Suggestion.phrase(for: verb, among: verbs.compactMap { $0["name"]?.string })
            throw Failure(.usage, "\(child) has no verb \"\(verb)\"\(hint); apus ctl \(child) lists those there are")
        }
        let members = try arguments.operands.dropFirst(2).map { try member($0, types) }
        var answer = try verb == "clients" ? clients(client, child, members) : request(client, child, verb, members)
        if verb == "clients" {
            // Clients are served by any of the workers: who asks for them means all.
            for worker in workers(child, runDirectory) {
                guard let client = try? Instance.client(worker, runDirectory),
                    let other = try? clients(client, worker, members)
                else { continue }
                answer = merged(answer, other)
            }
        }
        if verb == "subscribe" { return try printEvents(client, child) }
        let isJSON = arguments.has("--json")
        try Terminal.write(isJSON ? answer.prettyText + "\n" : Status.text("", answer))
        return .success
    }

    /// The control socket's name behind what the user wrote: `apus-rtsp`, `video` with one camera.
    private static func child(_ name: String, _ runDirectory: RunDirectory) throws(Failure) -> String {
        let short = name.hasPrefix("apus-") ? String(name.dropFirst(5)) : name
        if File.exists(runDirectory.control(short)) { return short }
        let sockets = ((try? File.list(runDirectory.controls)) ?? []).filter { $0.hasSuffix(".sock") }
        let supervisor = File.exists(runDirectory.control("supervisor")) ? ["supervisor"] : []
        let names = sockets.map { String($0.dropLast(5)) } + supervisor
        let matches = names.filter { $0.hasPrefix(short + ".") }
        if matches.count == 1 { return matches[0] }
        guard !names.isEmpty else {
            throw Failure(.notRunning, "nothing runs in \(runDirectory.path); apus up starts it")
        }
        throw Failure(.usage, "there is no daemon \"\(name)\", only \(names.joined(separator: ", "))")
    }

    /// The other workers of a daemon: `rtsp-2` of `rtsp`.
    private static func workers(_ child: String, _ runDirectory: RunDirectory) -> [String] {
        // A camera's name may end in a number, too.
        guard !child.contains(".") else { return [] }
        let sockets = (try? File.list(runDirectory.controls)) ?? []
        let numbers = sockets.filter { $0.hasPrefix(child + "-") && $0.hasSuffix(".sock") }
            .compactMap { Int($0.dropFirst(child.count + 1).dropLast(5)) }
        return numbers.sorted().map { "\(child)-\($0)" }
    }

    /// An answer with the lists of another one behind its own.
    private static func merged(_ answer: JSON, _ other: JSON) -> JSON {
        .object(
            answer.members.map { member in
                guard case .array(let elements) = member.value, let more = other[member.name]?.elements else {
                    return member
                }
                return JSON.Member(member.name, .array(elements + more))
            }
        )
    }

    /// All clients, page by page, as an answer may not be of any length; one page if the user asks for a length.
    private static func clients(
        _ client: ControlClient,
        _ child: String,
        _ members: [JSON.Member]
    ) throws(Failure) -> JSON {
        guard !members.contains(where: { $0.name == "limit" }) else {
            return try request(client, child, "clients", members)
        }
        let rest = members.filter { $0.name != "after" }
        var after = members.first { $0.name == "after" }?.value ?? 0
        var clients: [JSON] = []
        while true {
            let page = [JSON.Member("after", after), JSON.Member("limit", JSON(clientsInPage))]
            let answer = try request(client, child, "clients", rest + page)
            clients += answer["clients"]?.elements ?? []
            guard let next = answer["next"], next != .null else { break }
            after = next
        }
        return ["clients": .array(clients), "next": nil]
    }

    /// Far below what an answer may have.
    private static let clientsInPage = 200

    private static func request(
        _ client: ControlClient,
        _ child: String,
        _ verb: String,
        _ members: [JSON.Member]
    ) throws(Failure) -> JSON {
        do throws(ControlClientError) {
            return try client.request(verb, members)
        } catch {
            throw Failure(error, child)
        }
    }

    /// `value=3` as the type wants it that the verb's table names; the daemon judges what does not fit.
    private static func member(_ text: String, _ types: [JSON]) throws(Failure) -> JSON.Member {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw Failure(.usage, "expected KEY=VALUE, got \"\(text)\"")
        }
        let name = String(text[..<equals])
        let value = String(text[text.index(after: equals)...])
        let json: JSON =
            switch types.first(where: { $0["name"]?.string == name })?["type"]?.string {
            case "integer": Int(value).map { .integer($0) } ?? .string(value)
            case "number": Double(value).map { JSON($0) } ?? .string(value)
            case "boolean": booleans[value].map { .boolean($0) } ?? .string(value)
            case "choices", "texts": .array(value.split(separator: ",").map { .string(String($0)) })
            case "value":
                // A text may look like a number that is written otherwise: 007, 1e3, 0x10.
                [Int(value).map { .integer($0) }, Double(value).map { JSON($0) }, booleans[value].map { .boolean($0) }]
                    .compactMap(\.self).first { $0.text == value } ?? .string(value)
            default: .string(value)
            }
        return JSON.Member(name, json)
    }

    private static let booleans = ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false]

    private static func printEvents(_ client: ControlClient, _ child: String) throws -> ExitCode {
        while true {
            do throws(ControlClientError) {
                let event = try client.next(until: Clock.monotonic() + .seconds(3600))
                try? Terminal.write(event.text + "\n")
            } catch {
                if case .timedOut = error { continue }
                throw Failure(error, child)
            }
        }
    }

    private static func helpText(_ child: String, _ help: JSON) -> String {
        var text = "Verbs of \(child):\n\n"
        for verb in help["verbs"]?.elements ?? [] {
            let arguments = verb["arguments"]?.elements ?? []
            let usage = arguments.map { argument in
                let word = "\(argument["name"]?.string ?? "")=…"
                return argument["optional"]?.boolean == true ? "[\(word)]" : word
            }
            text += "  \(([verb["name"]?.string ?? ""] + usage).joined(separator: " "))\n"
            text += "      \(verb["doc"]?.string ?? "")\n"
            for argument in arguments {
                text += "      \(argument["name"]?.string ?? ""): \(argument["value"]?.string ?? "")."
                text += " \(argument["doc"]?.string ?? "")\n"
            }
        }
        let events = help["events"]?.elements ?? []
        if !events.isEmpty { text += "\nEvents:\n\n" }
        for event in events { text += "  \(event["name"]?.string ?? "")  \(event["doc"]?.string ?? "")\n" }
        return text
    }
}
