// SPDX-License-Identifier: Apache-2.0
// The verbs that all servers have for their clients: listing them page by page, and ending a connection.

/// The clients of a server, as `clients` tells of them.
package enum ClientList {
    /// Longer pages are not given.
    package static let maximumPage = 1000

    /// The verb `clients`: `ids` gives the numbers of all, `describe` tells of one.
    package static func listVerb(
        _ documentation: String,
        ids: @escaping () -> [Int],
        describe: @escaping (Int) -> JSON?
    ) -> Verb {
        let arguments = [
            Argument("after", .integer(0...(.max)), optional: true, "Only those with a higher number."),
            Argument(
                "limit",
                .integer(1...maximumPage),
                optional: true,
                "So many at most; next is then what after has to be for more."
            ),
            Argument("camera", .text, optional: true, "Only those that have to do with this camera."),
            Argument("transport", .text, optional: true, "Only those of this transport."),
        ]
        return Verb("clients", documentation, arguments) { arguments in
            let after = arguments.integer("after") ?? 0
            let limit = arguments.integer("limit") ?? .max
            var clients: [JSON] = []
            var next = JSON.null
            for id in ids().sorted() where id > after {
                guard let client = describe(id), fits(client, arguments) else { continue }
                if clients.count == limit {
                    next = clients.last?["id"] ?? .null
                    break
                }
                clients.append(client)
            }
            return ["clients": .array(clients), "next": next]
        }
    }

    /// The verb `kick`: `close` ends the client of a number; false if there is none.
    package static func kickVerb(_ close: @escaping (Int) -> Bool) -> Verb {
        Verb(
            "kick",
            "Ends a client's connection.",
            [Argument("client", .integer(1...(.max)), "Its number, as clients tells it.")]
        ) { arguments throws(ControlError) in
            let id = arguments.integer("client") ?? 0
            guard close(id) else { throw ControlError(.outOfRange, key: "client", "there is no client \(id)") }
            return ["client": JSON(id)]
        }
    }

    /// The camera that a client has to do with, whatever it does there.
    package static func camera(of client: JSON) -> String? {
        client["camera"]?.string ?? client["publishes"]?.string ?? client["speaks_to"]?.string
            ?? client["stream"]?.string.map { String($0.prefix { $0 != "/" }) }
    }

    /// How frames travel to or from a client; nil if none do.
    package static func transport(of client: JSON) -> String? { client["transport"]?.string }

    private static func fits(_ client: JSON, _ arguments: Arguments) -> Bool {
        if let camera = arguments.text("camera"), self.camera(of: client) != camera { return false }
        if let transport = arguments.text("transport"), self.transport(of: client) != transport { return false }
        return true
    }
}
