// SPDX-License-Identifier: Apache-2.0
// What has happened lately, and who is told of it: Server-Sent Events (WHATWG HTML §9.2).

import Access
import Bytes
import Control
import FanOut
import HTTP
import Loop
import Media
import System

/// The newest events, which all subscribers read at their own pace.
final class EventJournal {
    /// Older events are forgotten.
    static let maximumEvents = 512
    /// More subscribers are refused.
    static let maximumSubscribers = 64
    /// Something goes out so often, so that nobody between closes the connection.
    static let heartbeat = Duration.seconds(15)

    /// One event as it goes out.
    fileprivate struct Entry {
        let image: WireImage
        /// The same for those who may not see who watches; nil if it tells nothing of that.
        let discreet: WireImage?
        /// Who may see the camera may see the event; nil: who may administer.
        let camera: String?
    }

    private let loop: EventLoop
    /// Tells the numbers of this life of the daemon from those of others.
    private let life = String(Random.uint64() >> 32, radix: 36)
    private var entries: [Entry] = []
    /// The number of the newest event; the first one is 1.
    fileprivate private(set) var last = 0
    private var subscribers: [ObjectIdentifier: EventStream] = [:]
    private var timer: LoopTimer?

    init(_ loop: EventLoop) { self.loop = loop }

    /// Adds an event and tells it to all who may know.
    func add(_ kind: String, camera: String?, _ members: [JSON.Member]) {
        last += 1
        let time = JSON.Member("time", JSON(Clock.realtimeNanoseconds() / 1_000_000))
        let discreet = members.filter { !Self.personal.contains($0.name) }
        let entry = Entry(
            image: image(kind, [time] + members),
            discreet: discreet.count < members.count ? image(kind, [time] + discreet) : nil,
            camera: camera
        )
        if entries.count < Self.maximumEvents {
            entries.append(entry)
        } else {
            entries[(last - 1) % Self.maximumEvents] = entry
        }
        for subscriber in subscribers.values { subscriber.pump() }
    }

    /// What tells who watches, and from where.
    private static let personal: Set<String> = ["client", "peer", "user"]

    private func image(_ kind: String, _ members: [JSON.Member]) -> WireImage {
        var bytes = Array("id: \(life)-\(last)\nevent: \(kind)\ndata: ".utf8)
        JSON.object(members).write(to: &bytes)
        bytes += "\n\n".utf8
        return Self.image(bytes)
    }

    /// Begins to tell a client; false if there are too many.
    func subscribe(_ exchange: Exchange) -> Bool {
        guard subscribers.count < Self.maximumSubscribers else { return false }
        let stream = EventStream(self, exchange, after: resumption(exchange.request.head.fields["last-event-id"]))
        subscribers[ObjectIdentifier(stream)] = stream
        if timer == nil {
            timer = loop.timer(every: Self.heartbeat) { [unowned self] in
                for subscriber in subscribers.values { subscriber.beat() }
            }
        }
        let fields = [
            HeaderField("Content-Type", "text/event-stream"), HeaderField("Cache-Control", "no-store"),
            HeaderField("X-Content-Type-Options", "nosniff"), HeaderField("X-Accel-Buffering", "no"),
        ]
        exchange.respond(Response(.ok, fields: fields, body: .untilClose), from: stream)
        stream.pump()
        return true
    }

    /// The number behind which a client goes on that came here before.
    private func resumption(_ id: String?) -> Int {
        guard let parts = id?.split(separator: "-"), parts.count == 2, parts[0] == life, let number = Int(parts[1]),
            (0...last).contains(number)
        else { return last }
        return number
    }

    fileprivate func unsubscribe(_ stream: EventStream) {
        subscribers[ObjectIdentifier(stream)] = nil
        guard subscribers.isEmpty else { return }
        timer?.cancel()
        timer = nil
    }

    /// The number of the oldest event that is known.
    fileprivate var first: Int { last - entries.count + 1 }

    fileprivate func entry(_ number: Int) -> Entry { entries[(number - 1) % Self.maximumEvents] }

    fileprivate static func image(_ bytes: [UInt8]) -> WireImage {
        var image = PacketImage()
        image.bytes = bytes
        let info = FrameInfo(sequence: 0, captured: .zero, published: .zero, flags: [], length: bytes.count)
        return WireImage(image, info: info)
    }

    fileprivate static let opening = Array("retry: 2000\n\n".utf8)
    fileprivate static let beat = Array(":\n\n".utf8)
    fileprivate static let gap = Array("event: lost\ndata: {}\n\n".utf8)
}

/// A client that is told of events: a place in the journal, which is all that it costs.
private final class EventStream: BodySource {
    let isEndless = true
    let kind = "events"
    var isFinished: Bool { false }

    private unowned let journal: EventJournal
    private unowned let exchange: Exchange
    private var next: Int
    private var isOpened = false
    private var owesBeat = false

    init(_ journal: EventJournal, _ exchange: Exchange, after number: Int) {
        self.journal = journal
        self.exchange = exchange
        next = number + 1
    }

    func pump() { exchange.pump() }

    func beat() {
        owesBeat = true
        pump()
    }

    func nextImage() -> WireImage? {
        if !isOpened {
            isOpened = true
            return EventJournal.image(EventJournal.opening)
        }
        if next < journal.first {
            // The client was too slow: it has to look at everything anew.
            next = journal.first
            return EventJournal.image(EventJournal.gap)
        }
        while next <= journal.last {
            let entry = journal.entry(next)
            next += 1
            if maySee(entry.camera) {
                owesBeat = false
                guard let discreet = entry.discreet, !exchange.may(.control, entry.camera) else { return entry.image }
                return discreet
            }
        }
        guard owesBeat else { return nil }
        owesBeat = false
        return EventJournal.image(EventJournal.beat)
    }

    private func maySee(_ camera: String?) -> Bool {
        camera.map { exchange.may(.view, $0) } ?? exchange.may(.configure, nil)
    }

    func ended(_ reason: String) { journal.unsubscribe(self) }
}
