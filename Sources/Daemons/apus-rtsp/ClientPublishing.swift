// SPDX-License-Identifier: Apache-2.0
// The client as a publisher: ANNOUNCE, SETUP, RECORD.

import Bytes
import FanOut
import Log
import Loop
import Media
import RTP
import RTSP
import Ring
import SDP
import System

extension Client {
    private typealias Refusal = ServerSession.Refusal

    func announce(_ address: RTSPAddress, _ body: [UInt8]) {
        let camera: String
        do throws(Refusal) {
            camera = try server.publishedCamera(address)
        } catch {
            server.log.info("publisher refused", ["client": id, "peer": connection.peer, "reason": error.reason])
            return send(session.answerAnnounce(error))
        }
        guard let description = try? SessionDescription(parsing: body.span) else {
            return send(session.answerAnnounce(Refusal(.badRequest, "the session description is malformed")))
        }
        let offer = description.offer()
        for ignored in offer.ignored {
            server.log.info("track passed over", ["client": id, "track": ignored.index, "reason": ignored.reason])
        }
        let usable = Publication.usable(offer)
        guard usable.tracks.contains(where: { !$0.format.stream.codec.isAudio }) else {
            return send(session.answerAnnounce(Refusal(.unsupportedMediaType, "no picture that can be received")))
        }
        publication = Publication(camera, usable, self)
        send(session.answerAnnounce(nil))
    }

    func setUpRecording(_ request: ServerSession.SetupRequest) {
        guard let publication, let track = publication.track(control: request.control, number: request.track) else {
            return send(session.answerSetup(.failure(Refusal(.notFound, "no such track is received"))))
        }
        for offer in request.offers {
            guard !offer.isSecure, let (delivery, transport) = deliver(offer) else { continue }
            publication.set(track, delivery)
            return send(session.answerSetup(.success(.init(transport))))
        }
        send(session.answerSetup(.failure(Refusal(.unsupportedTransport, "no transport offered is to be had here"))))
    }

    func record() {
        guard let publication else { return send(session.answerRecord(Refusal(.notValidInState, ""))) }
        if let other = server.publisher(of: publication.camera), other !== self {
            guard let silence = other.publication.map({ server.loop.now - $0.lastPacket }),
                silence > Publication.patience
            else {
                return send(session.answerRecord(Refusal(.forbidden, "somebody else publishes to this camera")))
            }
            other.close("another publisher took over")
        }
        do throws(RingError) {
            try publication.start()
        } catch .taken {
            publication.stop()
            return send(session.answerRecord(Refusal(.forbidden, "somebody else publishes to this camera")))
        } catch {
            publication.stop()
            server.log.error("cannot publish", ["camera": publication.camera, "error": error])
            return send(session.answerRecord(Refusal(.internalError, "\(error)")))
        }
        server.log.info(
            "publisher joined",
            [
                "client": id, "peer": connection.peer, "camera": publication.camera,
                "transport": publication.transportName,
                "tracks": publication.tracks.map(\.description.format.stream.codec.name).joined(separator: ","),
            ]
        )
        send(session.answerRecord(nil))
    }

    func endPublication(_ reason: String) {
        guard let publication else { return }
        if let began = publication.began {
            server.log.info(
                "publisher left",
                [
                    "client": id, "peer": connection.peer, "camera": publication.camera, "reason": reason,
                    "seconds": Int((server.loop.now - began).seconds),
                ]
            )
        }
        publication.end()
        self.publication = nil
    }
}
