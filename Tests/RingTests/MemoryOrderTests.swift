// SPDX-License-Identifier: Apache-2.0
// A model of the ring's memory order: every reordering that a weak machine may do, tried one by one.
//
// The writer reuses the bytes of frame 1 for frame 2; the reader reads frame 1. Each side is a short list of memory
// operations. Two operations of a side may change places unless a fence between them, or an acquiring or releasing
// access, forbids it; all permitted orders of both sides are interleaved in every way. A reader that accepts must have
// seen only bytes of frame 1. Leaving out either fence must break that, or the model would prove nothing.

import Testing

/// One memory operation of either side.
private enum Operation: Hashable {
    case storeTail
    case storeByte(Int)
    case loadByte(Int)
    case loadTail
    /// Keeps what stands before it before what stands behind it: loads and stores before later stores.
    case releasingFence
    /// Keeps loads before it before loads and stores behind it.
    case acquiringFence

    var isLoad: Bool {
        switch self {
        case .loadByte, .loadTail: true
        default: false
        }
    }

    var isStore: Bool {
        switch self {
        case .storeByte, .storeTail: true
        default: false
        }
    }
}

/// Whether the operation at `later` in program order may take effect before the one at `earlier`.
private func mayOvertake(_ program: [Operation], _ earlier: Int, _ later: Int) -> Bool {
    let (first, second) = (program[earlier], program[later])
    for fence in program[earlier...later] {
        if fence == .releasingFence, second.isStore, earlier != later, first != .releasingFence { return false }
        if fence == .acquiringFence, first.isLoad, second != .acquiringFence { return false }
    }
    return true
}

/// All orders in which a side's operations may take effect; fences themselves have none.
private func permittedOrders(_ program: [Operation]) -> [[Operation]] {
    let accesses = program.indices.filter { program[$0].isLoad || program[$0].isStore }
    var orders: [[Int]] = [[]]
    for _ in accesses {
        orders = orders.flatMap { order in
            accesses.filter { next in
                !order.contains(next)
                    && accesses.allSatisfy { $0 >= next || order.contains($0) || mayOvertake(program, $0, next) }
            }
            .map { order + [$0] }
        }
    }
    return orders.map { $0.map { program[$0] } }
}

/// Runs two orders in every interleaving and calls `finish` with the bytes and the tail that the reader loaded.
private func interleave(
    _ writer: [Operation],
    _ reader: [Operation],
    _ finish: (_ bytes: [Int: Int], _ tail: Int) -> Void
) {
    struct State {
        var bytes = [0: 1, 1: 1]
        var tail = 0
        var seen: [Int: Int] = [:]
        var seenTail = 0
    }
    func step(_ state: State, _ writerNext: Int, _ readerNext: Int) {
        if writerNext == writer.count, readerNext == reader.count { return finish(state.seen, state.seenTail) }
        if writerNext < writer.count {
            var state = state
            switch writer[writerNext] {
            case .storeTail: state.tail = 1
            case .storeByte(let index): state.bytes[index] = 2
            default: break
            }
            step(state, writerNext + 1, readerNext)
        }
        if readerNext < reader.count {
            var state = state
            switch reader[readerNext] {
            case .loadByte(let index): state.seen[index] = state.bytes[index]
            case .loadTail: state.seenTail = state.tail
            default: break
            }
            step(state, writerNext, readerNext + 1)
        }
    }
    step(State(), 0, 0)
}

/// How many executions accept the frame, and how many of those are torn.
private func check(writer: [Operation], reader: [Operation]) -> (accepted: Int, torn: Int) {
    var result = (accepted: 0, torn: 0)
    for writerOrder in permittedOrders(writer) {
        for readerOrder in permittedOrders(reader) {
            interleave(writerOrder, readerOrder) { bytes, tail in
                guard tail == 0 else { return }
                result.accepted += 1
                if bytes.values.contains(2) { result.torn += 1 }
            }
        }
    }
    return result
}

@Suite("Memory order of the ring")
struct MemoryOrderTests {
    private let writer: [Operation] = [.storeTail, .releasingFence, .storeByte(0), .storeByte(1)]
    private let reader: [Operation] = [.loadByte(0), .loadByte(1), .acquiringFence, .loadTail]

    @Test("with both fences no execution accepts a torn frame")
    func correct() {
        let result = check(writer: writer, reader: reader)
        #expect(result.accepted > 0)
        #expect(result.torn == 0)
    }

    @Test("without the writer's fence some execution accepts a torn frame")
    func withoutWriterFence() {
        #expect(check(writer: writer.filter { $0 != .releasingFence }, reader: reader).torn > 0)
    }

    @Test("without the reader's fence some execution accepts a torn frame")
    func withoutReaderFence() {
        #expect(check(writer: writer, reader: reader.filter { $0 != .acquiringFence }).torn > 0)
    }

    @Test("moving the tail after the bytes, as other rings do, accepts torn frames even with fences")
    func tailAfterBytes() {
        let late: [Operation] = [.storeByte(0), .storeByte(1), .releasingFence, .storeTail]
        #expect(check(writer: late, reader: reader).torn > 0)
    }
}
