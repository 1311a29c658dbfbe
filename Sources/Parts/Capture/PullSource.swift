// SPDX-License-Identifier: Apache-2.0
// An RTSP server's stream as a source: what it sends is passed on, with capture instants on our clock.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import Player
import RTP
import RTSP

/// What is known of a source that is pulled from a server, for status.
package struct PullReport: Sendable, Equatable {
    /// What the server calls itself.
    package var server: String?
    /// `tcp` or `udp`.
    package var transport: String
    /// How much faster than ours the camera's clock runs, in millionths; nil while it is not known.
    package var drift: Double?
    package var jitter: Duration
    package var packets: UInt64
    package var lost: Int64
    /// How the server differs from the standards, by name.
    package var deviations: [String]
}

/// What outlives a connection: the camera's clock, and what the log has been told.
final class PullMemory {
    var clock: SourceClock?
    var rates: [UInt32] = []
    var deviations: [String] = []
}

/// Plays from a server until it ends; the session makes a new one then.
///
/// Coded frames are passed on as they come. Their capture instants follow the camera's clock by timestamps and arrivals,
/// so that neither the network's jitter nor a restart of the camera gets into them.
final class PullSource: Source {
    private let player: RTSPPlayer
    private let target: RTSPTarget
    private let memory: PullMemory
    private let note: (String, String) -> Void
    private var output: SourceOutput?
    private var tracks: [Track] = []
    private var format: CaptureFormat?
    var wantsPictures = true

    private struct Track {
        var format: TrackFormat
        var description: StreamDescription
        /// The newest frame's timestamp.
        var ticks: Int64?
        /// The size is taken from the keyframe at hand; the description follows it.
        var size: PictureSize?
    }

    /// Makes a source that has not started; `note` is told of each deviation by name and explanation.
    init(
        loop: EventLoop,
        location: RTSPLocation,
        agent: String,
        memory: PullMemory,
        note: @escaping (String, String) -> Void
    ) {
        var settings = PlayerSettings(location)
        settings.agent = agent
        player = RTSPPlayer(loop: loop, target: location.target, settings: settings)
        target = location.target
        self.memory = memory
        self.note = note
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        self.output = output
        player.onTracks = { [unowned self] formats in begin(formats) }
        player.onDescription = { [unowned self] track, description in tracks[track].description = description }
        player.onReport = { [unowned self] track, info, _ in take(info, track) }
        player.onFrame = { [unowned self] track, frame, bytes in take(frame, track, bytes) }
        player.onDeviation = { [unowned self] name, explanation in tell(name, explanation) }
        player.onSwitch = { [unowned self] lower, reason in
            note("transport-switch", "\(reason); the stream comes over \(lower == .udp ? "UDP" : "TCP")")
        }
        player.onEnd = { [unowned self] reason in
            let output = output
            self.output = nil
            output.stopped(CaptureError(reason.description))
        }
        player.start()
    }

    func stop() {
        output = nil
        player.stop()
    }

    func requestKeyframe() { player.requestKeyframe() }

    /// How it goes.
    var report: PullReport {
        PullReport(
            server: player.server,
            transport: player.transport == .udp ? "udp" : "tcp",
            drift: memory.clock?.drift,
            jitter: memory.clock?.jitter() ?? .zero,
            packets: player.statistics(0)?.received ?? 0,
            lost: player.statistics(0)?.lost ?? 0,
            deviations: memory.deviations
        )
    }

    private func tell(_ name: String, _ explanation: String) {
        guard !memory.deviations.contains(name) else { return }
        memory.deviations.append(name)
        note(name, explanation)
    }

    private func begin(_ formats: [TrackFormat]) {
        tracks = formats.map { Track(format: $0, description: $0.stream) }
        let rates = formats.map(\.clockRate)
        if memory.rates != rates || memory.clock == nil {
            memory.rates = rates
            memory.clock = SourceClock(rates: rates)
        }
        for ignored in player.ignored { tell("ignored-\(ignored.kind)", "a medium is left out: \(ignored.reason)") }
    }

    private func take(_ info: RTCP.SenderInfo, _ track: Int) {
        guard let last = tracks[track].ticks,
            let rate = memory.rates.indices.contains(track) ? memory.rates[track] : nil,
            info.utcNanoseconds(of: Int64(info.timestamp), clockRate: rate) != nil
        else { return }
        let ticks = last + Int64(Int32(truncatingIfNeeded: Int64(info.timestamp) &- last))
        memory.clock?.report(ticks: ticks, utc: info.time.unixNanoseconds, track: track)
    }

    private func take(_ frame: TrackReceiver.Frame, _ index: Int, _ bytes: Span<UInt8>) {
        tracks[index].ticks = frame.timestamp
        let stream = tracks[index].description
        if stream.codec.isAudio {
            guard
                let captured = memory.clock?
                    .soundInstant(of: frame.timestamp, track: index, arrived: frame.arrival)
            else { return }
            let info = AudioInfo(
                codec: stream.codec,
                sampleRate: stream.sampleRate,
                channels: stream.channels,
                configuration: stream.configuration,
                captured: captured,
                isDiscontinuous: frame.isAfterLoss
            )
            output?.audio(info, bytes)
            return
        }
        let captured =
            memory.clock?.instant(of: frame.timestamp, track: index, arrived: frame.arrival) ?? frame.arrival
        if frame.isKeyframe { goLive(index, bytes) }
        guard format != nil else { return }
        let info = UnitInfo(
            codec: stream.codec,
            captured: captured,
            isKeyframe: frame.isKeyframe,
            isDiscontinuous: frame.isAfterLoss
        )
        output?.unit(info, bytes)
    }

    /// Tells what the frames are from this keyframe on, if that is news.
    private func goLive(_ index: Int, _ keyframe: Span<UInt8>) {
        let stream = tracks[index].description
        let (size, rate) = Self.facts(stream.codec, keyframe)
        if let size { tracks[index].size = size }
        let known = stream.width > 0 ? PictureSize(width: Int(stream.width), height: Int(stream.height)) : nil
        let found = CaptureFormat(
            codec: stream.codec,
            size: tracks[index].size ?? known,
            frameRate: stream.frameRate.numerator > 0 ? stream.frameRate : rate,
            name: target.redacted
        )
        guard found != format else { return }
        format = found
        output?.live(found)
    }

    /// What a keyframe tells of itself.
    private static func facts(_ codec: Codec, _ keyframe: Span<UInt8>) -> (PictureSize?, Rational) {
        if codec == .jpeg {
            guard let header = try? JPEGHeader(parsing: keyframe) else { return (nil, Rational(0)) }
            return (PictureSize(width: Int(header.width), height: Int(header.height)), Rational(0))
        }
        guard let format = NALFormat(codec), let picture = ParameterSets(format, annexB: keyframe).pictureFormat else {
            return (nil, Rational(0))
        }
        return (PictureSize(width: Int(picture.width), height: Int(picture.height)), picture.frameRate ?? Rational(0))
    }
}
