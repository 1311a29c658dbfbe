// SPDX-License-Identifier: Apache-2.0
// What a camera's daemon says of its source and its streams when it is asked.

import Bytes
import Capture
import Config
import Control
import Encode
import Media

extension VideoService {
    /// The camera's part of the status.
    var status: [JSON.Member] {
        var source: [JSON.Member] = [JSON.Member("address", .string(address.description))]
        switch session?.state {
        case .live(let format):
            source.append(JSON.Member("state", "live"))
            source.append(JSON.Member("device", .string(format.name)))
            source.append(JSON.Member("codec", .string(format.codec?.name ?? "raw")))
            if let size = format.size { source.append(JSON.Member("size", .string("\(size)"))) }
            source.append(JSON.Member("fps", JSON(format.frameRate.value)))
        case .lost(let reason):
            source.append(JSON.Member("state", "lost"))
            source.append(JSON.Member("reason", .string(reason)))
        case .ended: source.append(JSON.Member("state", "ended"))
        case .starting: source.append(JSON.Member("state", "starting"))
        case nil: source.append(JSON.Member("state", "idle"))
        }
        source.append(JSON.Member("dropped", JSON((session?.dropped ?? 0) + newest.superseded)))
        source.append(JSON.Member("losses", JSON(session?.losses ?? 0)))
        source.append(JSON.Member("failed_tries", JSON(session?.failedTries ?? 0)))
        if let pull = session?.pull {
            source.append(JSON.Member("transport", .string(pull.transport)))
            source.append(JSON.Member("server", JSON(pull.server)))
            source.append(JSON.Member("drift_ppm", pull.drift.map { JSON(($0 * 10).rounded() / 10) } ?? nil))
            source.append(JSON.Member("jitter_ms", JSON((pull.jitter.milliseconds * 1000).rounded() / 1000)))
            source.append(JSON.Member("packets", JSON(pull.packets)))
            source.append(JSON.Member("packets_lost", JSON(pull.lost)))
            source.append(JSON.Member("deviations", .array(pull.deviations.map { .string($0) })))
        }
        if let capture = session?.capture { source.append(JSON.Member("capture", .object(capture.members))) }
        source.append(JSON.Member("decode_failures", JSON(newest.failures)))
        return [JSON.Member("source", .object(source)), JSON.Member("streams", .array(streams.status))]
    }
}

extension V4L2Report {
    /// As the status has it.
    var members: [JSON.Member] {
        [
            JSON.Member("mode", .string(mode)), JSON.Member("compromise", JSON(compromise)),
            JSON.Member("input", JSON(input)), JSON.Member("timings", JSON(timings)),
            JSON.Member("buffers", JSON(buffers)), JSON.Member("times", .string(times)),
            JSON.Member("claimed", JSON(isClaimed)),
            JSON.Member("faults", .object(V4L2Fault.allCases.map { JSON.Member($0.rawValue, JSON(count($0))) })),
            JSON.Member(
                "recoveries",
                .object(V4L2Recovery.allCases.map { JSON.Member($0.rawValue, JSON(count($0))) })
            ),
            JSON.Member("deviations", .array(deviations.map { .string($0) })),
        ]
    }
}
