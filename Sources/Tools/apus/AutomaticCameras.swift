// SPDX-License-Identifier: Apache-2.0
// Which device is which camera, where the configuration says `auto`.

import Config
import Devices

/// The cameras that devices become by themselves.
///
/// A value: devices, configuration and memory go in, cameras and news come out. A camera that has had a device keeps it
/// until the instance ends, whether the device is there or not, so that its viewers can wait for it.
struct AutomaticCameras {
    /// More devices do not become cameras by themselves.
    static let maximumCount = 16

    /// A camera with its device.
    struct Binding: Equatable {
        let camera: String
        /// As it was when it was last there.
        var device: CaptureDevice
        /// The source that finds the device again.
        var source: String
        var isThere = true
        /// True for a camera of its own, false for one that the configuration names.
        let isAdded: Bool
    }

    /// What has become otherwise.
    enum News: Equatable {
        /// A device has become a camera.
        case bound(Binding)
        /// A camera's device is there again.
        case returned(Binding)
        case lost(Binding)
        /// A camera is none any more.
        case released(Binding)
        /// A device does not become a camera, as there are too many.
        case refused(CaptureDevice)
    }

    private(set) var bindings: [Binding] = []
    private(set) var memory: DeviceMemory
    /// The nodes that links lead to now which are cameras' sources; links of anybody's making, anywhere.
    var targets: [String: String] = [:]
    /// True if a device has to wait, as it may be that of a camera whose source is a link that is not there yet.
    private(set) var isHolding = false
    /// Devices for which there was no room, each told once.
    private var refused: Set<DeviceIdentity> = []
    /// Ids that several devices had at once: from then on they are told apart by their places, for ever.
    private var twins: Set<String> = []

    init(memory: DeviceMemory = DeviceMemory()) { self.memory = memory }

    /// The camera that a device is, by itself or because the configuration says so.
    func camera(of device: CaptureDevice, _ configuration: Configuration, evenIfGone: Bool = false) -> String? {
        bindings.first { ($0.isThere || evenIfGone) && $0.device.node.identity == device.node.identity }?.camera
            ?? configuration.cameras.first { isNamed(device, by: $0.source) }?.name
    }

    /// The devices with the ids that they keep: one that had a twin is called by its place, whether the twin is there or not.
    mutating func naming(_ devices: [CaptureDevice]) -> [CaptureDevice] {
        var seen: Set<String> = []
        for device in devices where !seen.insert(device.identity.base).inserted { twins.insert(device.identity.base) }
        return devices.map { device in
            guard hasTwins(device.identity.base) else { return device }
            var device = device
            device.node.id = device.identity.full
            return device
        }
    }

    private func hasTwins(_ base: String) -> Bool { twins.contains(base) || memory.hasTwins(base) }

    /// Takes over what devices there are, and what the configuration wants.
    ///
    /// - Parameter isWithdrawn: whether a device is gone for good, as simulated ones are that nobody wants any more; then
    ///   nobody waits for it.
    /// - Parameter isFresh: whether a device has come just now, so that udev may still have to make its links.
    mutating func take(
        _ devices: [CaptureDevice],
        _ configuration: Configuration,
        isWithdrawn: (CaptureDevice) -> Bool = { _ in false },
        isFresh: (CaptureDevice) -> Bool = { _ in false }
    ) -> [News] {
        var news: [News] = []
        let devices = naming(devices)
        let named = configuration.cameras.filter { $0.source == "auto" }.map(\.name)
        let names = Set(configuration.cameras.map(\.name))
        // What somebody has written down is his.
        var free = devices.filter { device in !configuration.cameras.contains { isNamed(device, by: $0.source) } }
        let taken = devices.filter { device in !free.contains { $0.node.path == device.node.path } }
        for binding in bindings {
            let isWanted =
                binding.isAdded ? !named.isEmpty && !names.contains(binding.camera) : named.contains(binding.camera)
            guard !isWanted || isWithdrawn(binding.device) else { continue }
            bindings.removeAll { $0.camera == binding.camera }
            news.append(.released(binding))
        }
        news += giveBack(taken, free)
        news += match(&free)
        isHolding = false
        guard !named.isEmpty else { return news }
        free.removeAll { !$0.isUsable }
        if awaitsLink(configuration) {
            let count = free.count
            free.removeAll { isFresh($0) && $0.node.links.isEmpty }
            isHolding = free.count < count
        }
        for camera in named where !bindings.contains(where: { $0.camera == camera }) {
            let own = free.firstIndex { memory.name(of: $0.identity) == camera }
            let unknown = free.firstIndex { memory.name(of: $0.identity) == nil }
            guard let index = own ?? unknown else { continue }
            news.append(.bound(bind(free.remove(at: index), camera, isAdded: false)))
        }
        for device in free {
            let count = bindings.filter(\.isAdded).count
            guard count < Self.maximumCount, configuration.cameras.count + count < Configuration.maximumCameras else {
                if refused.insert(device.identity).inserted { news.append(.refused(device)) }
                continue
            }
            let taken = names.union(bindings.map(\.camera))
            let known = memory.name(of: device.identity).flatMap { taken.contains($0) ? nil : $0 }
            news.append(.bound(bind(device, known ?? Self.name(for: device, taken.union(memory.names)), isAdded: true)))
        }
        return news
    }

    /// Forgets a camera that has no device; false if it is none of its own, or has one.
    mutating func forget(_ camera: String) -> Binding? {
        guard let index = bindings.firstIndex(where: { $0.camera == camera && !$0.isThere }) else { return nil }
        memory.forget(camera)
        return bindings.remove(at: index)
    }

    /// Has cameras leave devices that are others' by the configuration: that shows once their links are there.
    private mutating func giveBack(_ taken: [CaptureDevice], _ free: [CaptureDevice]) -> [News] {
        var news: [News] = []
        for binding in bindings {
            let own = binding.device.identity
            let isMoved = !hasTwins(own.base) && !free.contains { $0.identity.base == own.base }
            guard taken.contains(where: { $0.identity == own || isMoved && $0.identity.base == own.base }) else {
                continue
            }
            bindings.removeAll { $0.camera == binding.camera }
            memory.forget(binding.camera)
            news.append(.released(binding))
        }
        return news
    }

    /// True if a camera's source is a link that leads nowhere yet.
    private func awaitsLink(_ configuration: Configuration) -> Bool {
        configuration.cameras.contains { camera in
            guard let path = Self.path(camera.source) else { return false }
            return !path.hasPrefix("/dev/video") && targets[path] == nil
        }
    }

    /// The path that is a camera's source; nil if it is something else.
    static func path(_ source: String) -> String? {
        guard case .v4l2(let name, _)? = try? SourceAddress(parsing: source), name.hasPrefix("/") else { return nil }
        return name
    }

    /// Finds the devices of the cameras again, and takes them out of those that are free.
    private mutating func match(_ free: inout [CaptureDevice]) -> [News] {
        var found: [Int: CaptureDevice] = [:]
        // Who is where he was comes first: devices that cannot be told apart else keep their places.
        let tests: [(DeviceIdentity, DeviceIdentity) -> Bool] = [{ $0 == $1 }, { $0.base == $1.base }]
        for isSame in tests {
            for (index, binding) in bindings.enumerated() where found[index] == nil {
                let own = binding.device.identity
                guard let place = free.firstIndex(where: { isSame($0.identity, own) }),
                    free[place].identity == own || !isAmbiguous(own.base, free, found)
                else { continue }
                found[index] = free.remove(at: place)
            }
        }
        var news: [News] = []
        for index in bindings.indices {
            let wasThere = bindings[index].isThere
            if let device = found[index] {
                let isMoved = device.node.path != bindings[index].device.node.path
                bindings[index].device = device
                bindings[index].isThere = true
                bindings[index].source = Self.source(of: device)
                if !wasThere || isMoved { news.append(.returned(bindings[index])) }
            } else if wasThere {
                bindings[index].isThere = false
                news.append(.lost(bindings[index]))
            }
        }
        return news
    }

    /// True if it cannot be told which camera's a device is that has come to another place: several are gone, or have come.
    private func isAmbiguous(_ base: String, _ free: [CaptureDevice], _ found: [Int: CaptureDevice]) -> Bool {
        guard hasTwins(base) else { return false }
        let lost = bindings.indices.count { found[$0] == nil && bindings[$0].device.identity.base == base }
        return lost > 1 || free.count { $0.identity.base == base } > 1
    }

    private static func source(of device: CaptureDevice) -> String { "v4l2:\(device.id)" }

    private mutating func bind(_ device: CaptureDevice, _ camera: String, isAdded: Bool) -> Binding {
        let binding = Binding(camera: camera, device: device, source: Self.source(of: device), isAdded: isAdded)
        bindings.append(binding)
        memory.remember(device.identity, camera)
        return binding
    }

    /// True if a source of the configuration names the device.
    private func isNamed(_ device: CaptureDevice, by source: String) -> Bool {
        guard case .v4l2(let name, _)? = try? SourceAddress(parsing: source) else { return false }
        return device.node.path == name || targets[name] == device.node.path || device.node.links.contains(name)
            || device.identity.answers(to: name)
    }

    /// A camera's name made of what the device calls itself; none of those that are taken.
    static func name(for device: CaptureDevice, _ taken: Set<String>) -> String {
        var slug = ""
        for byte in device.title.utf8 {
            let small = (65...90).contains(byte) ? byte + 32 : byte
            let isPlain = (48...57).contains(small) || (97...122).contains(small)
            if isPlain { slug.unicodeScalars.append(Unicode.Scalar(small)) }
            if !isPlain, !slug.isEmpty, !slug.hasSuffix("-") { slug += "-" }
            if slug.utf8.count >= 24 { break }
        }
        while slug.hasSuffix("-") { slug.removeLast() }
        if slug.isEmpty { slug = "camera" }
        var name = slug
        var number = 1
        while taken.contains(name) || CameraName.problem(with: name) != nil {
            number += 1
            name = "\(slug)-\(number)"
        }
        return name
    }
}

// MARK: The configuration that follows

extension AutomaticCameras {
    /// The configuration with a source for each `auto`, and with a camera for each further device.
    func effective(_ document: ConfigDocument, _ configuration: Configuration) -> ConfigDocument {
        let named = configuration.cameras.filter { $0.source == "auto" }.map(\.name)
        guard let model = named.first else { return document }
        var result = document
        for camera in named {
            let source = bindings.first { $0.camera == camera }?.source ?? "pattern:"
            result.set("camera.\(camera)", "source", to: source)
        }
        for binding in bindings where binding.isAdded {
            let section = "camera.\(binding.camera)"
            result.set(section, "source", to: binding.source)
            for entry in document.entries where entry.section.hasPrefix("camera.\(model)") {
                let rest = entry.section.dropFirst("camera.\(model)".count)
                guard rest.isEmpty || rest.hasPrefix("."), entry.key != "source" || !rest.isEmpty else { continue }
                // Two cameras cannot send to one group.
                guard entry.key != "multicast" else { continue }
                result.set(section + rest, entry.key, to: entry.value)
            }
        }
        return result
    }
}
