// SPDX-License-Identifier: Apache-2.0
// What a daemon says on its control socket, taken apart: a reply to a request, or an event.

/// One line of a daemon's.
package enum ControlMessage: Sendable, Equatable {
    /// The answer to the request of that number; nil for a line that was no request.
    case reply(id: Int?, Result<JSON, ControlError>)
    case event(String, JSON)

    /// Reads a line without its end.
    package init(parsing line: Span<UInt8>) throws(ControlClientError) {
        let json: JSON
        do throws(JSONError) {
            json = try JSON(parsing: line)
        } catch {
            throw .malformed("\(error)")
        }
        try self.init(json)
    }

    /// Takes apart what was read.
    package init(_ json: JSON) throws(ControlClientError) {
        if let event = json["event"]?.string {
            self = .event(event, json)
        } else if let value = json["ok"] {
            self = .reply(id: json["id"]?.integer, .success(value))
        } else if let error = json["error"] {
            let fault = ControlError(
                error["code"]?.string.flatMap(ControlError.Code.init) ?? .failed,
                key: error["key"]?.string,
                error["message"]?.string ?? ""
            )
            self = .reply(id: json["id"]?.integer, .failure(fault))
        } else {
            throw .malformed("neither ok, error nor event")
        }
    }

    /// A request as one line, its end included.
    package static func request(_ id: Int, _ verb: String, _ arguments: [JSON.Member]) -> [UInt8] {
        let members = [JSON.Member("id", .integer(id)), JSON.Member("do", .string(verb))] + arguments
        var bytes: [UInt8] = []
        JSON.object(members).write(to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }
}
