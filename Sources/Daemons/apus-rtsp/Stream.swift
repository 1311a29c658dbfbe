// SPDX-License-Identifier: Apache-2.0
// One address of the server: a picture of a camera, and its sound.

import Bytes
import Config
import Media
import RTP
import RTSP
import SDP
import System

/// What a client describes, sets up and plays.
final class Stream {
    /// The pictures that a camera can have.
    enum Kind: String, CaseIterable {
        case main
        case sub
        case jpeg
    }

    let camera: String
    let kind: Kind
    let video: Feed
    /// The camera's sound, which all of its streams share.
    let audio: Feed
    /// Clients that play, by their number.
    var viewers: [Int: Client] = [:]
    /// Clients whose DESCRIBE waits for the stream, by their number.
    var describing: [Int: Client] = [:]

    /// Sends the stream to its group, once somebody has asked for that.
    var multicast: MulticastSender?

    /// Kilobits a second that the description announces; nil if it is not known.
    private var bandwidth: Int?
    private let sessionIdentifier = Random.uint64() >> 1

    /// The numbers in the tracks' addresses.
    enum TrackNumber {
        static let video = 0
        static let audio = 1
        /// The way back to the camera's loudspeaker.
        static let talkback = 2
    }

    init(_ camera: CameraConfiguration, _ kind: Kind, video: Feed, audio: Feed) {
        self.camera = camera.name
        self.kind = kind
        self.video = video
        self.audio = audio
        bandwidth = Self.bandwidth(camera, kind)
    }

    /// Takes what the camera's changed configuration says of the stream.
    func take(_ camera: CameraConfiguration) { bandwidth = Self.bandwidth(camera, kind) }

    private static func bandwidth(_ camera: CameraConfiguration, _ kind: Kind) -> Int? {
        let configured = kind == .main ? camera.main : kind == .sub ? camera.sub : nil
        // A tenth more for RTP's headers and the encoder's peaks.
        return configured.map { max(1, $0.bitrate / 1000 * 11 / 10) }
    }

    /// The name in logs and reports: `cam/main`.
    var name: String { "\(camera)/\(kind.rawValue)" }

    /// Wakes the encoder for a client that is about to play.
    func touch() { video.touch() }

    /// The feed of a track; nil if the stream has no such track.
    func feed(track: Int) -> Feed? {
        switch track {
        case TrackNumber.video: video
        case TrackNumber.audio: audio.description == nil ? nil : audio
        default: nil
        }
    }

    /// The session description; nil while it is not known, or not complete unless `anyhow`.
    ///
    /// `protect` gives what protects a feed's packets; then the tracks are described as SRTP.
    func sessionDescription(
        anyhow: Bool,
        withTalkback: Bool = false,
        protect: ((Feed) -> Protection?)? = nil
    ) -> String? {
        guard let (description, generation) = video.description else { return nil }
        if let format = NALFormat(description.codec), !anyhow {
            guard ParameterSets(format, annexB: description.configuration.span).isComplete else { return nil }
        }
        guard
            var picture = SessionDescription.Media(
                video: description,
                payloadType: Feed.track(description).payloadType,
                control: control(TrackNumber.video),
                bandwidth: bandwidth
            )
        else { return nil }
        if let protect { Self.secure(&picture, protect(video)) }
        var media = [picture]
        var version = UInt64(generation)
        if let (description, generation) = audio.description, var sound = sound(description) {
            if let protect { Self.secure(&sound, protect(audio)) }
            media.append(sound)
            version += UInt64(generation)
        }
        if withTalkback, let talkback = Talkback.media(control: control(TrackNumber.talkback)) {
            // ONVIF Streaming Specification §5.3.1: directions are told from the client's side.
            for index in media.indices { media[index].attributes.append(.init("recvonly")) }
            media.append(talkback)
        }
        return SessionDescription.live(name: name, identifier: sessionIdentifier, version: version, media: media).text
    }

    private static func secure(_ media: inout SessionDescription.Media, _ protection: Protection?) {
        guard let protection else { return }
        media.transport = "RTP/SAVP"
        media.attributes.append(.init("key-mgmt", KeyManagement.attribute(protection.message)))
    }

    private func sound(_ description: StreamDescription) -> SessionDescription.Media? {
        SessionDescription.Media(
            audio: description,
            payloadType: Feed.track(description).payloadType,
            control: control(TrackNumber.audio)
        )
    }

    private func control(_ track: Int) -> String { "\(RTSPAddress.trackPrefix)\(track)" }
}
