// SPDX-License-Identifier: Apache-2.0
// A device that captures, as lists show it and sources name it.

import System

/// A capture device of this machine, or a simulated one.
package struct CaptureDevice: Sendable, Hashable {
    package var node: DeviceNode
    /// What it says of itself; of a device that cannot be asked, what the kernel says.
    package var facts: DeviceFacts

    package init(node: DeviceNode, facts: DeviceFacts) {
        self.node = node
        self.facts = facts
    }

    package var id: String { node.id }
    package var identity: DeviceIdentity { node.identity }
    package var problem: DeviceProblem? { facts.problem }

    /// What it is called, for people.
    package var title: String {
        if !facts.card.isEmpty { return facts.card }
        return node.name.isEmpty ? node.id : node.name
    }

    /// The formats that can be used, in the device's order.
    package var formats: [V4L2Format] {
        var formats: [V4L2Format] = []
        for code in facts.formats {
            if let format = V4L2Format(fourCC: code), !formats.contains(format) { formats.append(format) }
        }
        return formats
    }

    /// The source to write into the configuration, which finds the device again.
    package var source: String {
        // A link of udev's says less than two devices with the same number of their own do to us.
        if node.id == node.identity.base, let link = node.links.first(where: { $0.contains("/by-id/") }) {
            return "v4l2:\(link)"
        }
        return "v4l2:\(node.id)"
    }

    /// True if cameras can be made of it without anybody asking for it.
    package var isUsable: Bool { problem == nil }
}

/// Finds the devices that capture.
///
/// Each node is asked once, and again only when something of it has changed, as asking wakes a device up. A value, so
/// that it can be used on another thread and brought back.
package struct DeviceScanner: Sendable {
    private let tree: DeviceTree
    package var simulation: Simulation?
    private let ask: @Sendable (String) -> DeviceProbe
    private var known: [DeviceNode: (stamp: String?, probe: DeviceProbe)] = [:]

    /// `ask` is called with the path of a node.
    package init(
        _ tree: DeviceTree = DeviceTree(),
        simulation: Simulation? = nil,
        ask: @escaping @Sendable (String) -> DeviceProbe = { DeviceProbe.ask($0) }
    ) {
        self.tree = tree
        self.simulation = simulation
        self.ask = ask
    }

    /// All devices that capture, in the kernel's order, then the simulated ones.
    ///
    /// With `anew`, all are asked again; nodes that are to be spared, as they are in use, are not asked more than once.
    package mutating func scan(anew: Bool = false, sparing inUse: Set<String> = []) -> [CaptureDevice] {
        var devices: [CaptureDevice] = []
        var seen: [DeviceNode: (stamp: String?, probe: DeviceProbe)] = [:]
        for node in tree.nodes() {
            // The links are made later than the node, and say nothing of what it is.
            var plain = node
            plain.links = []
            plain.id = node.identity.full
            let stamp = File.stamp(node.path)
            let probe: DeviceProbe
            // A virtual device may turn from output to capture without a word.
            let mayChange = (node.place.isEmpty || known[plain]?.probe.mayChange == true) && !inUse.contains(node.path)
            if !anew, !mayChange, let known = known[plain], known.stamp == stamp {
                probe = known.probe
            } else {
                probe = ask(node.path)
            }
            seen[plain] = (stamp, probe)
            switch probe {
            case .captures(let facts): devices.append(CaptureDevice(node: node, facts: facts))
            case .other: break
            case .failed(let problem):
                // What follows a camera's first node is mostly for its metadata.
                guard node.index == 0 else { continue }
                let facts = DeviceFacts(card: node.name, driver: "", bus: "", formats: [], problem: problem)
                devices.append(CaptureDevice(node: node, facts: facts))
            }
        }
        known = seen
        return devices + (simulation?.devices(hasVideo: tree.hasVideo) ?? [])
    }
}

extension DeviceProbe {
    fileprivate var mayChange: Bool {
        switch self {
        case .captures(let facts): facts.problem?.mayPass ?? false
        case .other: false
        case .failed: true
        }
    }
}
