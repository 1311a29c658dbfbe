// SPDX-License-Identifier: Apache-2.0
// Which of the devices that an id stands for is a camera's, where several have the same serial number.

/// A device by its id, over unplugging and plugging in.
///
/// Makers give all devices of a kind one serial number more often than one would think. As long as nobody else has it,
/// a device is found by it wherever it is plugged in. Once two were there, place counts: the camera's is the one that is
/// where the camera's was, and none while that is unplugged.
package struct NamedDevice: Sendable, Equatable {
    /// The id: a base, or a base and a location.
    package let name: String
    /// What the camera's device was last; nil until there was one.
    package private(set) var identity: DeviceIdentity?
    /// True once several devices had the id.
    private var hasTwins = false

    /// An id, with the device that it is known to stand for.
    package init(_ name: String, is identity: DeviceIdentity? = nil) {
        self.name = name
        self.identity = identity
    }

    /// Takes note of what is plugged in.
    package mutating func look(at nodes: [DeviceNode]) {
        if nodes.count(where: { $0.identity.answers(to: name) }) > 1 { hasTwins = true }
    }

    /// The camera's device among those that are plugged in.
    ///
    /// - Throws: `CaptureError` if it is not plugged in, or if nobody can tell which it is.
    package mutating func choose(among nodes: [DeviceNode]) throws(CaptureError) -> DeviceNode {
        look(at: nodes)
        let candidates = nodes.filter { $0.identity.answers(to: name) }
        if let own = candidates.first(where: { $0.identity == identity }) { return own }
        if let identity, hasTwins {
            throw CaptureError("\(identity.full) is not plugged in where it was; another device has the id \(name)")
        }
        guard let only = candidates.first else {
            throw CaptureError("\(name) is not plugged in; apus devices lists what is")
        }
        guard candidates.count == 1 else {
            let ids = candidates.map(\.identity.full).joined(separator: ", ")
            throw CaptureError("several devices have the id \(name): write which of \(ids)")
        }
        identity = only.identity
        return only
    }
}
