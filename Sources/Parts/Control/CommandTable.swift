// SPDX-License-Identifier: Apache-2.0
// One daemon's verbs and events, and the way from a line to its reply.

/// A kind of event that a daemon tells subscribers of.
package struct EventKind: Sendable, Equatable {
    package let name: String
    /// One sentence.
    package let documentation: String

    package init(_ name: String, _ documentation: String) {
        self.name = name
        self.documentation = documentation
    }
}

/// Everything that one daemon can be told and can tell. `help` and `subscribe` are always in it.
package struct CommandTable {
    /// In the order in which they were added.
    package private(set) var verbs: [Verb] = []
    package private(set) var events: [EventKind] = []

    package init() {}

    /// Adds a verb; its name must be new.
    package mutating func add(_ verb: Verb) {
        precondition(!["help", "subscribe"].contains(verb.name), "\(verb.name) is built in")
        precondition(!verbs.contains { $0.name == verb.name }, "the verb \(verb.name) stands twice")
        verbs.append(verb)
    }

    /// Adds a kind of event; its name must be new.
    package mutating func add(_ event: EventKind) {
        precondition(!events.contains { $0.name == event.name }, "the event \(event.name) stands twice")
        events.append(event)
    }

    /// Answers one line; `subscriptions` are those of the peer that sent it.
    package func answer(_ line: Span<UInt8>, subscriptions: inout Set<String>) -> JSON {
        var id: JSON?
        do throws(ControlError) {
            let request: JSON
            do throws(JSONError) {
                request = try JSON(parsing: line)
            } catch {
                throw ControlError(.badRequest, "the line is not JSON: \(error)")
            }
            guard case .object(let members) = request else {
                throw ControlError(.badRequest, "a request must be an object, not \(request.kind)")
            }
            id = request["id"]
            guard let name = request["do"]?.string else {
                throw ControlError(.badRequest, key: "do", "a request needs \"do\": the name of a verb")
            }
            let arguments = members.filter { $0.name != "id" && $0.name != "do" }
            return CommandTable.reply(id, "ok", try perform(name, arguments, &subscriptions))
        } catch {
            return CommandTable.reply(id, "error", error.json)
        }
    }

    /// All verbs and events as `help` tells them.
    package var json: JSON {
        [
            "verbs": .array((verbs + builtInVerbs { _ in }).map(\.json)),
            "events": .array(events.map { ["name": .string($0.name), "doc": .string($0.documentation)] }),
        ]
    }

    private func perform(
        _ name: String,
        _ arguments: [JSON.Member],
        _ subscriptions: inout Set<String>
    ) throws(ControlError) -> JSON {
        if let verb = verbs.first(where: { $0.name == name }) { return try verb.perform(arguments) }
        var chosen = subscriptions
        defer { subscriptions = chosen }
        let builtIn = builtInVerbs { chosen = $0 }
        guard let verb = builtIn.first(where: { $0.name == name }) else {
            throw ControlError(
                .unknownVerb,
                key: "do",
                "there is no verb \"\(name)\"; {\"do\":\"help\"} lists those there are"
            )
        }
        return try verb.perform(arguments)
    }

    private func builtInVerbs(_ subscribe: @escaping (Set<String>) -> Void) -> [Verb] {
        let help = Verb("help", "Lists all verbs and events.") { _ in json }
        guard !events.isEmpty else { return [help] }
        let subscribe = Verb(
            "subscribe",
            "Sends events on this connection, as {\"event\":NAME, …}.",
            [Argument("events", .choices(events.map(\.name)), "The kinds of event to send from now on.")]
        ) { arguments in
            let chosen = arguments.texts("events") ?? []
            subscribe(Set(chosen))
            return ["events": .array(chosen.map(JSON.string))]
        }
        return [help, subscribe]
    }

    private static func reply(_ id: JSON?, _ name: String, _ value: JSON) -> JSON {
        var members: [JSON.Member] = []
        if let id { members.append(JSON.Member("id", id)) }
        members.append(JSON.Member(name, value))
        return .object(members)
    }
}
