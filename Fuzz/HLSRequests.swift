// SPDX-License-Identifier: Apache-2.0
// Fuzzes names and delivery directives of HLS.

import Bytes
import HLS

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    HLSFuzz.requests(bytes)
    return 0
}
