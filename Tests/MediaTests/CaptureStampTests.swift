// SPDX-License-Identifier: Apache-2.0
// The capture time inside of access units: writing, finding, and what is none.

import Bytes
import Media
import Testing

@Suite("Capture stamp")
struct CaptureStampTests {
    static let uuid = "f7a1c0de 9d1b4f4e 8c864150 5553544d"
    static let sps = "00000001 6742c00dda05467889b01100000303e90000ea600f142aa0"

    static func stamp(_ format: NALFormat, _ time: Int64) -> [UInt8] {
        var unit: [UInt8] = []
        CaptureStamp.append(format, unixNanoseconds: time, to: &unit)
        return unit
    }

    @Test(
        "a stamp is an SEI unit of type 5 with our UUID and the time",
        arguments: [
            (NALFormat.h264, Int64(0x1122_3344_5566_7788), "00000001 06 0518 \(uuid) 1122334455667788 80"),
            (.h265, 0x1122_3344_5566_7788, "00000001 4e01 0518 \(uuid) 1122334455667788 80"),
            (.h264, 0, "00000001 06 0518 \(uuid) 0000030000030000030000 80"),
            (.h265, 0x0000_0000_0001_0002, "00000001 4e01 0518 \(uuid) 0000030000030001000280"),
            (.h264, 0x1100_0004_0000_0033, "00000001 06 0518 \(uuid) 11000004000003003380"),
            (.h264, -1, "00000001 06 0518 \(uuid) ffffffffffffffff 80"),
        ]
    )
    func written(format: NALFormat, time: Int64, expected: String) {
        #expect(Self.stamp(format, time) == hex(expected))
    }

    @Test("a time that was written is found, whatever its bytes", arguments: [NALFormat.h264, .h265])
    func roundTrip(format: NALFormat) {
        var generator = SystemRandomNumberGenerator()
        var times: [Int64] = [0, 1, 2, 3, -1, .max, .min, 1_767_225_600_000_000_000]
        // Bytes that need emulation prevention in every place.
        for shift in 0..<64 { times.append(1 << shift) }
        for _ in 0..<1000 { times.append(Int64.random(in: .min ... .max, using: &generator)) }
        for time in times {
            let unit = Self.stamp(format, time)
            let found = CaptureStamp.find(format, in: unit.span)
            #expect(found == time)
            #expect(unit.count <= CaptureStamp.maximumLength)
            #expect(AnnexB.startCode(in: unit.span, from: 1) == 1 && AnnexB.startCode(in: unit.span, from: 2) == nil)
        }
    }

    @Test(
        "a stamp belongs in front of the first slice",
        arguments: [
            (NALFormat.h264, "00000001 0910 \(sps) 00000001 658884 00000001 650040", CaptureStamp.Finding.place(34)),
            (.h264, "000001 0910 000001 658884", .place(5)),
            (.h264, "00000001 419a22", .place(0)),
            (.h264, "000001 419a22", .place(0)),
            (.h265, "00000001 460150 00000001 2601af", .place(7)),
            // Another's SEI message stays in front.
            (.h264, "00000001 0605 0401020304 80 00000001 419a22", .place(12)),
            (.h264, "00000001 0910", .nothing),
            (.h264, "00000001", .nothing),
            (.h264, "", .nothing),
            (.h264, "419a22", .nothing),
        ]
    )
    func place(format: NALFormat, unit: String, expected: CaptureStamp.Finding) {
        let unit = hex(unit)
        let finding = CaptureStamp.look(format, in: unit.span)
        #expect(finding == expected)
    }

    @Test("a stamped access unit has its own NAL units and the stamp, and is not stamped again")
    func inserted() {
        let unit = hex("00000001 0910 \(Self.sps) 00000001 658884 00000001 650040")
        let stamp = Self.stamp(.h264, 5)
        guard case .place(let place) = CaptureStamp.look(.h264, in: unit.span) else {
            Issue.record("no place for a stamp")
            return
        }

        let stamped = Array(unit[..<place]) + stamp + Array(unit[place...])

        var expected = AnnexBTests.units(unit)
        expected.insert(Array(stamp[4...]), at: 2)
        #expect(AnnexBTests.units(stamped) == expected)
        let again = CaptureStamp.look(.h264, in: stamped.span)
        #expect(again == .stamp(5))
    }

    @Test("what is cut short or another's message is no stamp")
    func others() {
        let whole = Self.stamp(.h264, 0x1122_3344_5566_7788)
        for length in 0..<(whole.count - 1) {
            let cut = whole.span.extracting(..<length)
            let found = CaptureStamp.find(.h264, in: cut)
            #expect(found == nil, "\(length) bytes")
        }
        for index in 4..<(whole.count - 9) {
            var other = whole
            other[index] ^= 0x40
            let found = CaptureStamp.find(.h264, in: other.span)
            #expect(found == nil || index < 5, "byte \(index) is wrong")
        }
        // The time must not run into the next NAL unit.
        let next = Array(whole[..<(whole.count - 5)]) + hex("00000001 419a22419a22")
        let found = CaptureStamp.find(.h264, in: next.span)
        #expect(found == nil)
        // Behind the first slice nothing is looked for.
        let late = hex("00000001 419a22") + whole
        let foundLate = CaptureStamp.look(.h264, in: late.span)
        #expect(foundLate == .place(0))
    }
}
