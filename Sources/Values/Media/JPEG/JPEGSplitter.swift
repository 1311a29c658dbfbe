// SPDX-License-Identifier: Apache-2.0
// Cuts a live stream of JPEGs, such as a pipe's, into images.

import Bytes

/// Cuts a stream of concatenated JPEGs into images as its bytes arrive, at any split.
///
/// What stands between images (multipart headers, padding) is dropped and counted. An image that breaks the rules of
/// `JPEGWalker` or is longer than the limit is dropped and counted; the search for the next one goes on behind it.
package struct JPEGSplitter {
    /// Bytes of the longest image taken by default.
    package static let maximumLength = 16 << 20

    /// Bytes between images.
    package private(set) var skippedBytes: UInt64 = 0
    /// Images dropped because a marker was wrong.
    package private(set) var rejected: UInt64 = 0
    /// Images dropped because they were too long.
    package private(set) var oversized: UInt64 = 0
    /// What was wrong with the last image rejected.
    package private(set) var lastReason: JPEGWalker.Reason?

    private enum State {
        /// Looking for FF D8 FF; how many of the three bytes have been seen.
        case searching(matched: Int)
        case image(JPEGWalker)
    }

    private var state = State.searching(matched: 0)
    /// The image so far.
    private var image: [UInt8] = []
    private let limit: Int

    /// Starts in front of the stream; `limit` is the longest image taken, in bytes.
    package init(limit: Int = JPEGSplitter.maximumLength) { self.limit = limit }

    /// Takes the next bytes of the stream and hands over each image that they complete.
    ///
    /// The bytes that `emit` gets are valid during the call only.
    package mutating func push(_ chunk: Span<UInt8>, emit: (Span<UInt8>) -> Void) {
        var index = 0
        while index < chunk.count {
            switch state {
            case .searching(let matched): index = search(chunk, from: index, matched: matched)
            case .image(let walker): index = follow(chunk, from: index, walker, emit)
            }
        }
    }

    /// Ends the stream: drops an unfinished image, counted as rejected, and starts anew.
    package mutating func finish() {
        if case .image = state { rejected += 1 }
        image.removeAll(keepingCapacity: true)
        state = .searching(matched: 0)
    }

    private mutating func search(_ chunk: Span<UInt8>, from start: Int, matched: Int) -> Int {
        var matched = matched
        for index in start..<chunk.count {
            switch (matched, chunk[index]) {
            case (0, 0xFF): matched = 1
            case (1, 0xD8): matched = 2
            case (1, 0xFF): skippedBytes += 1
            case (2, 0xFF):
                // The third byte opens the first marker: the walker gets it.
                beginImage()
                return index
            case (_, 0xFF):
                skippedBytes += UInt64(matched)
                matched = 1
            default:
                skippedBytes += UInt64(matched) + 1
                matched = 0
            }
        }
        state = .searching(matched: matched)
        return chunk.count
    }

    private mutating func beginImage() {
        image.removeAll(keepingCapacity: true)
        image.append(0xFF)
        image.append(0xD8)
        state = .image(JPEGWalker())
    }

    private mutating func follow(
        _ chunk: Span<UInt8>,
        from start: Int,
        _ walker: JPEGWalker,
        _ emit: (Span<UInt8>) -> Void
    ) -> Int {
        var walker = walker
        let event = walker.advance(chunk, from: start)
        let end =
            switch event {
            case .needsMore: chunk.count
            case .complete(let end), .rejected(let end, _): end
            }
        if image.count + (end - start) > limit {
            oversized += 1
            state = .searching(matched: 0)
            return end
        }
        switch event {
        case .needsMore:
            image.append(chunk.extracting(start..<end))
            state = .image(walker)
        case .complete:
            image.append(chunk.extracting(start..<end))
            emit(image.span)
            state = .searching(matched: 0)
        case .rejected(_, let reason):
            rejected += 1
            lastReason = reason
            // A new SOI in the middle of an image: that one was cut off, this one may be whole.
            state = .searching(matched: reason == .marker(0xD8) ? 2 : 0)
        }
        return end
    }
}
