// SPDX-License-Identifier: Apache-2.0
// Which device becomes which camera where the configuration says auto, through unplugging and restarts.

import Config
import Testing

@testable import Devices
@testable import apus

@Suite("automatic cameras") struct AutomaticCamerasTests {
    private func device(
        _ id: String,
        _ node: Int = 0,
        card: String = "HD Webcam",
        at location: String = "1-1",
        problem: DeviceProblem? = nil
    ) -> CaptureDevice {
        let id = "usb-\(id)"
        let identity = DeviceIdentity(base: id, location: location)
        let node = DeviceNode(
            path: "/dev/video\(node)",
            number: node,
            name: card,
            index: 0,
            identity: identity,
            id: id,
            usb: nil,
            place: "",
            links: ["/dev/v4l/by-id/\(id)"]
        )
        let facts = DeviceFacts(card: card, driver: "uvcvideo", bus: "usb", formats: [], problem: problem)
        return CaptureDevice(node: node, facts: facts)
    }

    private func parse(_ text: String) throws -> (ConfigDocument, Configuration) {
        let (document, issues) = ConfigDocument.parse(text, name: "test")
        return (document, try Configuration(document, issues: issues))
    }

    private func cameras(_ automatic: AutomaticCameras, _ text: String) throws -> [String: String] {
        let (document, configuration) = try parse(text)
        let effective = try Configuration(automatic.effective(document, configuration))
        return Dictionary(uniqueKeysWithValues: effective.cameras.map { ($0.name, $0.source) })
    }

    @Test("the first device is the camera that says auto; others are cameras of their own, named after themselves")
    func names() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")

        let devices = [device("a"), device("b", 2, card: "HD Webcam"), device("c", 4, card: "  Kamera Größe № 5 ")]
        let news = automatic.take(devices + [device("d", 6, card: "HD webcam!")], configuration)

        #expect(news.count == 4)
        #expect(
            try cameras(automatic, "") == [
                "cam": "v4l2:usb-a", "hd-webcam": "v4l2:usb-b", "kamera-gr-e-5": "v4l2:usb-c",
                "hd-webcam-2": "v4l2:usb-d",
            ]
        )
    }

    @Test("without a device there is the pattern, until the first one comes")
    func pattern() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")

        _ = automatic.take([], configuration)
        #expect(try cameras(automatic, "") == ["cam": "pattern:"])
        _ = automatic.take([device("a", problem: .permission)], configuration)
        #expect(try cameras(automatic, "") == ["cam": "pattern:"])
        _ = automatic.take([device("a")], configuration)
        #expect(try cameras(automatic, "") == ["cam": "v4l2:usb-a"])
    }

    @Test("a device that goes and comes back as another node is the same camera; nothing is configured anew")
    func replugged() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        _ = automatic.take([device("a", 0), device("b", 2)], configuration)
        let before = try cameras(automatic, "")

        let gone = automatic.take([device("a", 0)], configuration)
        #expect(gone.count == 1)
        guard case .lost(let lost)? = gone.first else {
            Issue.record("not lost")
            return
        }
        #expect(lost.camera == "hd-webcam")
        #expect(try cameras(automatic, "") == before)

        let back = automatic.take([device("a", 0), device("b", 7, at: "2-2")], configuration)
        guard case .returned(let returned)? = back.first else {
            Issue.record("not back")
            return
        }
        #expect(returned.camera == "hd-webcam" && returned.device.node.path == "/dev/video7")
        #expect(try cameras(automatic, "") == before)
    }

    @Test("two devices that differ in their place only keep their names")
    func twins() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        _ = automatic.take([device("x", 0, at: "1-1"), device("x", 2, at: "1-2")], configuration)

        _ = automatic.take([device("x", 4, at: "1-2")], configuration)
        let there = automatic.bindings.filter(\.isThere).map(\.camera)
        _ = automatic.take([device("x", 4, at: "1-2"), device("x", 5, at: "1-1")], configuration)

        #expect(there == ["hd-webcam"])
        #expect(automatic.bindings.map(\.device.node.path) == ["/dev/video5", "/dev/video4"])
    }

    @Test("a camera whose device gets a twin is called by its place from then on, also after a restart")
    func placed() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        _ = automatic.take([device("x", 0, at: "1-1")], configuration)
        let alone = try cameras(automatic, "")

        _ = automatic.take([device("x", 0, at: "1-1"), device("x", 2, at: "1-2")], configuration)
        let both = try cameras(automatic, "")
        _ = automatic.take([device("x", 2, at: "1-2")], configuration)
        let second = try cameras(automatic, "")
        let kept = Array(automatic.memory.text.utf8)
        var restarted = AutomaticCameras(memory: try DeviceMemory(parsing: kept.span))
        let news = restarted.take([device("x", 0, at: "1-2")], configuration)

        #expect(alone == ["cam": "v4l2:usb-x"])
        #expect(both == ["cam": "v4l2:usb-x@1-1", "hd-webcam": "v4l2:usb-x@1-2"])
        #expect(second == both)
        #expect(news.count == 1)
        #expect(try cameras(restarted, "") == ["cam": "pattern:", "hd-webcam": "v4l2:usb-x@1-2"])
        #expect(restarted.naming([device("x", 0, at: "1-2")]).map(\.id) == ["usb-x@1-2"])
    }

    @Test("the one of two twins that is gone may come back elsewhere; of two that are gone nobody knows which has come")
    func moved() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        let first = device("x", 0, at: "1-1")
        _ = automatic.take([first, device("x", 2, at: "1-2")], configuration)
        _ = automatic.take([first], configuration)

        let news = automatic.take([first, device("x", 3, at: "1-3")], configuration)
        let elsewhere = try cameras(automatic, "")
        _ = automatic.take([], configuration)
        _ = automatic.take([device("x", 4, at: "1-4")], configuration)

        #expect(news.count == 1)
        #expect(elsewhere == ["cam": "v4l2:usb-x@1-1", "hd-webcam": "v4l2:usb-x@1-3"])
        #expect(
            try cameras(automatic, "") == [
                "cam": "v4l2:usb-x@1-1", "hd-webcam": "v4l2:usb-x@1-3", "hd-webcam-2": "v4l2:usb-x@1-4",
            ]
        )
    }

    @Test(
        "what the configuration names is left alone, by node, link or id",
        arguments: [
            "v4l2:/dev/video0", "v4l2:/dev/v4l/by-id/usb-a?fps=5", "v4l2:usb-a", "v4l2:usb-a@1-1",
        ]
    )
    func named(source: String) throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("[camera.door]\nsource = \(source)\n[camera.cam]\nsource = auto\n")

        _ = automatic.take([device("a"), device("b", 2)], configuration)

        #expect(automatic.bindings.map(\.source) == ["v4l2:usb-b"])
        #expect(automatic.camera(of: device("a"), configuration) == "door")
        #expect(automatic.camera(of: device("b", 2), configuration) == "cam")
    }

    @Test("a device that has just come waits while another camera's link leads nowhere, and then is not taken")
    func awaitedLink() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("[camera.door]\nsource = v4l2:/dev/door\n[camera.cam]\nsource = auto\n")
        var late = device("a")
        late.node.links = []

        #expect(automatic.take([late], configuration, isFresh: { _ in true }).isEmpty && automatic.isHolding)
        #expect(automatic.take([device("b", 2)], configuration, isFresh: { _ in true }).count == 1)
        automatic.targets = ["/dev/door": "/dev/video0"]
        _ = automatic.take([late, device("b", 2)], configuration, isFresh: { _ in true })

        #expect(!automatic.isHolding)
        #expect(automatic.camera(of: late, configuration) == "door")
        #expect(automatic.bindings.map(\.source) == ["v4l2:usb-b"])
    }

    @Test("a device that has just come is taken at once when no camera waits for a link, and later in any case")
    func notAwaited() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        let (_, waiting) = try parse("[camera.door]\nsource = v4l2:/dev/door\n[camera.cam]\nsource = auto\n")
        var bare = device("a")
        bare.node.links = []
        var other = automatic

        #expect(automatic.take([bare], configuration, isFresh: { _ in true }).count == 1)
        #expect(other.take([bare], waiting).count == 1 && !other.isHolding)
    }

    @Test("a camera gives a device back that turns out to be another's, and does not take it again")
    func givenBack() throws {
        var automatic = AutomaticCameras()
        let text = "[camera.door]\nsource = v4l2:/dev/v4l/by-id/late\n[camera.cam]\nsource = auto\n"
        let (_, configuration) = try parse(text)
        _ = automatic.take([device("a"), device("b", 2)], configuration)
        #expect(try cameras(automatic, text)["cam"] == "v4l2:usb-a")
        var linked = device("a")
        linked.node.links.append("/dev/v4l/by-id/late")

        let news = automatic.take([linked, device("b", 2)], configuration)

        guard case .released(let binding)? = news.first else {
            Issue.record("not given back")
            return
        }
        #expect(binding.camera == "cam" && automatic.camera(of: linked, configuration) == "door")
        #expect(try cameras(automatic, text)["cam"] != "v4l2:usb-a")
        #expect(automatic.memory.name(of: linked.identity) == nil)
        #expect(automatic.take([device("b", 2)], configuration).isEmpty)
        #expect(automatic.take([linked, device("b", 2)], configuration).isEmpty)
    }

    @Test("without auto, no device becomes a camera; when auto goes, so do its cameras")
    func withoutAuto() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        let (_, other) = try parse("[camera.cam]\nsource = pattern:\n")
        _ = automatic.take([device("a"), device("b", 2)], configuration)

        let news = automatic.take([device("a"), device("b", 2)], other)

        #expect(news.count == 2 && automatic.bindings.isEmpty)
        #expect(try cameras(automatic, "[camera.cam]\nsource = pattern:\n") == ["cam": "pattern:"])
    }

    @Test("further cameras have the settings of the one that says auto, but not its multicast group")
    func inherited() throws {
        var automatic = AutomaticCameras()
        let text = """
            [camera.cam]
            source = auto
            slate = no
            [camera.cam.main]
            bitrate = 2M
            multicast = 239.1.2.3:5004
            [camera.cam.sub]
            enabled = no
            [camera.cam2]
            source = pattern:
            """
        let (document, configuration) = try parse(text)
        _ = automatic.take([device("a"), device("b", 2)], configuration)

        let effective = try Configuration(automatic.effective(document, configuration))

        let camera = try #require(effective.camera("hd-webcam"))
        #expect(effective.cameras.map(\.name) == ["cam", "cam2", "hd-webcam"])
        #expect(camera.slateDelay == nil && camera.sub == nil && camera.main?.bitrate == 2_000_000)
        #expect(camera.main?.multicast == nil && effective.camera("cam")?.main?.multicast != nil)
    }

    @Test("so many devices become cameras, one more is told once")
    func limit() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        let devices = (0...AutomaticCameras.maximumCount).map { device("d\($0)", $0) }

        let news = automatic.take(devices, configuration)
        #expect(news.count == AutomaticCameras.maximumCount + 1)
        #expect(!news.contains { if case .refused = $0 { true } else { false } })

        let one = device("more", 99)
        #expect(automatic.take(devices + [one], configuration) == [.refused(one)])
        #expect(automatic.take(devices + [one], configuration).isEmpty)
        #expect(automatic.bindings.count == AutomaticCameras.maximumCount + 1)
    }

    @Test("names are kept over a restart, whoever comes first")
    func restarted() throws {
        var first = AutomaticCameras()
        let (_, configuration) = try parse("")
        _ = first.take([device("a"), device("b", 2)], configuration)
        let kept = Array(first.memory.text.utf8)

        var second = AutomaticCameras(memory: try DeviceMemory(parsing: kept.span))
        _ = second.take([device("b", 0)], configuration)
        let early = try cameras(second, "")
        _ = second.take([device("b", 0), device("a", 2)], configuration)

        #expect(early == ["cam": "pattern:", "hd-webcam": "v4l2:usb-b"])
        #expect(try cameras(second, "") == ["cam": "v4l2:usb-a", "hd-webcam": "v4l2:usb-b"])
    }

    @Test("a simulated device that nobody wants any more is not waited for")
    func withdrawn() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        _ = automatic.take([Simulation.device(1)], configuration)
        #expect(try cameras(automatic, "") == ["cam": "v4l2:simulated-1"])

        _ = automatic.take([device("a")], configuration, isWithdrawn: \.node.isSimulated)

        #expect(try cameras(automatic, "") == ["cam": "v4l2:usb-a"])
    }

    @Test("a camera whose device is gone can be forgotten, one whose device is there cannot")
    func forgotten() throws {
        var automatic = AutomaticCameras()
        let (_, configuration) = try parse("")
        _ = automatic.take([device("a"), device("b", 2)], configuration)

        #expect(automatic.forget("hd-webcam") == nil)
        _ = automatic.take([device("a")], configuration)
        #expect(automatic.forget("hd-webcam") != nil)
        #expect(automatic.memory.names == ["cam"])
        #expect(try cameras(automatic, "") == ["cam": "v4l2:usb-a"])
    }

    @Test(
        "a file of names that is none is refused",
        arguments: [
            "", "[]", "{}", #"{"devices":[{}]}"#, #"{"devices":[{"id":"a","location":"b","camera":"../x"}]}"#,
            #"{"devices":[{"id":"a","location":"b","camera":"x"},{"id":"c","location":"b","camera":"x"}]}"#,
            #"{"devices":[{"id":1,"location":"b","camera":"x"}]}"#,
        ]
    )
    func badMemory(text: String) {
        let bytes = Array(text.utf8)
        let memory = try? DeviceMemory(parsing: bytes.span)

        #expect(memory == nil)
    }

    @Test("the oldest names are forgotten")
    func memoryLimit() throws {
        var memory = DeviceMemory()
        for number in 0...DeviceMemory.maximumCount {
            memory.remember(DeviceIdentity(base: "d\(number)", location: ""), "cam\(number)")
        }
        let bytes = Array(memory.text.utf8)

        #expect(memory.entries.count == DeviceMemory.maximumCount)
        #expect(memory.name(of: DeviceIdentity(base: "d0", location: "")) == nil)
        #expect(memory.name(of: DeviceIdentity(base: "d1", location: "elsewhere")) == "cam1")
        let again = try DeviceMemory(parsing: bytes.span)
        #expect(again == memory)
    }
}
