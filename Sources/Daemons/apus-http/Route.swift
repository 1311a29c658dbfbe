// SPDX-License-Identifier: Apache-2.0
// What a request is for: the table of addresses.

import HTTP

/// The thing that an address names.
enum Route {
    case file(WebFile)
    /// The newest picture of a camera.
    case snapshot(camera: String)
    /// A camera's pictures for as long as the client stays; `advance`: see `Multipart`.
    case mjpeg(camera: String, advance: Bool)
    /// What the page shows, as JSON.
    case cameras
    case health
    /// There is no such address.
    case nothing

    /// The camera that the address is about; nil for none.
    var camera: String? {
        switch self {
        case .snapshot(let camera), .mjpeg(let camera, _): camera
        case .file, .cameras, .health, .nothing: nil
        }
    }

    /// The methods that all addresses understand; nothing here changes anything.
    static let methods = "GET, HEAD, OPTIONS"

    /// Finds what `target` names; `cameras` are the names of all cameras, the first one also has short addresses.
    init(_ target: Target, cameras: [String]) {
        let advance = target["advance_headers"] == "1"
        let first = cameras.first ?? ""
        switch target.segments {
        case [] where target["action"] == "snapshot": self = .snapshot(camera: first)
        case [] where target["action"] == "stream": self = .mjpeg(camera: first, advance: advance)
        case ["snap.jpg"], ["snapshot"], ["snapshot.jpg"]: self = .snapshot(camera: first)
        case ["mjpeg"], ["stream"], ["video.mjpg"]: self = .mjpeg(camera: first, advance: advance)
        case ["healthz"]: self = .health
        case ["api", "v1", "cameras"]: self = .cameras
        case let segments where segments.count == 2 && cameras.contains(segments[0]):
            switch segments[1] {
            case "snapshot.jpg": self = .snapshot(camera: segments[0])
            case "mjpeg": self = .mjpeg(camera: segments[0], advance: advance)
            default: self = .nothing
            }
        case let segments: self = WebFile(path: segments).map(Route.file) ?? .nothing
        }
    }
}
