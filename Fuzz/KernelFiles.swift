// SPDX-License-Identifier: Apache-2.0
// Fuzzes the readers of the kernel's files in /proc and /sys.

import Bytes
import Telemetry

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    TelemetryFuzz.check(bytes)
    return 0
}
