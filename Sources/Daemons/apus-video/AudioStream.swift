// SPDX-License-Identifier: Apache-2.0
// The camera's sound: the source's own frames, untouched, into a ring that is opened when the first one comes.

import Bytes
import Capture
import Config
import Control
import Log
import Loop
import Media
import Ring
import System

/// The camera's sound.
///
/// The ring is there once it is known what it carries, so a camera without sound has none. It then stays, also while the
/// source is lost.
final class AudioStream {
    /// True while somebody wants the sound.
    var hasDemand: Bool { writer?.hasDemand ?? false }
    /// Called when the first reader wants sound, and when the last one stops wanting it.
    var onDemandChange: (() -> Void)?

    private let configuration: AudioStreamConfiguration
    private let loop: EventLoop
    private let path: String
    private let log: Logger
    private var writer: RingWriter?
    private var statistics = StreamStatistics()
    private var isDiscontinuous = false

    init(configuration: AudioStreamConfiguration, loop: EventLoop, path: String, log: Logger) {
        self.configuration = configuration
        self.loop = loop
        self.path = path
        self.log = log
    }

    /// Frames are missing from here on.
    func breakContinuity() { isDiscontinuous = true }

    /// Publishes a frame of the source.
    func pass(_ info: AudioInfo, _ frame: Span<UInt8>) {
        do throws(RingError) {
            let writer = try ring(for: info)
            var flags: FrameFlags = .keyframe
            if isDiscontinuous || info.isDiscontinuous { flags.insert(.discontinuity) }
            try writer.publish(frame, captured: info.captured, flags: flags)
            isDiscontinuous = false
            statistics.published(frame.count, isKeyframe: true, at: Clock.monotonic())
        } catch {
            if statistics.failures == 0 {
                log.warn("sound is not published", ["stream": "audio", "error": error, "remedy": "raise ring_size"])
            }
            statistics.failures += 1
            isDiscontinuous = true
        }
    }

    private func ring(for info: AudioInfo) throws(RingError) -> RingWriter {
        if let writer {
            let known = writer.store.description
            guard
                known.codec != info.codec || known.sampleRate != info.sampleRate || known.channels != info.channels
                    || known.configuration != info.configuration
            else { return writer }
            let description = describe(info)
            try writer.update(description)
            return writer
        }
        let opened = try RingWriter(
            loop: loop,
            path: path,
            description: describe(info),
            capacity: configuration.ringSize
        )
        opened.onDemandChange = { [unowned self] _ in onDemandChange?() }
        writer = opened
        return opened
    }

    private func describe(_ info: AudioInfo) -> StreamDescription {
        log.info(
            "stream described",
            ["stream": "audio", "codec": info.codec.name, "rate": info.sampleRate, "channels": info.channels]
        )
        return StreamDescription(
            audio: info.codec,
            sampleRate: info.sampleRate,
            channels: info.channels,
            configuration: info.configuration
        )
    }

    /// Nil while there is no sound.
    var status: JSON? {
        guard let writer else { return nil }
        let description = writer.store.description
        return .object(
            [
                JSON.Member("name", "audio"), JSON.Member("codec", .string(description.codec.name)),
                JSON.Member("sample_rate", JSON(description.sampleRate)),
                JSON.Member("channels", JSON(description.channels)), JSON.Member("mode", "passthrough"),
                JSON.Member("readers", JSON(writer.readerCount)), JSON.Member("demand", JSON(writer.hasDemand)),
            ] + statistics.members
        )
    }

    func close() { writer?.close() }
}
