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
        // udev makes one link by id of all devices that have no number of their own, or the same: then place counts.
        let isKnown = node.usb.map { !DeviceIdentity.part($0.serial).isEmpty } ?? true
        let kind = isKnown && node.id == node.identity.base ? "/by-id/" : "/by-path/"
        return "v4l2:\(node.links.first { $0.contains(kind) } ?? node.id)"
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
    private let inquiry: DeviceInquiry
    private var known: [DeviceNode: (stamp: String?, probe: DeviceProbe)] = [:]

    /// `ask` is called with the path of a node, on a thread of its own; its answer is waited for no longer than `patience`.
    package init(
        _ tree: DeviceTree = DeviceTree(),
        simulation: Simulation? = nil,
        patience: Duration = DeviceInquiry.patience,
        ask: @escaping @Sendable (String) -> DeviceProbe = { DeviceProbe.ask($0) }
    ) {
        self.tree = tree
        self.simulation = simulation
        inquiry = DeviceInquiry(patience: patience, ask: ask)
    }

    /// All devices that capture, in the kernel's order, then the simulated ones.
    ///
    /// With `anew`, all are asked again; nodes that are to be spared, as they are in use, are not asked more than once.
    package mutating func scan(anew: Bool = false, sparing inUse: Set<String> = []) -> [CaptureDevice] {
        let nodes = tree.nodes()
            .map { ($0, Self.plain($0), DeviceInquiry.Subject(path: $0.path, stamp: File.stamp($0.path))) }
        let asked = nodes.filter { node, plain, subject in
            // A virtual device may turn from output to capture without a word.
            let mayChange = (node.place.isEmpty || known[plain]?.probe.mayChange == true) && !inUse.contains(node.path)
            // Its question has been put already.
            let isThinking = known[plain]?.probe == .failed(.silent)
            return anew || mayChange || isThinking || known[plain] == nil || known[plain]?.stamp != subject.stamp
        }
        let answers = inquiry.answers(of: asked.map(\.2))
        var devices: [CaptureDevice] = []
        var seen: [DeviceNode: (stamp: String?, probe: DeviceProbe)] = [:]
        for (node, plain, subject) in nodes {
            guard let probe = answers[subject] ?? known[plain]?.probe else { continue }
            seen[plain] = (subject.stamp, probe)
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

    /// A node without its links, which are made later and say nothing of what it is.
    private static func plain(_ node: DeviceNode) -> DeviceNode {
        var plain = node
        plain.links = []
        plain.id = node.identity.full
        return plain
    }
}

extension DeviceProbe {
    /// True of a device that another program is using.
    package var isBusy: Bool {
        switch self {
        case .captures(let facts): facts.problem == .busy
        case .failed(let problem): problem == .busy
        case .other: false
        }
    }

    fileprivate var mayChange: Bool {
        switch self {
        case .captures(let facts): facts.problem?.mayPass ?? false
        case .other: false
        case .failed: true
        }
    }
}
