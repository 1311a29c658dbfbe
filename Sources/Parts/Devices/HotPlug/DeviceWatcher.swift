// SPDX-License-Identifier: Apache-2.0
// Notices that devices come and go: by the kernel's events, by changes of /dev, and by looking now and then.

package import Loop
import System

/// Says when it is worth looking at the devices anew.
///
/// The kernel's events are the fastest; containers do not get them, so directories are watched as well; and who gets
/// neither, or has a device that changes without either, is told every ten seconds.
///
/// A device settles after it has come: its node is there before its permissions and links are. So the word is given at
/// once, and a few times more in the second after.
package final class DeviceWatcher {
    /// How long after the last change the word is given.
    package static let settling: [Duration] = [
        .zero, .milliseconds(100), .milliseconds(300), .seconds(1), .seconds(2),
    ]
    /// So often the word is given without a reason.
    package static let pollInterval = Duration.seconds(10)

    /// What is heard of.
    package private(set) var means: [String] = []
    private let loop: EventLoop
    private let directories: [String]
    private let deviceDirectory: String
    private let onNews: () -> Void
    private var kernel: FileDescriptor?
    private let news: DirectoryNews?
    private var watches: [Watch] = []
    private var watched: [Int32: String] = [:]
    private var timers: [LoopTimer] = []
    private var poll: LoopTimer?

    /// Begins to watch; `directories` are those of `tree` and others, which need not be there yet.
    ///
    /// - Parameter polls: whether the word is given now and then without a reason.
    package init(
        _ loop: EventLoop,
        _ tree: DeviceTree = DeviceTree(),
        directories: [String] = [],
        polls: Bool = true,
        hearsKernel: Bool = true,
        onNews: @escaping () -> Void
    ) {
        self.loop = loop
        self.directories = tree.directories + directories
        deviceDirectory = tree.directories.first ?? ""
        self.onNews = onNews
        news = try? DirectoryNews()
        if hearsKernel { listen() }
        if let news, let watch = try? loop.watch(news.raw, .read, { [unowned self] _ in readDirectories() }) {
            watches.append(watch)
            watchDirectories()
            means.append("directories")
        }
        if polls {
            poll = loop.timer(every: Self.pollInterval) { [unowned self] in
                watchDirectories()
                onNews()
            }
            means.append("polling")
        }
    }

    /// Gives the word no more.
    package func stop() {
        for watch in watches { watch.cancel() }
        for timer in timers { timer.cancel() }
        watches = []
        timers = []
        poll?.cancel()
    }

    private func listen() {
        guard let socket = try? KernelEventSocket.open(),
            let watch = try? loop.watch(socket.raw, .read, { [unowned self] _ in readKernel() })
        else { return }
        kernel = consume socket
        watches.append(watch)
        means.append("kernel")
    }

    private func readKernel() {
        var buffer = [UInt8](repeating: 0, count: KernelEvent.maximumLength)
        while let result = receive(&buffer) {
            switch result {
            case .wouldBlock: return
            case .foreign: continue
            case .lost: announce()
            case .event(let length):
                // One that was cut, or cannot be read, may have been about anything.
                let event = length <= buffer.count ? try? KernelEvent(parsing: buffer.span.extracting(..<length)) : nil
                if event?.isAboutVideo ?? (length > buffer.count) { announce() }
            }
        }
    }

    /// The next of the kernel's; nil if there is no hearing any more.
    private func receive(_ buffer: inout [UInt8]) -> KernelEventSocket.Result? {
        guard let fd = kernel?.raw else { return nil }
        var span = buffer.mutableSpan
        return try? KernelEventSocket.receive(fd, into: &span)
    }

    private func readDirectories() {
        guard let news else { return }
        while let changes = try? news.changes(), !changes.isEmpty {
            for change in changes {
                let directory = watched[change.directory]
                if change.isEnd { watched[change.directory] = nil }
                if directory != deviceDirectory || change.isOverflow || Self.isNews(change) { announce() }
            }
        }
    }

    /// True of `video0` and the directory of links.
    ///
    /// Closing a device is none: whoever tried to open one in vain would have that for a reason to try again, for ever.
    private static func isNews(_ change: DirectoryNews.Change) -> Bool {
        !change.isClosing && (change.name.hasPrefix("video") || change.name.hasPrefix("v4l"))
    }

    private func watchDirectories() {
        guard let news else { return }
        for directory in directories {
            // Those that are missing may come.
            if let number = try? news.add(directory) { watched[number] = directory }
        }
    }

    /// Gives the word now and while the change settles; another change starts that over.
    private func announce() {
        for timer in timers { timer.cancel() }
        timers = Self.settling.map { delay in
            loop.timer(after: delay) { [unowned self] in
                watchDirectories()
                onNews()
            }
        }
    }
}
