// SPDX-License-Identifier: Apache-2.0
// Sequence numbers of frames, kept for building them again.

import RTP
import Testing

@Suite("RTP sequence ledger")
struct SequenceLedgerTests {
    @Test("frames have running numbers that wrap")
    func running() {
        var ledger = SequenceLedger(capacity: 8, firstNumber: 0xFFFE)
        ledger.restart(at: 10)
        ledger.record(packets: 3)
        ledger.record(packets: 0)
        ledger.record(packets: 2)

        #expect([9, 10, 11, 12, 13].map { ledger.firstNumber(of: $0) } == [nil, 0xFFFE, 1, 1, nil])
        #expect(ledger.nextFrame == 13 && ledger.nextNumber == 3)
    }

    @Test("a frame that is passed over has no number, and a restart goes on with the numbers")
    func restart() {
        var ledger = SequenceLedger(capacity: 8, firstNumber: 5)
        ledger.restart(at: 1)
        ledger.skip()
        ledger.record(packets: 4)
        #expect(ledger.firstNumber(of: 1) == nil && ledger.firstNumber(of: 2) == 5)

        ledger.restart(at: 1)
        ledger.record(packets: 1)
        #expect(ledger.firstNumber(of: 1) == 9 && ledger.firstNumber(of: 2) == nil)
    }

    @Test("only so many frames are remembered as there is room for")
    func capacity() {
        var ledger = SequenceLedger(capacity: 3, firstNumber: 0)
        ledger.restart(at: 0)
        for _ in 0..<4 { ledger.record(packets: 1) }

        #expect([0, 1, 2, 3].map { ledger.firstNumber(of: $0) } == [nil, 1, 2, 3])
    }
}
