// SPDX-License-Identifier: Apache-2.0
// The test pattern as a source.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import System

/// Paints the test pattern at a steady rate.
final class PatternSource: ControlledSource {
    private let loop: EventLoop
    private let size: PictureSize
    private let frameRate: Int
    private let name: String
    /// What it stands in for, in the status.
    private let device: String
    private var painter: PatternPainter?
    private var output: SourceOutput?
    private var timer: LoopTimer?
    private var began = Instant.zero
    private var number: UInt64 = 0
    private var settings = PatternControls()
    /// When the newest frame was painted, and how far the ball had come: seconds at its usual speed.
    private var painted: (at: Instant, way: Double) = (.zero, 0)
    var wantsPictures = true

    init(loop: EventLoop, size: PictureSize, frameRate: Int, name: String, device: String = "test pattern") {
        self.loop = loop
        self.size = size
        self.frameRate = frameRate
        self.name = name
        self.device = device
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        do {
            painter = try PatternPainter(width: size.width, height: size.height, frameRate: frameRate, name: name)
        } catch {
            throw CaptureError("pattern: \(error)")
        }
        self.output = output
        began = loop.now
        painted = (began, 0)
        output.live(CaptureFormat(codec: nil, size: size, frameRate: Rational(UInt32(frameRate)), name: device))
        output.controllable(.withFrames)
        schedule()
    }

    var controls: [CameraControl] {
        settings.count(number)
        return settings.list
    }

    func set(_ control: CameraControl, to value: CameraControl.Value) {
        if control.kind == .button { painted.way = 0 }
        let changed = settings.set(control.id, to: value)
        painter?.look = settings.look
        for control in settings.list where changed.contains(control.id) { output?.control(control) }
    }

    func stop() {
        timer?.cancel()
        output = nil
    }

    /// The instant of a frame: frames lie on a grid, so that their times do not jitter with the loop.
    private func instant(of number: UInt64) -> Instant {
        began + .nanoseconds(Int64(number) * 1_000_000_000 / Int64(frameRate))
    }

    private func schedule() {
        timer = loop.timer(at: instant(of: number + 1)) { [unowned self] in fire() }
    }

    private func fire() {
        number += 1
        // Frames whose time has passed are left out, not made up for.
        var late = 0
        while instant(of: number + 1) <= loop.now {
            number += 1
            late += 1
        }
        if wantsPictures, number % UInt64(settings.skip) == 0 {
            if late > 0 { output?.dropped(late) }
            paint()
        }
        if output != nil { schedule() }
    }

    private func paint() {
        let captured = instant(of: number)
        let age = (Clock.monotonic() - captured).nanoseconds
        painted = (captured, painted.way + (captured - painted.at).seconds * settings.speed)
        let moment = PatternPainter.Moment(
            utc: Clock.realtimeNanoseconds() - age,
            number: number,
            elapsed: painted.way
        )
        do {
            guard let picture = try painter?.paint(moment) else { return }
            output?.picture(picture, captured)
        } catch {
            let output = output
            stop()
            output?.stopped(CaptureError("pattern: \(error)"))
        }
    }
}
