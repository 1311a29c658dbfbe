// SPDX-License-Identifier: Apache-2.0
// Reading and writing integers and bits.

import Bytes
import Testing

@Suite("Byte reader and writer")
struct ByteReaderTests {
    @Test("what the writer appends the reader reads back, in both byte orders")
    func roundTrip() throws {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt16(0x0102))
        bytes.append(bigEndian: UInt32(0x0304_0506))
        bytes.append(bigEndian: UInt64.max - 1)
        bytes.append(littleEndian: UInt32(0x0708_090A))

        var reader = ByteReader(bytes.span)

        #expect(try reader.uint16() == 0x0102)
        #expect(try reader.uint32() == 0x0304_0506)
        #expect(try reader.uint64() == UInt64.max - 1)
        #expect(try reader.littleEndian(UInt32.self) == 0x0708_090A)
        // `#expect` cannot look into a non-escapable value.
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }

    @Test("a read past the end throws and moves nothing", arguments: 0..<4)
    func truncation(length: Int) {
        let bytes = [UInt8](repeating: 7, count: length)
        var reader = ByteReader(bytes.span)

        var error: WireError?
        do throws(WireError) { _ = try reader.uint32() } catch { _ = error }
        do throws(WireError) { _ = try reader.uint32() } catch let caught { error = caught }

        #expect(error == .truncated(needed: 4, available: length))
        let offset = reader.offset
        #expect(offset == 0)
    }
}
