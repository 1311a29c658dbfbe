// SPDX-License-Identifier: Apache-2.0
// Which device had which camera's name, kept over restarts.

import Config
import Control
import Daemon
import Devices
import System

/// The names that devices had; the newest first.
struct DeviceMemory: Equatable {
    /// Older ones are forgotten.
    static let maximumCount = 64
    /// A longer file is not read, in bytes.
    static let maximumSize = 64 << 10

    struct Entry: Equatable {
        let identity: DeviceIdentity
        let name: String
    }

    private(set) var entries: [Entry] = []

    init() {}

    /// All names that are remembered.
    var names: Set<String> { Set(entries.map(\.name)) }

    /// The name that a device had, here or at another place.
    func name(of identity: DeviceIdentity) -> String? {
        (entries.first { $0.identity == identity } ?? entries.first { $0.identity.base == identity.base })?.name
    }

    /// True if several devices had names whose ids differ in their places only.
    func hasTwins(_ base: String) -> Bool { entries.count { $0.identity.base == base } > 1 }

    /// Notes a device's name, which no other has from now on.
    mutating func remember(_ identity: DeviceIdentity, _ name: String) {
        entries.removeAll { $0.name == name || $0.identity == identity }
        entries.insert(Entry(identity: identity, name: name), at: 0)
        if entries.count > Self.maximumCount { entries.removeLast() }
    }

    /// Forgets who had a name.
    mutating func forget(_ name: String) { entries.removeAll { $0.name == name } }
}

// MARK: The file

extension DeviceMemory {
    /// Where the names are kept: with what systemd keeps for the service, else in the run directory, which is empty after a boot.
    static func path(_ runDirectory: RunDirectory) -> String {
        let state = Process.environment("STATE_DIRECTORY")?.prefix { $0 != ":" } ?? ""
        return (state.hasPrefix("/") ? String(state) : runDirectory.path) + "/devices.json"
    }

    /// Reads the names out of a file's text.
    ///
    /// - Throws: `Failure` with what is wrong.
    init(parsing bytes: Span<UInt8>) throws(Failure) {
        let json: JSON
        do throws(JSONError) {
            json = try JSON(parsing: bytes)
        } catch {
            throw Failure(.failure, "\(error)")
        }
        guard let devices = json["devices"]?.elements, devices.count <= Self.maximumCount else {
            throw Failure(.failure, "it has no list of at most \(Self.maximumCount) devices")
        }
        for device in devices {
            guard let base = device["id"]?.string, let location = device["location"]?.string,
                let name = device["camera"]?.string, base.utf8.count <= 256, location.utf8.count <= 256,
                CameraName.problem(with: name) == nil
            else { throw Failure(.failure, "an entry lacks id, location or camera, or has none that could be one") }
            let entry = Entry(identity: DeviceIdentity(base: base, location: location), name: name)
            guard !entries.contains(where: { $0.name == name || $0.identity == entry.identity }) else {
                throw Failure(.failure, "\(name) is in it twice")
            }
            entries.append(entry)
        }
    }

    /// The file's text.
    var text: String {
        let devices = entries.map { entry -> JSON in
            [
                "id": .string(entry.identity.base), "location": .string(entry.identity.location),
                "camera": .string(entry.name),
            ]
        }
        return JSON.object([JSON.Member("devices", .array(devices))]).prettyText + "\n"
    }
}
