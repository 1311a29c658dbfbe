// SPDX-License-Identifier: Apache-2.0
// The documents say what is so: links resolve, commands exist, no path of one machine is in them.

import Foundation
import Testing

/// A Markdown page as the rules see it.
struct Page {
    let path: String
    let text: String

    /// The targets of links and images outside code, with the line number of each.
    var links: [(target: String, line: Int)] {
        var inFence = false
        var found: [(String, Int)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") { inFence.toggle() }
            if inFence { continue }
            let prose = line.replacing(/`[^`]*`/, with: "``")
            found += Page.targets(in: prose).map { ($0, index + 1) }
        }
        return found
    }

    /// `[text](target "title")`, `[reference]: target`, and the HTML that Markdown lets through.
    private static func targets(in prose: some BidirectionalCollection<Character> & StringProtocol) -> [String] {
        let prose = Substring(prose)
        let inline = prose.matches(of: /\]\(\s*<?([^)\s>]+)>?(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?\s*\)/)
        let references = prose.matches(of: /^ {0,3}\[[^\]^][^\]]*\]:\s*<?([^\s>]+)>?/)
        let html = prose.matches(of: /<[a-z][^>]*?\s(?:src|srcset|href|poster)\s*=\s*["']?([^"'\s>]+)/.ignoresCase())
        return inline.map { String($0.1) } + references.map { String($0.1) } + html.map { String($0.1) }
    }

    /// The anchors that GitHub makes of the headings.
    var anchors: Set<String> {
        var inFence = false
        var found: Set<String> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") { inFence.toggle() }
            guard !inFence, let match = line.wholeMatch(of: /#{1,6} +(.*)/) else { continue }
            let kept = match.1.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
            found.insert(kept.replacing(" ", with: "-"))
        }
        return found
    }

    /// The links that lead nowhere.
    ///
    /// `page` gives the page at a path from the root, nil when none is there.
    func broken(exists: (String) -> Bool, page: (String) -> Page?) -> [String] {
        links.filter { link in
            if link.target.contains(/^[a-z]+:/) { return false }
            let parts = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                .map(String.init)
            let file = parts[0].isEmpty ? path : resolve(parts[0])
            guard exists(file) else { return true }
            guard parts.count == 2, let target = page(file) else { return false }
            return !target.anchors.contains(parts[1])
        }
        .map { "\(path):\($0.line): \($0.target) leads nowhere" }
    }

    private func resolve(_ target: String) -> String {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }
}

@Suite("Documents")
struct DocumentTests {
    static func page(_ path: String) -> Page? {
        guard path.hasSuffix(".md"), let text = try? Repository.text(path) else { return nil }
        return Page(path: path, text: text)
    }

    @Test("every link in every page resolves")
    func links() {
        let pages = Repository.files(ending: ".md").compactMap(Self.page)

        expectNone(pages.flatMap { $0.broken(exists: Repository.exists, page: Self.page) })
    }

    @Test("the pages that a project needs are there")
    func pages() {
        let needed = [
            "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "FIXTURES.md",
            "docs/testing.md",
        ]

        expectNone(needed.filter { !Repository.exists($0) })
    }

    @Test("every make command that a page names is in the Makefile")
    func commands() throws {
        let makefile = try Repository.text("Makefile") ?? ""
        let targets = Set(makefile.matches(of: /(?m)^([a-z]+):/).map { String($0.1) })
        for path in Repository.files(ending: ".md") {
            let named = (try Repository.text(path) ?? "").matches(of: /(?m)(?:`|^\s*|\$ )make ([a-z]+)/)

            #expect(Set(named.map { String($0.1) }).subtracting(targets) == [], "\(path)")
        }
    }

    @Test("no file names a path of one machine")
    func machinePaths() throws {
        // Put together here, so that this file is not found.
        let foreign = ["work", "root", "opt/swift", "tmp/bash_jobs"].map { "/\($0)/" }
        let found = try Repository.files()
            .filter { path in
                guard let text = try Repository.text(path) else { return false }
                return foreign.contains { text.contains($0) }
            }

        expectNone(found)
    }

    @Test("a link to a missing file or heading is found")
    func brokenLinks() {
        let page = Page(
            path: "docs/a.md",
            text: """
                # One heading
                [here](#one-heading) [not here](#two) [up](../b.md) [gone](c.md) `[code](d.md)` [web](https://x.y)
                """
        )
        let found = page.broken(exists: { $0 == "docs/a.md" || $0 == "b.md" }, page: { $0 == "docs/a.md" ? page : nil })

        #expect(found.count == 2)
    }

    @Test(
        "a link is found in every way of writing it",
        arguments: [
            "[t](x)", "![t](x)", "[t](x \"title\")", "[t](x 'title')", "[t](<x>)", "[ref]: x", "  [ref]: <x> \"title\"",
            "<img src=x>", "<img alt=\"a\" src=\"x\">", "<a href='x'>t</a>", "<IMG SRC=x />",
        ]
    )
    func writtenLinks(_ line: String) {
        let page = Page(path: "docs/a.md", text: line)

        #expect(page.links.map(\.target) == ["x"])
        #expect(page.broken(exists: { _ in false }, page: { _ in nil }).count == 1)
    }
}
