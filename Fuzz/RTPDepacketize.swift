// SPDX-License-Identifier: Apache-2.0
// Fuzzes payloads of every format, as packets of a stream.

import Bytes
import RTP

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    RTPFuzz.depacketize(bytes)
    return 0
}
