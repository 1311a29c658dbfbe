// SPDX-License-Identifier: Apache-2.0
// The test pattern as a source.

import Bytes
import Config
import Encode
import Loop
import Media
import System

/// Paints the test pattern at a steady rate.
final class PatternSource: Source {
    private let loop: EventLoop
    private let size: PictureSize
    private let frameRate: Int
    private let name: String
    private var painter: PatternPainter?
    private var output: SourceOutput?
    private var timer: LoopTimer?
    private var began = Instant.zero
    private var number: UInt64 = 0
    var wantsPictures = true
    private(set) var controls = [
        CameraControl("brightness", "Brightness", .integer(-100...100, step: 1)),
        CameraControl("contrast", "Contrast", .integer(0...200, step: 1), standard: 100, value: 100),
        CameraControl("speed", "Speed of the ball", .integer(0...400, step: 1), standard: 100, value: 100),
    ]
    /// Where the ball is on its way, and the frame's instant for which that holds.
    private var phase = (seconds: 0.0, at: Instant.zero)

    init(loop: EventLoop, size: PictureSize, frameRate: Int, name: String) {
        self.loop = loop
        self.size = size
        self.frameRate = frameRate
        self.name = name
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        do {
            painter = try PatternPainter(width: size.width, height: size.height, frameRate: frameRate, name: name)
        } catch {
            throw CaptureError("pattern: \(error)")
        }
        self.output = output
        began = loop.now
        phase = (0, began)
        output.live(CaptureFormat(codec: nil, size: size, frameRate: Rational(UInt32(frameRate)), name: "test pattern"))
        schedule()
    }

    func stop() {
        timer?.cancel()
        output = nil
    }

    func setControl(_ name: String, _ value: Int) throws(CameraControlError) {
        guard let index = controls.firstIndex(where: { $0.name == name }) else {
            throw .unknown("the pattern has no control \(name)")
        }
        guard controls[index].value != value else { return }
        controls[index].value = value
        if name != "speed" { painter?.setTone(brightness: control("brightness"), contrast: control("contrast")) }
    }

    private func control(_ name: String) -> Int { controls.first { $0.name == name }?.value ?? 0 }

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
        if wantsPictures {
            if late > 0 { output?.dropped(late) }
            paint()
        }
        if output != nil { schedule() }
    }

    private func paint() {
        let captured = instant(of: number)
        phase = (phase.seconds + (captured - phase.at).seconds * Double(control("speed")) / 100, captured)
        let age = (Clock.monotonic() - captured).nanoseconds
        let moment = PatternPainter.Moment(
            utc: Clock.realtimeNanoseconds() - age,
            number: number,
            elapsed: phase.seconds
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
