// SPDX-License-Identifier: Apache-2.0
// Fuzzes the kernel's news of devices, and inotify's of directories.

import Bytes
import Devices

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    KernelEventFuzz.check(bytes)
    return 0
}
