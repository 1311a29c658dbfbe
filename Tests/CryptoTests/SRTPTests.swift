// SPDX-License-Identifier: Apache-2.0
// SRTP: a known packet, there and back, changed, replayed, out of order, and around the end of the numbers.

import Crypto
import SRTP
import Testing

@Suite("SRTP")
struct SRTPTests {
    /// The key and salt of RFC 3711 §B.3.
    private static let key = bytes("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6")

    private static func bytes(_ text: String) -> [UInt8] { Hexadecimal.bytes(text) ?? [] }

    private static func packet(_ sequence: UInt16, payload: [UInt8] = [1, 2, 3, 4, 5]) -> [UInt8] {
        [0x80, 96, UInt8(sequence >> 8), UInt8(sequence & 0xFF), 0, 0, 0, 1, 0xCA, 0xFE, 0xBA, 0xBE] + payload
    }

    private static func pair(_ suite: SRTPSuite) throws -> (SRTPContext, SRTPContext) {
        let key = SecureRandom.bytes(suite.keyLength)
        return (try SRTPContext(suite, key: key, .outbound), try SRTPContext(suite, key: key, .inbound))
    }

    @Test("a packet becomes what RFC 3711's algorithms make of it")
    func known() throws {
        let plain = Self.bytes("800f1234decafbadcafebabe" + String(repeating: "ab", count: 16))
        let context = try SRTPContext(.aesCM128HMACSHA1With80Bits, key: Self.key, .outbound)
        var output: [UInt8] = []

        try context.protect(plain.span, into: &output)

        let expected = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"
        #expect(Hexadecimal.text(output.span) == expected)
    }

    @Test("packets and reports go there and back", arguments: SRTPSuite.allCases)
    func roundTrip(_ suite: SRTPSuite) throws {
        let (sender, receiver) = try Self.pair(suite)
        let report: [UInt8] = [0x80, 201, 0, 1, 0xCA, 0xFE, 0xBA, 0xBE]
        var sent: [UInt8] = []
        var sentReport: [UInt8] = []
        var got: [UInt8] = []
        var gotReport: [UInt8] = []

        try sender.protect(Self.packet(1).span, into: &sent)
        try sender.protectReport(report.span, into: &sentReport)
        try receiver.unprotect(sent.span, into: &got)
        try receiver.unprotectReport(sentReport.span, into: &gotReport)

        #expect(got == Self.packet(1))
        #expect(gotReport == report)
        #expect(sent.count == Self.packet(1).count + suite.tagLength)
        #expect(sent[12...] != Self.packet(1)[12...])
    }

    @Test("a packet that is changed or cut anywhere is refused", arguments: SRTPSuite.allCases)
    func changed(_ suite: SRTPSuite) throws {
        let (sender, receiver) = try Self.pair(suite)
        var sent: [UInt8] = []
        try sender.protect(Self.packet(1).span, into: &sent)
        var got: [UInt8] = []

        for index in sent.indices {
            var broken = sent
            broken[index] ^= 1
            #expect(throws: SRTPError.self) { try receiver.unprotect(broken.span, into: &got) }
            #expect(throws: SRTPError.self) { try receiver.unprotect(sent.span.extracting(..<index), into: &got) }
        }
        #expect(got == [])
    }

    @Test("a packet is taken once, and one that comes late is taken")
    func replay() throws {
        let (sender, receiver) = try Self.pair(.aesCM128HMACSHA1With80Bits)
        var first: [UInt8] = []
        var second: [UInt8] = []
        try sender.protect(Self.packet(1).span, into: &first)
        try sender.protect(Self.packet(2).span, into: &second)
        var got: [UInt8] = []

        try receiver.unprotect(second.span, into: &got)
        try receiver.unprotect(first.span, into: &got)

        #expect(got == Self.packet(2) + Self.packet(1))
        #expect(throws: SRTPError.replayed) { try receiver.unprotect(first.span, into: &got) }
    }

    @Test("the same packet protected again, also long after, gives the same bytes")
    func again() throws {
        let (sender, _) = try Self.pair(.aesCM128HMACSHA1With80Bits)
        var first: [UInt8] = []
        var rest: [UInt8] = []
        var again: [UInt8] = []
        try sender.protect(Self.packet(1).span, into: &first)
        for sequence in 2...5000 as ClosedRange<UInt16> { try sender.protect(Self.packet(sequence).span, into: &rest) }

        try sender.protect(Self.packet(1).span, into: &again)

        #expect(again == first)
    }

    @Test("the rollover counter counts the wraps")
    func rollover() throws {
        let (sender, _) = try Self.pair(.aesCM128HMACSHA1With80Bits)
        var output: [UInt8] = []
        #expect(sender.rolloverCounter(of: 0xCAFE_BABE) == 0)

        for sequence in [65_000, 65_535, 0, 1, 30_000, 60_000, 10] as [UInt16] {
            try sender.protect(Self.packet(sequence).span, into: &output)
        }

        #expect(sender.rolloverCounter(of: 0xCAFE_BABE) == 2)
    }

    @Test("a key of another length is refused")
    func keyLength() {
        #expect(throws: SRTPError.unusableKey) {
            try SRTPContext(.aeadAES128GCM, key: [UInt8](repeating: 1, count: 30), .outbound)
        }
    }
}
