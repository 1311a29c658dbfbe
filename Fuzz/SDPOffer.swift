// SPDX-License-Identifier: Apache-2.0
// Fuzzes session descriptions as offers of tracks.

import Bytes
import SDP

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    SDPFuzz.offer(bytes)
    return 0
}
