// SPDX-License-Identifier: Apache-2.0
// The description of a live stream that DESCRIBE answers with.

import Bytes
package import Media

extension SessionDescription {
    /// Describes a live session of `media`; RTSP's client gets the addresses from SETUP.
    ///
    /// `identifier` makes the session unique and `version` grows when the description changes (RFC 8866 §5.2).
    package static func live(
        name: String,
        identifier: UInt64,
        version: UInt64,
        media: [Media]
    ) -> SessionDescription {
        SessionDescription(
            origin: "- \(identifier) \(version) IN IP4 127.0.0.1",
            name: name,
            connection: "IN IP4 0.0.0.0",
            attributes: [Attribute("tool", "Apus"), Attribute("control", "*"), Attribute("range", "npt=now-")],
            media: media
        )
    }
}

extension SessionDescription.Media {
    /// Describes any stream; nil if RTP has no payload format for it here.
    package init?(
        stream: StreamDescription,
        payloadType: UInt8,
        control: String,
        bandwidth: Int? = nil,
        direction: SessionDescription.Direction? = nil
    ) {
        if stream.codec.isAudio {
            self.init(
                audio: stream,
                payloadType: payloadType,
                control: control,
                bandwidth: bandwidth,
                direction: direction
            )
        } else {
            self.init(video: stream, payloadType: payloadType, control: control, bandwidth: bandwidth)
            if let direction { attributes.append(.init(direction.rawValue)) }
        }
    }

    /// Describes a stream of pictures; nil if RTP has no payload format for it here.
    ///
    /// `control` is the track's address below the session's; `bandwidth` is in kilobits a second.
    package init?(
        video stream: StreamDescription,
        payloadType: UInt8,
        control: String,
        bandwidth: Int? = nil
    ) {
        let format = String(payloadType)
        let encoding: String
        var parameters: [String] = []
        switch stream.codec {
        case .h264:
            encoding = "H264"
            parameters = Self.h264Parameters(ParameterSets(.h264, annexB: stream.configuration.span))
        case .h265:
            encoding = "H265"
            parameters = Self.h265Parameters(ParameterSets(.h265, annexB: stream.configuration.span))
        case .av1:
            encoding = "AV1"
            parameters = Self.av1Parameters(stream.configuration)
        case .jpeg: encoding = "JPEG"
        default: return nil
        }
        var attributes = [SessionDescription.Attribute("rtpmap", "\(format) \(encoding)/90000")]
        if !parameters.isEmpty { attributes.append(.init("fmtp", "\(format) \(parameters.joined(separator: ";"))")) }
        if stream.width > 0, stream.height > 0 {
            // 3GPP TS 26.234 §5.3.3.2; players size their window by it before the first picture.
            attributes.append(.init("framesize", "\(format) \(stream.width)-\(stream.height)"))
        }
        if stream.frameRate.numerator > 0 { attributes.append(.init("framerate", Self.decimal(stream.frameRate))) }
        attributes.append(.init("control", control))
        self.init(kind: "video", formats: [format], bandwidth: bandwidth, attributes: attributes)
    }

    /// RFC 6184 §8.1.
    private static func h264Parameters(_ sets: ParameterSets) -> [String] {
        var parameters = ["packetization-mode=1"]
        if let first = sets.sequence.first, first.count >= 4 {
            parameters.append("profile-level-id=\(Base16.encode(first[1...3]))")
        }
        let all = (sets.sequence + sets.picture).map { Base64.encode($0.span) }
        if sets.isComplete { parameters.append("sprop-parameter-sets=\(all.joined(separator: ","))") }
        return parameters
    }

    /// RFC 7798 §7.1.
    private static func h265Parameters(_ sets: ParameterSets) -> [String] {
        guard sets.isComplete else { return [] }
        return zip(["sprop-vps", "sprop-sps", "sprop-pps"], [sets.video, sets.sequence, sets.picture])
            .map { name, sets in "\(name)=\(sets.map { Base64.encode($0.span) }.joined(separator: ","))" }
    }

    /// RTP Payload Format For AV1, §7.2.1.
    private static func av1Parameters(_ configuration: [UInt8]) -> [String] {
        guard let obu = try? AV1.OBU(at: 0, of: configuration.span),
            let header = try? AV1.SequenceHeader(parsing: configuration.span.extracting(obu.payload))
        else { return [] }
        return ["profile=\(header.profile)", "level-idx=\(header.level)", "tier=\(header.tier)"]
    }

    /// Describes a stream of sound; nil if RTP has no payload format for it here.
    ///
    /// `direction` is `sendOnly`, from the client's side, for a track that clients send to (ONVIF's backchannel); nil for
    /// none told.
    package init?(
        audio stream: StreamDescription,
        payloadType: UInt8,
        control: String,
        bandwidth: Int? = nil,
        direction: SessionDescription.Direction? = nil
    ) {
        let format = String(payloadType)
        let channels = stream.channels > 1 ? "/\(stream.channels)" : ""
        let mapping: String
        var parameters: [String] = []
        switch stream.codec {
        case .aac:
            mapping = "MPEG4-GENERIC/\(stream.sampleRate)/\(max(1, stream.channels))"
            parameters = Self.aacParameters(stream)
        case .opus:
            // RFC 7587 §7: always 48000 and 2, whatever is sent.
            mapping = "opus/48000/2"
            if stream.channels > 1 { parameters = ["sprop-stereo=1", "stereo=1"] }
        case .pcmu: mapping = "PCMU/\(stream.sampleRate)\(channels)"
        case .pcma: mapping = "PCMA/\(stream.sampleRate)\(channels)"
        case .l16: mapping = "L16/\(stream.sampleRate)\(channels)"
        default: return nil
        }
        var attributes = [SessionDescription.Attribute("rtpmap", "\(format) \(mapping)")]
        if !parameters.isEmpty { attributes.append(.init("fmtp", "\(format) \(parameters.joined(separator: ";"))")) }
        if let direction { attributes.append(.init(direction.rawValue)) }
        attributes.append(.init("control", control))
        self.init(kind: "audio", formats: [format], bandwidth: bandwidth, attributes: attributes)
    }

    /// RFC 3640 §4.1, mode AAC-hbr.
    private static func aacParameters(_ stream: StreamDescription) -> [String] {
        var configuration = stream.configuration
        if configuration.isEmpty {
            let channels = UInt8(clamping: stream.channels)
            configuration = AudioSpecificConfig(sampleRate: stream.sampleRate, channels: channels).bytes
        }
        return [
            "streamtype=5", "profile-level-id=1", "mode=AAC-hbr", "config=\(Base16.encode(configuration))",
            "sizelength=13", "indexlength=3", "indexdeltalength=3",
        ]
    }

    /// A rate with at most three decimals, without zeros at its end.
    private static func decimal(_ rate: Rational) -> String {
        let thousandths = (UInt64(rate.numerator) * 1000 + UInt64(rate.denominator) / 2) / UInt64(rate.denominator)
        let (whole, rest) = thousandths.quotientAndRemainder(dividingBy: 1000)
        if rest == 0 { return String(whole) }
        var digits = String(String(1000 + rest).dropFirst())
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
