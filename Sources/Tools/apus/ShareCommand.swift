// SPDX-License-Identifier: Apache-2.0
// `apus share`: links with which somebody without a password watches one camera.

import Access
import Config
import Control
import Daemon
import System

/// Asks the HTTP server of a running instance.
enum ShareCommand {
    static let command = Command(
        "share",
        "Makes, lists and revokes links that show one camera to people without a password.",
        details: "The HTTP server has to run: it keeps the links.",
        [add, list, revoke]
    )

    private static let add = Command(
        "add",
        "Makes a link, and shows it this once.",
        usage: "[OPTION]… CAMERA",
        options: [
            Option("--expires", "TIME", "How long it is good: 12h, 30d, never; 7 days if none is given."),
            Option("--viewers", "N", "At most so many watch at the same time; 5 if none is given."),
            Option("--label", "TEXT", "What it is for."),
            Option("--url", "URL", "What the link begins with; else the address the server listens on."), .json,
            .runDirectory,
        ],
        operands: 1...1
    ) { arguments in
        var members = [JSON.Member("camera", .string(arguments.operands[0]))]
        if arguments.has("--expires") {
            members.append(JSON.Member("lifetime", JSON(try Lifetime.seconds(arguments, "--expires") ?? 0)))
        }
        if let viewers = try arguments.integer("--viewers", 1...Share.maximumViewers) {
            members.append(JSON.Member("viewers", JSON(viewers)))
        }
        if let label = arguments.value("--label") { members.append(JSON.Member("label", .string(label))) }
        let answer = try Instance.request("http", "share-add", members, arguments.runDirectory)
        if arguments.has("--json") {
            try Terminal.write(answer.prettyText + "\n")
        } else {
            try Terminal.write(try base(arguments) + (answer["path"]?.string ?? "") + "\n")
        }
        return .success
    }

    private static let list = Command(
        "list",
        "Lists the links.",
        options: [.json, .runDirectory]
    ) { arguments in
        let answer = try Instance.request("http", "shares", [], arguments.runDirectory)
        let shares = answer["shares"]?.elements ?? []
        let utc = Clock.realtimeNanoseconds() / 1_000_000_000
        if arguments.has("--json") {
            try Terminal.write(answer.prettyText + "\n")
        } else if shares.isEmpty {
            try Terminal.write("no share links; apus share add CAMERA makes one\n")
        } else {
            let rows = shares.map { share in
                [
                    share["id"]?.string ?? "", share["camera"]?.string ?? "",
                    Lifetime.text(share["expires"]?.integer.map(Int64.init), utc),
                    "\(share["watching"]?.integer ?? 0)/\(share["viewers"]?.integer ?? 0)",
                    share["by"]?.string ?? "", share["label"]?.string ?? "",
                ]
            }
            try Terminal.write(Table([["ID", "CAMERA", "LASTS", "WATCHING", "BY", "LABEL"]] + rows).text)
        }
        return .success
    }

    private static let revoke = Command(
        "revoke",
        "Revokes a link; who watches with it is sent away.",
        usage: "[OPTION]… ID",
        options: [.runDirectory],
        operands: 1...1
    ) { arguments in
        let link = JSON.Member("link", .string(arguments.operands[0]))
        _ = try Instance.request("http", "share-revoke", [link], arguments.runDirectory)
        return .success
    }

    /// Scheme and authority of links.
    private static func base(_ arguments: ParsedArguments) throws(Failure) -> String {
        if let url = arguments.value("--url") { return url.hasSuffix("/") ? String(url.dropLast()) : url }
        let status = try Instance.request("http", "status", [], arguments.runDirectory)
        return AddressTable.httpURL(status["listening"]?.elements ?? []) ?? ""
    }
}
