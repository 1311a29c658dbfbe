// SPDX-License-Identifier: Apache-2.0
// Measures and stresses Apus's parts; `make bench` runs it.

import System

@main
struct Main {
    static let usage = """
        usage: apus-bench                                    measure the ring, then the fan-out over TCP and UDP
               apus-bench ring                               measure the ring: wake-up, copies
               apus-bench fanout [KEY=VALUE …]               measure the fan-out of servers beside its floor
                   transport=tcp|udp viewers=100 seconds=10 bitrate=4000000 gro=yes|no
                   workers=1                                 so many processes of apus-rtsp
                   servers=apus,gst,mediamtx,published       MEDIAMTX=PATH in the environment names MediaMTX
               apus-bench publish [KEY=VALUE …]              the same for what is published over RTSP and relayed
               apus-bench websocket [KEY=VALUE …]            measure frames over WebSocket: latency, memory a viewer
                   viewers=100 seconds=10 bitrate=4000000 stalled=0
               apus-bench mse|hls [KEY=VALUE …]              the same for MSE and for low-latency HLS
               apus-bench mjpeg [KEY=VALUE …]                measure apus-http's motion JPEG beside its floor and µStreamer
                   seconds=10 viewers= length= stalled=      one scene instead of all
               apus-bench stress [FRAMES] [READERS]   prove that no torn frame is ever accepted (default 3000000, 4)
        """

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.contains(where: { $0 == "--help" || $0 == "-h" }) {
            print(usage)
            return
        }
        do {
            switch arguments.first ?? "all" {
            case "all":
                try RingBenchmark.run()
                for transport in ["tcp", "udp"] { try FanOutBenchmark(["transport=\(transport)"]).run() }
            case "ring": try RingBenchmark.run()
            case "fanout": try FanOutBenchmark(Array(arguments.dropFirst())).run()
            case "publish": try FanOutBenchmark(["servers=published,mediamtx"] + arguments.dropFirst()).run()
            case "websocket", "mse", "hls":
                let kind = WebSocketBenchmark.Kind(rawValue: arguments[0]) ?? .websocket
                try WebSocketBenchmark(kind, Array(arguments.dropFirst())).run()
            case "mjpeg": try PictureBenchmark(Array(arguments.dropFirst())).run()
            case "floor-mjpeg":
                try PictureFloor.run(
                    port: UInt16(arguments[1]) ?? 0,
                    viewers: Int(arguments[2]) ?? 1,
                    length: Int(arguments[3]) ?? 1
                )
            case "floor-sender", "floor-relay":
                try FloorSender.run(
                    transport: arguments[1],
                    viewers: Int(arguments[2]) ?? 1,
                    bitrate: Int(arguments[3]) ?? 1,
                    ports: arguments.dropFirst(4).compactMap { UInt16($0) },
                    relays: arguments[0] == "floor-relay"
                )
            case "stress":
                try RingStress.run(
                    frames: arguments.dropFirst().first.flatMap(UInt64.init) ?? 3_000_000,
                    readers: arguments.dropFirst(2).first.flatMap(Int.init) ?? 4
                )
            case "ping-reader": try RingBenchmark.pingReader()
            case "wake-reader": try RingBenchmark.wakeReader(path: arguments[1])
            case "stress-writer": try RingStress.writer(path: arguments[1], life: UInt64(arguments[2]) ?? 1)
            case "stress-reader": try RingStress.reader(path: arguments[1], name: arguments[2])
            default:
                print(usage)
                Process.exit(2)
            }
        } catch {
            try? writeAll(2, Array("apus-bench: \(error)\n".utf8).span)
            Process.exit(1)
        }
    }
}
