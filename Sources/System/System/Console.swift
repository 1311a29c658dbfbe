// SPDX-License-Identifier: Apache-2.0
// Reading a secret from a person at a terminal.

import Glibc

/// The terminal behind standard input.
package enum Console {
    /// Reads a line without showing it; the prompt goes to standard error.
    ///
    /// - Returns: nil if the person gave up: Ctrl-C, or Ctrl-D on an empty line. C: `tcsetattr`
    package static func readSecret(_ prompt: String, atMost limit: Int) throws(SystemError) -> [UInt8]? {
        var usual = termios()
        // Safe: `usual` is valid for the call.
        try check("tcgetattr") { unsafe tcgetattr(0, &usual) }
        var silent = usual
        // Signals too are read as bytes: one that ended the program here would leave the terminal silent.
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        // Safe: `silent` and `usual` are valid for the calls.
        try check("tcsetattr") { unsafe tcsetattr(0, TCSAFLUSH, &silent) }
        defer {
            unsafe tcsetattr(0, TCSAFLUSH, &usual)
            _ = try? writeAll(2, [0x0A].span)
        }
        try writeAll(2, Array(prompt.utf8).span)
        var line: [UInt8] = []
        while true {
            var byte: [UInt8] = []
            guard case .bytes = try read(0, appendingTo: &byte, atMost: 1), let byte = byte.first else { return nil }
            switch byte {
            case 0x0A, 0x0D: return line
            case 0x03: return nil
            case 0x04: return line.isEmpty ? nil : line
            case 0x08, 0x7F:
                // One character back, which may be of several bytes.
                while let last = line.popLast(), last & 0xC0 == 0x80 {}
            default: if line.count < limit { line.append(byte) }
            }
        }
    }
}
