// SPDX-License-Identifier: Apache-2.0
// Files that are replaced: whose they are afterwards, and who may read them.

import System
import Testing

@Suite("Files")
struct FileTests {
    /// A directory of the test's own, gone with it.
    private final class Folder {
        let path = "/tmp/apus-file-test-\(Random.uint64())"

        init() throws { try File.makeDirectory(path, mode: 0o700) }

        deinit {
            for name in (try? File.list(path)) ?? [] { File.remove("\(path)/\(name)") }
            File.removeDirectory(path)
        }

        /// Gives what root has made to somebody else, as a service's files are.
        func giveAway(_ file: String) throws { if Process.user == 0 { try File.give(file, toUser: "nobody") } }
    }

    private func replace(_ path: String, mode: UInt32 = 0o600, keepsMode: Bool = true) throws {
        try File.replace(path, with: Array("new".utf8).span, mode: mode, keepsMode: keepsMode)
    }

    @Test("a file that is replaced keeps its owner and mode", arguments: [0o600, 0o640, 0o664, 0o400] as [UInt32])
    func kept(mode: UInt32) throws {
        let folder = try Folder()
        let file = folder.path + "/file"
        _ = try File.open(file, .new(mode: 0o600))
        try File.replace(file, with: Array("old".utf8).span, mode: mode, keepsMode: false)
        try folder.giveAway(file)
        let (owner, before) = (File.owner(file), File.mode(file))

        try replace(file)

        #expect(String(decoding: try File.contents(file), as: UTF8.self) == "new")
        #expect(File.owner(file) == owner)
        #expect(File.mode(file) == before)
    }

    @Test("a mode that is not to be kept is the new one")
    func tightened() throws {
        let folder = try Folder()
        let file = folder.path + "/file"
        try replace(file, mode: 0o644)

        try replace(file, mode: 0o600, keepsMode: false)

        #expect(File.mode(file).map { $0 & 0o777 } == 0o600)
    }

    @Test("a new file belongs to whom its directory belongs to, with the mode that is asked for")
    func new() throws {
        let folder = try Folder()
        try folder.giveAway(folder.path)
        let file = folder.path + "/file"

        try replace(file)

        #expect(File.owner(file) == File.owner(folder.path))
        #expect(File.mode(file).map { $0 & 0o777 } == 0o600)
    }

    @Test("a link in the place of what is written beside a file is not followed")
    func link() throws {
        let folder = try Folder()
        let (file, other) = (folder.path + "/file", folder.path + "/other")
        try replace(other)
        try File.link(other, at: file + ".new")
        #expect(throws: SystemError.self) { _ = try File.open(file + ".new", .new(mode: 0o600)) }

        try File.replace(file, with: Array("mine".utf8).span, mode: 0o600)

        #expect(String(decoding: try File.contents(other), as: UTF8.self) == "new")
        #expect(String(decoding: try File.contents(file), as: UTF8.self) == "mine")
    }
}
