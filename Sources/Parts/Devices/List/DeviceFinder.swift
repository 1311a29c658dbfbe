// SPDX-License-Identifier: Apache-2.0
// From the device that a source names to the node that it has now.

/// Finds a device by its path or id; to be asked anew before each opening, as numbers change.
package struct DeviceFinder: Sendable {
    /// What a name stands for now.
    package enum Found: Sendable, Equatable {
        case node(String)
        /// A simulated device; `stamp` is another after it was plugged in again.
        case simulated(id: String, stamp: String)
    }

    package let tree: DeviceTree
    package let simulation: Simulation?

    package init(_ tree: DeviceTree = DeviceTree(), simulation: Simulation? = nil) {
        self.tree = tree
        self.simulation = simulation
    }

    /// What a path or an id stands for now.
    ///
    /// - Throws: `CaptureError` if there is no such device, or if several have the id and none is known to be the one.
    package func find(_ device: inout NamedDevice) throws(CaptureError) -> Found {
        let name = device.name
        if name.hasPrefix("/") { return .node(name) }
        if let simulation, simulation.number(of: name) != nil {
            guard let stamp = simulation.stamp(name) else { throw CaptureError("\(name) is not plugged in") }
            return .simulated(id: name, stamp: stamp)
        }
        return .node(try device.choose(among: tree.nodes()).path)
    }

    /// Takes note of who else has the id.
    package func look(for device: inout NamedDevice) {
        guard !device.name.hasPrefix("/"), simulation?.number(of: device.name) == nil else { return }
        device.look(at: tree.nodes())
    }
}
