// SPDX-License-Identifier: Apache-2.0
// What each method does in each phase of a session.

extension ServerSession {
    mutating func describe(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        if let accept = request.headers["Accept"]?.lowercased(), !accept.isEmpty,
            !["application/sdp", "application/*", "*/*"].contains(where: { accept.contains($0) })
        {
            return .respond(response(.notAcceptable, sequence))
        }
        question = (.describe(address), sequence)
        return .describe(address, wantsBackchannel: Self.wantsBackchannel(request))
    }

    mutating func announce(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        guard phase == .initial else { return .respond(response(.notValidInState, sequence)) }
        if let type = request.headers["Content-Type"]?.lowercased(), !type.contains("application/sdp") {
            return .respond(response(.unsupportedMediaType, sequence))
        }
        guard !request.body.isEmpty else { return .respond(response(.badRequest, sequence)) }
        var target = request.target
        while target.hasSuffix("/") { target.removeLast() }
        question = (.announce(address, target: target), sequence)
        return .announce(address, description: request.body)
    }

    mutating func setUp(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        let track = address.track ?? 0
        let control = records ? control(of: request.target) : ""
        switch phase {
        case .initial, .announced: break
        case .playing, .recording: return .respond(response(.notValidInState, sequence))
        case .ready:
            guard records || stream?.segments == address.segments else {
                return .respond(response(.aggregateNotAllowed, sequence))
            }
            guard request.headers["Session"] != nil else { return .respond(response(.sessionNotFound, sequence)) }
            // A track that is set up once more changes its transport (RFC 2326 §10.4).
            guard tracks.contains(where: { $0.isSame(track, control) }) || tracks.count < trackLimit else {
                return .respond(response(.notEnoughBandwidth, sequence))
            }
        }
        guard let header = request.headers["Transport"], let offers = RTSPTransport.offers(header) else {
            return .respond(response(.badRequest, sequence))
        }
        let usable = offers.filter(isUsable).map { offer(answering: $0, track, control) }
        guard !usable.isEmpty else { return .respond(response(.unsupportedTransport, sequence)) }
        question = (.setup(address, track: track, control: control), sequence)
        return .setup(
            SetupRequest(
                address: records ? stream ?? address : address,
                track: track,
                control: control,
                offers: usable,
                keyManagement: request.headers["KeyMgmt"],
                isRecording: records
            )
        )
    }

    /// What a publisher's URL has behind the one that it announced.
    private func control(of target: String) -> String {
        guard target.utf8.starts(with: announcedTarget.utf8) else { return target }
        return String(target.dropFirst(announcedTarget.count).drop { $0 == "/" })
    }

    private func isUsable(_ offer: RTSPTransport) -> Bool {
        guard !offer.isRecording || records else { return false }
        return offer.lower == .tcp || (offer.isMulticast && !records) || offer.clientPorts != nil
    }

    /// The answer to an offer, as far as the session knows it.
    private func offer(answering offer: RTSPTransport, _ track: Int, _ control: String) -> RTSPTransport {
        var transport = RTSPTransport(offer.lower)
        transport.isSecure = offer.isSecure
        transport.isRecording = records
        switch offer.lower {
        case .tcp: transport.interleaved = freeChannels(wanted: offer.interleaved, track, control)
        case .udp:
            transport.isMulticast = offer.isMulticast
            if !offer.isMulticast { transport.clientPorts = offer.clientPorts }
        }
        return transport
    }

    /// The channels wanted if no other track has them, else the first pair that is free.
    private func freeChannels(
        wanted: RTSPTransport.Pair<UInt8>?,
        _ track: Int,
        _ control: String
    ) -> RTSPTransport.Pair<UInt8> {
        let used = tracks.filter { !$0.isSame(track, control) }
            .compactMap(\.transport.interleaved)
            .flatMap { [$0.rtp, $0.rtcp] }
        if let wanted, wanted.rtp != wanted.rtcp, !used.contains(wanted.rtp), !used.contains(wanted.rtcp) {
            return wanted
        }
        let free = stride(from: UInt8(0), to: 254, by: 2).first { !used.contains($0) && !used.contains($0 + 1) } ?? 0
        return RTSPTransport.Pair(free, free + 1)
    }

    mutating func play(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        guard !records, phase == .ready || phase == .playing, let stream else {
            return .respond(response(.notValidInState, sequence))
        }
        if let refusal = aggregateRefusal(request, address, stream) { return .respond(response(refusal, sequence)) }
        if let range = request.headers["Range"], !PlayRange.isValid(range) {
            return .respond(response(.invalidRange, sequence))
        }
        if isPlaying {
            // A second PLAY of a live stream changes nothing.
            var answer = response(.ok, sequence)
            answer.headers.add("Range", "npt=now-")
            return .respond(answer)
        }
        question = (.play(stream), sequence)
        return .play(stream)
    }

    mutating func record(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        guard records, phase == .ready || phase == .recording, let stream else {
            return .respond(response(.notValidInState, sequence))
        }
        if let refusal = aggregateRefusal(request, address, stream) { return .respond(response(refusal, sequence)) }
        if isRecording { return .respond(response(.ok, sequence)) }
        question = (.record(stream), sequence)
        return .record(stream)
    }

    mutating func pause(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        guard phase != .initial, phase != .announced, let stream else {
            return .respond(response(.notValidInState, sequence))
        }
        if let refusal = aggregateRefusal(request, address, stream) { return .respond(response(refusal, sequence)) }
        phase = .ready
        return .pause(response(.ok, sequence))
    }

    mutating func tearDown(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        guard phase != .initial else { return .respond(response(.notValidInState, sequence)) }
        guard request.headers["Session"] != nil else { return .respond(response(.sessionNotFound, sequence)) }
        if address.track != nil, tracks.count > 1 { return .respond(response(.onlyAggregateAllowed, sequence)) }
        let answer = response(.ok, sequence)
        phase = .initial
        stream = nil
        records = false
        tracks.removeAll()
        return .teardown(answer)
    }

    /// What is wrong with a request to the session as a whole; nil if nothing is.
    private func aggregateRefusal(
        _ request: RTSPRequest,
        _ address: RTSPAddress,
        _ stream: RTSPAddress
    ) -> RTSPStatus? {
        if request.headers["Session"] == nil { return .sessionNotFound }
        if !records, !address.segments.isEmpty, address.segments != stream.segments { return .notFound }
        if address.track != nil, tracks.count > 1 { return .onlyAggregateAllowed }
        return nil
    }
}
