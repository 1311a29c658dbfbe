// SPDX-License-Identifier: Apache-2.0
// The API as an OpenAPI 3.1 document, written from the table of operations.

import Access
package import Control
import HTTP

/// Writes the API down for programs.
package enum OpenAPI {
    /// The document; `version` is the suite's.
    package static func document(version: String) -> JSON {
        var paths: [JSON.Member] = []
        for operation in Operation.all {
            let member = JSON.Member(operation.method.rawValue.lowercased(), json(operation))
            if let index = paths.firstIndex(where: { $0.name == operation.path }) {
                paths[index].value = .object(paths[index].value.members + [member])
            } else {
                paths.append(JSON.Member(operation.path, .object([member])))
            }
        }
        let schemas = Schema.shared.map { JSON.Member($0.name, $0.schema.json) }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Apus", "version": .string(version),
                "description": .string(
                    "Cameras, streams, viewers, daemons and configuration of one Apus instance. Every failure is "
                        + "answered with the schema Error."
                ),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "paths": .object(paths),
            "components": [
                "schemas": .object(schemas),
                "securitySchemes": [
                    "digest": ["type": "http", "scheme": "digest"], "basic": ["type": "http", "scheme": "basic"],
                    "bearer": ["type": "http", "scheme": "bearer"],
                    "session": ["type": "apiKey", "in": "cookie", "name": "apus-session"],
                ],
            ],
        ]
    }

    private static func json(_ operation: Operation) -> JSON {
        var members = [
            JSON.Member("operationId", .string(operation.id)), JSON.Member("summary", .string(operation.summary)),
        ]
        if !operation.parameters.isEmpty {
            members.append(JSON.Member("parameters", .array(operation.parameters.map(json))))
        }
        if let body = operation.body {
            members.append(
                JSON.Member(
                    "requestBody",
                    ["required": true, "content": ["application/json": ["schema": body.json]]]
                )
            )
        }
        members.append(JSON.Member("responses", responses(operation)))
        // No users, no passwords: then nobody is asked for one.
        let schemes: [JSON] =
            operation.permission == nil ? [] : [["digest": []], ["basic": []], ["bearer": []], ["session": []], [:]]
        members.append(JSON.Member("security", .array(schemes)))
        if let permission = operation.permission {
            members.append(JSON.Member("x-permission", .string("\(permission)")))
        }
        return .object(members)
    }

    private static func json(_ parameter: Operation.Parameter) -> JSON {
        [
            "name": .string(parameter.name), "in": .string(parameter.isInPath ? "path" : "query"),
            "required": .boolean(parameter.isInPath), "description": .string(parameter.documentation),
            "schema": parameter.schema.json,
        ]
    }

    private static func responses(_ operation: Operation) -> JSON {
        var responses: [JSON.Member] = []
        if operation.answer == nil, operation.contentType == "application/json" {
            responses.append(JSON.Member("204", ["description": "Done."]))
        } else {
            let schema = operation.answer.map { $0.json } ?? ["type": "string"]
            responses.append(
                JSON.Member(
                    "\((operation.success ?? .ok).rawValue)",
                    [
                        "description": .string(operation.summary),
                        "content": .object([
                            JSON.Member(operation.contentType, ["schema": schema])
                        ]),
                    ]
                )
            )
        }
        let common: [Status] = operation.permission == nil ? [] : [.unauthorized, .forbidden, .tooManyRequests]
        for status in ([.badRequest] + common + operation.failures).sorted(by: { $0.rawValue < $1.rawValue }) {
            // Health and readiness say in their own way that they are not what they should be.
            let schema =
                operation.permission == nil && status == .unavailable && !operation.path.hasPrefix("/api/")
                ? operation.answer?.json ?? [:] : Schema.shared("Error").json
            var content = [JSON.Member("application/json", ["schema": schema])]
            // A head that cannot be read may be anybody's: it is answered in words.
            if status == .badRequest { content.append(JSON.Member("text/plain", ["schema": ["type": "string"]])) }
            responses.append(
                JSON.Member(
                    "\(status.rawValue)",
                    ["description": .string("\(status.phrase)."), "content": .object(content)]
                )
            )
        }
        return .object(responses)
    }
}
