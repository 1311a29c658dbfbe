// SPDX-License-Identifier: Apache-2.0
// What heat leaves of what encoders are configured to do.

import Bytes
import Control
import Daemon
import Log
import Media

/// Parts of 1 of the configured bitrate and frame rate; they lie over what is configured and what verbs have set.
struct Relief: Equatable {
    var bitrate = 1.0
    var frameRate = 1.0

    /// No bitrate becomes less, in bit/s.
    static let leastBitrate = 16_000

    /// True if anything is lowered.
    var isAny: Bool { bitrate < 1 || frameRate < 1 }

    var json: JSON { ["bitrate": JSON(bitrate), "fps": JSON(frameRate)] }

    /// What is left of a bitrate.
    func lowered(bitrate full: Int) -> Int {
        bitrate < 1 ? max(min(full, Self.leastBitrate), Int(Double(full) * bitrate)) : full
    }

    /// What is left of a frame rate, in thousandths of a frame.
    func lowered(_ full: Rational) -> Rational {
        guard frameRate < 1 else { return full }
        return Rational(UInt32(max(1000, (full.value * frameRate * 1000).rounded())), 1000)
    }
}

extension VideoService {
    /// Adds the verb by which `apus up` has the encoders do less.
    func addReliefVerb() {
        context.control.commands.add(
            Verb(
                "throttle",
                "Has all encoders do a part of what is configured, until it is said again; apus up does so while the "
                    + "processor is hot.",
                [
                    Argument("bitrate", .number(0.01...1), "What part of each bitrate is left; 1 is all."),
                    Argument("fps", .number(0.01...1), "What part of each frame rate is left; 1 is all."),
                ]
            ) { [unowned self] arguments in
                let relief = Relief(bitrate: arguments.number("bitrate") ?? 1, frameRate: arguments.number("fps") ?? 1)
                relieve(relief)
                // There is nothing to lower of frames that are not coded here.
                var untouched = streams.video.filter(\.isPassing).map { JSON.string($0.name) }
                if streams.jpeg?.isPassing == true { untouched.append("jpeg") }
                return ["bitrate": JSON(relief.bitrate), "fps": JSON(relief.frameRate), "untouched": .array(untouched)]
            }
        )
    }

    private func relieve(_ relief: Relief) {
        let isNew =
            streams.video.contains { $0.wishes.relief != relief } || streams.jpeg.map { $0.relief != relief } ?? false
        guard isNew else { return }
        for stream in streams.video { stream.wishes.relief = relief }
        streams.jpeg?.relief = relief
        if relief.isAny {
            context.log.warn("encoders are lowered", ["bitrate": relief.bitrate, "fps": relief.frameRate])
        } else {
            context.log.info("encoders are not lowered any more")
        }
    }
}
