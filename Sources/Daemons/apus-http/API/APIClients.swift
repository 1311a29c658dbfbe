// SPDX-License-Identifier: Apache-2.0
// The API's clients: the connections of all servers, page by page, and ending one.

import API
import Access
import Control
import Daemon
import HTTP

extension Server {
    /// The addresses of clients.
    func clientEndpoints() -> [Endpoint] {
        [
            Endpoint("listClients") { [unowned self] exchange in
                exchange.attempt { () throws(APIError) in
                    let page = try ClientPage(exchange, serverNames)
                    exchange.wait(Asking())
                    fill(page, exchange)
                }
            },
            Endpoint("kickClient") { [unowned self] in kick($0) },
        ]
    }

    /// The daemons that have clients.
    private var serverNames: [String] { neighbours.names.filter { $0.hasPrefix("rtsp") } + [context.shortName] }

    /// Asks one server after the other until the page is full.
    private func fill(_ page: ClientPage, _ exchange: Exchange) {
        var page = page
        guard let name = page.servers.first, page.clients.count < page.limit else { return exchange.answer(page.json) }
        neighbours.ask(name, "clients", page.arguments) { [unowned self] answer in
            // A server that does not answer now has no clients to show.
            page.take(try? answer.get(), from: name) { ClientPage.may(exchange, $0) }
            fill(page, exchange)
        }
    }

    private func kick(_ exchange: Exchange) {
        let name = exchange.parameters["daemon"] ?? ""
        let text = exchange.parameters["id"] ?? ""
        guard serverNames.contains(name) else {
            return exchange.refuse(APIError(.notFound, "not-found", "no daemon \(name) has clients"))
        }
        guard let id = Int(text), id > 0, "\(id)" == text else {
            return exchange.refuse(APIError(.notFound, "not-found", key: "id", "\(text) is no client's number"))
        }
        guard !(name == context.shortName && id == exchange.client.id) else {
            return exchange.refuse(APIError(.conflict, "out-of-range", key: "id", "that is this very connection"))
        }
        exchange.wait(Asking())
        let only = [JSON.Member("after", JSON(id - 1)), JSON.Member("limit", 1)]
        neighbours.ask(name, "clients", only) { [unowned self] answer in
            switch answer {
            case .success(let list):
                guard let client = list["clients"]?.elements.first, client["id"]?.integer == id else {
                    return exchange.refuse(APIError(.notFound, "not-found", key: "id", "there is no client \(id)"))
                }
                guard ClientPage.may(exchange, client) else {
                    return exchange.refuse(.forbidden, "\(exchange.grant?.name ?? "-") may not end this client")
                }
                kick(exchange, name, id)
            case .failure(let error): exchange.refuse(APIError(error, name))
            }
        }
    }

    private func kick(_ exchange: Exchange, _ name: String, _ id: Int) {
        neighbours.ask(name, "kick", [JSON.Member("client", JSON(id))]) { [unowned self] answer in
            switch answer {
            case .success:
                audit("kicked", exchange, "\(name)/\(id)")
                exchange.respond(Response(.noContent))
            case .failure(.refused(let error)) where error.code == .outOfRange:
                exchange.refuse(APIError(.notFound, "not-found", key: "id", error.message))
            case .failure(let error): exchange.refuse(APIError(error, name))
            }
        }
    }
}

/// A page of the clients of all servers: server by server, in each by number.
private struct ClientPage {
    let limit: Int
    /// The servers that are left to ask.
    private(set) var servers: [String]
    private(set) var clients: [JSON] = []
    private var after = 0
    private var next: String?
    private let filters: [JSON.Member]

    init(_ exchange: Exchange, _ all: [String]) throws(APIError) {
        limit = try exchange.pageLimit()
        filters = ["camera", "transport"]
            .compactMap { name in exchange.query(name).map { JSON.Member(name, .string($0)) } }
        servers = all
        guard let cursor = exchange.query("after") else { return }
        let parts = cursor.split(separator: ":")
        guard parts.count == 2, let index = all.firstIndex(of: String(parts[0])), let number = Int(parts[1]),
            number >= 0
        else {
            throw APIError(.unprocessable, "out-of-range", key: "after", "after must be what a page had as next")
        }
        servers = Array(all[index...])
        after = number
    }

    var arguments: [JSON.Member] {
        [JSON.Member("after", JSON(after)), JSON.Member("limit", JSON(limit - clients.count))] + filters
    }

    /// True if who asks may see and end the client: for what belongs to no camera he has to be of all.
    static func may(_ exchange: Exchange, _ client: JSON) -> Bool {
        // One connection of HTTP/2 may have to do with several cameras.
        let cameras = client.members.filter { $0.name == "camera" }.compactMap { $0.value.string }
        guard cameras.count > 1 else { return exchange.may(.control, ClientList.camera(of: client)) }
        return cameras.allSatisfy { exchange.may(.control, $0) }
    }

    /// Takes a server's part, as far as it is visible; without more of it, the next one is due.
    mutating func take(_ answer: JSON?, from name: String, _ isVisible: (JSON) -> Bool) {
        clients += (answer?["clients"]?.elements ?? []).filter(isVisible).map { Self.describe($0, name) }
        if let more = answer?["next"]?.integer {
            next = "\(name):\(more)"
            after = more
            return
        }
        servers.removeFirst()
        after = 0
        next = servers.first.map { "\($0):0" }
    }

    var json: JSON {
        ["clients": .array(clients), "next": JSON(clients.count < limit ? nil : next)]
    }

    /// A client in one form, whichever server's it is.
    private static func describe(_ client: JSON, _ daemon: String) -> JSON {
        var drops = 0
        for member in client.members where member.name.hasPrefix("drops_") { drops += member.value.integer ?? 0 }
        for part in client["drops"]?.string?.split(separator: ",") ?? [] {
            drops += part.split(separator: ":").last.flatMap { Int($0) } ?? 0
        }
        let stream = client["stream"]?.string?.split(separator: "/").last.map(String.init)
        var members = [
            JSON.Member("daemon", .string(daemon)), JSON.Member("id", client["id"] ?? 0),
            JSON.Member("peer", client["peer"] ?? ""), JSON.Member("user", client["user"] ?? nil),
            JSON.Member("camera", JSON(ClientList.camera(of: client))), JSON.Member("stream", JSON(stream)),
            JSON.Member("transport", JSON(ClientList.transport(of: client))),
            JSON.Member("state", client["state"] ?? client["busy"] ?? "idle"),
        ]
        for name in ["seconds", "frames", "lag_ms", "codecs", "carrier"] {
            if let value = client[name] { members.append(JSON.Member(name, value)) }
        }
        members += [
            JSON.Member("sent", client["sent"] ?? 0), JSON.Member("pending", client["pending"] ?? 0),
            JSON.Member("drops", JSON(drops)),
        ]
        return .object(members)
    }
}
