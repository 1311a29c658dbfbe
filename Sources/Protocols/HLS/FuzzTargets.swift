// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes

/// Entry points for fuzzing this module.
package enum HLSFuzz {
    /// Reads `bytes` as lines of names and queries, and asks a window for what they say.
    package static func requests(_ bytes: Span<UInt8>) {
        var window = HLSWindow(HLSSettings(), firstNumber: 100)
        for index in 0..<300 {
            _ = window.append(
                HLSFrame(
                    sequence: UInt64(index + 1),
                    captured: Instant(nanoseconds: Int64(index) * 33_333_333),
                    isKeyframe: index % 30 == 0,
                    duration: .nanoseconds(33_333_333),
                    utc: Int64(index) * 33_333_333
                )
            )
        }
        let text = String(decoding: [UInt8](bytes), as: UTF8.self)
        for line in text.split(separator: "\n") {
            if let name = HLSName(String(line)) { precondition(name.text == line, "a name has one spelling") }
            let query = line.split(separator: "&")
                .map { item in
                    let equals = item.firstIndex(of: "=") ?? item.endIndex
                    return (name: String(item[..<equals]), value: String(item[equals...].dropFirst()))
                }
            guard let reload = try? HLSReload(query) else { continue }
            if case .wait = window.availability(reload) {
                precondition((reload.segment ?? 0) <= window.currentNumber + 2, "waits for what is too far ahead")
            }
        }
    }
}
