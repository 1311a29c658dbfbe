// SPDX-License-Identifier: Apache-2.0
// Replays the fuzzers' corpora, so that what once broke is tried on every run.

import Foundation
import HTTP
import Testing

@Suite("Fuzz corpora")
struct CorpusTests {
    /// The files of one fuzz target's corpus.
    private func corpus(_ name: String) throws -> [[UInt8]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Fuzz/corpus/\(name)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .map { Array(try Data(contentsOf: $0)) }
    }

    @Test("requests of the corpus keep the rules, also when they are cut anywhere")
    func requests() throws {
        let files = try corpus("HTTPRequest")
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { HTTPFuzz.request(file.span.extracting(0..<length)) }
        }
    }

    @Test("chunked bodies of the corpus keep the rules, also when they are cut anywhere")
    func chunks() throws {
        let files = try corpus("HTTPChunked")
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { HTTPFuzz.chunked(file.span.extracting(0..<length)) }
        }
    }

    @Test("ranges and conditions of the corpus keep the rules, also when they are cut anywhere")
    func conditions() throws {
        let files = try corpus("HTTPConditions")
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { HTTPFuzz.conditions(file.span.extracting(0..<length)) }
        }
    }

    @Test("challenges and credentials of the corpus keep the rules, also when they are cut anywhere")
    func authentication() throws {
        let files = try corpus("HTTPAuthentication")
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { HTTPFuzz.authentication(file.span.extracting(0..<length)) }
        }
    }
}
