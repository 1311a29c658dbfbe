// SPDX-License-Identifier: Apache-2.0
// Small files of the kernel's: read with limits, and cleaned of what no name or number holds.

import System

/// Small files of the kernel's below a root.
///
/// What drivers and devices call themselves is not believed: texts are short and hold no control characters, numbers are
/// whole and fit, lists end.
struct KernelFiles {
    /// The unit of /proc/stat and /proc/PID/stat, the same on all machines since Linux 2.6: USER_HZ.
    static let ticksPerSecond = 100.0
    /// Longer texts are cut, in bytes.
    static let maximumText = 128
    /// More files of a directory are passed over.
    static let maximumNames = 256
    /// A file of many lines is read up to so many bytes; a larger one counts as none.
    static let maximumTable = 1 << 20

    private enum Place {
        /// Below a folder.
        case root(String)
        /// In memory, by path: for fuzzing.
        case memory([String: [UInt8]])
    }

    private let place: Place

    /// The files below a folder; that of the machine itself is empty.
    init(root: String) { place = .root(root) }

    /// Files that are nowhere but here.
    init(_ contents: [String: [UInt8]]) { place = .memory(contents) }

    /// The first line, without control characters; nil if the file is not there, is empty, or cannot be read.
    func text(_ path: String) -> String? {
        guard let bytes = contents(path, limit: 64 << 10) else { return nil }
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }
            .filter { $0 >= 0x20 && $0 != 0x7F }
            .prefix(Self.maximumText)
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    /// A decimal number.
    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    /// Numbers with `0x` in front, or without, as some drivers write hexadecimal ones.
    func hexadecimals(_ path: String) -> [UInt32] {
        guard let words = text(path)?.split(separator: " ") else { return [] }
        return words.compactMap { UInt32($0.hasPrefix("0x") ? $0.dropFirst(2) : $0, radix: 16) }
    }

    func lines(_ path: String) -> [String] {
        guard let bytes = contents(path, limit: Self.maximumTable) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names in a directory, sorted; without those that hold what no name of the kernel's does.
    func list(_ path: String, prefix: String = "", suffix: String = "") -> [String] {
        let names = names(path)
            .filter { name in
                name.hasPrefix(prefix) && name.hasSuffix(suffix) && !name.utf8.contains { $0 <= 0x20 || $0 == 0x7F }
            }
        return Array(names.prefix(Self.maximumNames))
    }

    private func contents(_ path: String, limit: Int) -> [UInt8]? {
        switch place {
        case .root(let root): try? File.contents(root + path, limit: limit)
        case .memory(let files): files[path].flatMap { $0.count > limit ? nil : $0 }
        }
    }

    private func names(_ path: String) -> [String] {
        switch place {
        case .root(let root): (try? File.list(root + path)) ?? []
        case .memory(let files):
            Set(
                files.keys.filter { $0.hasPrefix(path + "/") }
                    .map { $0.dropFirst(path.utf8.count + 1).prefix { $0 != "/" } }
            )
            .map(String.init).sorted()
        }
    }

    /// A name out of the middle of a line, cleaned like a text.
    static func name(_ text: Substring) -> String {
        String(decoding: text.utf8.filter { $0 > 0x20 && $0 != 0x7F }.prefix(maximumText), as: UTF8.self)
    }
}
