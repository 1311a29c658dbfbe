// SPDX-License-Identifier: Apache-2.0
// What must hold for any bytes that claim to be news of the kernel's; for fuzzing and its corpus.

import System

/// Checks of the readers of device news.
package enum KernelEventFuzz {
    /// Reads the bytes as a kernel event, and as changes of directories.
    package static func check(_ bytes: Span<UInt8>) {
        _ = try? DirectoryNews.parse(bytes)
        guard let event = try? KernelEvent(parsing: bytes) else { return }
        precondition(!event.action.isEmpty && event.path.hasPrefix("/"), "an event says what happened, and where")
        var written = Array("\(event.action)@\(event.path)\0ACTION=\(event.action)\0DEVPATH=\(event.path)\0".utf8)
        if !event.subsystem.isEmpty { written += Array("SUBSYSTEM=\(event.subsystem)\0".utf8) }
        if !event.node.isEmpty { written += Array("DEVNAME=\(event.node)\0".utf8) }
        // What is not UTF-8 grows when it is read.
        guard written.count <= KernelEvent.maximumLength else { return }
        let again = try? KernelEvent(parsing: written.span)
        precondition(again == event, "an event is read as it was written")
    }
}
