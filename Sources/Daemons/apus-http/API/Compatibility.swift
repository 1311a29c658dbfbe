// SPDX-License-Identifier: Apache-2.0
// What clients of go2rtc and MediaMTX ask for, in those servers' own forms.

import API
import Access
import Control
import HTTP
import Metrics

extension Server {
    /// The addresses of other servers.
    func compatibilityEndpoints() -> [Endpoint] {
        [
            Endpoint("frameOfGo2rtc") { [unowned self] exchange in
                let visible = cameraNames.filter(exchange.maySee)
                let camera = exchange.query("src") ?? visible.first
                guard let camera, visible.contains(camera), let endpoint = exchange.endpoint else {
                    return exchange.refuse(APIError(.notFound, "not-found", key: "src", "there is no such camera"))
                }
                exchange.route(endpoint, ["camera": camera])
                takeSnapshot(exchange)
            },
            Endpoint("streamsOfGo2rtc") { [unowned self] in answerStreams($0) },
            Endpoint("pathsOfMediaMTX") { [unowned self] exchange in
                exchange.attempt { () throws(APIError) in
                    let page = try exchange.integer("page", 0...1_000_000) ?? 0
                    let size = try exchange.integer("itemsPerPage", 1...1000) ?? 100
                    exchange.wait(Asking())
                    neighbours.gather { [unowned self] gathering in
                        let paths = cameraNames.filter(exchange.maySee).compactMap { path($0, gathering) }
                        exchange.answer([
                            "itemCount": JSON(paths.count), "pageCount": JSON((paths.count + size - 1) / size),
                            "items": .array(Array(paths.dropFirst(page * size).prefix(size))),
                        ])
                    }
                }
            },
            Endpoint("pathOfMediaMTX") { [unowned self] exchange in
                exchange.wait(Asking())
                neighbours.gather { [unowned self] gathering in
                    let name = exchange.parameters["name"] ?? ""
                    guard cameraNames.contains(name), exchange.maySee(name), let path = path(name, gathering) else {
                        return exchange.refuse(APIError(.notFound, "not-found", "path not found"))
                    }
                    exchange.answer(path)
                }
            },
        ]
    }

    /// go2rtc: the streams by name, each with who gives and who takes.
    private func answerStreams(_ exchange: Exchange) {
        exchange.wait(Asking())
        neighbours.gather { [unowned self] gathering in
            let streams = cameraNames.filter(exchange.maySee)
                .compactMap { name -> JSON.Member? in
                    guard let camera = report.camera(name, gathering) else { return nil }
                    let medias = Self.videos(camera).map { "video, recvonly, \(Self.codecName($0).uppercased())" }
                    let producer: JSON = [
                        "id": .integer(1), "format_name": "apus", "url": .string(name),
                        "medias": .array(medias.map(JSON.string)),
                    ]
                    let viewers = camera["viewers"]?.integer ?? 0
                    let consumers = (0..<min(viewers, 1000))
                        .map { number -> JSON in
                            ["id": JSON(number + 2), "format_name": "apus"]
                        }
                    return JSON.Member(
                        name,
                        [
                            "producers": camera["online"] == true ? [producer] : [],
                            "consumers": consumers.isEmpty ? .null : .array(consumers),
                        ]
                    )
                }
            guard let wanted = exchange.query("src") else { return exchange.answer(.object(streams)) }
            guard let stream = streams.first(where: { $0.name == wanted }) else {
                return exchange.refuse(APIError(.notFound, "not-found", key: "src", "stream not found"))
            }
            exchange.answer(stream.value)
        }
    }

    /// MediaMTX: a camera as one path.
    private func path(_ name: String, _ gathering: Gathering) -> JSON? {
        guard let camera = report.camera(name, gathering) else { return nil }
        let samples = gathering.samples.values.flatMap(\.all) + self.samples().all
        var sent = 0.0
        var received = 0.0
        for sample in samples where sample.labels.first == name {
            guard case .number(let number) = sample.value else { continue }
            if sample.metric == .sentBytes { sent += number }
            if sample.metric == .streamBytes, sample.labels[1] == "main" { received += number }
        }
        var readers: [JSON] = []
        for stream in camera["streams"]?.elements ?? [] {
            for member in stream["viewers"]?.members ?? [] {
                let isRTSP = ["tcp", "udp", "multicast"].contains(member.name) || member.name.hasPrefix("srtp/")
                for number in 0..<min(1000, max(0, member.value.integer ?? 0)) {
                    readers.append([
                        "type": isRTSP ? "rtspSession" : "httpSession",
                        "id": .string("\(name)-\(stream["name"]?.string ?? "")-\(member.name)-\(number + 1)"),
                    ])
                }
            }
        }
        let isReady = camera["online"] == true
        return [
            "name": .string(name), "confName": .string(name), "source": ["type": "apusCamera", "id": .string(name)],
            "ready": .boolean(isReady), "readyTime": nil,
            "tracks": .array(Self.videos(camera).prefix(1).map { .string(Self.trackName($0)) }),
            "bytesReceived": JSON(Int(received)), "bytesSent": JSON(Int(sent)), "readers": .array(readers),
        ]
    }

    private static func videos(_ camera: JSON) -> [String] {
        (camera["streams"]?.elements ?? []).compactMap { $0["codec"]?.string }
    }

    private static func codecName(_ codec: String) -> String { codec == "h265" ? "hevc" : codec }

    private static func trackName(_ codec: String) -> String {
        switch codec {
        case "h264": "H264"
        case "h265": "H265"
        case "av1": "AV1"
        case "jpeg": "M-JPEG"
        default: codec
        }
    }
}
