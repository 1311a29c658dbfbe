// SPDX-License-Identifier: Apache-2.0
// What software encoders may cost on this machine: how many threads, and from which effort on.

import CSysFFmpeg
import Media

/// The processors that software encoders have.
///
/// The costs were measured with libx264 and libx265 as they are configured here, at 1080p and 4 Mbit/s on one core of an
/// AMD EPYC: superfast takes 1.5 times what ultrafast does, and is better by 3.7 dB (SSIM); veryfast takes 2.6 times, and
/// gains nothing more. Hence superfast, and ultrafast only where there is no time for it.
package struct EncoderMachine: Sendable, Equatable {
    package var cores: Int
    /// True for cores like the Cortex-A76 of a Raspberry Pi 5, which has no hardware encoder.
    package var isSmall: Bool

    package init(cores: Int, isSmall: Bool) {
        self.cores = max(1, cores)
        self.isSmall = isSmall
    }

    /// This machine, as far as this process may use it. C: av_cpu_count()
    package static let present: EncoderMachine = {
        #if arch(arm64)
            EncoderMachine(cores: Int(av_cpu_count()), isSmall: true)
        #else
            EncoderMachine(cores: Int(av_cpu_count()), isSmall: false)
        #endif
    }()

    /// Threads on one picture: with four cores, one is left for capture and servers; more than four threads gain little.
    package var threads: Int { cores < 3 ? cores : min(cores - 1, Self.threadLimit) }

    static let threadLimit = 4
    /// What part of its time an encoder may take, so that the others, and a harder scene, have room.
    static let limit = 0.5
    /// Nanoseconds that a pixel takes with superfast on the core that was measured.
    static let cost = 5.0
    /// The same with libx265, whose ultrafast is the least that there is.
    static let costH265 = 26.0
    /// So many times as long a small core takes.
    static let smallness = 3.0

    /// Where to begin; an encoder that turns out to be too slow is told to spend less.
    package func effort(_ settings: EncoderSettings) -> EncoderEffort {
        let pixels = Double(settings.width * settings.height) * settings.frameRate.value
        let cost = (settings.codec == .h265 ? Self.costH265 : Self.cost) * (isSmall ? Self.smallness : 1)
        let load = pixels * cost / 1e9
        if load <= Self.limit { return .normal }
        return load <= Self.limit * Double(threads) ? .threaded : .least
    }
}
