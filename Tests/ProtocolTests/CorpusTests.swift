// SPDX-License-Identifier: Apache-2.0
// Replays the fuzzers' corpora, so that what once broke is tried on every run.

import Foundation
import Media
import RTP
import RTSP
import SDP
import Testing

@Suite("Fuzz corpora")
struct CorpusTests {
    struct Target: CustomTestStringConvertible, Sendable {
        var name: String
        var run: @Sendable (Span<UInt8>) -> Void
        var testDescription: String { name }
    }

    static let targets = [
        Target(name: "RTSPSession") { RTSPFuzz.session($0) },
        Target(name: "RTSPClient") { RTSPFuzz.client($0) },
        Target(name: "RTSPTarget") { RTSPFuzz.target($0) },
        Target(name: "MIKEY") { RTSPFuzz.mikey($0) },
        Target(name: "RTSPCarriers") { RTSPFuzz.carriers($0) },
        Target(name: "RTSPAddress") { RTSPFuzz.address($0) },
        Target(name: "RTSPTransport") { RTSPFuzz.transport($0) },
        Target(name: "SessionDescription") { RTSPFuzz.description($0) },
        Target(name: "SDPOffer") { SDPFuzz.offer($0) },
        Target(name: "RTPDepacketize") { RTPFuzz.depacketize($0) },
        Target(name: "RTPTrack") { RTPFuzz.receive(track: $0) },
        Target(name: "RTPReceive") { RTPFuzz.receive($0) },
        Target(name: "RTPPacketize") { RTPFuzz.packetize($0) },
        Target(name: "ParameterSets") { MediaFuzz.parameterSets($0) },
        Target(name: "AccessUnits") { MediaFuzz.accessUnits($0) },
        Target(name: "JPEGImages") { MediaFuzz.images($0) },
    ]

    /// The files of one fuzz target's corpus.
    private func corpus(_ name: String) throws -> [[UInt8]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Fuzz/corpus/\(name)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .map { Array(try Data(contentsOf: $0)) }
    }

    @Test("what the corpora hold keeps the rules, also when it is cut anywhere", arguments: targets)
    func corpora(target: Target) throws {
        let files = try corpus(target.name)
        #expect(!files.isEmpty)
        for file in files {
            // Long files are cut in fewer places, to keep the run short.
            for length in stride(from: 0, through: file.count, by: max(1, file.count / 500)) {
                target.run(file.span.extracting(0..<length))
            }
            target.run(file.span)
        }
    }
}
