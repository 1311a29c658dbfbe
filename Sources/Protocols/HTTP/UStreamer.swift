// SPDX-License-Identifier: Apache-2.0
// What clients of µStreamer ask for, and the fields they look at.

package import Bytes

/// µStreamer's words on the wire: the parameters of `/stream`, its cookie, its X- fields.
package enum UStreamer {
    /// The longest `key` that is taken; a longer one counts as none.
    package static let keyLimit = 64

    /// What a stream's client asks for.
    package struct StreamOptions: Sendable, Equatable {
        /// A name that the client gives itself, to find itself in `/state`; nil for none.
        package var key: String?
        /// Each part says when its picture was where.
        package var hasExtraFields: Bool
        /// The next part's fields go out behind each picture.
        package var advancesFields: Bool
        /// The last picture of a series goes out twice.
        package var doublesFinal: Bool
        /// Parts without pictures, for measuring.
        package var isEmpty: Bool

        /// Reads a request's query; what it does not say is off.
        package init(_ target: Target) {
            let isOn = { (name: String) in ["1", "true", "yes"].contains(target[name].map(Syntax.lowercased) ?? "") }
            key = target["key"]
                .flatMap { key in
                    let isHarmless = key.utf8.count <= keyLimit && key.utf8.allSatisfy(Syntax.isToken)
                    return isHarmless && !key.isEmpty ? key : nil
                }
            advancesFields = isOn("advance_headers")
            // As there: fields that go out before their picture know nothing of it.
            hasExtraFields = isOn("extra_headers") && !advancesFields
            doublesFinal = isOn("dual_final_frames")
            isEmpty = isOn("zero_data")
        }
    }

    /// Where a picture was when, and what it is.
    package struct PictureFacts: Sendable, Equatable {
        package var isOnline: Bool
        /// In pixels.
        package var width: Int
        package var height: Int
        /// When the picture was taken.
        package var captured: Instant
        /// When it was encoded and there for all.
        package var published: Instant

        package init(isOnline: Bool, width: Int, height: Int, captured: Instant, published: Instant) {
            self.isOnline = isOnline
            self.width = width
            self.height = height
            self.captured = captured
            self.published = published
        }
    }

    /// The value of a `Set-Cookie` by which a page finds its own stream in `/state`.
    package static func cookie(key: String?, id: String) -> String {
        "stream_client=\(key ?? "0")/\(id); path=/; max-age=30"
    }

    /// Appends a part's X- fields and the empty line that ends its fields.
    ///
    /// Grabbing ends when it begins, since a picture's instant is one; exposing is publishing. Latency is from the
    /// picture's instant to `sent`.
    package static func writePartFields(
        _ facts: PictureFacts,
        framesPerSecond: Int,
        dropped: UInt64,
        sent: Instant,
        into output: inout [UInt8]
    ) {
        func add(_ name: String, _ value: String) { output += "X-UStreamer-\(name): \(value)\r\n".utf8 }
        func add(_ name: String, _ time: Instant) { add(name, seconds(time.nanoseconds)) }
        add("Online", facts.isOnline ? "true" : "false")
        add("Dropped", "\(dropped)")
        add("Width", "\(facts.width)")
        add("Height", "\(facts.height)")
        add("Client-FPS", "\(framesPerSecond)")
        for name in ["Grab-Begin-Time", "Grab-End-Time", "Grab-Time", "Encode-Begin-Time"] { add(name, facts.captured) }
        for name in ["Encode-End-Time", "Expose-Begin-Time", "Expose-Cmp-Time", "Expose-End-Time"] {
            add(name, facts.published)
        }
        add("Send-Time", sent)
        add("Latency", seconds((sent - facts.captured).nanoseconds))
        output += "\r\n".utf8
    }

    /// The X- fields of a snapshot.
    package static func snapshotFields(_ facts: PictureFacts, sent: Instant) -> [HeaderField] {
        let times = [
            ("Grab-Begin", facts.captured), ("Grab-End", facts.captured), ("Encode-Begin", facts.captured),
            ("Encode-End", facts.published), ("Send", sent),
        ]
        return [
            HeaderField("X-UStreamer-Online", facts.isOnline ? "true" : "false"),
            HeaderField("X-UStreamer-Width", "\(facts.width)"), HeaderField("X-UStreamer-Height", "\(facts.height)"),
        ] + times.map { HeaderField("X-UStreamer-\($0)-Timestamp", seconds($1.nanoseconds)) }
    }

    /// Seconds with six decimals; a negative time is 0.
    private static func seconds(_ nanoseconds: Int64) -> String {
        var bytes: [UInt8] = []
        Multipart.writeTimestamp(microseconds: nanoseconds / 1000, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
