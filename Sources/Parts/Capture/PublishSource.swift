// SPDX-License-Identifier: Apache-2.0
// What somebody publishes to the camera's RTSP address, as a source: apus-rtsp puts it into rings, which are read here.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import Ring
import System

/// Passes on the frames of the rings that a publisher's frames are in.
///
/// Nobody publishing is no failure: the rings are waited for. A ring's end is the publisher's.
final class PublishSource: Source {
    /// What is said while nobody publishes.
    static let waiting = "waits for a publisher"
    /// A publisher that sends no picture for so long is lost, though its connection may still be there.
    static let patience = Duration.seconds(5)

    private let loop: EventLoop
    private let videoPath: String
    private let audioPath: String
    private var video: RingReader?
    private var audio: RingReader?
    private var pictures = Cursor()
    private var sound = Cursor()
    /// What the present frames are; nil until a keyframe of them has come.
    private var format: CaptureFormat?
    private var soundFormat: (info: AudioInfo, generation: UInt32)?
    private var output: SourceOutput?
    private var watchdog: LoopTimer?
    private var lastPicture = Instant.zero
    var wantsPictures = true
    let comesBack = true

    init(loop: EventLoop, video: String, audio: String) {
        self.loop = loop
        videoPath = video
        audioPath = audio
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        self.output = output
        output.waits(Self.waiting)
        let video = RingReader(loop: loop, path: videoPath, demand: true)
        video.onAttach = { [unowned self] in
            pictures.begin(video.view)
            passPictures()
        }
        video.onFrames = { [unowned self] in passPictures() }
        video.onDetach = { [unowned self] in
            passPictures()
            lose(Self.waiting)
        }
        self.video = video
        let audio = RingReader(loop: loop, path: audioPath, demand: true)
        audio.onAttach = { [unowned self] in
            soundFormat = nil
            sound.begin(audio.view)
            passSound()
        }
        audio.onFrames = { [unowned self] in passSound() }
        self.audio = audio
        watchdog = loop.timer(every: .seconds(1)) { [unowned self] in
            if loop.now - lastPicture > Self.patience { lose("the publisher sends no pictures") }
        }
    }

    func stop() {
        video?.close()
        audio?.close()
        watchdog?.cancel()
        output = nil
    }

    func requestKeyframe() { video?.requestKeyframe() }

    private func lose(_ reason: String) {
        guard format != nil else { return }
        format = nil
        output?.stopped(CaptureError(reason))
    }

    private func passPictures() {
        guard let view = video?.view else { return }
        while let number = pictures.next(in: view, dropped: { output?.dropped($0) }) {
            let isFresh = pictures.takeDiscontinuity()
            let result = view.read(number) { info, frame in
                let isKeyframe = info.flags.contains(.keyframe)
                if isKeyframe { noteFormat(of: view) }
                guard let codec = format?.codec else { return }
                let isBroken = isFresh || info.flags.contains(.discontinuity)
                lastPicture = loop.now
                output?
                    .unit(
                        UnitInfo(
                            codec: codec,
                            captured: info.captured,
                            isKeyframe: isKeyframe,
                            isDiscontinuous: isBroken
                        ),
                        frame
                    )
            }
            if result == .overwritten { pictures.isDiscontinuous = true }
            // The receiver may have stopped us.
            if output == nil { return }
        }
    }

    /// Tells what the frames are from this keyframe on, if that is news.
    private func noteFormat(of view: RingView) {
        guard let (description, _) = view.description(), !description.codec.isAudio else { return }
        var size: PictureSize?
        if description.width > 0, description.height > 0 {
            size = PictureSize(width: Int(description.width), height: Int(description.height))
        }
        let found = CaptureFormat(
            codec: description.codec,
            size: size,
            frameRate: description.frameRate,
            name: "publisher"
        )
        guard found != format else { return }
        format = found
        output?.live(found)
    }

    private func passSound() {
        guard let view = audio?.view else { return }
        while let number = sound.next(in: view, dropped: { _ in }) {
            let isFresh = sound.takeDiscontinuity()
            guard var info = soundInfo(view) else { return }
            let result = view.read(number) { frame, bytes in
                info.captured = frame.captured
                info.isDiscontinuous = isFresh || frame.flags.contains(.discontinuity)
                output?.audio(info, bytes)
            }
            if result == .overwritten { sound.isDiscontinuous = true }
            if output == nil { return }
        }
    }

    private func soundInfo(_ view: RingView) -> AudioInfo? {
        if let soundFormat, soundFormat.generation == view.descriptionGeneration { return soundFormat.info }
        guard let (description, generation) = view.description(), description.codec.isAudio else { return nil }
        let info = AudioInfo(
            codec: description.codec,
            sampleRate: description.sampleRate,
            channels: description.channels,
            configuration: description.configuration,
            captured: .zero
        )
        soundFormat = (info, generation)
        return info
    }
}

/// Where in a ring this source is.
private struct Cursor {
    /// Who is behind by so many frames goes on at the newest keyframe, long before the ring runs full.
    static let backlogLimit: UInt64 = 128

    private var number: UInt64 = 1
    private var needsKeyframe = true
    var isDiscontinuous = false

    /// Starts at the newest keyframe that is there, else at the next.
    mutating func begin(_ view: RingView?) {
        let keyframe = view?.newestKeyframe ?? 0
        number = keyframe > 0 && view?.info(keyframe) != nil ? keyframe : (view?.newest ?? 0) + 1
        needsKeyframe = true
        isDiscontinuous = true
    }

    /// The number of the next frame to pass on; nil if it is not there yet.
    mutating func next(in view: RingView, dropped: (Int) -> Void) -> UInt64? {
        let newest = view.newest
        if newest >= number, newest - number >= Self.backlogLimit || view.info(number) == nil {
            let keyframe = view.newestKeyframe
            let isThere = keyframe > number && view.info(keyframe) != nil
            // Without a newer keyframe, frames that are still whole are better than none.
            if isThere || view.info(number) == nil {
                let target = isThere ? keyframe : newest + 1
                dropped(Int(clamping: target - number))
                number = target
                needsKeyframe = true
                isDiscontinuous = true
            }
        }
        while number <= newest {
            let candidate = number
            number += 1
            guard let info = view.info(candidate) else { continue }
            if needsKeyframe, !info.flags.contains(.keyframe) { continue }
            needsKeyframe = false
            return candidate
        }
        return nil
    }

    mutating func takeDiscontinuity() -> Bool {
        defer { isDiscontinuous = false }
        return isDiscontinuous
    }
}
