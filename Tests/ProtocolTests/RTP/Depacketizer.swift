// SPDX-License-Identifier: Apache-2.0
// The packetizer's oracle: puts frames together again, written from the RFCs' receiving side.

import Bytes
import Media
import RTP

/// What a receiver makes of the packets of one frame.
enum Depacketizer {
    struct Broken: Error { var why: String }

    /// The NAL units of one access unit.
    static func units(_ format: NALFormat, _ packets: [[UInt8]]) throws -> [[UInt8]] {
        var units: [[UInt8]] = []
        var fragments: [UInt8]?
        for (index, packet) in packets.enumerated() {
            let parsed = try RTPPacket(parsing: packet.span)
            guard parsed.header.marker == (index == packets.count - 1) else { throw Broken(why: "marker") }
            let payload = Array(packet[parsed.payload])
            let type = format.type(payload[0])
            let header = format.headerLength
            if type == (format == .h264 ? 24 : 48) {
                var rest = payload[header...]
                while !rest.isEmpty {
                    let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
                    units.append(Array(rest.dropFirst(2).prefix(length)))
                    rest = rest.dropFirst(2 + length)
                }
            } else if type == (format == .h264 ? 28 : 49) {
                let flags = payload[header]
                if flags & 0x80 != 0 {
                    guard fragments == nil else { throw Broken(why: "second start") }
                    if format == .h264 {
                        fragments = [payload[0] & 0xE0 | flags & 0x1F]
                    } else {
                        fragments = [payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]]
                    }
                }
                guard var unit = fragments else { throw Broken(why: "no start") }
                unit += payload[(header + 1)...]
                fragments = unit
                if flags & 0x40 != 0 {
                    units.append(unit)
                    fragments = nil
                }
            } else {
                units.append(payload)
            }
        }
        guard fragments == nil else { throw Broken(why: "no end") }
        return units
    }

    struct Image: Equatable {
        var type: UInt8
        var width: Int
        var height: Int
        var restartInterval: Int
        var tables: [UInt8]
        var scan: [UInt8]
    }

    /// The parts of one JPEG.
    static func image(_ packets: [[UInt8]]) throws -> Image {
        var image = Image(type: 0, width: 0, height: 0, restartInterval: 0, tables: [], scan: [])
        for (index, packet) in packets.enumerated() {
            let parsed = try RTPPacket(parsing: packet.span)
            guard parsed.header.marker == (index == packets.count - 1) else { throw Broken(why: "marker") }
            var payload = packet[parsed.payload]
            func take(_ count: Int) -> [UInt8] {
                defer { payload = payload.dropFirst(count) }
                return Array(payload.prefix(count))
            }
            let main = take(8)
            let offset = Int(main[1]) << 16 | Int(main[2]) << 8 | Int(main[3])
            guard offset == image.scan.count, main[5] == 255 else { throw Broken(why: "offset or Q") }
            image.type = main[4]
            image.width = Int(main[6]) * 8
            image.height = Int(main[7]) * 8
            if main[4] >= 64 {
                let restart = take(4)
                image.restartInterval = Int(restart[0]) << 8 | Int(restart[1])
                guard restart[2...] == [0xFF, 0xFF] else { throw Broken(why: "restart count") }
            }
            if offset == 0 {
                guard take(4) == [0, 0, 0, 128] else { throw Broken(why: "table header") }
                image.tables = take(128)
            }
            image.scan += payload
        }
        return image
    }
}

extension PacketImage {
    /// The packets without their prefixes.
    var separated: [[UInt8]] { packets.map { Array(bytes[$0.offset..<($0.offset + $0.length)]) } }
}
