// SPDX-License-Identifier: Apache-2.0
// What `apus` prints: tables, numbers, percentiles, and the reference page that is written from the commands.

import API
import Config
import Control
import Daemon
import Foundation
import Metrics
import Testing

@testable import apus

@Suite("Commands")
struct CommandTests {
    @Test("docs/reference/cli.md is what apus reference writes")
    func reference() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/reference/cli.md"), encoding: .utf8)

        #expect(page == Main.root.referencePage)
    }

    @Test("docs/reference/metrics.md and openapi.json are what apus reference writes")
    func generatedPages() throws {
        let pages = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/reference")
        let metrics = try String(contentsOf: pages.appending(path: "metrics.md"), encoding: .utf8)
        let document = try String(contentsOf: pages.appending(path: "openapi.json"), encoding: .utf8)

        #expect(metrics == MetricsReference.page)
        #expect(document == OpenAPI.document(version: apusVersion).prettyText + "\n")
    }

    @Test("each worker of RTSP is a process of its own, the first one named as if it were alone")
    func workers() throws {
        let configuration = try Configuration(parsing: "[rtsp]\nworkers = 3", name: "test")
        let plans = try configuration.plans(Programs(), RunDirectory("/run/x"), logLevel: nil)
            .filter { program(of: $0.name) == "apus-rtsp" }

        #expect(plans.map(\.name) == ["rtsp", "rtsp-2", "rtsp-3"])
        #expect(plans.map { $0.arguments.suffix(2) }.dropFirst() == [["--worker", "2"], ["--worker", "3"]])
        #expect(!(plans.first?.arguments.contains("--worker") ?? true))
        #expect(plans.allSatisfy { camera(of: $0.name) == nil && $0.stage == 1 })
        #expect(program(of: "video.cam-2") == "apus-video")
    }

    @Test("columns are as wide as their widest cell")
    func table() {
        let table = Table([["A", "LONG", "C"], ["long", "b"], ["x", "y", "z"]])

        #expect(table.text == "A     LONG  C\nlong  b\nx     y     z\n")
    }

    @Test(
        "numbers are written for people",
        arguments: [
            (Format.bytes(999), "0 kB"), (Format.bytes(999_999), "999 kB"), (Format.bytes(1_450_000), "1.5 MB"),
            (Format.bytes(2_000_000_000), "2.0 GB"), (Format.duration(59.9), "59s"), (Format.duration(61), "1m 1s"),
            (Format.duration(3661), "1h 1m"), (Format.duration(90_000), "1d 1h"), (Format.tenths(0.05), "0.1"),
            (Format.milliseconds(1_234_567), "1.234"), (Format.milliseconds(-5_000), "-0.005"),
        ]
    )
    func formats(text: String, expected: String) {
        #expect(text == expected)
    }

    @Test("percentiles are those of the sorted samples")
    func percentiles() {
        var percentiles = Percentiles()
        for sample in (1...200).reversed() { percentiles.add(Int64(sample) * 1_000_000) }

        #expect(percentiles.cells == ["200", "1.000", "100.500", "101.000", "191.000", "199.000", "200.000"])
        #expect(percentiles.json["max_ns"] == 200_000_000)
    }

    @Test("a status is lines of names and values, lists of objects are tables")
    func status() {
        let text = Status.text(
            "",
            [
                "a": 1, "b": ["x": "y", "z": nil], "list": [1, 2],
                "streams": [["name": "main", "fps": 30, "more": ["k": 1]], ["name": "sub", "bitrate": 5]],
            ]
        )

        #expect(
            text == """
                a     1
                b     x=y z=-
                list  1,2
                streams
                  name  fps  bitrate
                  main  30
                  sub        5

                """
        )
    }
}
