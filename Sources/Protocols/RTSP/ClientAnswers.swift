// SPDX-License-Identifier: Apache-2.0
// What the client makes of a server's responses and requests.

import Bytes
import SDP

extension ClientSession {
    mutating func handle(_ response: RTSPResponse, at now: Instant) {
        guard let index = match(response) else { return note(.unasked) }
        let answered = pending.remove(at: index)
        if let name = response.headers["Server"] { server = String(name.prefix(200)) }
        if let first = response.headers.fields.first?.name, first == first.lowercased() { note(.lowercaseHeader) }
        if state == .tearingDown { return end() }
        switch response.status.rawValue {
        case 100..<200:
            // A provisional answer (RFC 2326 §7.1.1): the final one is still to come.
            pending.insert(answered, at: index)
        case 200..<300: succeeded(answered, response, at: now)
        case 301, 302, 303, 305: redirect(response)
        case 401: challenged(answered, response, at: now)
        default: refused(answered, response.status, at: now)
        }
    }

    /// The request that a response answers.
    private mutating func match(_ response: RTSPResponse) -> Int? {
        guard !pending.isEmpty else { return nil }
        guard let header = response.headers["CSeq"], let number = UInt32(header) else {
            note(.missingSequence)
            return 0
        }
        if let index = pending.firstIndex(where: { $0.sequence == number }) { return index }
        // The answer to a request that was given up.
        guard number > sequence || number == 0 else { return nil }
        note(.wrongSequence)
        return 0
    }

    // MARK: Success

    private mutating func succeeded(_ answered: Pending, _ response: RTSPResponse, at now: Instant) {
        switch (answered.request.method, state) {
        case (.options, .asking):
            takeMethods(response)
            ask(at: now)
        case (.describe, .asking): described(response)
        case (.announce, .asking):
            takeSession(response)
            guard case .publish(let description) = purpose else { return }
            offer(description)
        case (.setup, .settingUp(let next)): setUp(answered, response, next, at: now)
        case (.play, .starting): started(response, at: now)
        case (.record, .starting): started(response, at: now)
        default: break
        }
    }

    private mutating func takeMethods(_ response: RTSPResponse) {
        let methods = response.headers.all("Public").joined(separator: ",").uppercased()
        if methods.isEmpty { note(.missingPublic) }
        offersGetParameter = methods.contains("GET_PARAMETER")
    }

    private mutating func ask(at now: Instant) {
        switch purpose {
        case .play:
            var request = RTSPRequest(.describe, target.url)
            request.headers.add("Accept", "application/sdp")
            send(request, at: now)
        case .publish(let description):
            var request = RTSPRequest(.announce, target.url)
            request.headers.add("Content-Type", "application/sdp")
            request.body = Array(description.text.utf8)
            send(request, at: now)
        }
    }

    private mutating func described(_ response: RTSPResponse) {
        if let type = response.headers["Content-Type"] {
            guard type.lowercased().contains("sdp") else {
                return fail(.badDescription("its type is \(type.prefix(60)), not application/sdp"))
            }
        } else {
            note(.missingContentType)
        }
        if let written = response.headers["Content-Base"] ?? response.headers["Content-Location"] {
            if response.headers["Content-Base"] == nil { note(.missingContentBase) }
            if !written.contains("://") { note(.relativeContentBase) }
            base = ControlURL.resolve(written, base: target.url)
        } else {
            note(.missingContentBase)
            base = target.url
        }
        do throws(WireError) {
            offer(try SessionDescription(parsing: response.body.span))
        } catch {
            fail(.badDescription("\(error)"))
        }
    }

    private mutating func offer(_ description: SessionDescription) {
        guard !description.media.isEmpty else { return fail(.badDescription("it has no media")) }
        self.description = description
        state = .described
        emit(.described(description))
    }

    // MARK: SETUP

    /// The URL that requests to a medium name.
    private mutating func mediumURL(_ index: Int) -> String {
        guard let description, index < description.media.count else { return base }
        guard let control = description.media[index]["control"] else {
            // When publishing, tracks without a name get one.
            if purpose != .play { return ControlURL.resolve("streamid=\(index)", base: base) }
            note(.missingControl)
            return aggregateURL
        }
        if control.hasPrefix("/") { note(.absolutePathControl) }
        return ControlURL.resolve(control, base: base)
    }

    mutating func setUpNext(_ next: Int, at now: Instant) {
        var transport = requests[next].transport
        if transport.lower == .tcp, transport.interleaved == nil {
            transport.interleaved = .init(UInt8(2 * next), UInt8(2 * next + 1))
            requests[next].transport = transport
        }
        transport.isRecording = purpose != .play
        var request = RTSPRequest(.setup, mediumURL(requests[next].medium))
        request.headers.add("Transport", transport.text)
        send(request, at: now)
    }

    private mutating func setUp(_ answered: Pending, _ response: RTSPResponse, _ next: Int, at now: Instant) {
        takeSession(response)
        let asked = requests[next].transport
        let transport = decided(asked, response)
        if let channels = transport.interleaved,
            tracks.contains(where: { $0.transport.interleaved?.rtp == channels.rtp })
        {
            note(.sharedChannels)
        }
        tracks.append(
            Track(medium: requests[next].medium, url: answered.request.target, transport: transport, start: nil)
        )
        guard next + 1 == requests.count else {
            state = .settingUp(next: next + 1)
            return setUpNext(next + 1, at: now)
        }
        state = .starting
        var request = RTSPRequest(purpose == .play ? .play : .record, aggregateURL)
        request.headers.add("Range", "npt=0.000-")
        send(request, at: now)
    }

    /// The transport that the server decided for, completed by what was asked for.
    private mutating func decided(_ asked: RTSPTransport, _ response: RTSPResponse) -> RTSPTransport {
        guard let header = response.headers["Transport"] else {
            note(.missingTransport)
            return asked
        }
        guard var transport = RTSPTransport.offers(header)?.first else {
            note(.malformedTransport)
            return asked
        }
        if transport.lower == .udp, asked.lower == .tcp, transport.interleaved != nil {
            // The profile says UDP, the channels say what is meant.
            transport.lower = .tcp
            note(.malformedTransport)
        }
        if transport.lower != asked.lower || transport.isMulticast != asked.isMulticast { note(.otherTransport) }
        switch transport.lower {
        case .tcp:
            if transport.interleaved == nil {
                note(.missingChannels)
                transport.interleaved = asked.interleaved ?? .init(UInt8(2 * tracks.count), UInt8(2 * tracks.count + 1))
            }
        case .udp:
            if transport.clientPorts == nil { transport.clientPorts = asked.clientPorts }
            if let ports = transport.serverPorts, ports.rtp == 0 { transport.serverPorts = nil }
            if transport.serverPorts == nil, !transport.isMulticast { note(.missingServerPort) }
        }
        return transport
    }

    private mutating func takeSession(_ response: RTSPResponse) {
        guard let header = response.headers["Session"].flatMap(SessionHeader.init) else {
            if identifier == nil, case .settingUp = state { note(.missingSession) }
            return
        }
        if header.isOdd { note(.oddSession) }
        if let identifier, identifier != header.identifier { note(.changedSession) }
        identifier = header.identifier
        if let timeout = header.timeout { self.timeout = timeout }
    }

    private mutating func started(_ response: RTSPResponse, at now: Instant) {
        takeSession(response)
        if purpose == .play {
            if let header = response.headers["RTP-Info"], !header.isEmpty {
                if let starts = TrackStart.parse(header) {
                    for index in tracks.indices { tracks[index].start = Self.find(tracks[index], index, starts) }
                } else {
                    note(.malformedRTPInfo)
                }
            } else {
                note(.missingRTPInfo)
            }
        }
        state = .running
        keepAliveAt = now + timeout / 2
        emit(.started)
    }

    /// The entry of a track: by its URL, by its URL's end, or by its place if there are as many.
    private static func find(_ track: Track, _ index: Int, _ starts: [TrackStart]) -> TrackStart? {
        if let exact = starts.first(where: { $0.url == track.url }) { return exact }
        let name = track.url.split(separator: "/").last ?? ""
        let similar = starts.filter { !name.isEmpty && $0.url.hasSuffix(name) }
        if similar.count == 1 { return similar[0] }
        return starts.count > index ? starts[index] : nil
    }

    // MARK: Refusals

    private mutating func challenged(_ answered: Pending, _ response: RTSPResponse, at now: Instant) {
        let fresh = response.headers.all("WWW-Authenticate")
        let isStale = fresh.contains {
            $0.lowercased().contains("stale=true") || $0.lowercased().contains("stale=\"true")
        }
        let tries = answered.authorizations
        guard !fresh.isEmpty, tries == 0 || (isStale && tries < 3) else {
            if answered.isKeepAlive { return note(.keepAliveRefused) }
            return fail(.unauthorized(hasCredentials: target.credentials != nil))
        }
        challenges = fresh
        guard let authorization = answerChallenge(of: answered.request) else {
            return fail(.unauthorized(hasCredentials: target.credentials != nil))
        }
        send(
            answered.request,
            at: now,
            authorization: authorization,
            authorizations: tries + 1,
            isKeepAlive: answered.isKeepAlive
        )
    }

    private mutating func refused(_ answered: Pending, _ status: RTSPStatus, at now: Instant) {
        if status == .sessionNotFound { return fail(.sessionLost) }
        if answered.isKeepAlive {
            if offersGetParameter {
                offersGetParameter = false
                note(.keepAliveRefused)
            }
            return
        }
        switch (answered.request.method, state) {
        case (.options, .asking):
            note(.optionsRefused)
            ask(at: now)
        case (.setup, .settingUp) where status == .unsupportedTransport:
            guard tracks.isEmpty else { return fail(.transportRefused) }
            state = .described
            emit(.transportRefused)
        default: fail(.refused(answered.request.method, status))
        }
    }

    private mutating func redirect(_ response: RTSPResponse) {
        guard let location = response.headers["Location"] else {
            note(.redirectWithoutLocation)
            return fail(.badRedirect)
        }
        follow(location, isProxy: response.status.rawValue == 305)
    }

    private mutating func follow(_ location: String, isProxy: Bool) {
        redirects += 1
        guard redirects <= Self.maximumRedirects, let next = target.following(location, isProxy: isProxy) else {
            return fail(.badRedirect)
        }
        target = next
        state = .idle
        parser = ClientParser()
        pending.removeAll()
        requests.removeAll()
        tracks.removeAll()
        identifier = nil
        challenges.removeAll()
        keepAliveAt = nil
        description = nil
        emit(.redirected)
    }

    // MARK: Requests of the server

    /// Answers what a server may ask of a client (RFC 2326 §10).
    mutating func answer(_ request: RTSPRequest, at now: Instant) {
        var status = RTSPStatus.ok
        switch request.method {
        case .options, .getParameter, .setParameter, .announce, .redirect, .teardown: break
        default: status = .notImplemented
        }
        var response = RTSPResponse(status)
        if let sequence = request.headers["CSeq"] { response.headers.add("CSeq", sequence) }
        if let identifier { response.headers.add("Session", identifier) }
        var bytes: [UInt8] = []
        response.serialize(into: &bytes)
        // A server that floods gets no more answers than can wait.
        if events.count < Self.maximumRequests { emit(.send(bytes)) }
        switch request.method {
        case .redirect:
            guard let location = request.headers["Location"] else { return note(.redirectWithoutLocation) }
            follow(location, isProxy: false)
        case .teardown: fail(.closed)
        default: break
        }
    }
}
