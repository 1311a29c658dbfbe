// SPDX-License-Identifier: Apache-2.0
// What code may say in which layer: `unsafe`, clocks, randomness, globals; and how a file begins and ends.

import Testing

/// Rules on the text of the code.
enum CodeRules {
    /// Layers whose code is checked by the compiler alone, without a word of `unsafe`.
    static let safeLayers: Set<String> = ["Values", "Protocols", "Daemons", "Tools"]
    /// Layers that are given bytes and time, and have no other input.
    static let pureLayers: Set<String> = ["Values", "Protocols"]
    /// A file longer than this is about more than one topic.
    static let longestFile = 600
    /// How far above a use of `unsafe` its reason may stand, in lines.
    static let reasonDistance = 16

    /// Uses of `unsafe` and its kin in a layer that does without.
    static func unsafe(in source: SwiftSource) -> [String] {
        guard safeLayers.contains(source.layer) else { return [] }
        return source.matches(/\bunsafe\b|@unsafe|@unchecked|@safe\b/)
    }

    /// Uses of `unsafe` with no reason close above them.
    static func unexplained(in source: SwiftSource) -> [String] {
        let word = /\bunsafe\b|@unchecked Sendable/.wordBoundaryKind(.simple)
        return source.code.indices
            .filter { index in
                guard source.code[index].contains(word) else { return false }
                // A closure's reason may be inside it.
                let around = max(0, index - reasonDistance)...min(source.lines.count - 1, index + 2)
                return !source.lines[around]
                    .contains {
                        $0.contains("Safe:") || $0.contains("Guarded by") || $0.contains("Written once")
                    }
            }
            .map(source.place)
    }

    /// Inputs other than bytes and time in a layer that has no other.
    static func impure(in source: SwiftSource) -> [String] {
        guard pureLayers.contains(source.layer) else { return [] }
        return source.matches(
            /\b(ContinuousClock|SuspendingClock|SystemRandomNumberGenerator|Task|async|await|actor|print|debugPrint|readLine)\b|\.random\(|\bstatic var\b[^{]*$|^var\b/
        )
    }

    /// Ways to stop the process that outside input could reach.
    static func trapping(in source: SwiftSource) -> [String] {
        source.matches(/\btry!|\bas!|\bfatalError\(/)
    }

    /// What is wrong with the first lines of a file; nil when nothing is.
    ///
    /// `comment` begins a comment line; C may use `/*` too.
    static func opening(of text: String, comment: String) -> String? {
        var lines = text.split(separator: "\n", maxSplits: 3, omittingEmptySubsequences: false)
        if lines.first?.hasPrefix("#!") == true { lines.removeFirst() }
        let licence = "SPDX-License-Identifier: Apache-2.0"
        guard let first = lines.first, ["\(comment) \(licence)", "/* \(licence) */"].contains(first) else {
            return "no SPDX line"
        }
        guard lines.count > 1, lines[1].hasPrefix("\(comment) ") || lines[1].hasPrefix("/* ") else {
            return "no line saying what is here"
        }
        return nil
    }
}

@Suite("Code")
struct CodeTests {
    @Test("values, protocols, daemons and tools do without unsafe")
    func unsafe() throws {
        expectNone(try SwiftSource.all(under: "Sources").flatMap(CodeRules.unsafe))
    }

    @Test("every use of unsafe has its reason close above")
    func explained() throws {
        expectNone(try SwiftSource.all(under: "Sources").flatMap(CodeRules.unexplained))
    }

    @Test("values and protocols have no clock, randomness, concurrency, output or global variable")
    func pure() throws {
        expectNone(try SwiftSource.all(under: "Sources").flatMap(CodeRules.impure))
    }

    @Test("nothing traps by try!, as! or fatalError")
    func trapping() throws {
        expectNone(try SwiftSource.all(under: "Sources").flatMap(CodeRules.trapping))
    }

    @Test("no source file is longer than 600 lines")
    func length() throws {
        let long = try Repository.files(ending: ".swift", ".py", ".c", ".h")
            .filter { path in
                let text = try Repository.text(path) ?? ""
                return text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 > CodeRules.longestFile
            }

        expectNone(long)
    }

    @Test("every source file opens with its licence and a line saying what is here")
    func openings() throws {
        let sources = Repository.files(ending: ".swift", ".c", ".h", ".py")
        let scripts = Repository.files(under: "scripts") + Repository.files(under: ".ci") + ["Makefile"]
        let wrong = try (sources + scripts)
            .compactMap { path -> String? in
                let text = try Repository.text(path) ?? ""
                let isFirstLineTools = path == "Package.swift"
                let body = isFirstLineTools ? String(text.drop { $0 != "\n" }.dropFirst()) : text
                let slashes = path.hasSuffix(".swift") || path.hasSuffix(".c") || path.hasSuffix(".h")
                return CodeRules.opening(of: body, comment: slashes ? "//" : "#").map { "\(path): \($0)" }
            }

        expectNone(wrong)
    }

    @Test(
        "the rules see what they forbid",
        arguments: [
            "let a = unsafe pointer.pointee", "final class A: @unchecked Sendable {}",
            "let now = ContinuousClock().now",
            "let b = UInt32.random(in: 0...9)", "    package static var count = 0", "print(a)", "func f() async {}",
            "let c = try! f()", "let d = e as! F", "fatalError(\"no\")",
            "let now = ContinuousClock.now", "Task.detached {}", "Swift.print(1)", "Swift.fatalError(\"x\")",
            "/* why */ print(a)", "let s = unsafe.a",
        ]
    )
    func broken(_ line: String) {
        let source = SwiftSource(path: "Sources/Protocols/RTP/File.swift", text: line)
        let found = CodeRules.unsafe(in: source) + CodeRules.impure(in: source) + CodeRules.trapping(in: source)

        #expect(found.count == 1)
    }

    @Test(
        "the rules look at code only",
        arguments: [
            "// unsafe, print(x), try! are words here", "let a = \"unsafe print( try!\"",
            "/// Safe: `random` is not .random(", "package static var empty: Self { Self() }",
            "/* print(x) /* try! */ unsafe */ let a = 1", "/* a\nprint(b)\n*/", "let s = \"/*\"", "x.printed(a.task)",
        ]
    )
    func harmless(_ line: String) {
        let source = SwiftSource(path: "Sources/Protocols/RTP/File.swift", text: line)
        let found = CodeRules.unsafe(in: source) + CodeRules.impure(in: source) + CodeRules.trapping(in: source)

        #expect(found == [])
    }

    @Test("an unsafe expression without a reason is found, with one it is not")
    func reasons() {
        let without = SwiftSource(path: "Sources/Parts/Ring/File.swift", text: "let a = unsafe b\n")
        let with = SwiftSource(path: "Sources/Parts/Ring/File.swift", text: "// Safe: b is ours.\nlet a = unsafe b\n")

        #expect(CodeRules.unexplained(in: without).count == 1)
        #expect(CodeRules.unexplained(in: with) == [])
    }

    @Test("an opening without licence or purpose is found")
    func brokenOpenings() {
        #expect(CodeRules.opening(of: "import Bytes\n", comment: "//") != nil)
        #expect(CodeRules.opening(of: "// SPDX-License-Identifier: Apache-2.0\n\nimport A\n", comment: "//") != nil)
        #expect(
            CodeRules.opening(of: "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n# Runs.\n", comment: "#") == nil
        )
    }
}
