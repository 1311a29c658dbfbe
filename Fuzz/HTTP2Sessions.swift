// SPDX-License-Identifier: Apache-2.0
// Fuzzes what an HTTP/2 server takes from its client.

import Bytes
import HTTP2

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    HTTP2Fuzz.session(bytes)
    return 0
}
