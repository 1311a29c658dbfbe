// SPDX-License-Identifier: Apache-2.0
// Users: what they are called, what they may do with which cameras, how their passwords are checked.

/// What somebody wants to do.
package enum Permission: String, Sendable, CaseIterable {
    /// See and hear a camera.
    case view
    /// Be the source of a camera: ANNOUNCE and RECORD.
    case publish
    /// Speak through a camera: the way back of its sound.
    case talk
    /// Change what a camera does, live; see who watches it, and send him away.
    case control
    /// Change the configuration, the users and the share links, and see what belongs to no camera.
    case configure
}

/// A bundle of permissions.
package enum Role: String, Sendable, CaseIterable {
    case viewer
    case publisher
    case `operator`
    case admin

    /// What the role allows, for each of the user's cameras.
    package var permissions: Set<Permission> {
        switch self {
        case .viewer: [.view]
        case .publisher: [.publish]
        case .operator: [.view, .publish, .talk, .control]
        case .admin: Set(Permission.allCases)
        }
    }

    /// The permissions in words, for help and errors.
    package var meaning: String {
        switch self {
        case .viewer: "watches"
        case .publisher: "is the source of publish: cameras, and sees nothing"
        case .operator: "watches, speaks, publishes and controls"
        case .admin: "does everything, and sees all cameras' viewers"
        }
    }
}

/// Which cameras a user has to do with.
package enum CameraScope: Sendable, Equatable {
    case all
    case only([String])

    /// More cameras cannot be listed.
    package static let maximumCount = 64

    /// As it is written in the file: `*`, or names with commas between.
    package var text: String {
        switch self {
        case .all: "*"
        case .only(let names): names.joined(separator: ",")
        }
    }

    package func contains(_ camera: String) -> Bool {
        switch self {
        case .all: true
        case .only(let names): names.contains(camera)
        }
    }
}

/// A user.
package struct User: Sendable, Equatable {
    /// More tokens of one user are refused.
    package static let maximumTokens = 16

    package let name: String
    package var role: Role
    package var cameras: CameraScope
    package var secret: Secret
    /// What programs show instead of the password.
    package var tokens: [AccessToken] = []

    package init(name: String, role: Role, cameras: CameraScope, secret: Secret) {
        self.name = name
        self.role = role
        self.cameras = cameras
        self.secret = secret
    }

    /// True if the user may do this with the camera; nil asks about what belongs to no camera.
    package func may(_ permission: Permission, _ camera: String?) -> Bool {
        role.permissions.contains(permission)
            && (camera.map(cameras.contains) ?? (cameras == .all || permission == .view))
    }
}

extension User: CustomStringConvertible {
    /// The name alone: nothing of the secret gets into a log.
    package var description: String { name }
}

/// The longest and the letters of what users are called.
package enum UserName {
    package static let maximumLength = 64

    /// Why nobody can be called `name`; nil if somebody can.
    package static func problem(with name: String) -> String? {
        let isSpelt = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._@-".utf8.contains(byte)
            }
        }
        guard isSpelt, (1...maximumLength).contains(name.utf8.count) else {
            return "user name \"\(name)\" must be 1 to \(maximumLength) of letters, digits, . _ @ and -"
        }
        return nil
    }
}
