// SPDX-License-Identifier: Apache-2.0
// Lines that nobody reads: kept up to a limit, then counted; who writes them never waits.

import Bytes
import Log
import Synchronization
import System
import Testing

@Suite("Lines that wait")
struct LineWriterTests {
    private static let note: @Sendable (Int) -> [UInt8] = { Array("\($0) lost\n".utf8) }

    @Test("what fits is kept to the byte, one byte more is not, and the note stands where the lines would have")
    func limit() {
        var lines = WaitingLines(note: Self.note)
        let line = Array(String(repeating: "x", count: 1023).utf8) + [UInt8(ascii: "\n")]
        for _ in 0..<WaitingLines.maximumWaiting / 1024 { lines.add(line) }
        lines.add([UInt8(ascii: "\n")])
        lines.add(line)

        #expect(take(&lines).suffix(9) == "xx\n2 lost\n".utf8.suffix(9))
        #expect(lines.isEmpty)
        lines.add(line)
        #expect(take(&lines).count == 1024)
    }

    @Test("once lines were lost it begins again half empty, with one note")
    func gap() {
        var lines = WaitingLines(note: Self.note)
        let line = Array(String(repeating: "x", count: 1023).utf8) + [UInt8(ascii: "\n")]
        for _ in 0..<WaitingLines.maximumWaiting / 1024 + 1 { lines.add(line) }
        lines.remove(1024)
        // There is room for it, but not enough to begin again.
        lines.add(line)
        for _ in 0..<WaitingLines.maximumWaiting / 2048 { lines.remove(1024) }

        lines.add(Array("again\n".utf8))

        #expect(String(decoding: take(&lines).suffix(15), as: UTF8.self) == "x\n2 lost\nagain\n")
    }

    @Test("bytes for two descriptors keep their order")
    func descriptors() {
        var lines = WaitingLines(note: Self.note)
        lines.add(Array("a\n".utf8), to: 2)
        lines.add(Array("b\n".utf8), to: 1)
        lines.add(Array("c\n".utf8), to: 2)

        var order: [Int32] = []
        while let front = lines.front(atMost: 100) {
            order.append(front.fd)
            lines.remove(front.bytes.count)
        }

        #expect(order == [2, 1, 2])
    }

    @Test("a writer whose reader does not read returns at once, and writes on when it reads, with what is lost counted")
    func background() throws {
        let pair = try Socket.pair(.stream)
        try setNonBlocking(pair.second.raw, false)
        let writer = LineWriter(note: Self.note)
        let line = Array(String(repeating: "x", count: 1023).utf8) + [UInt8(ascii: "\n")]
        for _ in 0..<2048 { writer.write(line, to: pair.second.raw) }
        #expect(!writer.finish(within: .milliseconds(10)))

        var text: [UInt8] = []
        while !text.ends(with: " lost\n"), try waitUntilReady(pair.first.raw, timeout: .seconds(10)) {
            _ = try read(pair.first.raw, appendingTo: &text, atMost: 64 << 10)
        }

        #expect(writer.finish(within: .seconds(10)))
        let all = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let lost = try #require(all.last?.split(separator: " ").first.flatMap { Int($0) })
        #expect(all.count - 1 + lost == 2048)
        #expect(lost > 0)
    }

    @Test("a writer without a thread writes what is taken at once, and the rest behind the next line")
    func ready() throws {
        let pair = try Socket.pair(.stream)
        // As a daemon's standard error is: writing to it waits.
        try setNonBlocking(pair.second.raw, false)
        let writer = ReadyLineWriter(pair.second.raw, note: Self.note)
        let line = Array(String(repeating: "x", count: 1023).utf8) + [UInt8(ascii: "\n")]
        for _ in 0..<2048 { writer.write(line) }

        var text: [UInt8] = []
        while !text.ends(with: " end\n"), try waitUntilReady(pair.first.raw, timeout: .zero) {
            _ = try read(pair.first.raw, appendingTo: &text, atMost: 64 << 10)
            if try !waitUntilReady(pair.first.raw, timeout: .zero) { writer.write(Array("the end\n".utf8)) }
        }

        let all = String(decoding: text, as: UTF8.self)
        #expect(all.hasPrefix("xxx"))
        #expect(all.contains(" lost\n"))
        #expect(all.hasSuffix("the end\n"))
    }

    private func take(_ lines: inout WaitingLines) -> [UInt8] {
        var all: [UInt8] = []
        while let front = lines.front(atMost: 5000) {
            all += front.bytes
            lines.remove(front.bytes.count)
        }
        return all
    }
}

extension [UInt8] {
    fileprivate func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
