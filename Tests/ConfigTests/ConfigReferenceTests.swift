// SPDX-License-Identifier: Apache-2.0
// The schema, the commented file and the reference page say the same.

import Config
import Foundation
import Testing

@Suite("Configuration reference")
struct ConfigReferenceTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func contents(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    @Test("config/apus.conf is what apus config reference writes")
    func file() throws {
        #expect(try contents("config/apus.conf") == ConfigReference.file)
    }

    @Test("docs/reference/config.md is what apus config reference --markdown writes")
    func page() throws {
        #expect(try contents("docs/reference/config.md") == ConfigReference.page)
    }

    @Test("the commented file is the configuration of an empty one, and stays it with every key opened")
    func defaults() throws {
        // By the same name, since that says where the users are.
        let standard = try Configuration(parsing: "", name: "apus.conf")
        let opened = ConfigReference.file.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.contains(#/^#[a-z_]+ =/#) ? String($0.dropFirst()) : String($0) }.joined(separator: "\n")

        #expect(try Configuration(parsing: ConfigReference.file, name: "apus.conf") == standard)
        #expect(try Configuration(parsing: opened, name: "apus.conf") == standard)
        #expect(opened.matches(of: #/(?m)^[a-z_]+ =/#).count == ConfigSchema.keys.count)
    }

    @Test("no key stands twice, and each is said in a sentence")
    func table() {
        let names = ConfigSchema.keys.map { "\($0.section.text).\($0.name)" }

        #expect(Set(names).count == names.count)
        #expect(ConfigSchema.keys.allSatisfy { $0.documentation.hasSuffix(".") })
    }

    @Test("documents of the corpus are written as they were read, whatever is in them")
    func corpus() throws {
        let folder = Self.root.appending(path: "Fuzz/corpus/ConfigDocument")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            guard let text = String(validating: Array(try Data(contentsOf: file)), as: UTF8.self) else { continue }
            ConfigFuzz.check(text)
        }
    }
}
