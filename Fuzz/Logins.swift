// SPDX-License-Identifier: Apache-2.0
// Fuzzes what a browser or a program shows of who it is: login bodies, cookies, bearer tokens, host and origin.

import Access
import Bytes

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    AccessFuzz.login(bytes)
    return 0
}
