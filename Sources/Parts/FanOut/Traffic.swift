// SPDX-License-Identifier: Apache-2.0
// What is counted of viewers: frames, bytes, drops, how long they waited, how old what they get is.

package import Bytes
package import Media
package import Metrics

/// What all viewers of a stream by one transport have got together, those that have left included.
package final class Traffic {
    package let camera: String
    package let stream: String
    package let transport: String
    package fileprivate(set) var viewers = 0 {
        didSet { onViewer?(self, viewers > oldValue) }
    }
    package fileprivate(set) var frames: UInt64 = 0
    package fileprivate(set) var bytes: UInt64 = 0
    package fileprivate(set) var drops = DropCounts()
    fileprivate var onViewer: ((Traffic, Bool) -> Void)?
    fileprivate var lag = Duration.zero
    fileprivate let joins = Histogram(.joinTime)
    fileprivate let latencies = Histogram(.viewerLatency)

    fileprivate init(_ camera: String, _ stream: String, _ transport: String) {
        self.camera = camera
        self.stream = stream
        self.transport = transport
    }
}

/// The traffic of a daemon.
package struct TrafficTable {
    /// More are not told apart: what is beyond shares one.
    package static let maximumCount = 512

    /// Called when a viewer comes (true) or goes (false).
    package var onViewer: ((Traffic, Bool) -> Void)?

    private var entries: [String: Traffic] = [:]

    package init() {}

    /// All traffic, in the order of its names.
    package var all: [Traffic] { entries.sorted { $0.key < $1.key }.map(\.value) }

    /// The traffic of a stream by a transport, from now on if there was none yet.
    package mutating func traffic(_ camera: String, _ stream: String, _ transport: String) -> Traffic {
        let key = "\(camera)/\(stream)/\(transport)"
        if let traffic = entries[key] { return traffic }
        if entries.count >= Self.maximumCount { return entries.first?.value ?? Traffic(camera, stream, transport) }
        let traffic = Traffic(camera, stream, transport)
        traffic.onViewer = onViewer
        entries[key] = traffic
        return traffic
    }

    /// Adds the figures of all traffic.
    package func collect(into samples: inout Samples) {
        for traffic in all {
            let (camera, stream, transport) = (traffic.camera, traffic.stream, traffic.transport)
            samples.add(.viewers, camera, stream, transport, count: traffic.viewers)
            samples.add(.sentFrames, camera, stream, transport, count: traffic.frames)
            samples.add(.sentBytes, camera, stream, transport, count: traffic.bytes)
            for (reason, count) in traffic.drops.byReason {
                samples.add(.droppedFrames, camera, stream, transport, reason.rawValue, count: count)
            }
            samples.add(.ringLag, camera, stream, transport, value: max(0, traffic.lag.seconds))
            samples.add(traffic.joins, camera, stream, transport)
            samples.add(traffic.latencies, camera, stream, transport)
        }
    }
}

/// One viewer's part in its traffic, from its request to its end.
///
/// Counting allocates nothing.
package final class ViewerMeter {
    package let traffic: Traffic
    /// When the viewer asked; nil once it has its first frame.
    private var waitingSince: Instant?
    private var counted = DropCounts()
    private var isCounted = true

    /// A viewer that asks now.
    package init(_ traffic: Traffic, at now: Instant) {
        self.traffic = traffic
        waitingSince = now
        traffic.viewers += 1
    }

    deinit { leave() }

    /// A frame has been handed to the viewer's connection; `drops` are those of its cursor so far.
    package func sent(_ frame: FrameInfo, bytes: Int, drops: DropCounts, at now: Instant) {
        traffic.frames += 1
        traffic.bytes += UInt64(bytes)
        traffic.lag = now - frame.published
        traffic.latencies.observe((now - frame.captured).seconds)
        if let since = waitingSince {
            traffic.joins.observe((now - since).seconds)
            waitingSince = nil
        }
        if drops != counted { count(drops) }
    }

    /// So much of the stream has been handed to the viewer's connection, in other pieces than frames.
    package func sent(bytes: Int, at now: Instant) {
        traffic.bytes += UInt64(bytes)
        guard let since = waitingSince else { return }
        traffic.joins.observe((now - since).seconds)
        waitingSince = nil
    }

    /// The viewer asks anew, as after a pause.
    package func rejoin(at now: Instant) {
        waitingSince = now
        guard !isCounted else { return }
        isCounted = true
        traffic.viewers += 1
    }

    /// The viewer is gone, or pauses. Harmless when repeated.
    package func leave() {
        guard isCounted else { return }
        isCounted = false
        traffic.viewers -= 1
    }

    private func count(_ drops: DropCounts) {
        for reason in DropReason.allCases { traffic.drops[reason] += drops[reason] - counted[reason] }
        counted = drops
    }
}
