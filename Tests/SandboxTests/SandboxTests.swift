// SPDX-License-Identifier: Apache-2.0
// What a sandbox covers; that it holds is tested from inside of real daemons (Tests/Interop/test_sandbox.py).

import Sandbox
import Testing

@Suite("Sandbox")
struct SandboxTests {
    private let wide = Sandbox(
        reads: ["/usr", "/a"],
        writes: ["/run/apus"],
        uses: ["/dev/dri"],
        nodes: ["video"],
        lists: ["/dev"],
        families: SocketFamily.network
    )

    @Test(
        "a sandbox covers what asks for less",
        arguments: [
            Sandbox(reads: ["/a"], families: [.unix]), Sandbox(reads: ["/run/apus"], families: []),
            Sandbox(reads: ["/usr", "/a"], writes: ["/run/apus"], families: SocketFamily.network),
            Sandbox(uses: ["/run/apus", "/dev/dri"], nodes: ["video"], lists: ["/dev", "/usr"], families: []),
            Sandbox(reads: ["/dev/dri"], families: []),
        ]
    )
    func less(other: Sandbox) { #expect(wide.covers(other)) }

    @Test(
        "a sandbox does not cover what asks for another file, to write, or another kind of socket",
        arguments: [
            Sandbox(reads: ["/b"], families: []), Sandbox(writes: ["/a"], families: []),
            Sandbox(families: [.netlink]), Sandbox(uses: ["/usr"], families: []),
            Sandbox(writes: ["/dev/dri"], families: []), Sandbox(nodes: ["nvidia"], families: []),
            Sandbox(reads: ["/dev"], families: []), Sandbox(lists: ["/var"], families: []),
        ]
    )
    func more(other: Sandbox) { #expect(!wide.covers(other)) }
}
