// SPDX-License-Identifier: Apache-2.0
// Tries what a sandbox forbids, to show that it does.

import System

/// One deed that should be refused, and what became of it.
package struct SandboxTrial: Sendable {
    /// In words.
    package let deed: String
    /// Why it was refused; nil if it was not.
    package let refusal: String?

    /// Tries everything that no daemon may do; to be called in the sandbox.
    ///
    /// - Parameter families: the sockets that are allowed.
    package static func all(families: Set<SocketFamily>) -> [SandboxTrial] {
        var trials = [
            attempt("list the files of /var") { () throws(SystemError) in _ = try File.list("/var") },
            attempt("list the files of /root") { () throws(SystemError) in _ = try File.list("/root") },
            attempt("write a file into /tmp") { () throws(SystemError) in
                let path = "/tmp/apus-trial-\(Random.uint64())"
                _ = try File.open(path, .create(mode: 0o600))
                File.remove(path)
            },
            attempt("make a file in /dev") { () throws(SystemError) in
                let path = "/dev/apus-trial-\(Random.uint64())"
                _ = try File.open(path, .create(mode: 0o600))
                File.remove(path)
            },
            attempt("open a device that is no camera (/dev/full)") { () throws(SystemError) in
                _ = try File.open("/dev/full", .readWrite)
            },
            attempt("run a program") { () throws(SystemError) in
                _ = try Process.spawn(Process.Launch(path: "/bin/true", arguments: []))
            },
            attempt("forge packets (raw IPv4 socket)") { () throws(SystemError) in
                try Socket.attempt(family: 2, type: 3)
            },
            attempt("listen to the network (packet socket)") { () throws(SystemError) in
                try Socket.attempt(family: 17, type: 3)
            },
            attempt("talk to Bluetooth") { () throws(SystemError) in try Socket.attempt(family: 31, type: 3) },
        ]
        for disk in disks where File.exists(disk) {
            trials.append(
                attempt("write to a disk (\(disk))") { () throws(SystemError) in _ = try File.open(disk, .readWrite) }
            )
        }
        if !families.contains(.netlink) {
            trials.append(
                attempt("talk to the kernel (netlink)") { () throws(SystemError) in
                    try Socket.attempt(family: 16, type: 2)
                }
            )
        }
        return trials
    }

    /// The first disk of each kind; where none is there, none is tried.
    private static let disks = ["/dev/mmcblk0", "/dev/nvme0n1", "/dev/sda", "/dev/vda"]

    private static func attempt(_ deed: String, _ act: () throws(SystemError) -> Void) -> SandboxTrial {
        do throws(SystemError) {
            try act()
            return SandboxTrial(deed: deed, refusal: nil)
        } catch {
            return SandboxTrial(deed: deed, refusal: error.description)
        }
    }
}
