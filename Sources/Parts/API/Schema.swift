// SPDX-License-Identifier: Apache-2.0
// Types of JSON values, as JSON Schema describes them.

package import Control

/// The type of a JSON value.
package indirect enum Schema: Sendable {
    case text(pattern: String? = nil)
    case choice([String])
    case boolean
    case integer(ClosedRange<Int>? = nil)
    case number
    case list(Schema)
    /// What is not listed may be there, too.
    case object([Member])
    /// Any names, values of one type.
    case map(Schema)
    /// This type, or null.
    case optional(Schema)
    /// One of these.
    case any([Schema])
    /// One of the shared schemas.
    case shared(String)

    /// A member of an object.
    package struct Member: Sendable {
        package let name: String
        package let schema: Schema
        package let isRequired: Bool
        /// A few words; empty if the name says it.
        package let documentation: String

        /// A member that is always there.
        package static func always(_ name: String, _ schema: Schema, _ documentation: String = "") -> Member {
            Member(name: name, schema: schema, isRequired: true, documentation: documentation)
        }

        /// A member that may be missing.
        package static func sometimes(_ name: String, _ schema: Schema, _ documentation: String = "") -> Member {
            Member(name: name, schema: schema, isRequired: false, documentation: documentation)
        }
    }

    /// The schema as OpenAPI 3.1 has it (JSON Schema 2020-12).
    package var json: JSON {
        switch self {
        case .text(let pattern):
            .object([JSON.Member("type", "string")] + (pattern.map { [JSON.Member("pattern", .string($0))] } ?? []))
        case .choice(let names): ["type": "string", "enum": .array(names.map(JSON.string))]
        case .boolean: ["type": "boolean"]
        case .integer(let range):
            .object(
                [JSON.Member("type", "integer")]
                    + (range.map {
                        [JSON.Member("minimum", JSON($0.lowerBound)), JSON.Member("maximum", JSON($0.upperBound))]
                    } ?? [])
            )
        case .number: ["type": "number"]
        case .list(let element): ["type": "array", "items": element.json]
        case .map(let value): ["type": "object", "additionalProperties": value.json]
        case .optional(let schema): ["anyOf": [schema.json, ["type": "null"]]]
        case .any(let schemas): ["anyOf": .array(schemas.map(\.json))]
        case .shared(let name): ["$ref": .string("#/components/schemas/\(name)")]
        case .object(let members): Self.object(members)
        }
    }

    private static func object(_ members: [Member]) -> JSON {
        let properties = members.map { member -> JSON.Member in
            var schema = member.schema.json.members
            // What stands beside a reference counts since OpenAPI 3.1.
            if !member.documentation.isEmpty {
                schema.append(JSON.Member("description", .string(member.documentation)))
            }
            return JSON.Member(member.name, .object(schema))
        }
        var result = [JSON.Member("type", "object"), JSON.Member("properties", .object(properties))]
        let required = members.filter(\.isRequired).map { JSON.string($0.name) }
        if !required.isEmpty { result.append(JSON.Member("required", .array(required))) }
        return .object(result)
    }
}
