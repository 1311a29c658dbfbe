// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reader of MP4 files.

import Bytes
import MP4

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    MP4Fuzz.file(bytes)
    return 0
}
