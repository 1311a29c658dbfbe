// SPDX-License-Identifier: Apache-2.0
// Uncompressed frames of a V4L2 camera, as pictures.

import Bytes
import Config
import Devices
import Encode

/// Makes 4:2:0 pictures of a camera's frames.
struct V4L2Pictures: ~Copyable {
    private var scaler = Scaler()
    private var pool = PicturePool()
    private var raw: PictureBuffer?

    /// False if the driver gave less than a picture.
    mutating func isWhole(_ filled: V4L2Device.Filled, _ setting: V4L2Device.Setting) -> Bool {
        if setting.strides.count > 1 { return Self.areWhole(filled, setting) }
        guard let source = try? source(setting) else { return true }
        return filled.ranges[0].count >= source.packedLength(stride: setting.strides[0])
    }

    /// Of planes that are memory of their own, brightness has all rows, and colour half of them; of a plane's last row no
    /// padding is needed.
    private static func areWhole(_ filled: V4L2Device.Filled, _ setting: V4L2Device.Setting) -> Bool {
        setting.strides.enumerated()
            .allSatisfy { plane, stride in
                let (width, height) = (setting.size.width, setting.size.height)
                let rows = plane == 0 ? height : (height + 1) / 2
                // Colour is one plane of pairs, or two planes.
                let row = plane == 0 || setting.strides.count == 2 ? width : (width + 1) / 2
                return filled.ranges[plane].count >= stride * max(0, rows - 1) + row
            }
    }

    /// Copies a frame out of the driver's buffer; nil if the format is none of pictures.
    mutating func convert(
        _ filled: V4L2Device.Filled,
        _ device: V4L2Device,
        _ setting: V4L2Device.Setting
    ) throws(EncodeError) -> PictureBuffer? {
        guard let source = try source(setting) else { return nil }
        source.range = setting.isFullRange ? .full : .limited
        if setting.strides.count == 1 {
            device.withBytes(filled) { bytes in source.load(bytes, stride: setting.strides[0]) }
        } else {
            for (plane, stride) in setting.strides.enumerated() {
                device.withBytes(filled, plane: plane) { bytes in source.load(plane, bytes, stride: stride) }
            }
        }
        let picture = try pool.take(width: setting.size.width, height: setting.size.height)
        try scaler.scale(source, into: picture)
        return picture
    }

    private mutating func source(_ setting: V4L2Device.Setting) throws(EncodeError) -> PictureBuffer? {
        if let raw { return raw }
        guard let format = setting.format.pixels else { return nil }
        raw = try PictureBuffer(width: setting.size.width, height: setting.size.height, format: format)
        return raw
    }
}
