// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of a card, disk or eMMC: how much was written, and how worn it says it is, if it does.

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
    /// Bytes written since the machine's start; nil if that is not told.
    package var written: UInt64?
    /// Bytes that were given back to it as unused (TRIM) since the machine's start; nil if that is not told.
    package var discarded: UInt64?
    /// Bytes written by the ext4 and f2fs file systems on it, each since it was made: the least that the device has had to
    /// write in its life. nil without any.
    package var lifetimeWritten: UInt64?
    /// What part of its life is behind it, 0 to 1, in tenths and rounded up; nil if it does not say.
    ///
    /// eMMC and UFS say. SD cards never do; NVMe and ATA disks say it in logs that only root may ask for.
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
        // Reads, merged ones, sectors, ticks; the same of writes; in flight, ticks twice; the same four of discards.
        let counts = files.text("\(path)/stat")?.split(separator: " ").map { UInt64($0) } ?? []
        if counts.count > 6 { written = Self.bytes(counts[6], unit: Self.sectorLength) }
        if counts.count > 13 { discarded = Self.bytes(counts[13], unit: Self.sectorLength) }
        lifetimeWritten = Self.lifetime(name, files)
        // Types A and B of memory cells; 1 is up to 10 %, 10 up to 100 %, 11 beyond, 0 not told.
        var lives = files.hexadecimals("\(path)/device/life_time").prefix(2)
        spare = files.hexadecimals("\(path)/device/pre_eol_info").first.flatMap(Spare.init(rawValue:))
        if lives.isEmpty {
            // UFS: a SCSI disk whose controller knows (JESD220, device health descriptor), by the same numbers.
            let health = "\(path)/device/../../../health_descriptor"
            lives = ["a", "b"].flatMap { files.hexadecimals("\(health)/life_time_estimation_\($0)").prefix(1) }
                .prefix(2)
            spare = spare ?? files.hexadecimals("\(health)/eol_info").first.flatMap(Spare.init(rawValue:))
        }
        wear = lives.filter { (1...11).contains($0) }.max().map { min(1, Double($0) / 10) }
    }

    /// What file systems on the device or its partitions say that they have written.
    private static func lifetime(_ name: String, _ files: KernelFiles) -> UInt64? {
        let volumes = [name] + files.list("/sys/block/\(name)", prefix: name)
        let counts = volumes.flatMap { volume in
            ["ext4", "f2fs"].compactMap { files.text("/sys/fs/\($0)/\(volume)/lifetime_write_kbytes") }
        }
        let amounts = counts.compactMap { bytes(UInt64($0), unit: 1024) }
        guard !amounts.isEmpty else { return nil }
        return amounts.reduce(0) { sum, amount in
            let (both, isTooMuch) = sum.addingReportingOverflow(amount)
            return isTooMuch ? .max : both
        }
    }

    private static func bytes(_ count: UInt64?, unit: UInt64) -> UInt64? {
        guard let (bytes, isTooMuch) = count?.multipliedReportingOverflow(by: unit), !isTooMuch else { return nil }
        return bytes
    }
}
