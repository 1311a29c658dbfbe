// SPDX-License-Identifier: Apache-2.0
// From a medium's payload types and parameters to how its frames travel.

import Bytes
import Media
package import RTP

/// Why a medium cannot be received, for people.
package struct TrackReason: Error, Sendable, Hashable {
    package var text: String
}

extension SessionDescription.Media {
    /// Bytes of codec configuration taken from a description.
    package static let maximumConfiguration = 3072
    /// Clock and sample rates taken from a description, in hertz.
    package static let maximumRate: UInt32 = 1_000_000

    /// How the medium's frames travel: the first of its payload types that Apus knows.
    package func trackFormat() throws(TrackReason) -> TrackFormat {
        guard ["video", "audio"].contains(kind.lowercased()) else {
            throw TrackReason(text: "neither video nor audio: \(kind)")
        }
        guard transport.uppercased().hasPrefix("RTP/") else { throw TrackReason(text: "transport \(transport)") }
        var reasons: [String] = []
        for format in formats {
            do throws(TrackReason) {
                return try trackFormat(format)
            } catch {
                reasons.append(error.text)
            }
        }
        throw TrackReason(text: reasons.isEmpty ? "no payload type" : reasons.prefix(4).joined(separator: ", "))
    }

    private func trackFormat(_ format: String) throws(TrackReason) -> TrackFormat {
        guard let payloadType = UInt8(format), payloadType < 128 else {
            throw TrackReason(text: "payload type \(format.prefix(16))")
        }
        guard let map = mapping(of: format) ?? Self.staticMapping(payloadType) else {
            throw TrackReason(text: "payload type \(payloadType) without rtpmap")
        }
        guard (1...Self.maximumRate).contains(map.rate) else { throw TrackReason(text: "clock rate \(map.rate)") }
        func make(_ stream: StreamDescription) -> TrackFormat {
            TrackFormat(payloadType: payloadType, clockRate: map.rate, stream: stream)
        }
        let channels = UInt32(max(1, min(8, map.channels)))
        switch map.encoding.uppercased() {
        case "H264": return try make(h264(format))
        case "H265", "HEVC": return try make(h265(format))
        case "AV1": return make(picture(.av1, format))
        case "JPEG": return make(picture(.jpeg, format))
        case "MPEG4-GENERIC": return try aac(format, payloadType, map.rate, channels)
        case "MP4A-LATM": return try latm(format, payloadType, map.rate)
        case "OPUS":
            let isStereo = parameter("sprop-stereo", of: format) == "1"
            return make(StreamDescription(audio: .opus, sampleRate: 48_000, channels: isStereo ? 2 : 1))
        case "PCMU": return make(StreamDescription(audio: .pcmu, sampleRate: map.rate, channels: channels))
        case "PCMA": return make(StreamDescription(audio: .pcma, sampleRate: map.rate, channels: channels))
        case "L16": return make(StreamDescription(audio: .l16, sampleRate: map.rate, channels: channels))
        default: throw TrackReason(text: "encoding \(map.encoding.prefix(32))")
        }
    }

    /// Payload types that need no rtpmap (RFC 3551 §6).
    private static func staticMapping(_ type: UInt8) -> (encoding: String, rate: UInt32, channels: Int)? {
        switch type {
        case 0: ("PCMU", 8000, 1)
        case 8: ("PCMA", 8000, 1)
        case 10: ("L16", 44_100, 2)
        case 11: ("L16", 44_100, 1)
        case 26: ("JPEG", 90_000, 1)
        default: nil
        }
    }

    // MARK: Pictures

    /// Size and rate as the attributes tell them: RFC 6064 §3.2, RFC 8866 §6.13, and what cameras add.
    private func picture(_ codec: Codec, _ format: String, configuration: [UInt8] = []) -> StreamDescription {
        var stream = StreamDescription(video: codec, width: 0, height: 0, frameRate: Rational(0))
        stream.configuration = configuration
        if let words = self["framesize"]?.split(separator: " "), words.count == 2, words[0] == format {
            setSize(words[1].split(separator: "-"), &stream)
        } else if let text = self["x-dimensions"] {
            setSize(text.split { $0 == "," || $0 == " " }, &stream)
        }
        if let rate = self["framerate"].flatMap({ Self.rational($0.trimmed) }) { stream.frameRate = rate }
        return stream
    }

    private func setSize(_ words: [Substring], _ stream: inout StreamDescription) {
        guard words.count == 2, let width = UInt32(words[0]), let height = UInt32(words[1]),
            width <= H264.maximumDimension, height <= H264.maximumDimension
        else { return }
        (stream.width, stream.height) = (width, height)
    }

    private func h264(_ format: String) throws(TrackReason) -> StreamDescription {
        if parameter("packetization-mode", of: format) == "2" {
            throw TrackReason(text: "H.264 in interleaved mode")
        }
        var sets = ParameterSets(.h264)
        absorb("sprop-parameter-sets", format, into: &sets)
        var stream = picture(.h264, format, configuration: sets.annexB)
        stream.take(sets)
        return stream
    }

    private func h265(_ format: String) throws(TrackReason) -> StreamDescription {
        if let text = parameter("sprop-max-don-diff", of: format), text != "0" {
            throw TrackReason(text: "H.265 in another order than of decoding")
        }
        var sets = ParameterSets(.h265)
        for name in ["sprop-vps", "sprop-sps", "sprop-pps"] { absorb(name, format, into: &sets) }
        var stream = picture(.h265, format, configuration: sets.annexB)
        stream.take(sets)
        return stream
    }

    /// Takes in the sets of one parameter; a broken one is left out, as the stream carries its own mostly.
    private func absorb(_ name: String, _ format: String, into sets: inout ParameterSets) {
        for text in (parameter(name, of: format) ?? "").split(separator: ",") {
            guard let bytes = try? Base64.decode(text.trimmed),
                sets.annexB.count + bytes.count + 4 <= Self.maximumConfiguration
            else { continue }
            // Some cameras put the start code in front.
            let code = AnnexB.startCode(in: bytes.span, from: 0)
            sets.absorb(bytes.span.extracting((code.map { $0 + 3 } ?? 0)..<bytes.count))
        }
    }

    /// A decimal number such as 29.97 as ratio; nil if it is none.
    private static func rational(_ text: String) -> Rational? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = UInt32(parts[0]), whole <= 1000 else { return nil }
        guard parts.count == 2 else { return Rational(whole) }
        let digits = parts[1].prefix(3)
        guard let fraction = UInt32(digits.isEmpty ? "0" : digits) else { return nil }
        let thousandths = whole * 1000 + fraction * [1, 100, 10, 1][digits.count]
        if thousandths % 1000 == 0 { return Rational(thousandths / 1000) }
        // What is meant by 23.98, 29.97, 59.94.
        for nominal: UInt32 in [24, 30, 60] {
            let exact = nominal * 1_000_000 / 1001
            if (exact - 5...exact + 5).contains(thousandths) { return Rational(nominal * 1000, 1001) }
        }
        return Rational(thousandths, 1000)
    }

    // MARK: Sound

    private func aac(
        _ format: String,
        _ payloadType: UInt8,
        _ rate: UInt32,
        _ channels: UInt32
    ) throws(TrackReason) -> TrackFormat {
        let mode = parameter("mode", of: format)?.lowercased() ?? "aac-hbr"
        guard mode.hasPrefix("aac") else { throw TrackReason(text: "MPEG-4 generic of mode \(mode.prefix(32))") }
        var header = mode == "aac-lbr" ? TrackFormat.AACHeader.lowRate : .highRate
        header.size = bits("sizelength", format, header.size)
        header.index = bits("indexlength", format, header.index)
        header.indexDelta = bits("indexdeltalength", format, header.indexDelta)
        for name in ["ctsdeltalength", "dtsdeltalength", "randomaccessindication", "streamstateindication"]
        where bits(name, format, 0) != 0 {
            throw TrackReason(text: "AAC with \(name)")
        }
        guard header.size > 0 else { throw TrackReason(text: "AAC without sizes") }
        var configuration = parameter("config", of: format).flatMap { Base16.decode($0) } ?? []
        var description = StreamDescription(audio: .aac, sampleRate: rate, channels: channels)
        if configuration.count <= 64, let config = try? AudioSpecificConfig(parsing: configuration.span),
            config.outputRate <= Self.maximumRate
        {
            description.sampleRate = config.outputRate
            if config.channels > 0 { description.channels = UInt32(config.channels) }
        } else {
            configuration = AudioSpecificConfig(sampleRate: rate, channels: UInt8(channels)).bytes
        }
        description.configuration = configuration
        return TrackFormat(payloadType: payloadType, clockRate: rate, stream: description, aacHeader: header)
    }

    private func bits(_ name: String, _ format: String, _ standard: Int) -> Int {
        guard let text = parameter(name, of: format), let value = Int(text) else { return standard }
        return max(0, min(32, value))
    }

    /// RFC 6416 §7.3: the configuration stands behind 15 bits of a StreamMuxConfig (ISO/IEC 14496-3 §1.7.3).
    private func latm(_ format: String, _ payloadType: UInt8, _ rate: UInt32) throws(TrackReason) -> TrackFormat {
        guard parameter("cpresent", of: format) == "0" else {
            throw TrackReason(text: "AAC as LATM with its configuration in band")
        }
        guard let mux = parameter("config", of: format).flatMap({ Base16.decode($0) }), mux.count <= 64 else {
            throw TrackReason(text: "AAC as LATM without configuration")
        }
        do throws(WireError) {
            var bits = BitReader(mux.span)
            guard try bits.bits(1) == 0, try bits.bits(1) == 1 else {
                throw .unsupported(field: "LATM multiplex version", value: 1)
            }
            try bits.skip(6)
            guard try bits.bits(7) == 0 else { throw .unsupported(field: "LATM programs or layers", value: 1) }
            let config = try AudioSpecificConfig(reading: &bits)
            guard config.outputRate <= Self.maximumRate else {
                throw .limit(field: "sample rate", limit: Int(Self.maximumRate))
            }
            var copy = BitReader(mux.span)
            try copy.skip(15)
            var configuration: [UInt8] = []
            var left = config.bitCount
            while left > 0 {
                let count = min(8, left)
                try configuration.append(UInt8(copy.bits(count)) << UInt8(8 - count))
                left -= count
            }
            let stream = StreamDescription(
                audio: .aac,
                sampleRate: config.outputRate,
                channels: UInt32(config.channels),
                configuration: configuration
            )
            return TrackFormat(payloadType: payloadType, clockRate: rate, stream: stream, isLATM: true)
        } catch {
            throw TrackReason(text: "AAC as LATM: \(error)")
        }
    }
}
