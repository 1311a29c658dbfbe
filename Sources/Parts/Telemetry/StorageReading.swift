// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of a card, disk or eMMC: how much was written, and how worn it says it is.

/// A device that files lie on.
package struct StorageReading: Sendable, Equatable {
    /// What an eMMC says of its spare blocks (JEDEC JESD84-B51, PRE_EOL_INFO).
    package enum Spare: UInt32, Sendable {
        case normal = 1
        /// Most of them are used.
        case warning = 2
        /// Next to none are left.
        case urgent = 3
    }

    /// `mmcblk0`.
    package var device: String
    /// `SD`, `MMC`, or what the kernel calls it: `nvme`, `sda`.
    package var kind: String
    /// What it calls itself; nil if it does not.
    package var model: String?
    /// Bytes since the machine's start; nil if that is not told.
    package var written: UInt64?
    /// What part of its life is behind it, 0 to 1, in tenths and rounded up; nil if it does not say: SD cards never do.
    package var wear: Double?
    /// nil if it does not say.
    package var spare: Spare?

    /// What a sector is in /sys/block/…/stat, whatever the device's own are (Documentation/block/stat.rst).
    private static let sectorLength: UInt64 = 512

    /// The devices of this machine; what only stands for others, or for memory, is left out.
    static func all(_ files: KernelFiles) -> [StorageReading] {
        Array(files.list("/sys/block").filter(isDevice).prefix(SystemReading.maximumEntries))
            .map { StorageReading($0, files) }
    }

    private static func isDevice(_ name: String) -> Bool {
        ["mmcblk", "nvme", "sd", "vd"].contains { name.hasPrefix($0) }
            && !name.contains("boot") && !name.hasSuffix("rpmb")
    }

    private init(_ name: String, _ files: KernelFiles) {
        let path = "/sys/block/\(name)"
        device = KernelFiles.name(name[...])
        kind = files.text("\(path)/device/type") ?? (name.hasPrefix("nvme") ? "nvme" : "disk")
        // Of a SCSI disk, the type is a number.
        if UInt(kind) != nil { kind = "disk" }
        model = files.text("\(path)/device/name") ?? files.text("\(path)/device/model")
        // read I/Os, merges, sectors, ticks, write I/Os, merges, sectors, …
        let counts = files.text("\(path)/stat")?.split(separator: " ").map { UInt64($0) } ?? []
        if counts.count > 6, let sectors = counts[6] {
            let (bytes, isTooMuch) = sectors.multipliedReportingOverflow(by: Self.sectorLength)
            written = isTooMuch ? nil : bytes
        }
        // Types A and B of memory cells; 1 is up to 10 %, 10 up to 100 %, 11 beyond, 0 not told.
        let lives = files.hexadecimals("\(path)/device/life_time").prefix(2).filter { (1...11).contains($0) }
        wear = lives.max().map { min(1, Double($0) / 10) }
        spare = files.hexadecimals("\(path)/device/pre_eol_info").first.flatMap(Spare.init(rawValue:))
    }
}
