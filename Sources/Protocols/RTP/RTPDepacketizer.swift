// SPDX-License-Identifier: Apache-2.0
// RTP payloads in, frames as rings carry them out: the part that all payload formats share.

package import Bytes
package import Media

/// Puts the frames of one track together from its packets, which come in the order of their sequence numbers.
///
/// H.264 and H.265 come out as Annex B access units, AV1 as temporal units in the low-overhead form, each with its
/// parameter sets or sequence header in front of keyframes; JPEG as whole images; sound frame by frame. A frame of
/// which a packet is missing is dropped as a whole and counted. `Recovery` says what comes out after that.
/// Nothing is allocated once the buffer has grown to the largest frame, but for changed parameter sets.
package struct RTPDepacketizer: Sendable {
    /// Bytes of the longest frame taken by default; a longer one is dropped.
    package static let maximumFrame = 8 << 20

    /// What comes out after packets were lost of a stream whose frames need each other.
    package enum Recovery: Sendable, Hashable {
        /// Frames from the next keyframe on.
        case keyframe
        /// The next whole frame, flagged `.discontinuity`.
        case goOn
    }

    /// What the depacketizer has to know of a packet apart from its payload.
    package struct Packet: Sendable, Hashable {
        /// Extended to 64 bits.
        package var timestamp: Int64
        package var marker: Bool
        /// Packets in front of this one are missing.
        package var followsLoss: Bool
        package var arrival: Instant

        package init(timestamp: Int64, marker: Bool, followsLoss: Bool = false, arrival: Instant) {
            self.timestamp = timestamp
            self.marker = marker
            self.followsLoss = followsLoss
            self.arrival = arrival
        }
    }

    /// What is known of a frame apart from its bytes.
    package struct Frame: Sendable, Hashable {
        /// In ticks of the track's clock, extended to 64 bits.
        package var timestamp: Int64
        /// In ticks, of sound; 0 where it is not known.
        package var duration: UInt32
        /// When the frame's last packet arrived.
        package var arrival: Instant
        package var flags: FrameFlags
        /// What the stream is from this frame on; nil if that is what it was.
        package var newDescription: StreamDescription?
    }

    /// Gets each frame; the bytes are valid during the call only.
    package typealias Emit = (Frame, Span<UInt8>) -> Void

    /// What was counted.
    package struct Counters: Sendable, Hashable {
        /// Frames that came out.
        package var frames: UInt64 = 0
        /// Frames dropped because a part of them is missing or broken.
        package var damaged: UInt64 = 0
        /// Whole frames dropped while waiting for a keyframe.
        package var waited: UInt64 = 0
        /// Frames dropped for their length.
        package var oversized: UInt64 = 0
    }

    package let format: TrackFormat
    package let recovery: Recovery
    /// The stream as it is known by now: in-band parameter sets replace those of the session description.
    package internal(set) var description: StreamDescription
    /// Grows whenever `description` changes.
    package internal(set) var descriptionVersion: UInt32 = 0
    /// The version that frames have told of.
    private var toldVersion: UInt32 = 0
    package internal(set) var counters = Counters()
    package internal(set) var deviations = RTPDeviations()
    /// True while frames are held back until a keyframe comes.
    package internal(set) var isWaiting: Bool

    /// The frame at hand.
    var frame: [UInt8] = []
    var isOpen = false
    var timestamp: Int64 = 0
    var arrival = Instant.zero
    var isDamaged = false
    var isKeyframe = false
    /// Something is missing since the last frame that came out.
    private var isAfterLoss = false
    /// The marker bit has proved worthless.
    var ignoresMarkers = false
    private var lastTimestamp: Int64?
    let limit: Int

    var nal: NALState
    var jpeg = JPEGState()
    var av1 = AV1State()
    var aac = AACState()

    /// Starts in front of a stream; `maximumFrame` is the longest frame taken, in bytes.
    package init(
        _ format: TrackFormat,
        recovery: Recovery = .keyframe,
        maximumFrame: Int = RTPDepacketizer.maximumFrame
    ) {
        self.format = format
        self.recovery = recovery
        description = format.stream
        isWaiting = !format.stream.codec.isIntraOnly
        limit = maximumFrame
        nal = NALState(NALFormat(format.stream.codec) ?? .h264, format.stream)
    }

    /// Takes the next packet's payload and hands over the frames that it completes.
    package mutating func take(_ payload: Span<UInt8>, _ packet: Packet, emit: Emit) {
        if description.codec.isAudio {
            takeAudio(payload, packet, emit)
        } else {
            takePicture(payload, packet, emit)
        }
    }

    /// Ends the stream or one part of it: hands over a frame that only misses its marker, drops any other.
    ///
    /// - Parameter isReset: What follows has nothing to do with what came before, as after a lost source.
    package mutating func finish(isReset: Bool = false, emit: Emit) {
        if description.codec.isAudio {
            dropPartialAudio()
        } else if isOpen {
            // Without the marker nobody knows whether a last slice is missing.
            if !ignoresMarkers, !deviations.contains(.markerMissing) { isDamaged = true }
            endFrame(emit)
        }
        if isReset { noteLoss() }
        lastTimestamp = nil
    }

    private mutating func takePicture(_ payload: Span<UInt8>, _ packet: Packet, _ emit: Emit) {
        if packet.followsLoss {
            noteLoss()
            if isOpen { isDamaged = true }
        }
        if isOpen, packet.timestamp != timestamp {
            if !packet.followsLoss, !isDamaged, !ignoresMarkers { deviations.note(.markerMissing) }
            endFrame(emit)
        }
        guard payload.count > 0 else {
            // Nothing to take, but a marker in it counts.
            deviations.note(.emptyPayload)
            if packet.marker, isOpen, !ignoresMarkers { endFrame(emit) }
            return
        }
        if !isOpen { beginFrame(payload, packet) }
        arrival = packet.arrival
        if !isDamaged {
            switch description.codec {
            case .jpeg: takeJPEG(payload)
            case .av1: takeAV1(payload)
            default: takeUnits(payload)
            }
        }
        if packet.marker, !ignoresMarkers { endFrame(emit) }
    }

    private mutating func beginFrame(_ payload: Span<UInt8>, _ packet: Packet) {
        isOpen = true
        timestamp = packet.timestamp
        let opens = startsFrame(payload)
        if packet.followsLoss, !opens {
            isDamaged = true
            return
        }
        guard let lastTimestamp else { return }
        if timestamp == lastTimestamp {
            if !opens, NALFormat(description.codec) != nil, continuesPicture(payload) {
                // The rest of a picture that a marker has ended too early.
                deviations.note(.markerInside)
                ignoresMarkers = true
                isDamaged = true
            } else {
                deviations.note(.timestampStill)
            }
        } else if timestamp < lastTimestamp {
            let isFar = lastTimestamp - timestamp > Int64(format.clockRate)
            deviations.note(isFar || description.codec.isIntraOnly ? .timestampBack : .reorderedPictures)
        }
    }

    /// Ends the frame at hand: it comes out, or is dropped and counted.
    private mutating func endFrame(_ emit: Emit) {
        isOpen = false
        if !isDamaged {
            switch description.codec {
            case .jpeg: endJPEG()
            case .av1: endAV1()
            default:
                guard endUnits() else { return }  // No picture yet: it goes on with the next packets.
            }
        }
        defer { resetFrame() }
        lastTimestamp = timestamp
        if isDamaged {
            counters.damaged += 1
            noteLoss()
            return
        }
        if isWaiting, !isKeyframe {
            counters.waited += 1
            isAfterLoss = true
            return
        }
        isWaiting = false
        var flags: FrameFlags = isKeyframe ? .keyframe : []
        if isAfterLoss { flags.insert(.discontinuity) }
        isAfterLoss = false
        counters.frames += 1
        emit(makeFrame(duration: 0, at: timestamp, flags), frame.span)
    }

    private mutating func resetFrame() {
        frame.removeAll(keepingCapacity: true)
        isDamaged = false
        isKeyframe = false
        nal.reset()
        jpeg.reset()
        av1.reset()
    }

    /// Notes that something is missing in front of what comes next.
    mutating func noteLoss() {
        isAfterLoss = true
        if !description.codec.isIntraOnly, recovery == .keyframe { isWaiting = true }
    }

    /// Hands over a frame of sound.
    mutating func emitAudio(_ bytes: Span<UInt8>, _ timestamp: Int64, _ duration: UInt32, _ emit: Emit) {
        if let lastTimestamp {
            if timestamp == lastTimestamp { deviations.note(.timestampStill) }
            if timestamp < lastTimestamp { deviations.note(.timestampBack) }
        }
        lastTimestamp = timestamp
        let flags: FrameFlags = isAfterLoss ? [.keyframe, .discontinuity] : .keyframe
        isAfterLoss = false
        counters.frames += 1
        emit(makeFrame(duration: duration, at: timestamp, flags), bytes)
    }

    private mutating func makeFrame(duration: UInt32, at timestamp: Int64, _ flags: FrameFlags) -> Frame {
        let isNews = toldVersion != descriptionVersion
        toldVersion = descriptionVersion
        return Frame(
            timestamp: timestamp,
            duration: duration,
            arrival: arrival,
            flags: flags,
            newDescription: isNews ? description : nil
        )
    }

    /// True if there is room for `count` more bytes; the frame is dropped otherwise.
    mutating func hasRoom(_ count: Int) -> Bool {
        if frame.count + count <= limit { return true }
        if !isDamaged {
            counters.oversized += 1
            deviations.note(.oversizedFrame)
        }
        isDamaged = true
        return false
    }

    /// True if nothing of a frame can be missing in front of this payload.
    private func startsFrame(_ payload: Span<UInt8>) -> Bool {
        switch description.codec {
        case .jpeg: payload.count >= 4 && payload[1] == 0 && payload[2] == 0 && payload[3] == 0
        // Only a new coded video sequence is told (§4.4, N); any other may miss its first OBU.
        case .av1: payload[0] & 0x88 == 0x08
        default: startsAccessUnit(payload)
        }
    }
}
