// SPDX-License-Identifier: Apache-2.0
// Who a request is from, and what he may.

import Access
import FanOut

/// Who a request is from, as far as it has shown, and how.
struct Grant {
    /// What was shown.
    enum Proof {
        /// Nothing: no users are asked for.
        case nothing
        /// Digest or Basic.
        case password
        /// The cookie of somebody who has logged in.
        case session(SessionKey)
        /// A bearer token.
        case token(AccessToken)
        /// The cookie of somebody who opened a share link.
        case share(Share, SessionKey)
    }

    let proof: Proof
    /// Nil where no users are asked for, and for who came with a share link.
    let user: User?

    /// True if he may do this with the camera; nil asks about what belongs to no camera.
    func may(_ permission: Permission, _ camera: String?) -> Bool {
        switch proof {
        case .nothing: true
        case .share(let share, _): permission == .view && camera == share.camera
        case .password, .session, .token: user?.may(permission, camera) ?? false
        }
    }

    /// Who it is, for logs; nil where no users are asked for.
    var name: String? {
        if case .share(let share, _) = proof { return "share:\(share.id)" }
        return user?.name
    }
}

extension Exchange {
    /// Who asks; nil where no users are asked for, and for who came with a share link.
    var user: User? { grant?.user }

    /// True if who asks may do this with the camera; nil asks about what belongs to no camera.
    ///
    /// What several cameras have to do with asks for each of them.
    func may(_ permission: Permission, _ camera: String?) -> Bool { grant?.may(permission, camera) ?? false }

    /// True if the grant is good for the endpoint, which may look at cameras by itself.
    func admits(_ grant: Grant, _ permission: Permission) -> Bool {
        if grant.may(permission, camera) { return true }
        guard endpoint?.isOfEachCamera == true, camera == nil else { return false }
        return server.cameraNames.contains { grant.may(permission, $0) }
    }

    /// The cookies of the request, as the connection's kind names them.
    var gateCookies: GateCookies { GateCookies(isSecure: client.connection.isEncrypted) }
}

/// What the cookies of this server are called.
///
/// `__Host-` makes a browser take them over TLS only, for this very host and for all of its paths (6265bis §4.1.3).
/// They hold for all ports of the host.
struct GateCookies {
    let isSecure: Bool

    var session: String { isSecure ? "__Host-apus-session" : "apus-session" }
    var share: String { isSecure ? "__Host-apus-share" : "apus-share" }
}
