// SPDX-License-Identifier: Apache-2.0
// Share links: made, listed and revoked by who may configure; opened by whoever has one.

import Access
import Bytes
import Control
import Daemon
import FanOut
import HTTP
import Log
import Loop
import System

extension Server {
    /// A link lasts this long if nothing else is asked for, in seconds.
    static let shareLifetime = 7 * 86_400
    /// So many may watch with a link if nothing else is asked for.
    static let shareViewers = 5

    /// The addresses of share links.
    func shareEndpoints() -> [Endpoint] {
        [
            Endpoint("listShares") { [unowned self] in $0.respond(.json(.ok, sharesReport())) },
            Endpoint("makeShare") { [unowned self] in makeShare($0) },
            Endpoint("revokeShare") { [unowned self] exchange in
                let id = exchange.parameters["id"] ?? ""
                do throws(ControlError) {
                    audit("share revoked", exchange, "\(try revokeShare(id).camera)/\(id)")
                    keepShares(exchange, Response(.noContent))
                } catch {
                    exchange.refuse(.notFound, error.message)
                }
            },
            Endpoint(.get, "/s/{token}", needs: nil, "The page of a share link.") { [unowned self] in openShare($0) },
        ]
    }

    /// What `apus share` asks for.
    func shareVerbs() -> [Verb] {
        [
            Verb("shares", "Lists the share links.") { [unowned self] _ in sharesReport() },
            Verb(
                "share-add",
                "Makes a share link.",
                [
                    Argument("camera", .text, "The camera to show."),
                    Argument(
                        "lifetime",
                        .integer(0...Self.longestLifetime),
                        optional: true,
                        "Seconds; 0 for ever; 7 days if left out."
                    ),
                    Argument("viewers", .integer(1...Share.maximumViewers), optional: true, "At most so many at once."),
                    Argument("label", .text, optional: true, "What it is for."),
                ]
            ) { [unowned self] (arguments) throws(ControlError) in
                let lifetime = arguments.integer("lifetime") ?? Self.shareLifetime
                let made = try addShare(
                    arguments.text("camera") ?? "",
                    lifetime: lifetime == 0 ? nil : lifetime,
                    viewers: arguments.integer("viewers") ?? Self.shareViewers,
                    label: arguments.text("label") ?? "",
                    by: "-"
                )
                keepShares()
                log.info(
                    "share made",
                    ["user": "-", "peer": "control", "what": "\(made.share.camera)/\(made.share.id)"]
                )
                return report(made.share, token: made.token)
            },
            Verb("share-revoke", "Revokes a share link.", [Argument("link", .text, "What the link is called.")]) {
                [unowned self] (arguments) throws(ControlError) in
                let id = arguments.text("link") ?? ""
                let share = try revokeShare(id)
                keepShares()
                log.info("share revoked", ["user": "-", "peer": "control", "what": "\(share.camera)/\(id)"])
                return report(share, token: nil)
            },
        ]
    }

    /// Ten years, in seconds.
    private static let longestLifetime = 3650 * 86_400

    // MARK: Making

    private func makeShare(_ exchange: Exchange) {
        let body = exchange.request.body
        guard let json = try? JSON(parsing: body.span), case .object(let members) = json else {
            return exchange.refuse(.badRequest, "the body is no JSON object")
        }
        let known = ["camera", "lifetime", "viewers", "label"]
        if let stranger = members.first(where: { !known.contains($0.name) }) {
            return exchange.refuse(
                .badRequest,
                "unknown key \(stranger.name); it takes \(known.joined(separator: ", "))"
            )
        }
        let lifetime: Int?
        switch json["lifetime"] {
        case nil: lifetime = Self.shareLifetime
        case .null?: lifetime = nil
        case .integer(let seconds)? where (1...Self.longestLifetime).contains(seconds): lifetime = seconds
        default: return exchange.refuse(.badRequest, "lifetime must be null or 1 to \(Self.longestLifetime) seconds")
        }
        guard let camera = json["camera"]?.string, let viewers = (json["viewers"] ?? JSON(Self.shareViewers)).integer,
            let label = (json["label"] ?? "").string
        else { return exchange.refuse(.badRequest, "camera and label must be texts, viewers a number") }
        do throws(ControlError) {
            let made = try addShare(
                camera,
                lifetime: lifetime,
                viewers: viewers,
                label: label,
                by: exchange.user?.name ?? "-"
            )
            audit("share made", exchange, "\(camera)/\(made.share.id)")
            keepShares(exchange, .json(.created, report(made.share, token: made.token)))
        } catch {
            exchange.refuse(.badRequest, error.message)
        }
    }

    private func addShare(
        _ camera: String,
        lifetime: Int?,
        viewers: Int,
        label: String,
        by user: String
    ) throws(ControlError) -> (share: Share, token: String) {
        guard cameraNames.contains(camera) else {
            throw ControlError(.outOfRange, key: "camera", "there is no camera \(camera)")
        }
        do throws(ShareFault) {
            return try gate.shares.add(
                camera: camera,
                lifetime: lifetime.map(Int64.init),
                viewers: viewers,
                label: label,
                by: user,
                utc: Gate.utc
            )
        } catch {
            throw ControlError(.outOfRange, error.message)
        }
    }

    private func revokeShare(_ id: String) throws(ControlError) -> Share {
        guard let share = gate.shares.revoke(id) else {
            throw ControlError(.outOfRange, key: "id", "there is no share link \(id)")
        }
        for client in clients.values { client.recheck() }
        return share
    }

    /// Writes the links apart from the loop, then answers. What cannot be written holds until the next restart.
    private func keepShares(_ exchange: Exchange? = nil, _ response: Response? = nil) {
        exchange?.wait(ShareWriting())
        gate.saveShares(context.configuration) { [unowned self, weak exchange] problem in
            if let problem {
                log.error("the share links cannot be written", ["file": gate.sharesPath, "error": problem])
                exchange?.refuse(.internalError, "cannot write \(gate.sharesPath): \(problem)")
            } else if let response {
                exchange?.respond(response)
            }
        }
    }

    // MARK: Telling

    private func sharesReport() -> JSON {
        ["shares": .array(gate.shares.shares(at: Gate.utc).map { report($0, token: nil) })]
    }

    private func report(_ share: Share, token: String?) -> JSON {
        var members = [
            JSON.Member("id", .string(share.id)), JSON.Member("camera", .string(share.camera)),
            JSON.Member("label", .string(share.label)),
            JSON.Member("expires", share.expires.map { JSON($0) } ?? .null),
            JSON.Member("viewers", JSON(share.viewers)),
            JSON.Member("watching", JSON(gate.shares.viewers(of: share.id, at: loop.now))),
            JSON.Member("by", .string(share.by)), JSON.Member("made", JSON(share.made)),
        ]
        if let token { members.append(JSON.Member("path", .string("/s/\(token)"))) }
        return .object(members)
    }

    // MARK: Opening

    private func openShare(_ exchange: Exchange) {
        let uncached = [HeaderField("Cache-Control", "no-store"), HeaderField("X-Robots-Tag", "noindex")]
        let token = exchange.parameters["token"] ?? ""
        guard let opened = gate.shares.open(token, utc: Gate.utc, at: loop.now) else {
            return exchange.refuse(.notFound, "this link is none, or none any more", uncached)
        }
        let names = exchange.gateCookies
        let left = opened.share.expires.map { Duration.seconds(max(1, $0 - Gate.utc)) }
        let age = min(left ?? ShareBook.visitPatience, ShareBook.visitPatience)
        exchange.cookies.append(SetCookie(names.share, opened.cookie, maximumAge: age, isSecure: names.isSecure))
        if let key = SessionKey(cookie: opened.cookie), exchange.grant?.user == nil {
            exchange.grant = Grant(proof: .share(opened.share, key), user: nil)
        }
        audit("share opened", exchange, "\(opened.share.camera)/\(opened.share.id)")
        if let page = WebFile.all["/share.html"] {
            var response = page.response(to: exchange.request.head)
            response.fields.removeAll { $0.name == "Cache-Control" }
            response.fields += uncached
            return exchange.respond(response)
        }
        let name = opened.share.camera
        let page = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(name)</title>
            <link rel="stylesheet" href="/style.css"><img src="/\(name)/mjpeg" alt="\(name), live"></html>

            """
        let fields = [HeaderField("Content-Type", "text/html; charset=utf-8")] + uncached
        exchange.respond(Response(.ok, fields: fields, body: .bytes(Array(page.utf8))))
    }
}

/// Waits until the links are written.
private final class ShareWriting: Activity {
    let kind = "share"
}

extension Response {
    /// Answers with a JSON value.
    static func json(_ status: Status, _ value: JSON) -> Response {
        var body: [UInt8] = []
        value.write(to: &body)
        return Response(status, fields: [HeaderField("Content-Type", "application/json")], body: .bytes(body))
    }
}
