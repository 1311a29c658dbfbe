// SPDX-License-Identifier: Apache-2.0
// Fuzzes the packets of a track, over UDP and over TCP.

import Bytes
import RTP

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    RTPFuzz.receive(track: bytes)
    return 0
}
