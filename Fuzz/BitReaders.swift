// SPDX-License-Identifier: Apache-2.0
// Drives the byte and bit readers with arbitrary operations: no read may trap or move past the end.

import Bytes

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: start, count: count)
    // The first half says which operations to run, the second half is what they read.
    let operations = Array(input.prefix(count / 2))
    let data = Array(input.suffix(count - count / 2))
    readBytes(data.span, operations)
    readBits(data.span, operations)
    return 0
}

private func readBytes(_ data: Span<UInt8>, _ operations: [UInt8]) {
    var reader = ByteReader(data)
    for operation in operations {
        let before = reader.offset
        do throws(WireError) {
            switch operation & 7 {
            case 0: _ = try reader.uint8()
            case 1: _ = try reader.uint16()
            case 2: _ = try reader.uint24()
            case 3: _ = try reader.uint32()
            case 4: _ = try reader.uint64()
            case 5: _ = try reader.littleEndian(UInt32.self)
            case 6: try reader.skip(Int(operation >> 3) - 4)
            default: _ = try reader.span(Int(operation >> 3) - 4)
            }
        } catch {
            precondition(reader.offset == before, "a failed read moved the reader")
        }
        precondition((before...data.count).contains(reader.offset), "the reader left its input")
    }
}

private func readBits(_ data: Span<UInt8>, _ operations: [UInt8]) {
    var reader = BitReader(data)
    for operation in operations {
        do throws(WireError) {
            switch operation & 3 {
            case 0: _ = try reader.bits(Int(operation >> 2))
            case 1: try reader.skip(Int(operation >> 2) - 4)
            case 2: _ = try reader.exponentialGolomb()
            default: _ = try reader.signedExponentialGolomb()
            }
        } catch {
            // Running out of bits is the expected end.
        }
        precondition((0...data.count * 8).contains(reader.bitOffset), "the reader left its input")
    }
}
