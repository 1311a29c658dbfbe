// SPDX-License-Identifier: Apache-2.0
// What a sandbox covers; that it holds is tested from inside of real daemons (Tests/Interop/test_sandbox.py).

import Sandbox
import System
import Testing

@Suite("Sandbox")
struct SandboxTests {
    private let wide = Sandbox(
        reads: ["/usr", "/a"],
        writes: ["/run/apus"],
        uses: ["/dev/dri"],
        nodes: ["video"],
        lists: ["/dev"],
        sockets: ["/run/apus/ring"],
        families: SocketFamily.network,
        liberties: .rings,
        capabilities: [.listenOnLowPorts],
        memoryLimit: 1000
    )

    @Test(
        "a sandbox covers what asks for less",
        arguments: [
            Sandbox(reads: ["/a"], families: [.unix], memoryLimit: 1000),
            Sandbox(reads: ["/run/apus"], families: [], memoryLimit: 1000),
            Sandbox(reads: ["/usr", "/a"], writes: ["/run/apus"], families: SocketFamily.network, memoryLimit: 1000),
            Sandbox(
                uses: ["/run/apus", "/dev/dri"],
                nodes: ["video"],
                lists: ["/dev", "/usr"],
                families: [],
                memoryLimit: 1000
            ),
            Sandbox(reads: ["/dev/dri"], families: [], memoryLimit: 1000),
            Sandbox(sockets: ["/run/apus/ring", "/run/apus"], families: [], liberties: .rings, memoryLimit: 999),
            Sandbox(families: [], capabilities: [.listenOnLowPorts], memoryLimit: 1000),
        ]
    )
    func less(other: Sandbox) { #expect(wide.covers(other)) }

    @Test(
        "a sandbox does not cover what asks for another file, to write, or another kind of socket",
        arguments: [
            Sandbox(reads: ["/b"], families: [], memoryLimit: 1), Sandbox(writes: ["/a"], families: [], memoryLimit: 1),
            Sandbox(families: [.netlink], memoryLimit: 1), Sandbox(uses: ["/usr"], families: [], memoryLimit: 1),
            Sandbox(writes: ["/dev/dri"], families: [], memoryLimit: 1),
            Sandbox(nodes: ["nvidia"], families: [], memoryLimit: 1),
            Sandbox(reads: ["/dev"], families: [], memoryLimit: 1),
            Sandbox(lists: ["/var"], families: [], memoryLimit: 1),
            Sandbox(sockets: ["/b"], families: [], memoryLimit: 1), Sandbox(families: []),
            Sandbox(families: [], liberties: .drivers, memoryLimit: 1), Sandbox(families: [], memoryLimit: 1001),
            Sandbox(families: [], capabilities: [.openAnyFile], memoryLimit: 1),
            Sandbox(files: ["/etc/hosts"], families: [], memoryLimit: 1),
        ]
    )
    func more(other: Sandbox) { #expect(!wide.covers(other)) }

    @Test("a file that has taken another's place, or has come, is told from the one that may be read")
    func replaced() throws {
        let path = "/tmp/apus-sandbox-tests-\(Random.uint64())"
        defer { File.remove(path) }
        let before = Sandbox(files: [path], families: [])
        #expect(!before.isOutdated)

        try File.replace(path, with: [1].span, mode: 0o600)

        let first = Sandbox(files: [path], families: [])
        #expect(before.isOutdated && !before.covers(first) && !first.isOutdated)

        // Kept beside, so that its number is not given to the next file.
        try File.replace(path + ".kept", with: [2].span, mode: 0o600)
        defer { File.remove(path + ".kept") }
        try File.replace(path, with: [3].span, mode: 0o600)

        #expect(first.isOutdated && !first.covers(Sandbox(files: [path], families: [])))
    }
}
