// SPDX-License-Identifier: Apache-2.0
// Replays the fuzzer's corpus, so that what once broke is tried on every run.

import Foundation
import HTTP2
import Testing

@Suite("HTTP/2 fuzz corpus")
struct CorpusTests {
    @Test("sessions of the corpus keep the rules, also when they are cut anywhere")
    func sessions() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Fuzz/corpus/HTTP2Sessions")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .map { Array(try Data(contentsOf: $0)) }
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { HTTP2Fuzz.session(file.span.extracting(0..<length)) }
        }
    }
}
