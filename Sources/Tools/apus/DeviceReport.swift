// SPDX-License-Identifier: Apache-2.0
// A capture device as programs are told of it: by `apus devices --json`, the supervisor and the HTTP API.

import Config
import Control
import Devices

extension CaptureDevice {
    /// The device, and which camera it is used by.
    func json(camera: String?) -> JSON {
        var members = [
            JSON.Member("id", .string(id)), JSON.Member("name", .string(title)),
            JSON.Member("node", .string(node.path)), JSON.Member("source", .string(source)),
            JSON.Member("camera", JSON(camera)), JSON.Member("driver", .string(facts.driver)),
            JSON.Member("bus", .string(facts.bus)), JSON.Member("simulated", .boolean(node.isSimulated)),
            JSON.Member("formats", .array(formats.map { .string($0.rawValue) })),
            JSON.Member("links", .array(node.links.map(JSON.string))),
        ]
        if let usb = node.usb {
            members.append(
                JSON.Member(
                    "usb",
                    [
                        "vendor": .string(usb.vendor), "product": .string(usb.product), "serial": .string(usb.serial),
                        "port": .string(usb.port), "speed": .string(usb.speed),
                    ]
                )
            )
        }
        if let input = facts.input {
            members.append(JSON.Member("input", ["name": .string(input.name), "state": JSON(input.state)]))
        }
        // What one of our own cameras uses is where it should be.
        if let problem, camera == nil || problem != .busy {
            members.append(JSON.Member("problem", problem.json))
        }
        return .object(members)
    }
}

extension DeviceProblem {
    var json: JSON { ["code": .string(code), "message": .string(description)] }
}

extension DeviceFormat {
    /// The format with all its sizes.
    var json: JSON {
        [
            "code": .string(code), "format": JSON(format?.rawValue), "sizes": .array(sizes.map(\.json)),
        ]
    }

    /// Rows of a table: format, size, rates.
    var rows: [[String]] {
        let name = format?.rawValue ?? "\(code) (not used)"
        guard !sizes.isEmpty else { return [[name, "", ""]] }
        return sizes.enumerated()
            .map { index, size in
                let range = size.smallest == size.largest ? "\(size.largest)" : "\(size.smallest) to \(size.largest)"
                let rates = size.rates.map(DeviceFormat.rate)
                return [index == 0 ? name : "", range, rates.joined(separator: size.isRateRange ? " to " : ", ")]
            }
    }

    private static func rate(_ rate: Double) -> String {
        let hundredths = Int((min(rate, 1_000_000) * 100).rounded())
        return hundredths % 100 == 0 ? "\(hundredths / 100)" : "\(Double(hundredths) / 100)"
    }
}

extension DeviceSize {
    fileprivate var json: JSON {
        [
            "width": JSON(largest.width), "height": JSON(largest.height), "min_width": JSON(smallest.width),
            "min_height": JSON(smallest.height), "fps": .array(rates.map { JSON($0) }),
            "fps_range": .boolean(isRateRange),
        ]
    }
}
