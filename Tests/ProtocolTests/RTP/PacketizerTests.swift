// SPDX-License-Identifier: Apache-2.0
// Frames to packets and back, for all payload formats.

import Bytes
import Media
import RTP
import Testing

@Suite("RTP packetizer")
struct PacketizerTests {
    static func packetizer(_ codec: Codec, maximumPayload: Int = 1400) throws -> RTPPacketizer {
        let format = try #require(RTPPacketizer.Format(codec))
        return RTPPacketizer(
            format,
            payloadType: 96,
            source: 0xDEAD_BEEF,
            firstSequence: 0xFFFE,
            channel: 2,
            maximumPayload: maximumPayload
        )
    }

    static func packetize(_ codec: Codec, _ frame: [UInt8], maximumPayload: Int = 1400) throws -> PacketImage {
        var packetizer = try packetizer(codec, maximumPayload: maximumPayload)
        var image = PacketImage()
        try packetizer.packetize(frame.span, timestamp: 0x0102_0304, into: &image)
        return image
    }

    static func frame(_ units: [[UInt8]]) -> [UInt8] { units.flatMap { hex("00000001") + $0 } }

    /// A NAL unit without zeros, so that no start code can appear in it.
    static func unit(_ header: [UInt8], length: Int) -> [UInt8] {
        header + (header.count..<length).map { UInt8(1 + $0 % 251) }
    }

    @Test("a packet has the interleaved prefix and the header of RFC 3550")
    func header() throws {
        let image = try Self.packetize(.h264, Self.frame([hex("419a22")]))

        #expect(image.bytes == hex("24 02 000f 80e0 fffe 01020304 deadbeef 419a22"))
        #expect(image.packets == [PacketRange(offset: 4, length: 15)])
        #expect(image.payloadBytes == 3)
    }

    @Test("parameter sets share a packet, a slice has its own")
    func aggregation() throws {
        let image = try Self.packetize(.h264, Self.frame([hex("0910"), hex("67 42c0"), hex("68ce"), hex("658884")]))

        let packets = image.separated.map { Array($0[12...]) }
        #expect(packets == [hex("78 0002 0910 0003 6742c0 0002 68ce"), hex("658884")])
        #expect(image.separated.map { $0[1] } == [0x60, 0xE0])
        #expect(image.separated.map { $0[2...3] } == [[0xFF, 0xFE], [0xFF, 0xFF]])
    }

    @Test("an aggregation packet of H.265 has the lowest layer and time of its units")
    func aggregation265() throws {
        let image = try Self.packetize(.h265, Self.frame([hex("40010c"), hex("420102"), hex("2801af")]))

        #expect(image.separated.map { Array($0[12...]) } == [hex("6001 0003 40010c 0003 420102"), hex("2801af")])
    }

    @Test("sequence numbers run on from frame to frame and wrap")
    func sequence() throws {
        var packetizer = try Self.packetizer(.h264, maximumPayload: 256)
        var image = PacketImage()
        var sequences: [UInt16] = []
        for _ in 0..<3 {
            let frame = Self.frame([Self.unit([0x41], length: 500)])
            try packetizer.packetize(frame.span, timestamp: 0, into: &image)
            for packet in image.separated { sequences.append(try RTPPacket(parsing: packet.span).header.sequence) }
        }

        #expect(sequences == [0xFFFE, 0xFFFF, 0, 1, 2, 3])
        #expect(packetizer.nextSequence == 4)
    }

    @Test("NAL units of every length around the limits come out as they went in", arguments: [NALFormat.h264, .h265])
    func roundTrip(format: NALFormat) throws {
        let slice: [UInt8] = format == .h264 ? [0x65] : [0x28, 0x01]
        let set: [UInt8] = format == .h264 ? [0x67] : [0x42, 0x01]
        let limit = 256
        for length in [3, 4, 100, 253, 254, 255, 256, 257, 258, 508, 509, 510, 511, 512, 765, 5000] {
            for units in [
                [Self.unit(slice, length: length)],
                [Self.unit(set, length: length), Self.unit(slice, length: 40)],
                [Self.unit(set, length: 20), Self.unit(set, length: length), Self.unit(slice, length: length)],
                [Self.unit(slice, length: length), Self.unit(slice, length: length), Self.unit(slice, length: 3)],
            ] {
                let image = try Self.packetize(format.codec, Self.frame(units), maximumPayload: limit)

                #expect(image.packets.allSatisfy { $0.length <= limit + RTPHeader.length })
                #expect(try Depacketizer.units(format, image.separated) == units, "length \(length)")
            }
        }
    }

    @Test("the interleaved prefixes lead from packet to packet")
    func prefixes() throws {
        var image = try Self.packetize(.h264, Self.frame([hex("6742"), Self.unit([0x65], length: 9000)]))
        image.setChannel(7)

        var position = 0
        for packet in image.packets {
            #expect(image.bytes[position] == 0x24 && image.bytes[position + 1] == 7)
            #expect(Int(image.bytes[position + 2]) << 8 | Int(image.bytes[position + 3]) == packet.length)
            #expect(packet.offset == position + 4)
            position = packet.offset + packet.length
        }
        #expect(position == image.bytes.count)
    }

    @Test("a frame without NAL units is refused and uses no sequence number")
    func empty() throws {
        var packetizer = try Self.packetizer(.h264)
        var image = PacketImage()
        let frame = hex("deadbeef")
        #expect(throws: WireError.self) { try packetizer.packetize(frame.span, timestamp: 0, into: &image) }
        #expect(packetizer.nextSequence == 0xFFFE && image.bytes.isEmpty)
    }
}

@Suite("RTP payload format for JPEG")
struct JPEGPayloadTests {
    static func image(
        frame: String = "ffc0 0011 08 00f0 0140 03 012200 021101 031101",
        restart: String = "",
        scanHeader: String = "ffda 000c 03 0100 0211 0311 003f00",
        huffman: [UInt8] = JPEG.standardHuffmanTables,
        scan: [UInt8] = hex("1234ff005678")
    ) -> [UInt8] {
        hex("ffd8 ffdb 0084") + [0] + [UInt8](1...64) + [1] + [UInt8](65...128) + hex(frame) + hex(restart)
            + hex("ffc4 01a2") + huffman + hex(scanHeader) + scan + hex("ffd9")
    }

    @Test("an image comes out as it went in, whatever its scan's length", arguments: ["", "ffdd 0004 0028"])
    func roundTrip(restart: String) throws {
        for length in [1, 100, 115, 116, 120, 247, 248, 249, 1000, 70_000] {
            let scan = (0..<length).map { UInt8($0 % 251) }
            let packets = try PacketizerTests.packetize(
                .jpeg,
                Self.image(restart: restart, scan: scan),
                maximumPayload: 256
            )

            let image = try Depacketizer.image(packets.separated)

            #expect(packets.packets.allSatisfy { $0.length <= 256 + RTPHeader.length })
            #expect(image.width == 320 && image.height == 240)
            #expect(image.type == (restart.isEmpty ? 1 : 65) && image.restartInterval == (restart.isEmpty ? 0 : 40))
            #expect(image.tables == [UInt8](1...128))
            #expect(image.scan == scan)
        }
    }

    @Test("4:2:2 is type 0, and sizes are rounded up to blocks")
    func type() throws {
        let frame = Self.image(frame: "ffc0 0011 08 00f1 0142 03 012100 021101 031101")
        let image = try Depacketizer.image(PacketizerTests.packetize(.jpeg, frame).separated)
        #expect(image.type == 0 && image.width == 328 && image.height == 248)
    }

    @Test(
        "what RFC 2435 cannot carry is refused with its reason",
        arguments: [
            ("ffc2 0011 08 00f0 0140 03 012200 021101 031101", "baseline"),
            ("ffc0 0011 08 00f0 07f9 03 012200 021101 031101", "wider than 2040"),
            ("ffc0 0011 08 07f9 0140 03 012200 021101 031101", "higher than 2040"),
            ("ffc0 000b 08 00f0 0140 01 011100", "three components"),
            ("ffc0 0011 08 00f0 0140 03 011100 021101 031101", "4:2:0 and 4:2:2"),
            ("ffc0 0011 08 00f0 0140 03 012200 022101 031101", "chroma sampling"),
            ("ffc0 0011 08 00f0 0140 03 012200 021102 031102", "quantisation tables"),
        ]
    )
    func refusal(frame: String, reason: String) throws {
        let error = #expect(throws: WireError.self) { try PacketizerTests.packetize(.jpeg, Self.image(frame: frame)) }
        #expect(error?.description.contains(reason) == true)
    }

    @Test("optimised Huffman tables and other scan orders are refused")
    func huffman() {
        var tables = JPEG.standardHuffmanTables
        tables[40] ^= 1
        #expect(throws: WireError.self) { try PacketizerTests.packetize(.jpeg, Self.image(huffman: tables)) }
        let order = Self.image(scanHeader: "ffda 000c 03 0111 0200 0300 003f00")
        #expect(throws: WireError.self) { try PacketizerTests.packetize(.jpeg, order) }
    }

    @Test("the largest size of RFC 2435 passes")
    func limit() throws {
        let frame = Self.image(frame: "ffc0 0011 08 07f8 07f8 03 012200 021101 031101")
        let image = try Depacketizer.image(PacketizerTests.packetize(.jpeg, frame).separated)
        #expect(image.width == 2040 && image.height == 2040)
    }
}
