// SPDX-License-Identifier: Apache-2.0
// Replays the fuzzer's corpus, so that what once broke is tried on every run.

import Access
import Foundation
import Testing

@Suite("Fuzz corpus of logins")
struct CorpusTests {
    @Test("what shows who asks keeps the rules, also when it is cut anywhere")
    func logins() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Fuzz/corpus/Logins")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .map { Array(try Data(contentsOf: $0)) }
        #expect(files.count >= 9)
        for file in files {
            for length in 0...file.count { AccessFuzz.login(file.span.extracting(0..<length)) }
        }
    }
}
