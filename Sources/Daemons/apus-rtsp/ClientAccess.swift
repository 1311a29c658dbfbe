// SPDX-License-Identifier: Apache-2.0
// Whether a client may do what it asks for: 401, 403, or later.

import Access
import Bytes
import Config
import FanOut
import Log
import Loop
import RTSP
import System

extension Client {
    /// True if the request may be carried out; else it is answered, or held until it may be looked at.
    func mayProceed(_ request: RTSPRequest) -> Bool {
        guard !isVouchedFor else {
            isVouchedFor = false
            return true
        }
        // OPTIONS tells nothing of any camera, and clients send it before they know that they need a password.
        guard request.method != .options else {
            if !server.access.isRequired { isEstablished = true }
            return true
        }
        guard request.version == .rtsp10, let address = RTSPAddress(request.target) else { return true }
        let before = access.user
        let decision = access.decide(
            AccessRequest(
                method: request.method.name,
                uri: request.target,
                authorization: request.headers["Authorization"],
                permission: permission(for: request),
                camera: camera(of: request, address)
            ),
            &server.access,
            at: server.loop.now
        )
        switch decision {
        case .granted(let user):
            isEstablished = true
            if let user, before?.name != user.name {
                server.log.info("authenticated", ["client": id, "peer": connection.peer, "user": user])
            }
            return true
        case .challenge(let values):
            if request.headers["Authorization"] != nil {
                server.log.info("not authenticated", ["client": id, "peer": connection.peer])
            }
            refuse(
                request,
                .init(.unauthorized, "a user and password are needed"),
                values.map { ("WWW-Authenticate", $0) }
            )
        case .forbidden(let user):
            server.log.info(
                "not allowed",
                ["client": id, "peer": connection.peer, "user": user, "uri": address.streamURL]
            )
            refuse(request, .init(.forbidden, "\(user) may not do that here"))
        case .slowed(let until): hold(request, until)
        case .locked(let until): refuseLocked(request, until)
        case .checking(let check): examine(check, request)
        }
        return false
    }

    /// Has a password looked at apart from the loop, and goes on with the request then.
    private func examine(_ check: PasswordCheck, _ request: RTSPRequest) {
        held = (request, nil)
        let server = server
        let isTaken = server.passwords.run(
            { check.run() },
            then: { [weak self] isRight in
                let verdict = server.access.conclude(check, isRight: isRight, at: server.loop.now)
                guard let self, held != nil else { return }
                held = nil
                switch verdict {
                // What was right is remembered, so it is right at once this time.
                case .right: answer(request)
                case .wrong:
                    server.log.info("not authenticated", ["client": id, "peer": connection.peer])
                    refuse(
                        request,
                        .init(.unauthorized, "a user and password are needed"),
                        access.challenges(server.access, at: server.loop.now).map { ("WWW-Authenticate", $0) }
                    )
                case .locked(let until): refuseLocked(request, until)
                }
                takeInputLater()
            }
        )
        guard !isTaken else { return }
        server.access.abandon(check)
        hold(request, server.loop.now + .seconds(1))
    }

    private func refuseLocked(_ request: RTSPRequest, _ until: Instant) {
        let seconds = max(1, Int((until - server.loop.now).seconds.rounded(.up)))
        server.log.warn("locked out", ["client": id, "peer": connection.peer, "seconds": seconds])
        refuse(
            request,
            .init(.forbidden, "too many failed attempts; try again in \(seconds) s"),
            [("Retry-After", "\(seconds)")]
        )
        connection.closeWhenSent()
    }

    /// Ends what the user may not have any more; called when the users have changed.
    func usersChanged() {
        guard server.access.isRequired else { return }
        let user = access.currentUser(server.access)
        if let camera = playback?.stream.camera, user?.may(.view, camera) != true {
            close("the user may not watch any more")
        } else if let camera = publication?.camera, user?.may(.publish, camera) != true {
            close("the user may not publish any more")
        } else if let camera = talkback?.camera, user?.may(.talk, camera) != true {
            loseTalkback("the user may not speak any more")
        }
    }

    /// Ends what the cameras do not take any more; called with the configuration that is about to be in force.
    func camerasChanged(_ configuration: Configuration) {
        if let camera = publication?.camera, !(configuration.camera(camera).map(Server.isPublished) ?? false) {
            close("camera \(camera) does not take what is published any more")
        } else if let camera = talkback?.camera, configuration.camera(camera)?.hasTalkback != true {
            loseTalkback("the camera takes no sound any more")
        }
    }

    /// The camera that a request is about: what was set up, whatever the URL of a request to the session says.
    private func camera(of request: RTSPRequest, _ address: RTSPAddress) -> String? {
        switch request.method {
        case .describe, .announce, .setup: server.camera(address)
        default: playback?.stream.camera ?? publication?.camera ?? server.camera(address)
        }
    }

    private func permission(for request: RTSPRequest) -> Permission {
        switch request.method {
        case .announce, .record: .publish
        case .setup where !session.isPublishing && RTSPAddress(request.target)?.track == Stream.TrackNumber.talkback:
            .talk
        case .setup, .pause, .teardown, .getParameter, .setParameter: session.isPublishing ? .publish : .view
        default: .view
        }
    }

    private func refuse(
        _ request: RTSPRequest,
        _ refusal: ServerSession.Refusal,
        _ headers: [(name: String, value: String)] = []
    ) {
        send(session.refuse(request, refusal, headers: headers, at: server.loop.now))
    }

    private func hold(_ request: RTSPRequest, _ until: Instant) {
        let timer = server.loop.timer(after: until - server.loop.now) { [unowned self] in
            held = nil
            answer(request)
            takeInputLater()
        }
        held = (request, timer)
    }
}
