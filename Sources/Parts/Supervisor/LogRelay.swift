// SPDX-License-Identifier: Apache-2.0
// The daemons' lines on their way to standard error: held back while all start, so that a start that fails says why in
// one line instead of a page.

package import Log
import Synchronization

/// Passes what the daemons write on to standard error.
package final class LogRelay: Sendable {
    /// Held back at most, in bytes; more is passed on at once.
    package static let maximumHeld = 256 << 10

    private enum State {
        case holding([UInt8])
        case passing
        /// Only complaints are passed on: the start has failed.
        case failing
    }

    /// The lines that were written last, whoever wrote them.
    package struct Lines: Sendable {
        /// More are forgotten.
        package static let maximumCount = 1000
        /// Longer lines are cut, in bytes.
        package static let maximumLength = 2000

        private var lines: [[UInt8]] = []
        private var rest: [UInt8] = []
        /// The number of the newest line; the first one is 1.
        package private(set) var last = 0

        mutating func add(_ bytes: [UInt8]) {
            for byte in bytes {
                guard byte == UInt8(ascii: "\n") else {
                    if rest.count < Self.maximumLength { rest.append(byte) }
                    continue
                }
                if lines.count < Self.maximumCount {
                    lines.append(rest)
                } else {
                    lines[last % Self.maximumCount] = rest
                }
                last += 1
                rest.removeAll(keepingCapacity: true)
            }
        }

        /// At most `limit` lines behind number `after`, the newest ones if there are more.
        package func newest(_ limit: Int, after: Int = 0) -> [(number: Int, text: String)] {
            let first = max(after + 1, last - lines.count + 1, last - limit + 1)
            guard first <= last else { return [] }
            return (first...last)
                .map { ($0, String(decoding: Self.plain(lines[($0 - 1) % Self.maximumCount]), as: UTF8.self)) }
        }

        /// A line without the sequences that colour it on a terminal, and without other control characters.
        static func plain(_ line: some Sequence<UInt8>) -> [UInt8] {
            var plain: [UInt8] = []
            var isSequence = false
            for byte in line {
                if byte == 0x1B {
                    isSequence = true
                } else if isSequence {
                    isSequence = !(byte >= 0x40 && byte <= 0x7E && byte != UInt8(ascii: "["))
                } else if byte >= 0x20, byte != 0x7F {
                    plain.append(byte)
                }
            }
            return plain
        }
    }

    /// Guards the newest lines.
    private let recent = Mutex(Lines())
    /// Guards what is not written yet; the supervisor's own lines come through a `Sendable` closure.
    private let state = Mutex(State.holding([]))
    private let writer: LineWriter

    /// Makes a relay that holds lines back, then has `writer` write them.
    package init(_ writer: LineWriter) { self.writer = writer }

    /// Takes lines.
    package func add(_ bytes: [UInt8]) {
        recent.withLock { $0.add(bytes) }
        let passed = state.withLock { state -> [UInt8] in
            switch state {
            case .holding(var held):
                held += bytes
                guard held.count > LogRelay.maximumHeld else {
                    state = .holding(held)
                    return []
                }
                state = .passing
                return held
            case .passing: return bytes
            case .failing: return LogRelay.complaints(in: bytes)
            }
        }
        writer.write(passed)
    }

    /// The lines that were written last.
    package var lines: Lines { recent.withLock { $0 } }

    /// Passes on what was held back, and all that comes.
    package func pass() { writer.write(take(.passing)) }

    /// Prints text for people to standard output, behind the lines that came before it.
    package func print(_ text: String) { writer.write(Array(text.utf8), to: 1) }

    /// Waits until all is written, at most so long; false if nobody reads.
    package func finish(within patience: Duration) -> Bool { writer.finish(within: patience) }

    /// Passes complaints on and drops log lines, those that were held back, too.
    ///
    /// - Returns: whether there was a complaint.
    package func fail() -> Bool {
        let complaints = LogRelay.complaints(in: take(.failing))
        writer.write(complaints)
        return !complaints.isEmpty
    }

    private func take(_ next: State) -> [UInt8] {
        state.withLock { state in
            var held: [UInt8] = []
            if case .holding(let bytes) = state { held = bytes }
            if case .passing = state, case .failing = next { return held }
            state = next
            return held
        }
    }

    /// The lines that are for people: those without a time or a priority in front.
    private static func complaints(in bytes: [UInt8]) -> [UInt8] {
        var complaints: [UInt8] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let isLogged = line.starts(with: "20".utf8) && line.dropFirst(10).first == UInt8(ascii: "T")
            if isLogged || line.first == UInt8(ascii: "<") { continue }
            complaints += line
            complaints.append(UInt8(ascii: "\n"))
        }
        return complaints
    }
}
