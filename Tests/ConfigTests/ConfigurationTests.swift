// SPDX-License-Identifier: Apache-2.0
// From a file to a configuration: defaults, values, and every fault with its place.

import Config
import Media
import System
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    private func read(_ text: String) throws -> Configuration { try Configuration(parsing: text, name: "f") }

    private func faults(_ text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch let error as ConfigError {
            return error.issues.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test("an empty file is one camera with all defaults, on loopback")
    func defaults() throws {
        let configuration = try read("")

        #expect(configuration.cameras.map(\.name) == ["cam"])
        let camera = configuration.cameras[0]
        #expect(camera.source == "auto")
        #expect(camera.encoder == .auto)
        #expect(camera.main?.bitrate == 4_000_000)
        #expect(camera.main?.gop == .seconds(2))
        #expect(camera.main?.size == nil)
        #expect(camera.sub?.size == PictureSize(width: 640, height: 360))
        #expect(camera.jpeg?.quality == 80)
        #expect(configuration.rtsp.port == 8554)
        #expect(configuration.rtsp.listen == "127.0.0.1")
        #expect(configuration.http.port == 8080)
        #expect(configuration.authentication == .on)
    }

    @Test("HLS lengths that do not fit together are faults")
    func playlists() throws {
        let hls = try read("[hls]\npart = 1s\nsegment = 2s\nwindow = 6s\n").hls
        #expect((hls.part, hls.segment, hls.window) == (.seconds(1), .seconds(2), .seconds(6)))
        #expect(faults("[hls]\npart = 1001ms\n").count == 1)
        #expect(faults("[hls]\nwindow = 5s\n").count == 1)
        #expect(faults("[hls]\nsegment = 10s\nwindow = 30s\n").isEmpty)
    }

    @Test(
        "a file with a password that everybody could read is saved for its owner alone, others as they were",
        arguments: [(0o644, 0o600), (0o640, 0o640), (0o600, 0o600), (0o604, 0o600)] as [(UInt32, UInt32)]
    )
    func savedMode(before: UInt32, after: UInt32) throws {
        let path = "/tmp/apus-test-config-\(Process.id)-\(before)"
        defer { File.remove(path) }
        try File.replace(path, with: Array("[camera.a]\n".utf8).span, mode: before)
        var (document, _) = try ConfigDocument.load(path)

        try document.save()
        #expect(File.mode(path).map { $0 & 0o777 } == before)
        document.set("camera.a", "source", to: "rtsp://me:hush@host/")
        try document.save()

        #expect(File.mode(path).map { $0 & 0o777 } == after)
    }

    @Test("every key can be set")
    func values() throws {
        let configuration = try read(
            """
            [apus]
            auth = off
            [log]
            level = debug
            [camera.a-1_b]
            source = file:/clips/a b.mp4?loop
            encoder = vaapi
            [camera.a-1_b.main]
            codec = h265
            size = 1280x720
            fps = 29.97
            bitrate = 2.5M
            gop = 500ms
            ring_size = 4M
            [camera.a-1_b.sub]
            enabled = no
            [camera.a-1_b.jpeg]
            quality = 50
            fps = 5
            [camera.b]
            [rtsp]
            listen = *
            port = 0
            max_latency = 2s
            max_clients = 7
            session_timeout = 90s
            [http]
            enabled = false
            """
        )

        #expect(configuration.authentication == .off)
        #expect(configuration.log.level == "debug")
        #expect(configuration.cameras.map(\.name) == ["a-1_b", "b"])
        let camera = try #require(configuration.camera("a-1_b"))
        #expect(camera.source == "file:/clips/a b.mp4?loop")
        #expect(camera.encoder == .vaapi)
        let main = try #require(camera.main)
        #expect(main.codec == .h265)
        #expect(main.size == PictureSize(width: 1280, height: 720))
        #expect(main.frameRate == Rational(30_000, 1001))
        #expect(main.bitrate == 2_500_000)
        #expect(main.gop == .milliseconds(500))
        #expect(main.ringSize == 4 << 20)
        #expect(camera.sub == nil)
        #expect(camera.jpeg?.quality == 50)
        #expect(camera.jpeg?.frameRate == Rational(5))
        #expect(configuration.rtsp.listen == "*")
        #expect(configuration.rtsp.maximumLatency == .seconds(2))
        #expect(configuration.rtsp.sessionTimeout == .seconds(90))
        #expect(!configuration.http.isEnabled)
    }

    @Test(
        "a fault is told with file, line and what was probably meant",
        arguments: [
            (
                "[camera.cam.main]\nbitrat = 4M",
                "f:2: unknown key \"bitrat\" in [camera.cam.main]; did you mean \"bitrate\"?"
            ),
            ("[rtps]", "f:1: unknown section [rtps]; did you mean \"rtsp\"?"),
            ("[camera.cam.mian]", "f:1: unknown section [camera.cam.mian]; did you mean \"camera.cam.main\"?"),
            (
                "[log]\nlevel = dbug",
                "f:2: level = dbug in [log]: expected error, warn, info or debug; did you mean \"debug\"?"
            ),
            ("[http]\nport = 65536", "f:2: port = 65536 in [http]: expected a number from 0 to 65535"),
            ("[http]\nport =", "f:2: port = \"\" in [http]: expected a number from 0 to 65535"),
            (
                "[http]\nlisten = localhost",
                "f:2: listen = localhost in [http]: expected an IPv4 or IPv6 address, or * for all"
            ),
            ("[http]\nport = 1\nport = 2", "f:3: key \"port\" is already set in line 2"),
            ("[http]\n[rtsp]\n[http]", "f:3: section [http] is already opened in line 1"),
            ("[camera.main]", "f:1: camera name \"main\" is reserved; choose another"),
            ("[camera.Küche]", "f:1: camera name \"Küche\" must be 1 to 32 of a–z, 0–9, _ and -"),
            ("[camera.]", "f:1: camera name \"\" must be 1 to 32 of a–z, 0–9, _ and -"),
            (
                "[camera.a.main]\ngop = 0s",
                "f:2: gop = 0s in [camera.a.main]: expected a duration from 100ms to 1m, such as 2s"
            ),
            ("[http]\nport = 8554", "f:2: port 8554 in [http] is already taken by [rtsp]"),
            ("[camera.a.jpeg]\nquality = 0", "f:2: quality = 0 in [camera.a.jpeg]: expected a number from 1 to 100"),
        ]
    )
    func fault(text: String, expected: String) {
        #expect(faults(text) == [expected])
    }

    @Test("all faults are told, in the order of their lines")
    func allFaults() {
        let found = faults("[rtsp]\nprot = 1\nport = x\nnonsense\n[htp]\n")

        #expect(found.map { $0.prefix(4) } == ["f:2:", "f:3:", "f:4:", "f:5:"])
    }

    @Test("other listeners than loopback need users, or auth = off")
    func listen() throws {
        let users = "/tmp/apus-users-\(Random.uint64())"
        let wide = "[apus]\nusers = \(users)\n[rtsp]\nlisten = 0.0.0.0"
        #expect(faults(wide).first?.contains("apus user add NAME, or auth = off in [apus]") == true)
        #expect(faults(wide).first?.contains(users) == true)
        try File.replace(users, with: Array("# nobody\n\n".utf8).span, mode: 0o600)
        defer { File.remove(users) }
        #expect(faults(wide).count == 1)
        try File.replace(users, with: Array("# one\n anna password=x\n".utf8).span, mode: 0o600)
        #expect(faults(wide) == [])
        #expect(faults("[rtsp]\nlisten = ::").count == 1)
        #expect(faults("[apus]\nauth = off\n[rtsp]\nlisten = 0.0.0.0") == [])
        #expect(faults("[rtsp]\nlisten = ::1\n[http]\nlisten = 127.1.2.3") == [])
        #expect(faults("[rtsp]\nenabled = no\nlisten = 0.0.0.0") == [])
    }

    @Test("users are beside the configuration file, or where it says")
    func users() throws {
        func path(_ text: String, _ name: String) throws -> String {
            try Configuration(parsing: text, name: name).users.path
        }
        #expect(try path("", "/etc/apus/apus.conf") == "/etc/apus/users")
        #expect(try path("[apus]\nusers = people", "/etc/apus/apus.conf") == "/etc/apus/people")
        #expect(try path("[apus]\nusers = /srv/people", "/etc/apus/apus.conf") == "/srv/people")
    }

    @Test("a users' file that is written anew makes another configuration")
    func usersStamp() throws {
        let users = "/tmp/apus-users-\(Random.uint64())"
        let text = "[apus]\nusers = \(users)"
        defer { File.remove(users) }
        let before = try Configuration(parsing: text, name: "f")
        try File.replace(users, with: Array("a".utf8).span, mode: 0o600)
        let after = try Configuration(parsing: text, name: "f")

        #expect(before != after)
        #expect(try Configuration(parsing: text, name: "f") == after)
    }

    @Test("one port may serve two addresses, and port 0 any number")
    func ports() {
        #expect(faults("[http]\nlisten = ::1\nport = 8554") == [])
        #expect(faults("[apus]\nauth = off\n[http]\nlisten = *\nport = 8554").count == 1)
        #expect(faults("[http]\nport = 0\n[rtsp]\nport = 0") == [])
    }

    @Test("streams must fit each other")
    func streams() {
        #expect(faults("[camera.a.main]\nsize = 320x240\n[camera.a.sub]\nsize = 640x360").count == 1)
        #expect(faults("[camera.a.main]\nsize = 640x360\n[camera.a.sub]\nsize = 640x360") == [])
        #expect(
            faults("[camera.a]\n[camera.a.main]\nenabled=no\n[camera.a.sub]\nenabled=no\n[camera.a.jpeg]\nenabled=no")
                == ["f:1: camera a has no stream that is enabled"]
        )
        #expect(
            faults("\n[camera.a.sub]\nenabled=no\n[camera.a.jpeg]\nenabled=no\n[camera.a.main]\nenabled=no")
                == ["f:2: camera a has no stream that is enabled"]
        )
    }

    @Test("only one camera reads standard input")
    func standardInput() {
        let found = faults("[camera.a]\nsource = stdin:mjpeg\n[camera.b]\nsource = stdin:h264")

        #expect(found == ["f:4: camera b cannot read standard input: camera a already does"])
    }

    @Test("a source that is not ours to start cannot be on demand", arguments: ["publish:", "stdin:h264"])
    func onDemand(source: String) throws {
        let section = "[camera.a]\non_demand = yes\nsource = "

        #expect(
            faults(section + source) == [
                "f:2: camera a cannot have on_demand: its source \(source) is not ours to start"
            ]
        )
        #expect(try read(section + "pattern:").cameras[0].isOnDemand)
    }

    @Test("slates can be put off, and left out")
    func slates() throws {
        #expect(try read("").cameras[0].slateDelay == .seconds(1))
        #expect(try read("[camera.a]\nslate_after = 0s").cameras[0].slateDelay == .zero)
        #expect(try read("[camera.a]\nslate = off").cameras[0].slateDelay == nil)
    }

    @Test("cameras up to the limit are taken, more are a fault")
    func cameraLimit() {
        let most = (0..<Configuration.maximumCameras).map { "[camera.c\($0)]\n" }.joined()

        #expect(faults(most) == [])
        #expect(faults(most + "[camera.more]\n").count == 1)
    }

    @Test("a camera name at the limit is taken, a longer one is a fault")
    func nameLimit() {
        #expect(CameraName.problem(with: String(repeating: "a", count: 32)) == nil)
        #expect(CameraName.problem(with: String(repeating: "a", count: 33)) != nil)
    }

    @Test(
        "a source must be one of those that exist",
        arguments: [
            ("auto", true), ("auto:", false), ("pattern:", true), ("pattern", false), ("pattern:?size=1x1", false),
            ("pattern:?size=640x480", true),
            ("v4l2:/dev/video0", true), ("v4l2:video0", false), ("file:/a", true), ("file:", false),
            ("file:?loop", false),
            ("stdin:mjpeg", true), ("stdin:h264", true), ("stdin:mp4", false), ("video:/dev/video0", false),
            ("", false),
        ]
    )
    func sources(source: String, isGood: Bool) {
        #expect((SourceScheme.problem(with: source) == nil) == isGood)
    }
}
