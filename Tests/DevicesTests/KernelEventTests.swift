// SPDX-License-Identifier: Apache-2.0
// The kernel's news of devices: read strictly, or not at all.

import Bytes
import System
import Testing

@testable import Devices

@Suite("kernel events") struct KernelEventTests {
    static let path = "/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/video4linux/video0"
    static let added = Array(
        ("add@\(path)\0ACTION=add\0DEVPATH=\(path)\0SUBSYSTEM=video4linux\0MAJOR=81\0MINOR=0\0DEVNAME=video0\0SEQNUM=4711\0")
            .utf8
    )

    private func parse(_ text: String) throws -> KernelEvent { try Self.parse(Array(text.utf8)) }

    private static func parse(_ bytes: [UInt8]) throws -> KernelEvent { try KernelEvent(parsing: bytes.span) }

    private static func changes(_ bytes: [UInt8]) throws -> [DirectoryNews.Change] {
        try DirectoryNews.parse(bytes.span)
    }

    private func problem(_ text: String) -> WireError? {
        do {
            _ = try parse(text)
            return nil
        } catch {
            return error as? WireError
        }
    }

    @Test("a camera's event tells what, where, and its node")
    func added() throws {
        let event = try Self.parse(Self.added)

        #expect(event.action == "add" && event.path == Self.path)
        #expect(event.isAboutVideo && event.node == "video0")
    }

    @Test("events of other devices are read, too, and are not about video")
    func others() throws {
        let event = try parse("remove@/devices/virtual/net/veth0\0ACTION=remove\0DEVPATH=/devices/virtual/net/veth0\0")

        #expect(!event.isAboutVideo && event.node.isEmpty)
    }

    @Test(
        "what is not the kernel's is refused",
        arguments: [
            "", "\0", "add", "add@/x", "add@/x\0", "libudev\0\u{FE}\u{ED}\u{CA}\u{FE}",
            "add@/x\0ACTION=remove\0DEVPATH=/x\0",
            "add@/x\0ACTION=add\0DEVPATH=/y\0", "add@x\0ACTION=add\0DEVPATH=x\0", "@/x\0ACTION=\0DEVPATH=/x\0",
            "add@/x\0ACTION=add\0DEVPATH=/x\0nonsense\0", "add@/x\0ACTION=add\0DEVPATH=/x\0=value\0",
            "add@/x\0ACTION=add\0ACTION=add\0DEVPATH=/x\0", "add@/x\0ACTION=add\0DEVPATH=/x\0SUBSYSTEM=video4linux",
        ]
    )
    func refused(text: String) {
        #expect(problem(text) != nil)
    }

    @Test("an event that is cut anywhere but behind a text is refused")
    func truncated() {
        for length in 0..<Self.added.count {
            let event = try? Self.parse(Array(Self.added.prefix(length)))
            let endsWithText = length > 0 && Self.added[length - 1] == 0
            #expect(event == nil || endsWithText, "\(length)")
        }
    }

    @Test("the limits of length and of texts hold")
    func limits() {
        let start = "add@/x\0ACTION=add\0DEVPATH=/x\0"
        let most = start + (0..<(KernelEvent.maximumFields - 2)).map { "K\($0)=v\0" }.joined()
        let longest =
            start + "K=" + String(repeating: "v", count: KernelEvent.maximumLength - start.utf8.count - 3) + "\0"

        #expect(problem(most) == nil)
        #expect(problem(most + "L=v\0") == .limit(field: "fields", limit: KernelEvent.maximumFields))
        #expect(longest.utf8.count == KernelEvent.maximumLength)
        #expect(problem(longest) == nil)
        #expect(problem(longest + "\0") == .limit(field: "event", limit: KernelEvent.maximumLength))
    }

    @Test("the fuzzer's corpus holds")
    func corpus() throws {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let directory = "/\(here)/Fuzz/corpus/KernelEvents"
        let names = try File.list(directory)
        #expect(!names.isEmpty)
        for name in names {
            let bytes = try File.contents("\(directory)/\(name)")
            KernelEventFuzz.check(bytes.span)
        }
    }

    @Test("changes of directories are read with their names, and cut ones are refused")
    func directories() throws {
        let bytes: [UInt8] =
            [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0] + Array("video0\0\0".utf8)
            + [2, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

        let changes = try Self.changes(bytes)

        #expect(changes.map(\.name) == ["video0", ""])
        #expect(changes.map(\.directory) == [1, 2])
        #expect(changes.map(\.isEnd) == [false, true])
        for length in 1..<bytes.count where length != 24 {
            let cut = try? Self.changes(Array(bytes.prefix(length)))
            #expect(cut == nil)
        }
    }
}
