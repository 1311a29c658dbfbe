// SPDX-License-Identifier: Apache-2.0
// What became of a V4L2 camera's frames, and what was done to get them: for status, over all openings of the camera.

import Bytes
import Devices
import Loop
import System

/// Why a V4L2 camera's frame was not delivered.
package enum V4L2Fault: String, Sendable, CaseIterable {
    /// The driver counted a frame that never came: lost on the bus, or there was no buffer for it.
    case gap
    /// The driver marked it as damaged.
    case damaged
    /// It had no bytes, or fewer than a picture needs.
    case short
    /// A JPEG that ends in the middle.
    case truncated
    /// A JPEG whose header makes no sense.
    case malformed
    /// A coded frame in front of the first that can be decoded.
    case early
    /// A newer one was there already.
    case superseded
    /// The driver reported an error instead of a frame.
    case error
}

/// What brings frames back that do not come, from the mildest to the last.
package enum V4L2Recovery: String, Sendable, CaseIterable {
    /// The stream was stopped and started.
    case restart
    /// The device was closed and opened.
    case reopen
    /// The USB device was reset.
    case reset
    /// The signal's new timings were taken over.
    case retime
}

/// How capturing from a V4L2 camera goes.
package struct V4L2Report: Sendable, Equatable {
    /// As it was set: `mjpeg 1280x720 at 30 fps`.
    package var mode = ""
    /// Why it is not set to what was asked for; nil if it is.
    package var compromise: String?
    /// The input, if the device has several or digitises a signal.
    package var input: String?
    /// The signal's timings, such as `1920x1080p60`.
    package var timings: String?
    package var buffers = 0
    /// Where instants come from: `start of exposure`, `end of frame`, `arrival`.
    package var times = ""
    /// True if no other program may change the device.
    package var isClaimed = false
    /// How the camera differs from the rules, by name.
    package var deviations: [String] = []
    private var faults = [UInt64](repeating: 0, count: V4L2Fault.allCases.count)
    private var recoveries = [UInt64](repeating: 0, count: V4L2Recovery.allCases.count)

    package init() {}

    package func count(_ fault: V4L2Fault) -> UInt64 { faults[Self.place(fault)] }
    package func count(_ recovery: V4L2Recovery) -> UInt64 { recoveries[Self.place(recovery)] }

    mutating func add(_ fault: V4L2Fault, _ count: Int) { faults[Self.place(fault)] += UInt64(count) }
    mutating func add(_ recovery: V4L2Recovery) { recoveries[Self.place(recovery)] += 1 }

    private static func place<T: CaseIterable & Equatable>(_ value: T) -> Int {
        T.allCases.enumerated().first { $0.element == value }?.offset ?? 0
    }
}

/// What outlives an opening of a camera.
final class V4L2Memory {
    var report = V4L2Report()
    /// Openings in a row that ended without frames.
    var fruitless = 0
    /// When the USB device was last reset.
    var lastReset: Instant?
    /// The name and what is made of it, each told once.
    let note: (String, String) -> Void

    init(note: @escaping (String, String) -> Void) { self.note = note }

    /// Resets come no closer than this.
    static let resetDistance = Duration.seconds(60)
    /// So many openings without frames, and nothing else has helped.
    static let fruitlessLimit = 2

    private var worker: BackgroundQueue?

    /// True if it is time to reset the camera.
    func mayReset(at now: Instant) -> Bool {
        fruitless >= Self.fruitlessLimit && lastReset.map { now - $0 >= Self.resetDistance } ?? true
    }

    /// Resets the camera, beside the loop: it may take seconds.
    func reset(_ device: USBDevice, on loop: EventLoop) {
        lastReset = loop.now
        do throws(SystemError) {
            if worker == nil { worker = try BackgroundQueue(loop) }
            worker?
                .run { () -> SystemError? in
                    do throws(SystemError) {
                        try device.reset()
                        return nil
                    } catch {
                        return error
                    }
                } then: { [weak self] error in
                    if let error {
                        self?.deviates("no-reset", "\(device.node) cannot be reset: \(error.reason)")
                    } else {
                        self?.report.add(.reset)
                    }
                }
        } catch {
            deviates("no-reset", "\(device.node) cannot be reset: \(error.reason)")
        }
    }

    /// Tells of a deviation, unless it was told.
    func deviates(_ name: String, _ meaning: String) {
        guard !report.deviations.contains(name) else { return }
        report.deviations.append(name)
        note(name, meaning)
    }
}
