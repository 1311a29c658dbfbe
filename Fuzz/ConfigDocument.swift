// SPDX-License-Identifier: Apache-2.0
// Fuzzes a configuration file: reading, writing, setting a key.

import Config

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    if let text = String(validating: bytes, as: UTF8.self) { ConfigFuzz.check(text) }
    return 0
}
