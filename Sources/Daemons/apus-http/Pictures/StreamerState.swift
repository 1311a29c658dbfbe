// SPDX-License-Identifier: Apache-2.0
// The state of a camera's pictures, in the shape that µStreamer's clients know.

import Bytes
import Config
import Control
import HTTP
import Loop
import Media
import Ring

extension Server {
    /// Answers `/state`.
    func tellState(_ exchange: Exchange) {
        guard let feed = feed(of: exchange) else { return }
        let quality = configuration.camera(feed.name)?.jpeg?.quality ?? 0
        var body: [UInt8] = []
        feed.state(quality: quality, at: loop.now).write(to: &body)
        let fields = [HeaderField("Content-Type", "application/json")] + Feed.uncached
        exchange.respond(Response(.ok, fields: fields, body: .bytes(body)))
    }
}

extension Feed {
    /// A camera may have this many frames in a second; more are not counted.
    private static let rateLimit = 500

    /// What `/state` tells.
    func state(quality: Int, at now: Instant) -> JSON {
        let description = view?.description()?.description
        let watchers = watchers.compactMap { $0 as? Viewing }
        let rate = framesInLastSecond(now)
        let clients = watchers.map { viewer in
            JSON.Member(
                viewer.id,
                [
                    "fps": JSON(viewer.framesPerSecond), "key": .string(viewer.options.key ?? "0"),
                    "extra_headers": .boolean(viewer.options.hasExtraFields),
                    "advance_headers": .boolean(viewer.options.advancesFields),
                    "dual_final_frames": .boolean(viewer.options.doublesFinal),
                    "zero_data": .boolean(viewer.options.isEmpty),
                ]
            )
        }
        return [
            "ok": true,
            "result": [
                "instance_id": .string(name), "encoder": ["type": "CPU", "quality": JSON(quality)],
                "source": [
                    "resolution": ["width": JSON(description?.width ?? 0), "height": JSON(description?.height ?? 0)],
                    "online": .boolean(isAttached && !isSlate),
                    "desired_fps": JSON(Int((description?.frameRate.value ?? 0).rounded())),
                    "captured_fps": JSON(rate),
                ],
                "stream": [
                    "queued_fps": JSON(watchers.isEmpty ? 0 : rate), "clients": JSON(watchers.count),
                    "clients_stat": .object(clients),
                ],
            ],
        ]
    }

    private func framesInLastSecond(_ now: Instant) -> Int {
        guard let view else { return 0 }
        var count = 0
        var sequence = view.newest
        while count < Self.rateLimit, let info = view.info(sequence), now - info.published < .seconds(1) {
            count += 1
            sequence -= 1
        }
        return count
    }
}
