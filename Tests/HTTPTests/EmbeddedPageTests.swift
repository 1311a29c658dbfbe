// SPDX-License-Identifier: Apache-2.0
// The page inside of apus-http is the page in its web folder.

import Foundation
import Testing

@testable import apus_http

@Suite("Embedded page")
struct EmbeddedPageTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Daemons/apus-http/web")

    private static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { name in [".html", ".css", ".js", ".svg"].contains(where: name.hasSuffix) }
            .sorted()
    }

    @Test("each file of the page is embedded as it is (run Sources/Daemons/apus-http/web/embed)")
    func embedded() throws {
        #expect(try Self.names() == WebFile.texts.keys.sorted())
        for (name, text) in WebFile.texts {
            // The literal's last line end does not belong to it.
            #expect(
                try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8) == text + "\n",
                "\(name)"
            )
        }
    }

    @Test("what the page refers to is there, and nothing is elsewhere")
    func references() throws {
        let reference = /(?:from |import\(?|href=|src=)["'](?<path>[^"'#]+)["']/
        for (name, text) in WebFile.texts {
            for match in text.matches(of: reference) {
                let path = String(match.path)
                guard !path.contains("$") else { continue }
                #expect(!path.contains("//"), "\(name) refers to \(path)")
                guard path.hasPrefix("./") || path.hasPrefix("/web/") else { continue }
                let address = path.hasPrefix("./") ? "/web/" + path.dropFirst(2) : path
                #expect(WebFile.all[address] != nil, "\(name) refers to \(path)")
            }
        }
    }

    @Test("nothing in a page's own text runs or has a style: the policy forbids it")
    func policy() {
        for (name, text) in WebFile.texts where name.hasSuffix(".html") {
            #expect(text.matches(of: /<script(?![^>]*src=)|<style| style=| on[a-z]+=/).isEmpty, "\(name)")
        }
    }
}
