// SPDX-License-Identifier: Apache-2.0
// multipart/x-mixed-replace: one picture after the other in one response (MJPEG over HTTP).

/// The bytes around the pictures of a motion JPEG response.
///
/// The delimiter goes out directly behind a picture, not in front of the next one: a client that waits for it shows
/// the picture at once. Blink waits for the next part's fields as well, so a client may ask for these in advance
/// (`advance_headers=1`, as in µStreamer); they cannot hold a length or a time then.
///
/// On the wire: `opening`, then for each picture `fields`, the picture and `delimiter`; or in advance form `opening`
/// and `advanceFields`, then for each picture the picture, `delimiter` and `advanceFields`.
package enum Multipart {
    /// The delimiter's text, the same as µStreamer's and mjpg-streamer's, which old clients search for.
    package static let boundary = "boundarydonotcross"
    /// The value of the response's Content-Type.
    package static let contentType = "multipart/x-mixed-replace;boundary=" + boundary
    /// What stands in front of the first part's fields.
    package static let opening: [UInt8] = Array("--\(boundary)\r\n".utf8)
    /// What stands behind each picture.
    package static let delimiter: [UInt8] = Array("\r\n--\(boundary)\r\n".utf8)
    /// The fields of a part of which nothing is known yet.
    package static let advanceFields: [UInt8] = Array("Content-Type: image/jpeg\r\n\r\n".utf8)

    /// Appends the fields of one part with the empty line that ends them.
    ///
    /// - Parameter capturedMicroseconds: when the picture was taken, since 1970 UTC.
    package static func writeFields(length: Int, capturedMicroseconds: Int64, into output: inout [UInt8]) {
        writeOpenFields(length: length, capturedMicroseconds: capturedMicroseconds, into: &output)
        output += "\r\n".utf8
    }

    /// Appends the fields of one part without the empty line, for more to follow.
    package static func writeOpenFields(length: Int, capturedMicroseconds: Int64, into output: inout [UInt8]) {
        output += "Content-Type: image/jpeg\r\nContent-Length: \(length)\r\nX-Timestamp: ".utf8
        writeTimestamp(microseconds: capturedMicroseconds, into: &output)
        output += "\r\n".utf8
    }

    /// Appends seconds with six decimals, as `X-Timestamp` has them.
    package static func writeTimestamp(microseconds: Int64, into output: inout [UInt8]) {
        let time = max(0, microseconds)
        let fraction = String(time % 1_000_000)
        output += "\(time / 1_000_000).".utf8
        for _ in fraction.utf8.count..<6 { output.append(UInt8(ascii: "0")) }
        output += fraction.utf8
    }
}
