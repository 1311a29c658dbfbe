// SPDX-License-Identifier: Apache-2.0
// Fuzzes the frames of a WebSocket connection.

import Bytes
import WebSocket

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: the fuzzer lends `count` bytes at `start` for the length of this call.
    let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    WebSocketFuzz.frames(bytes)
    return 0
}
