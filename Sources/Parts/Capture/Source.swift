// SPDX-License-Identifier: Apache-2.0
// What every source of frames has in common.

package import Bytes
package import Config
import Devices
import Encode
package import Media

/// What a source gives, once it is known.
package struct CaptureFormat: Sendable, Equatable {
    /// Nil if the source gives uncompressed pictures.
    package var codec: Codec?
    /// Nil if only the frames tell.
    package var size: PictureSize?
    /// Frames per second; 0/1 if only the frames tell.
    package var frameRate: Rational
    /// What is captured from, for status: a device's name, a file, the pattern.
    package var name: String
    /// Why it is not what was asked for; nil if it is.
    package var compromise: String?

    package init(
        codec: Codec?,
        size: PictureSize?,
        frameRate: Rational,
        name: String,
        compromise: String? = nil
    ) {
        self.codec = codec
        self.size = size
        self.frameRate = frameRate
        self.name = name
        self.compromise = compromise
    }
}

/// What is known of a frame of sound besides its bytes: what it is coded in, and when it was heard.
package struct AudioInfo: Sendable, Hashable {
    package var codec: Codec
    /// Samples per second.
    package var sampleRate: UInt32
    package var channels: UInt32
    /// Codec configuration as the ring has it: of AAC the AudioSpecificConfig, of others nothing.
    package var configuration: [UInt8]
    /// The capture instant of the first sample.
    package var captured: Instant
    /// Frames are missing in front of this one.
    package var isDiscontinuous: Bool

    package init(
        codec: Codec,
        sampleRate: UInt32,
        channels: UInt32,
        configuration: [UInt8] = [],
        captured: Instant,
        isDiscontinuous: Bool = false
    ) {
        self.codec = codec
        self.sampleRate = sampleRate
        self.channels = channels
        self.configuration = configuration
        self.captured = captured
        self.isDiscontinuous = isDiscontinuous
    }
}

/// Where a source is in its life.
package enum CaptureState: Sendable, Equatable {
    case starting
    case live(CaptureFormat)
    /// It gives nothing for now; it is tried again by itself.
    case lost(reason: String)
    /// It is over and stays so: a file that does not loop.
    case ended
}

/// What a source hands over. Everything is called on the loop's thread; spans are lent for the call only.
struct SourceOutput {
    /// An uncompressed picture, which the receiver may keep.
    var picture: (PictureBuffer, Instant) -> Void
    /// A coded frame in ring form: an access unit, or a JPEG, whole or with what makes it whole (`UnitInfo.repair`).
    var unit: (UnitInfo, Span<UInt8>) -> Void
    /// A frame of sound in ring form.
    var audio: (AudioInfo, Span<UInt8>) -> Void
    /// The source now gives frames of this format.
    var live: (CaptureFormat) -> Void
    /// There is nothing to deliver yet, and that is no failure.
    var waits: (String) -> Void
    /// The source has stopped; nil means its end was reached.
    var stopped: (CaptureError?) -> Void
    /// Frames were left out by the source.
    var dropped: (Int) -> Void
    /// The camera's controls can be set: those that are wanted have to be now.
    var controllable: (ControlMoment) -> Void
    /// A control has changed, or its flags have.
    var control: (CameraControl) -> Void
    /// Something was done to get frames again: what, and why.
    var recovery: (V4L2Recovery, String) -> Void
}

/// One way of getting frames. It starts once; after a loss, a new one is made.
protocol Source: AnyObject {
    /// Begins to deliver.
    ///
    /// - Throws: `CaptureError` if it cannot; the caller tries again later.
    func start(_ output: SourceOutput) throws(CaptureError)

    /// Stops for good, and gives back device or file.
    func stop()

    /// True while uncompressed pictures are wanted; a source that makes them need not while they are not.
    var wantsPictures: Bool { get set }

    /// True if it goes on by itself after it has stopped with an error.
    var comesBack: Bool { get }

    /// True if no frame comes after one that was taken later: then an instant that goes back is an estimate that missed.
    var isInOrder: Bool { get }

    /// Asks who codes the frames for a keyframe soon, if that can be asked.
    func requestKeyframe()
}

extension Source {
    var comesBack: Bool { false }
    var isInOrder: Bool { false }
    func requestKeyframe() {}
}
