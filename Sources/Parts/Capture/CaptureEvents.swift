// SPDX-License-Identifier: Apache-2.0
// What a capture session is told to aim for, and what it tells and hands over.

package import Bytes
package import Config
package import Devices
package import Encode

/// What a session hands over. Everything is called on the loop's thread; spans are lent for the call only.
package struct CaptureEvents {
    /// An uncompressed 4:2:0 picture, which the receiver may keep.
    package var picture: (PictureBuffer, Instant) -> Void
    /// A coded frame in ring form; a JPEG is whole, or comes with what makes it whole (`UnitInfo.repair`).
    package var unit: (UnitInfo, Span<UInt8>) -> Void
    /// A frame of sound in ring form.
    package var audio: (AudioInfo, Span<UInt8>) -> Void
    /// The state has changed.
    package var state: (CaptureState) -> Void
    /// The source does something unusual, each thing told once: its name and what is made of it.
    package var note: (String, String) -> Void
    /// A control of the camera has changed, or its flags have.
    package var control: (CameraControl) -> Void
    /// A control's wanted value is not taken: the control's name and why.
    package var refused: (String, String) -> Void
    /// Something was done to get frames again: what, and why.
    package var recovery: (V4L2Recovery, String) -> Void

    package init(
        picture: @escaping (PictureBuffer, Instant) -> Void,
        unit: @escaping (UnitInfo, Span<UInt8>) -> Void,
        audio: @escaping (AudioInfo, Span<UInt8>) -> Void = { _, _ in },
        state: @escaping (CaptureState) -> Void,
        note: @escaping (String, String) -> Void = { _, _ in },
        control: @escaping (CameraControl) -> Void = { _ in },
        refused: @escaping (String, String) -> Void = { _, _ in },
        recovery: @escaping (V4L2Recovery, String) -> Void = { _, _ in }
    ) {
        self.picture = picture
        self.unit = unit
        self.audio = audio
        self.state = state
        self.note = note
        self.control = control
        self.refused = refused
        self.recovery = recovery
    }
}

/// What sources that can choose should aim for.
package struct CaptureTarget: Sendable, Equatable {
    package var size: PictureSize
    package var frameRate: Int
    /// Shown in the test pattern.
    package var name: String

    package init(size: PictureSize = PictureSize(width: 1920, height: 1080), frameRate: Int = 30, name: String) {
        self.size = size
        self.frameRate = frameRate
        self.name = name
    }
}
