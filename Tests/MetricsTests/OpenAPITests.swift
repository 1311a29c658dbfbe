// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document: whole, and without loose ends.

import API
import Control
import Testing

@Suite("OpenAPI")
struct OpenAPITests {
    @Test("operations are named once, and describe the variables of their paths")
    func operations() {
        #expect(Set(Operation.all.map(\.id)).count == Operation.all.count)
        #expect(Set(Operation.all.map { "\($0.method) \($0.path)" }).count == Operation.all.count)
        for operation in Operation.all {
            let variables = operation.path.split(separator: "/").filter { $0.hasPrefix("{") }
                .map { $0.dropFirst().dropLast() }
            let described = operation.parameters.filter(\.isInPath).map { Substring($0.name) }
            #expect(variables == described, "\(operation.id)")
            #expect(operation.summary.hasSuffix("."))
        }
    }

    @Test("every reference in the document leads somewhere")
    func references() {
        let document = OpenAPI.document(version: "1")
        var references: Set<String> = []
        func walk(_ json: JSON) {
            if let reference = json["$ref"]?.string { references.insert(reference) }
            for member in json.members { walk(member.value) }
            for element in json.elements { walk(element) }
        }
        walk(document)
        let known = document["components"]?["schemas"]?.members.map { "#/components/schemas/\($0.name)" } ?? []
        #expect(references.isSubset(of: known))
        #expect(document["openapi"] == "3.1.0")
        #expect(
            document["paths"]?["/api/v1/cameras/{camera}/controls"]?.members.map(\.name) == ["get", "patch", "put"]
        )
    }
}
