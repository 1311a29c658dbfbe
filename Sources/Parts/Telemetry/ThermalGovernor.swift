// SPDX-License-Identifier: Apache-2.0
// Decides how much encoders may do while the processor is hot: less step by step, and back when it is cool.

package import Bytes

/// What a hot machine does: `[thermal]`.
package struct ThermalPolicy: Sendable, Equatable {
    /// What of the encoders is lowered.
    package enum Lowered: String, Sendable, CaseIterable {
        case off
        case bitrate
        case fps
        case both
    }

    package var lowered: Lowered
    /// °C.
    package var hot: Double
    /// The least part of what is configured, 0 to 1.
    package var least: Double
    /// From one step to the next; heat follows slowly.
    package var pace: Duration

    package init(lowered: Lowered = .both, hot: Double = 80, least: Double = 0.25, pace: Duration = .seconds(10)) {
        self.lowered = lowered
        self.hot = hot
        self.least = least
        self.pace = pace
    }
}

/// Lowers and restores, one step at a time: readings and instants in, a share out.
///
/// From `hot` on, each `pace` takes a fifth of what is left. Once it has been cooler than `hot` by `margin` for three
/// times `pace`, each three times `pace` gives one step back. Between the two, all stays as it is.
package struct ThermalGovernor: Sendable {
    /// °C below `hot` at which steps are given back.
    package static let margin = 5.0
    /// What each step leaves.
    package static let step = 0.8
    /// Steps are given back so much slower than they are taken.
    package static let caution = 3

    package private(set) var policy: ThermalPolicy
    /// How many steps are taken.
    package private(set) var steps = 0
    private var changedAt: Instant?
    private var coolSince: Instant?

    package init(_ policy: ThermalPolicy = ThermalPolicy()) { self.policy = policy }

    /// What part of the configured frame rate or bitrate is left, 0 to 1.
    package var share: Double { share(after: steps) }

    /// What part of the configured bitrate encoders may use.
    package var bitrateShare: Double { policy.lowered == .fps ? 1 : share }

    /// What part of the configured frame rate encoders may use.
    package var frameRateShare: Double { policy.lowered == .bitrate ? 1 : share }

    /// Takes a reading; without one the machine counts as cool, for nobody could ever tell that it is.
    ///
    /// - Returns: true if the share is another one now.
    package mutating func look(_ celsius: Double?, at now: Instant) -> Bool {
        guard policy.lowered != .off else { return false }
        guard let celsius, celsius > policy.hot - Self.margin else { return cooled(at: now) }
        coolSince = nil
        guard celsius >= policy.hot, share > policy.least else { return false }
        if let changedAt, now - changedAt < policy.pace { return false }
        steps += 1
        changedAt = now
        return true
    }

    /// Goes on by another policy.
    ///
    /// - Returns: true if encoders have to be told.
    package mutating func change(to new: ThermalPolicy) -> Bool {
        let before = (bitrateShare, frameRateShare)
        policy = new
        if new.lowered == .off { steps = 0 }
        // Not more steps than it takes to the least.
        while steps > 0, share(after: steps - 1) <= policy.least { steps -= 1 }
        return before != (bitrateShare, frameRateShare)
    }

    private mutating func cooled(at now: Instant) -> Bool {
        let since = coolSince ?? now
        coolSince = since
        guard steps > 0, now - max(since, changedAt ?? since) >= policy.pace * Self.caution else { return false }
        steps -= 1
        changedAt = now
        return true
    }

    private func share(after steps: Int) -> Double {
        var share = 1.0
        for _ in 0..<steps { share *= Self.step }
        // Encoders may have to begin anew for a step: one that changes next to nothing is not worth it.
        return share < policy.least * 1.1 ? policy.least : (share * 1000).rounded() / 1000
    }
}
