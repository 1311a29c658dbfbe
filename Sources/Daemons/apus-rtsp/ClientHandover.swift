// SPDX-License-Identifier: Apache-2.0
// The client that goes to another worker, with its connection, and the one that comes from there.

import Access
import FanOut
import Log
import Loop
import RTSP
import System

extension Client {
    /// Where a client goes, and the request that the other worker answers.
    struct Departure {
        let worker: Int
        let request: RTSPRequest
    }

    /// True if the first worker has to answer: it has what there must be only one of for a camera.
    ///
    /// Once something is set up here it is too late; who asks then, or over TLS, is told that there is none.
    func departs(_ request: RTSPRequest) -> Bool {
        guard server.worker != 1, playback == nil, publication == nil, let address = RTSPAddress(request.target),
            let stream = server.stream(address)
        else { return false }
        let isForOne =
            switch request.method {
            case .setup: server.multicastGroup(of: stream) != nil && Self.prefersMulticast(request)
            case .describe: server.hasTalkback(stream.camera) && ServerSession.wantsBackchannel(request)
            default: false
            }
        return isForOne && depart(request, to: 1)
    }

    /// Has the client go to another worker before anything else is done; false if it cannot.
    func depart(_ request: RTSPRequest, to worker: Int) -> Bool {
        guard server.workers > 1, let hops, hops < server.workers - 1, worker != server.worker,
            !connection.isEncrypted, connection.pendingBytes == 0, request.body.isEmpty, case .plain = inlet
        else { return false }
        departure = Departure(worker: worker, request: request)
        return true
    }

    /// Goes; if the other worker cannot take the client, it stays and is answered here.
    func leave() {
        guard let departure, let hops else { return }
        self.departure = nil
        let isGranted = departure.request.version == .rtsp10
        var handover = Handover(hops: hops + 1, isGranted: isGranted, passport: access.passport)
        departure.request.serialize(into: &handover.input)
        handover.input += connection.input
        do throws(SystemError) {
            guard let descriptor = connection.descriptor else { return }
            try HandoverPort.send(descriptor, handover.bytes, to: server.handoverPath(departure.worker))
        } catch {
            server.log.warn("cannot hand over", ["client": id, "worker": departure.worker, "error": error])
            self.hops = nil
            isVouchedFor = isGranted
            answer(departure.request)
            return takeInputLater()
        }
        close("handed over to worker \(departure.worker)")
    }

    /// Gives the connection to apus-http, which answers the request and goes on with what comes behind it.
    func leaveToHTTP(_ request: RTSPRequest) {
        do throws(SystemError) {
            guard let descriptor = connection.descriptor else { return }
            let message = HTTPOnRTSP.request(request) + connection.input
            try HandoverPort.send(descriptor, message, to: server.httpHandoverPath)
        } catch {
            server.log.debug("cannot hand over to apus-http", ["client": id, "error": error])
            connection.send(HTTPOnRTSP.unavailable("apus-http, which serves this address, does not run"))
            return connection.closeWhenSent()
        }
        close("handed over to apus-http")
    }

    /// Goes on where another worker left off.
    func arrive(_ handover: Handover) {
        hops = handover.hops
        isVouchedFor = handover.isGranted
        access.resume(handover.passport, server.access, at: server.loop.now)
        connection.input = handover.input
        server.log.debug("taken over", ["client": id, "peer": connection.peer])
        takeInput()
    }

    private static func prefersMulticast(_ request: RTSPRequest) -> Bool {
        request.headers["Transport"]?.split(separator: ",").first?.contains("multicast") ?? false
    }
}
