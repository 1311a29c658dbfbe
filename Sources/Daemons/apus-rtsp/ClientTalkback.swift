// SPDX-License-Identifier: Apache-2.0
// The client as somebody who speaks to a camera.

import FanOut
import Log
import Loop
import RTSP
import Ring
import System

extension Client {
    private typealias Refusal = ServerSession.Refusal

    func setUpTalkback(_ request: ServerSession.SetupRequest) {
        guard let stream = server.stream(request.address), server.hasTalkback(stream.camera) else {
            return send(session.answerSetup(.failure(Refusal(.notFound, "the camera takes no sound"))))
        }
        let isElsewhere = server.workers > 1 && RingWriter.isLive(server.ringPath(stream.camera, "speaker"))
        guard server.talker(to: stream.camera).map({ $0 === self }) ?? !isElsewhere else {
            let refusal = Refusal(.notEnoughBandwidth, "somebody else speaks to \(stream.camera)")
            return send(session.answerSetup(.failure(refusal)))
        }
        for offer in request.offers {
            // Nobody's key is known here: what is said comes inside of TLS, or as it is.
            guard !offer.isSecure, let (delivery, transport) = deliver(offer) else { continue }
            endTalkback()
            let talkback = Talkback(stream.camera, delivery, server) { [unowned self] in sendReport($0, delivery) }
            if case .datagrams(let path) = delivery {
                for address in [path.rtp, path.rtcp] {
                    path.ports.register(address, for: self) { [unowned self, unowned talkback] isReport, packet in
                        session.noteActivity(at: server.loop.now)
                        talkback.receive(packet, isReport: isReport)
                    }
                }
            }
            self.talkback = talkback
            playback = playback ?? Playback(stream, loop: server.loop)
            return send(session.answerSetup(.success(.init(transport))))
        }
        send(session.answerSetup(.failure(Refusal(.unsupportedTransport, "no transport offered is to be had here"))))
    }

    /// Takes the way back from the client, and ends one that has set up nothing else.
    func loseTalkback(_ reason: String) {
        guard let talkback else { return }
        guard playback?.tracks.isEmpty == false else { return close(reason) }
        server.log.info(
            "speaker sent away",
            ["client": id, "peer": connection.peer, "camera": talkback.camera, "reason": reason]
        )
        endTalkback()
    }

    /// Ends what the client says. Harmless when repeated.
    func endTalkback() {
        guard let talkback else { return }
        talkback.stop()
        if case .datagrams(let path) = talkback.delivery {
            path.ports.unregister(path.rtp, for: self)
            path.ports.unregister(path.rtcp, for: self)
        }
        self.talkback = nil
    }
}
