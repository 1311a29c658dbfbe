// SPDX-License-Identifier: Apache-2.0
// Fuzzes Range, If-None-Match and If-Range.

import Bytes
import HTTP

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    HTTPFuzz.conditions(bytes)
    return 0
}
