// SPDX-License-Identifier: Apache-2.0
// Fuzzes the JPEG splitter and header.

import Bytes
import Media

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    MediaFuzz.images(bytes)
    return 0
}
