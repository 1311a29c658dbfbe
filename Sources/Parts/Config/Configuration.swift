// SPDX-License-Identifier: Apache-2.0
// The configuration as the daemons see it: parsed once, complete, never changed.

package import Media

/// Everything that can be configured, with defaults filled in.
package struct Configuration: Sendable, Equatable {
    package let authentication: AuthenticationMode
    package let users: UsersLocation
    /// So many failed attempts lock an address.
    package let maximumFailures: Int
    /// How long an address stays locked.
    package let lockout: Duration
    /// Who to become when root starts; nil stays root.
    package let systemUser: String?
    /// Whether the daemons close to themselves what they do not need.
    package let isSandboxed: Bool
    /// How many simulated devices are plugged in; nil: one stands in while there are no video devices at all.
    package let simulatedDevices: Int?
    /// All waits for daemons are so many times as long.
    package let patience: Int
    package var log: LogConfiguration
    /// In the file's order, never empty; the first one also has the short addresses.
    package let cameras: [CameraConfiguration]
    /// nil: nothing is encrypted.
    package let tls: TLSConfiguration?
    package let rtsp: RTSPConfiguration
    package let http: HTTPConfiguration
    package let telemetry: TelemetryConfiguration
    package let thermal: ThermalConfiguration
    package let hls: HLSConfiguration

    /// The camera called `name`.
    package func camera(_ name: String) -> CameraConfiguration? { cameras.first { $0.name == name } }
}

/// Who is served.
package enum AuthenticationMode: String, Sendable {
    /// Only users; while there are none, only this machine.
    case on
    /// Everybody who can reach a listener.
    case off
}

/// `[log]`.
package struct LogConfiguration: Sendable, Equatable {
    /// `error`, `warn`, `info` or `debug`.
    package let level: String
}

/// `[camera.NAME]` with its streams.
package struct CameraConfiguration: Sendable, Equatable {
    package let name: String
    /// Where frames come from; `Capture` parses it.
    package let source: String
    package let encoder: EncoderChoice
    /// What the camera's controls are set to.
    package let controls: ControlList
    /// Whether a USB camera may be reset on its bus when nothing else brings frames back.
    package let mayResetUSB: Bool
    /// Whether clients may send sound to the camera's loudspeaker.
    package let hasTalkback: Bool
    /// Whether the source is connected only while somebody watches.
    package let isOnDemand: Bool
    /// How long a source is lost before the slate stands in for it; nil for never.
    package let slateDelay: Duration?
    /// nil: the camera has no such stream.
    package let main: VideoStreamConfiguration?
    package let sub: VideoStreamConfiguration?
    package let jpeg: JPEGStreamConfiguration?
    package let audio: AudioStreamConfiguration?
}

/// `encoder`.
package enum EncoderChoice: String, Sendable, CaseIterable {
    case auto
    case nvenc
    case vaapi
    case qsv
    case v4l2m2m
    case software
}

/// `codec` of a video stream.
package enum VideoCodecChoice: String, Sendable {
    /// Pass H.264, H.265 and AV1 sources through, encode others as H.264.
    case auto
    case h264
    case h265
}

/// `[camera.NAME.main]` and `[camera.NAME.sub]`.
package struct VideoStreamConfiguration: Sendable, Equatable {
    package let codec: VideoCodecChoice
    /// nil: as the source has it.
    package let size: PictureSize?
    /// nil: as the source has it.
    package let frameRate: Rational?
    /// Bits per second.
    package let bitrate: Int
    /// From one keyframe to the next.
    package let gop: Duration
    /// True: each frame carries its capture time.
    package let hasStamp: Bool
    /// nil: none.
    package let multicast: MulticastGroup?
    /// Bytes of shared memory.
    package let ringSize: Int
}

/// `[camera.NAME.jpeg]`.
package struct JPEGStreamConfiguration: Sendable, Equatable {
    /// nil: as the source has it.
    package let size: PictureSize?
    /// nil: as the source has it.
    package let frameRate: Rational?
    /// 1 to 100.
    package let quality: Int
    /// nil: none.
    package let multicast: MulticastGroup?
    /// Bytes of shared memory.
    package let ringSize: Int
}

/// `[camera.NAME.audio]`.
package struct AudioStreamConfiguration: Sendable, Equatable {
    /// Bytes of shared memory.
    package let ringSize: Int
}

/// `[tls]`.
package struct TLSConfiguration: Sendable, Equatable {
    /// The certificate's value that has `apus up` make one.
    package static let selfSigned = "self-signed"

    /// Paths of PEM files; the certificate may be `selfSigned`, and the key is passed over then.
    package let certificate: String
    package let key: String

    /// True if `apus up` has to make the files.
    package var isSelfSigned: Bool { certificate == Self.selfSigned }
}

/// `[rtsp]`.
package struct RTSPConfiguration: Sendable, Equatable {
    package let isEnabled: Bool
    /// An IP address.
    package let listen: String
    /// 0: a free one.
    package let port: UInt16
    package let maximumLatency: Duration
    /// Bits per second at which large frames leave over UDP; 0 is as fast as they can.
    package let udpPace: Int
    package let maximumClients: Int
    package let sessionTimeout: Duration
    /// 0: a free one.
    package let tlsPort: UInt16
    /// True: nothing goes out or comes in unencrypted.
    package let requiresEncryption: Bool
    package let maximumClientsPerAddress: Int
    /// Tracks set up on one connection.
    package let maximumTracks: Int
    /// Bytes of a request's body, and of its head.
    package let maximumRequest: Int
    /// Header lines of a request.
    package let maximumHeaders: Int
    package let maximumHalfOpenTunnels: Int
    /// How long a connection may take until its first request is served.
    package let firstRequestTimeout: Duration
    /// How many processes serve.
    package let workers: Int
    /// More processes cannot serve.
    package static let maximumWorkers = 16
}

/// `[http]`.
package struct HTTPConfiguration: Sendable, Equatable {
    /// 0: a free one.
    package let tlsPort: UInt16
    /// True: who asks without TLS from another machine is sent to the TLS port.
    package let redirectsToTLS: Bool
    /// For how long browsers are told to use TLS only; zero: they are not told.
    package let strictTransport: Duration
    package let isEnabled: Bool
    /// An IP address.
    package let listen: String
    /// 0: a free one.
    package let port: UInt16
    package let maximumLatency: Duration
    package let maximumClients: Int
    /// Names that this server answers to beside the machine's own, and sites whose pages may ask it; `Access` reads them.
    package let hosts: String
    package let allowedOrigins: String
    package let plainLogin: PlainLogin
    /// After which people are logged out.
    package let sessionTimeout: Duration
    /// The port for reCamera's clients; 0: none.
    package let webSocketPort: UInt16
    /// The path of a Unix socket; empty: none.
    package let unixSocket: String
    /// The Unix socket's permissions.
    package let unixSocketMode: UInt32
}

/// `plain_login`.
package enum PlainLogin: String, Sendable {
    /// While there is no certificate.
    case auto
    case yes
    case no
}

/// `[hls]`.
package struct HLSConfiguration: Sendable, Equatable {
    /// At most half a segment.
    package let part: Duration
    package let segment: Duration
    /// At least three segments.
    package let window: Duration
}

/// `[telemetry]`.
package struct TelemetryConfiguration: Sendable, Equatable {
    package let interval: Duration
    /// °C.
    package let hot: Int
    /// Per cent.
    package let memoryLow: Int
    package let diskLow: Int
    package let wornOut: Int
}

/// `[thermal]`.
package struct ThermalConfiguration: Sendable, Equatable {
    /// `off`, `bitrate`, `fps` or `both`.
    package let lower: String
    /// °C.
    package let hot: Int
    /// Per cent.
    package let atLeast: Int
    package let pace: Duration
}
