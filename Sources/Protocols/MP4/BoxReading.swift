// SPDX-License-Identifier: Apache-2.0
// Walking boxes of the ISO base media file format (ISO/IEC 14496-12 §4.2).

import Bytes

/// Where a box lies in its input.
struct Box {
    /// The four characters, the first in the highest byte.
    var type: UInt32
    /// Header included.
    var whole: Range<Int>
    /// What stands behind the header.
    var content: Range<Int>

    /// Boxes beside each other that are taken.
    static let siblingLimit = 100_000

    /// The boxes that `range` consists of.
    ///
    /// - Throws: `.truncated` for a box that leaves the range, `.invalid` for one shorter than its header.
    static func all(in bytes: Span<UInt8>, _ range: Range<Int>) throws(WireError) -> [Box] {
        var boxes: [Box] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            guard boxes.count < siblingLimit else { throw .limit(field: "boxes", limit: siblingLimit) }
            let box = try Box(at: offset, of: bytes, end: range.upperBound)
            boxes.append(box)
            offset = box.whole.upperBound
        }
        return boxes
    }

    private init(at offset: Int, of bytes: Span<UInt8>, end: Int) throws(WireError) {
        var reader = ByteReader(bytes.extracting(offset..<end))
        var size = try UInt64(reader.uint32())
        type = try reader.uint32()
        if size == 1 { size = try reader.uint64() }
        let header = reader.offset
        if size == 0 { size = UInt64(end - offset) }  // to the end of the file
        guard size >= UInt64(header) else { throw .invalid(field: "box size", value: size) }
        guard size <= UInt64(end - offset) else {
            throw .truncated(needed: Int(clamping: size), available: end - offset)
        }
        whole = offset..<(offset + Int(size))
        content = (offset + header)..<whole.upperBound
    }

    func `is`(_ name: StaticString) -> Bool { type == Box.code(name) }

    /// A four-character code as a number.
    static func code(_ name: StaticString) -> UInt32 {
        "\(name)".utf8.reduce(0) { $0 << 8 | UInt32($1) }
    }
}

extension [Box] {
    /// The first box of a type; nil if there is none.
    subscript(name: StaticString) -> Box? { first { $0.is(name) } }

    /// The first box of a type, which has to be there.
    func need(_ name: StaticString) throws(WireError) -> Box {
        guard let box = self[name] else { throw .invalid(field: "missing box \(name)", value: UInt64(count)) }
        return box
    }
}

extension Span<UInt8> {
    /// A reader of a box's content.
    @_lifetime(copy self)
    func reader(_ box: Box) -> ByteReader { ByteReader(extracting(box.content)) }
}

extension ByteReader {
    /// Reads a full box's version and flags.
    @_lifetime(self: copy self)
    mutating func versionAndFlags() throws(WireError) -> (version: UInt8, flags: UInt32) {
        let word = try uint32()
        return (UInt8(word >> 24), word & 0xFF_FFFF)
    }

    /// Reads a number of entries, each of so many bytes, which have to be there.
    @_lifetime(self: copy self)
    mutating func entryCount(size: Int) throws(WireError) -> Int {
        let count = try Int(uint32())
        guard count <= remaining / size else { throw .truncated(needed: count * size, available: remaining) }
        return count
    }
}
