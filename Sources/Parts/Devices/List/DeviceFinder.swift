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

    /// What `name`, a path or an id, stands for now.
    ///
    /// - Throws: `CaptureError` if there is no such device.
    package func find(_ name: String) throws(CaptureError) -> Found {
        if name.hasPrefix("/") { return .node(name) }
        if let simulation, simulation.number(of: name) != nil {
            guard let stamp = simulation.stamp(name) else { throw CaptureError("\(name) is not plugged in") }
            return .simulated(id: name, stamp: stamp)
        }
        let nodes = tree.nodes()
        guard let node = nodes.first(where: { $0.id == name }) ?? nodes.first(where: { $0.identity.answers(to: name) })
        else { throw CaptureError("\(name) is not plugged in; apus devices lists what is") }
        return .node(node.path)
    }
}
