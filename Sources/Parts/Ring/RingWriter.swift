// SPDX-License-Identifier: Apache-2.0
// A ring as its producer sees it: the memory, and the socket where readers attach.

package import Bytes
package import Loop
package import Media
import System

/// Publishes frames to every reader attached at a Unix socket.
///
/// An open connection is the registration: readers are counted by it, the kernel cleans up after a dead one, and
/// readers see the producer die by the hang-up. A reader may say that it does not need frames to be made
/// (`hasDemand`), and may ask for a keyframe.
package final class RingWriter {
    /// The memory behind the ring.
    package let store: RingStore
    /// Called when the first reader wants frames, and when the last one stops wanting them.
    package var onDemandChange: ((Bool) -> Void)?
    /// Called when a reader asks for a keyframe.
    package var onKeyframeRequest: (() -> Void)?

    private let loop: EventLoop
    private let path: String
    private let listener: FileDescriptor
    private var watch: Watch?
    private var utcTimer: LoopTimer?
    private var attachments: [Attachment] = []

    /// Opens a ring at the socket path, replacing one that a dead producer left there.
    ///
    /// `capacity` is the size of the data area in bytes; `slots` how many frames the index holds at least.
    package init(
        loop: EventLoop,
        path: String,
        description: StreamDescription,
        capacity: Int,
        slots: Int = RingStore.defaultSlots
    ) throws(RingError) {
        self.loop = loop
        self.path = path
        let name = path.split(separator: "/").last.map(String.init) ?? path
        store = try RingStore(name: "apus \(name)", description: description, capacity: capacity, slots: slots)
        do throws(SystemError) {
            listener = try Socket.listenUnix(path, kind: .sequencedPackets)
            watch = nil
            watch = try loop.watch(listener.raw, .read) { [unowned self] _ in accept() }
        } catch {
            throw .system(error)
        }
        utcTimer = loop.timer(every: .seconds(1)) { [unowned self] in store.updateUTC() }
    }

    deinit { close() }

    /// True if somebody writes a ring at the socket path.
    package static func isLive(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try Socket.connectUnix(path, kind: .sequencedPackets)
            return true
        } catch {
            // A dead producer's socket refuses; one that is busy does not.
            return error.isTryAgain
        }
    }

    /// The most readers at once; more are turned away.
    package static let readerLimit = 64

    /// The most connections that have not yet said what they want.
    private static let waitingLimit = 16

    /// How long a connection may take to say what it wants.
    private static let attachTimeout = Duration.seconds(5)

    /// Publishes one frame, whose bytes `fill` writes into the ring, and wakes all readers.
    @discardableResult
    package func publish(
        captured: Instant,
        flags: FrameFlags,
        length: Int,
        fill: (inout MutableSpan<UInt8>) -> Void
    ) throws(RingError) -> UInt64 {
        let sequence = try store.publish(captured: captured, flags: flags, length: length, fill: fill)
        wakeReaders()
        return sequence
    }

    /// Publishes a copy of `frame` and wakes all readers.
    @discardableResult
    package func publish(_ frame: Span<UInt8>, captured: Instant, flags: FrameFlags) throws(RingError) -> UInt64 {
        let sequence = try store.publish(frame, captured: captured, flags: flags)
        wakeReaders()
        return sequence
    }

    /// Says what the frames from now on are.
    package func update(_ description: StreamDescription) throws(RingError) { try store.update(description) }

    /// True while the newest frames stand in for a source that is lost; readers see it in the header's flags.
    package var isSlate = false {
        didSet { if isSlate != oldValue { store.setFlags(isSlate ? RingLayout.Flags.slate : 0) } }
    }

    /// True while some reader wants frames to be made.
    package private(set) var hasDemand = false

    /// How many readers are attached.
    package var readerCount: Int { attachments.count { $0.isAttached } }

    /// Ends the ring in order: readers see the end of the stream, then the hang-up. Harmless when repeated.
    package func close() {
        guard watch != nil else { return }
        store.setFlags(RingLayout.Flags.endOfStream)
        wakeReaders()
        watch?.cancel()
        watch = nil
        utcTimer?.cancel()
        for attachment in attachments { attachment.close() }
        attachments = []
        File.remove(path)
    }

    private func wakeReaders() {
        for attachment in attachments where attachment.isAttached { attachment.wake.wake() }
    }

    private func accept() {
        while let accepted = try? Socket.accept(listener.raw) {
            // Who says nothing makes room for who comes later.
            let waiting = attachments.filter { !$0.isAttached }
            if waiting.count >= Self.waitingLimit, let oldest = waiting.first { remove(oldest) }
            // Descriptors may have run out: then the reader sees the connection close, and tries again.
            guard let attachment = try? Attachment(socket: accepted.takeSocket()) else { continue }
            attachment.watch = try? loop.watch(attachment.socket.raw, .read) { [unowned self, unowned attachment] _ in
                receive(attachment)
            }
            attachment.timeout = loop.timer(after: Self.attachTimeout) { [unowned self, unowned attachment] in
                if !attachment.isAttached { remove(attachment) }
            }
            attachments.append(attachment)
        }
    }

    private func receive(_ attachment: Attachment) {
        while attachment.watch != nil {
            switch attachment.nextMessage() {
            case .none: return
            case .end: remove(attachment)
            case .message(RingLayout.Message.attach, let value):
                guard attachment.isAttached || readerCount < Self.readerLimit else { return remove(attachment) }
                attachment.wantsFrames = value & 1 == 1
                attachment.isAttached = true
                guard attachment.answer(memory: store.memory.raw) else { return remove(attachment) }
                updateDemand()
            case .message(RingLayout.Message.demand, let value):
                attachment.wantsFrames = value & 1 == 1
                updateDemand()
            case .message(RingLayout.Message.keyframe, _): onKeyframeRequest?()
            case .message: remove(attachment)
            }
        }
    }

    private func remove(_ attachment: Attachment) {
        attachment.close()
        attachments.removeAll { $0 === attachment }
        updateDemand()
    }

    private func updateDemand() {
        let wanted = attachments.contains { $0.isAttached && $0.wantsFrames }
        guard wanted != hasDemand else { return }
        hasDemand = wanted
        onDemandChange?(wanted)
    }
}

/// One reader's connection.
private final class Attachment {
    let socket: FileDescriptor
    let wake: WakePipe
    var watch: Watch?
    var timeout: LoopTimer?
    var isAttached = false
    var wantsFrames = false

    init(socket: consuming FileDescriptor) throws(SystemError) {
        self.socket = socket
        wake = try WakePipe()
    }

    enum Input {
        case none
        case end
        case message(UInt16, value: UInt32)
    }

    func nextMessage() -> Input {
        var buffer = [UInt8](repeating: 0, count: RingLayout.Message.size)
        var span = buffer.mutableSpan
        guard let result = try? read(socket.raw, into: &span) else { return .end }
        switch result {
        case .wouldBlock: return .none
        case .endOfStream: return .end
        case .bytes:
            guard let message = RingMessage(parsing: buffer.span, magic: RingLayout.Message.readerMagic) else {
                return .end
            }
            return .message(message.kind, value: message.value)
        }
    }

    func answer(memory: Int32) -> Bool {
        let message = RingMessage(kind: RingLayout.Message.attach, value: 0)
            .bytes(magic: RingLayout.Message.writerMagic)
        let sent = try? Socket.send(socket.raw, message.span, descriptors: [memory, wake.receiver.raw])
        return sent == .bytes(message.count)
    }

    func close() {
        watch?.cancel()
        watch = nil
        timeout?.cancel()
        Socket.shutDown(socket.raw)
    }
}

/// A message on the ring's socket.
struct RingMessage: Equatable {
    var kind: UInt16
    var value: UInt32

    init(kind: UInt16, value: UInt32) {
        self.kind = kind
        self.value = value
    }

    /// Parses a packet; nil when it is not one of ours or of another version.
    init?(parsing packet: Span<UInt8>, magic: UInt32) {
        var reader = ByteReader(packet)
        guard let found = try? reader.littleEndian(UInt32.self), found == magic,
            let version = try? reader.littleEndian(UInt16.self), version == RingLayout.version,
            let kind = try? reader.littleEndian(UInt16.self), let value = try? reader.littleEndian(UInt32.self)
        else { return nil }
        self.init(kind: kind, value: value)
    }

    /// The packet's bytes.
    func bytes(magic: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: magic)
        bytes.append(littleEndian: UInt16(RingLayout.version))
        bytes.append(littleEndian: kind)
        bytes.append(littleEndian: value)
        bytes.append(littleEndian: UInt32(0))
        return bytes
    }
}
