// SPDX-License-Identifier: Apache-2.0
// What all of the API's answers have in common: JSON, errors with a code, checked queries and bodies.

import API
import Access
import Config
import Control
import HTTP

/// Why the API does not do what it was asked.
struct APIError: Error {
    let status: HTTP.Status
    let code: String
    let key: String?
    let message: String

    init(_ status: HTTP.Status, _ code: String, key: String? = nil, _ message: String) {
        self.status = status
        self.code = code
        self.key = key
        self.message = message
    }

    /// What another daemon refused.
    init(_ error: ControlError) {
        let status: HTTP.Status =
            switch error.code {
            case .badRequest: .badRequest
            case .unknownVerb: .notFound
            case .unknownKey, .missingKey, .wrongType, .outOfRange: .unprocessable
            case .unavailable: .conflict
            case .failed: .internalError
            }
        self.init(status, error.code.rawValue, key: error.key, error.message)
    }

    /// Why another daemon did not answer.
    init(_ error: ControlClientError, _ daemon: String) {
        switch error {
        case .refused(let refusal): self.init(refusal)
        case .unreachable, .timedOut, .disconnected, .malformed:
            self.init(.unavailable, "no-answer", "\(daemon) does not answer: \(error)")
        }
    }

    var json: JSON {
        var members = [JSON.Member("code", .string(code))]
        if let key { members.append(JSON.Member("key", .string(key))) }
        members.append(JSON.Member("message", .string(message)))
        return ["error": .object(members)]
    }
}

extension Response {
    /// Answers with JSON, which nobody keeps.
    init(_ status: HTTP.Status, json: JSON, fields: [HeaderField] = []) {
        var body: [UInt8] = []
        json.write(to: &body)
        let common = [
            HeaderField("Content-Type", "application/json"), HeaderField("Cache-Control", "no-store"),
            HeaderField("X-Content-Type-Options", "nosniff"),
        ]
        self.init(status, fields: common + fields, body: .bytes(body))
    }

    /// The answer as programs want it: below `/api` and `/v3`, a failure in words is one in JSON.
    func forPrograms(_ target: Target) -> Response {
        guard let first = target.segments.first, ["api", "v3"].contains(first) else { return self }
        return inJSON()
    }

    /// The same for a request that could not be read to its end; `opening` are the first bytes of it.
    func forPrograms(opening: [UInt8]) -> Response {
        let words = String(decoding: opening, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        guard words.count > 1, ["/api/", "/v3/"].contains(where: words[1].hasPrefix) else { return self }
        return inJSON()
    }

    /// So many bytes of a request show whether it is for the API: the longest method, and the path's beginning.
    static let openingLength = 16

    private func inJSON() -> Response {
        guard status.rawValue >= 400,
            case .bytes(let bytes) = body, !fields.contains(where: { $0.value == "application/json" })
        else { return self }
        let text = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map(String.init)
        let code = "\(status.phrase)".lowercased().split(separator: " ").joined(separator: "-")
        let error = APIError(status, code, text ?? "\(status.phrase)")
        return Response(status, json: error.json, fields: fields.filter { $0.name != "Content-Type" })
    }
}

extension Exchange {
    /// Answers with JSON.
    func answer(_ json: JSON) { respond(Response(.ok, json: json)) }

    /// Answers what went wrong.
    func refuse(_ error: APIError) { respond(Response(error.status, json: error.json)) }

    /// A whole number of the query; nil if it is left out.
    func integer(_ name: String, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = query(name) else { return nil }
        guard let number = Int(text), "\(number)" == text, range.contains(number) else {
            let limits = "\(range.lowerBound) to \(range.upperBound)"
            throw APIError(.unprocessable, "out-of-range", key: name, "\(name) must be a whole number from \(limits)")
        }
        return number
    }

    /// A truth value of the query; nil if it is left out.
    func boolean(_ name: String) throws(APIError) -> Bool? {
        guard let text = query(name) else { return nil }
        guard let value = ["true": true, "1": true, "": true, "false": false, "0": false][text] else {
            throw APIError(.unprocessable, "wrong-type", key: name, "\(name) must be true or false")
        }
        return value
    }

    /// Refuses items of the query that the operation does not know, or that come twice: a filter that is misspelt would
    /// seem to have found everything.
    func checkQuery(_ operation: Operation) throws(APIError) {
        var seen: Set<String> = []
        let known = operation.parameters.filter { !$0.isInPath }.map(\.name)
        for item in request.head.target.query {
            guard known.contains(item.name) else {
                let hint = Suggestion.phrase(for: item.name, among: known)
                let message = "\(item.name) is not known here\(hint); known are \(known.joined(separator: ", "))"
                throw APIError(.badRequest, "unknown-key", key: item.name, message)
            }
            guard seen.insert(item.name).inserted else {
                throw APIError(.badRequest, "repeated-key", key: item.name, "\(item.name) is given twice")
            }
        }
    }

    /// How many entries a page may have.
    func pageLimit() throws(APIError) -> Int {
        try integer("limit", 1...Operation.maximumPage) ?? Operation.standardPage
    }

    /// The members of the body, which has to be an object of JSON.
    func members() throws(APIError) -> [JSON.Member] {
        let type = request.head.fields["content-type"] ?? ""
        guard type.split(separator: ";").first.map({ $0.lowercased() })?.split(separator: " ") == ["application/json"]
        else { throw APIError(.unsupportedMediaType, "wrong-type", "the body must be application/json") }
        let json: JSON
        let body = request.body
        do throws(JSONError) {
            json = try JSON(parsing: body.span)
        } catch {
            throw APIError(.badRequest, "bad-request", "the body is no JSON: \(error)")
        }
        guard case .object(let members) = json else {
            throw APIError(.badRequest, "wrong-type", "the body must be an object, not \(json.kind)")
        }
        return members
    }

    /// Does `work`, and answers what it throws.
    func attempt(_ work: () throws(APIError) -> Void) {
        do throws(APIError) {
            try work()
        } catch {
            refuse(error)
        }
    }

    /// True if the user may see the camera.
    func maySee(_ camera: String) -> Bool { may(.view, camera) }
}
