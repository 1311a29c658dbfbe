# SPDX-License-Identifier: Apache-2.0
# The HTTP API: against its own OpenAPI document with schemathesis, events, controls, configuration, metrics.

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

from . import settings
from .apus import Apus, until
from .case import SharedSuite
from .mjpeg_client import MJPEGClient

CONFIG = """
[apus]
auth = off
[camera.cam]
source = pattern:?size=640x360&fps=25
[camera.yard]
source = pattern:?size=320x180&fps=10
[camera.gone]
source = rtsp://me:hush-hush@127.0.0.1:9/none
"""


class APITest(SharedSuite):
    """Three cameras, one of which is not there."""

    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=["cam"])

    def ask(self, method, path, body=None, headers=None):
        """The status, the fields and the JSON of an answer; what is no JSON comes as bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=10)
        try:
            fields = dict(headers or {})
            if body is not None:
                fields.setdefault("Content-Type", "application/json")
            content = None if body is None else body if isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, content, fields)
            response = connection.getresponse()
            content = response.read()
            is_json = response.getheader("Content-Type") == "application/json"
            return response.status, response.headers, json.loads(content) if is_json and content else content
        finally:
            connection.close()

    def get(self, path):
        status, _, answer = self.ask("GET", path)
        self.assertEqual(status, 200, answer)
        return answer

    def test_the_server_keeps_to_its_document(self):
        library = settings.schemathesis()
        # The connection of an event stream does not end, and telling daemons anything would tell them to end.
        command = [sys.executable, "-m", "schemathesis.cli", "run", "--experimental=openapi-3.1"]
        command += ["--base-url", f"http://127.0.0.1:{self.apus.http_port}", "--request-timeout", "5000"]
        command += ["--hypothesis-max-examples", "8", "--hypothesis-deadline", "5000", "--hypothesis-seed", "1"]
        command += ["--hypothesis-suppress-health-check", "all", "--workers", "1"]
        command += ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]
        command += ["--checks", "response_schema_conformance"]
        for operation in ["listEvents", "tellDaemon", "changeConfig", "kickClient"]:
            command += ["--exclude-operation-id", operation]
        command += [f"http://127.0.0.1:{self.apus.http_port}/api/v1/openapi.json"]
        result = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(library), "NO_COLOR": "1"},
            cwd=self.apus.directory,
            capture_output=True,
            text=True,
            timeout=90,
        )

        self.assertEqual(result.returncode, 0, result.stdout[-6000:] + result.stderr[-2000:])

    def test_failures_are_json_with_a_code(self):
        big = "{" + " " * 70_000 + "}"
        controls = "/api/v1/cameras/cam/controls"
        cases = [
            ("GET", "/api/v1/nothing", None, None, 404),
            ("GET", "/api/v1/cameras/nobody", None, None, 404),
            ("POST", "/api/v1/cameras", {}, None, 405),
            ("DELETE", "/api/v1/system", None, None, 405),
            ("GET", "/api/v1/cameras?limit=0", None, None, 422),
            ("GET", "/api/v1/clients?after=x", None, None, 422),
            ("PATCH", controls, "{}", {"Content-Type": "text/plain"}, 415),
            ("PATCH", controls, "{", None, 400),
            ("PATCH", controls, {"brightness": 1000}, None, 422),
            ("PATCH", controls, {"brightness": "much"}, None, 422),
            ("PATCH", controls, {"nonsense": 1}, None, 422),
            ("DELETE", "/api/v1/clients/rtsp/999999", None, None, 404),
            ("POST", "/api/v1/daemons/rtsp/verbs/fly", {}, None, 404),
            ("POST", "/api/v1/daemons/rtsp/verbs/kick", {}, None, 422),
            ("PATCH", "/api/v1/config", {"rtsp.prot": 1}, None, 422),
        ]
        for method, path, body, headers, expected in cases:
            with self.subTest(f"{method} {path} {body}"):
                status, _, answer = self.ask(method, path, body, headers)
                self.assertEqual(status, expected, answer)
                self.assertTrue(answer["error"]["code"])
                self.assertTrue(answer["error"]["message"])

    def test_what_is_wrong_with_the_request_itself_is_json_for_programs_and_text_for_others(self):
        long = "x" * 70_000
        for path, is_json in [("/api/v1/cameras", True), ("/v3/paths/list", True), ("/cam/snapshot.jpg", False)]:
            for request, status in [
                (f"PATCH {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", 413),
                (f"GET {path}?{long} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
                (f"GET {path} HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n", 431),
                (f"GET {path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ]:
                with self.subTest(path=path, status=status):
                    answer = self.exchange(request)
                    self.assertEqual(int(answer.split(b" ")[1]), status)
                    head, _, body = answer.partition(b"\r\n\r\n")
                    self.assertEqual(b"Content-Type: application/json" in head, is_json, head)
                    if is_json:
                        self.assertTrue(json.loads(body)["error"]["message"])

    def exchange(self, request):
        """All that the server answers to some bytes."""
        with socket.create_connection(("127.0.0.1", self.apus.http_port), 10) as connection:
            connection.sendall(request.encode())
            answer = b""
            while data := connection.recv(1 << 16):
                answer += data
        return answer

    def test_cameras_are_told_page_by_page(self):
        first = self.get("/api/v1/cameras?limit=2")
        second = self.get(f"/api/v1/cameras?limit=2&after={first['next']}")

        self.assertEqual([camera["name"] for camera in first["cameras"]], ["cam", "yard"])
        self.assertEqual([camera["name"] for camera in second["cameras"]], ["gone"])
        self.assertIsNone(second["next"])
        self.assertEqual(second["cameras"][0]["state"], "lost")
        self.assertFalse(second["cameras"][0]["online"])

    def test_controls_change_what_is_seen_and_go_back(self):
        path = "/api/v1/cameras/yard/controls"

        def values():
            return {control["name"]: control.get("value") for control in self.get(path)["controls"]}

        status, _, _ = self.ask("PATCH", path, {"brightness": 40, "main.bitrate": 700_000})
        changed = values()
        refused = self.ask("PATCH", path, {"contrast": 50, "brightness": 101})[2]
        kept = values()
        self.ask("PUT", path, {"contrast": 120})
        replaced = values()

        self.assertEqual(status, 200)
        self.assertEqual((changed["brightness"], changed["main.bitrate"]), (40, 700_000))
        self.assertEqual(refused["error"]["key"], "brightness")
        self.assertEqual({**kept, "frames": 0}, {**changed, "frames": 0})
        self.assertEqual((replaced["brightness"], replaced["contrast"]), (0, 120))
        self.assertNotEqual(replaced["main.bitrate"], 700_000)

    def test_a_switch_is_set_before_what_it_frees_and_null_is_the_default(self):
        path = "/api/v1/cameras/yard/controls"

        def values(method, body):
            status, _, answer = self.ask(method, path, body)
            self.assertEqual(status, 200, answer)
            return {control["name"]: control.get("value") for control in answer["controls"]}

        values("PATCH", {"brightness_automatic": True, "contrast": 90})
        freed = values("PATCH", {"brightness": 30, "brightness_automatic": False})
        values("PATCH", {"brightness_automatic": True})
        inactive = values("PATCH", {"brightness": None, "contrast": None})
        values("PUT", {"brightness_automatic": False, "brightness": 20})
        reset = values("PATCH", {"brightness": None, "brightness_automatic": None, "frame_skip": None})

        self.assertEqual((freed["brightness"], freed["brightness_automatic"]), (30, False))
        self.assertEqual((inactive["brightness_automatic"], inactive["contrast"]), (True, 100))
        self.assertEqual((reset["brightness"], reset["brightness_automatic"]), (0, False))
        for body in [{"label": 7}, {"label": "x" * 33}, {"label": None}, {"frame_skip": 9}, {"frames": 1}]:
            with self.subTest(body):
                self.assertEqual(self.ask("PATCH", path, body)[0], 422)

    def test_a_changed_control_is_an_event_whoever_changed_it(self):
        def told(reader, *names):
            """The next news of each of these controls, in whatever order."""
            news = {}
            while len(news) < len(names):
                control = reader.until("control", "yard", lambda data: data["control"]["name"] in names)["data"]["control"]
                news[control["name"]] = control
            return [news[name] for name in names]

        def is_heard():
            """The HTTP server has begun to listen to the camera's process."""
            with EventReader(self.apus.http_port, timeout=1) as reader:
                self.ctl("video.yard", "set-control", "name=speed", "value=100")
                try:
                    return reader.until("control", "yard")
                except TimeoutError:
                    return None

        until(is_heard, 20, "events come")
        with EventReader(self.apus.http_port) as reader:
            self.ctl("video.yard", "set-control", "name=brightness_automatic", "value=true")
            switch, taken = told(reader, "brightness_automatic", "brightness")
            self.ctl("video.yard", "set-bitrate", "stream=main", "value=800000")
            [bitrate] = told(reader, "main.bitrate")
            self.ask("PATCH", "/api/v1/cameras/yard/controls", {"brightness_automatic": None, "main.bitrate": None})
            back, freed, standard = told(reader, "brightness_automatic", "brightness", "main.bitrate")

        self.assertEqual((switch["value"], taken["active"], bitrate["value"]), (True, False, 800_000))
        self.assertEqual((back["value"], freed["active"], standard["value"]), (False, True, standard["default"]))

    def ctl(self, *arguments):
        command = [settings.PROGRAMS / "apus", "ctl", "--run-dir", self.apus.run_dir, *arguments]
        subprocess.run(command, capture_output=True, timeout=15, check=True)

    def test_viewers_are_listed_counted_and_sent_away(self):
        with MJPEGClient(self.apus.http_port, "/cam/mjpeg") as client:
            until(lambda: len(client.arrivals()) >= 3, 5, "pictures come")

            def mine():
                found = self.get("/api/v1/clients?camera=cam&transport=mjpeg")["clients"]
                return found[0] if len(found) == 1 else None

            viewer = until(mine, 5, "the viewer is listed")
            camera = until(
                lambda: next(
                    (s for s in self.get("/api/v1/cameras/cam")["streams"] if s["viewers"].get("mjpeg") == 1), None
                ),
                5,
                "the viewer is counted",
            )
            status, _, _ = self.ask("DELETE", f"/api/v1/clients/{viewer['daemon']}/{viewer['id']}")
            until(lambda: mine() is None, 5, "the viewer is gone")

        self.assertEqual(camera["name"], "jpeg")
        self.assertEqual(status, 204)

    def test_events_come_as_they_happen_and_after_a_pause(self):
        with EventReader(self.apus.http_port) as reader:
            with MJPEGClient(self.apus.http_port, "/yard/mjpeg") as client:
                until(client.arrivals, 5, "pictures come")
            joined = reader.until("viewer-joined", "yard")
            left = reader.until("viewer-left", "yard")
        with EventReader(self.apus.http_port, last=joined["id"]) as reader:
            again = reader.until("viewer-left", "yard")

        self.assertEqual(joined["data"]["transport"], "mjpeg")
        self.assertEqual(again["id"], left["id"])

    def test_the_configuration_shows_no_passwords_and_tells_what_a_change_does(self):
        config = self.get("/api/v1/config")
        source = next(key for key in config["keys"] if key["key"] == "camera.gone.source")
        body = {"camera.yard.main.bitrate": "800k", "camera.cam.main.codec": "h265"}
        status, _, answer = self.ask("PATCH", "/api/v1/config?dry_run=true", body)

        self.assertNotIn("hush-hush", json.dumps(config))
        self.assertEqual(source["value"], "rtsp://me:***@127.0.0.1:9/none")
        self.assertEqual(status, 200, answer)
        self.assertIn({"name": "video.cam", "effect": "restart"}, answer["daemons"])
        self.assertIn({"name": "video.yard", "effect": "live"}, answer["daemons"])
        self.assertEqual(answer["interrupted"], ["cam/jpeg", "cam/main", "cam/sub"])
        self.assertNotIn("800k", (self.apus.directory / "apus.conf").read_text())
        self.assertEqual(self.ask("PATCH", "/api/v1/config", {"camera.gone.source": source["value"]})[0], 422)

    def test_a_list_is_not_asked_for_by_what_it_does_not_know(self):
        for path, code, key in [
            ("/api/v1/clients?camra=cam", "unknown-key", "camra"), ("/api/v1/clients?camera=cam&camera=yard", "repeated-key", "camera"),
            ("/api/v1/cameras?Limit=1", "unknown-key", "Limit"), ("/api/v1/logs?limit=1&limit=2", "repeated-key", "limit"),
        ]:
            with self.subTest(path):
                status, _, answer = self.ask("GET", path)

                self.assertEqual(status, 400)
                self.assertEqual((answer["error"]["code"], answer["error"]["key"]), (code, key))
        self.assertIn("camera", self.ask("GET", "/api/v1/clients?camra=cam")[2]["error"]["message"])

    def test_a_file_that_is_given_a_password_is_its_owners_alone(self):
        path = self.apus.directory / "apus.conf"
        path.chmod(0o644)
        try:
            status, _, answer = self.ask(
                "PATCH", "/api/v1/config", {"camera.gone.source": "rtsp://me:hush-hush@127.0.0.1:9/other"})
            self.assertEqual(status, 200, answer)
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        finally:
            self.ask("PATCH", "/api/v1/config", {"camera.gone.source": "rtsp://me:hush-hush@127.0.0.1:9/none"})

    def test_a_changed_configuration_is_written_and_in_force(self):
        status, _, answer = self.ask("PATCH", "/api/v1/config", {"camera.yard.main.bitrate": "900k"})

        def bitrate():
            controls = self.get("/api/v1/cameras/yard/controls")["controls"]
            return next((c["default"] for c in controls if c["name"] == "main.bitrate"), None)

        self.assertEqual(status, 200, answer)
        self.assertIs(answer["in_force"], True)
        self.assertEqual(bitrate(), 900_000)
        self.assertIn("bitrate = 900k", (self.apus.directory / "apus.conf").read_text())

    def test_a_change_has_the_effect_that_a_dry_run_tells(self):
        for key, value, back in [
            ("camera.yard.sub.bitrate", "300k", "400k"), ("camera.yard.jpeg.quality", "70", "80"),
            ("camera.yard.source", "pattern:?size=320x180&fps=5", "pattern:?size=320x180&fps=10"),
            ("http.max_clients", "99", "128"), ("http.hosts", "a.example", "none"), ("rtsp.max_clients", "99", "128"),
            ("log.level", "debug", "info"), ("rtsp.session_timeout", "50s", "60s"),
        ]:
            for wanted in [value, back]:
                with self.subTest(key=key, value=wanted):
                    _, _, told = self.ask("PATCH", "/api/v1/config?dry_run=1", {key: wanted})
                    status, _, done = self.ask("PATCH", "/api/v1/config", {key: wanted})
                    self.assertEqual((status, done.get("in_force")), (200, True), done)
                    self.assertIsNone(told["in_force"])
                    effects = lambda answer: sorted((one["name"], one["effect"]) for one in answer["daemons"])
                    self.assertEqual(effects(done), effects(told))

    def test_a_change_that_does_not_come_into_force_is_an_error_with_the_key(self):
        status, _, answer = self.ask("PATCH", "/api/v1/config", {"rtsp.listen": "203.0.113.1"})
        self.assertEqual((status, answer.get("error", {}).get("key")), (422, "rtsp.listen"), answer)
        status, _, answer = self.ask("PATCH", "/api/v1/config", {"rtsp.listen": "127.0.0.1"})
        self.assertEqual((status, answer["in_force"]), (200, True), answer)

    def test_daemons_machine_and_log_are_told(self):
        daemons = {daemon["name"]: daemon for daemon in self.get("/api/v1/daemons")["daemons"]}
        system = self.get("/api/v1/system")
        lines = self.get("/api/v1/logs?limit=5")

        self.assertEqual(set(daemons), {"video.cam", "video.yard", "video.gone", "rtsp", "http", "supervisor"})
        for daemon in daemons.values():
            self.assertEqual(daemon["state"], "running")
            self.assertGreater(daemon["memory"]["pss"], 1 << 20)
        self.assertGreater(system["memory"]["total"], system["memory"]["available"])
        self.assertEqual(len(system["cpus"]), os.cpu_count())
        self.assertEqual(len(lines["lines"]), 5)
        self.assertEqual(self.get(f"/api/v1/logs?after={lines['next'] + 1000}")["lines"], [])

    def test_metrics_are_what_prometheus_wants(self):
        with MJPEGClient(self.apus.http_port, "/cam/mjpeg") as client:
            until(lambda: len(client.arrivals()) >= 3, 5, "pictures come")
            page = self.get("/metrics")
        check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=20)
        text = page.decode()
        _, fields, other = self.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})

        self.assertEqual((check.returncode, check.stdout + check.stderr), (0, b""))
        for daemon in ["http", "rtsp", "video.cam", "supervisor"]:
            self.assertIn(f'apus_up{{daemon="{daemon}"}} 1', text)
        self.assertIn('apus_camera_online{camera="gone"} 0', text)
        self.assertIn('apus_viewers{camera="cam",stream="jpeg",transport="mjpeg"} 1', text)
        self.assertIn("openmetrics-text", fields["Content-Type"])
        self.assertTrue(other.endswith(b"# EOF\n"))

    def test_viewers_of_all_transports_are_counted_and_listed(self):
        port = self.apus.http_port
        sockets = []
        for path in ["ws", "sub/ws?format=chunks", "mse"]:
            sockets.append(socket.create_connection(("127.0.0.1", port), 10))
            sockets[-1].sendall(
                f"GET /cam/{path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
        player = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            def playlist():
                player.request("GET", "/cam/main/index.m3u8?plain=1")
                answer = player.getresponse()
                return answer.status, answer.read().decode()

            status, text = playlist()
            self.assertEqual(status, 200, text)
            segment = [line for line in text.splitlines() if line and not line.startswith("#")][-1]
            player.request("GET", f"/cam/main/{segment}")
            self.assertGreater(len(player.getresponse().read()), 1000)
            wanted = {("main", "ws"), ("sub", "ws"), ("main", "mse"), ("main", "hls")}

            def counted():
                streams = self.get("/api/v1/cameras/cam")["streams"]
                return {(one["name"], kind) for one in streams for kind, count in one["viewers"].items() if count == 1}

            until(lambda: wanted <= counted(), 5, "all viewers are counted")
            listed = self.get("/api/v1/clients?camera=cam")["clients"]
            self.assertLessEqual(wanted, {(one["stream"], one["transport"]) for one in listed})
            metrics = self.ask("GET", "/metrics")[2].decode()
            for stream, kind in wanted:
                labels = f'camera="cam",stream="{stream}",transport="{kind}"'
                self.assertIn(f"apus_viewers{{{labels}}} 1", metrics)
                sent = [line for line in metrics.splitlines() if "sent_bytes" in line and labels in line]
                self.assertGreater(float(sent[0].split()[-1]), 1000, sent)
            # From one device, or pattern, to another a camera goes as it runs; a daemon that is started again loses its viewers.
            live = self.ask("PATCH", "/api/v1/config?dry_run=1", {"camera.cam.source": "pattern:?size=640x360&fps=20"})[2]
            self.assertEqual(live["viewers"], 0)
            dry = self.ask("PATCH", "/api/v1/config?dry_run=1", {"camera.cam.on_demand": "yes"})[2]
            self.assertGreaterEqual(dry["viewers"], 4)
            viewer = next(one["id"] for one in listed if one["transport"] == "hls")
            self.assertEqual(self.ask("DELETE", f"/api/v1/clients/http/{viewer}")[0], 204)
            player.close()
            self.assertEqual(playlist()[0], 403)
            until(lambda: ("main", "hls") not in counted(), 5, "he is not counted any more")
        finally:
            player.close()
            for one in sockets:
                one.close()

    def test_a_daemon_that_is_silent_is_told_so_and_holds_nobody_up(self):
        status = self.get("/api/v1/daemons/video.yard")["status"]
        # What was said less than a second ago would be told again.
        time.sleep(1)
        os.kill(status["pid"], signal.SIGSTOP)
        began = time.monotonic()
        text = self.get("/metrics").decode()
        elapsed = time.monotonic() - began
        # The supervisor replaces it.
        until(lambda: self.ask("GET", "/readyz")[0] == 200, 10, "it is back")

        self.assertIn('apus_up{daemon="video.yard"} 0', text)
        self.assertIn('apus_up{daemon="video.cam"} 1', text)
        self.assertLess(elapsed, 2)

    def test_other_servers_clients_find_their_way(self):
        paths = self.get("/v3/paths/list?itemsPerPage=2")
        streams = self.get("/api/streams")
        status, fields, picture = self.ask("GET", "/api/frame.jpeg?src=yard")

        self.assertEqual((paths["itemCount"], paths["pageCount"], len(paths["items"])), (3, 2, 2))
        self.assertEqual(paths["items"][0]["tracks"], ["H264"])
        self.assertEqual(list(streams), ["cam", "yard", "gone"])
        self.assertEqual((status, fields["Content-Type"], picture[:2]), (200, "image/jpeg", b"\xff\xd8"))
        self.assertEqual(self.ask("GET", "/api/frame.jpeg?src=nobody")[0], 404)

    def test_ready_means_that_all_cameras_daemons_are(self):
        self.assertEqual(self.get("/readyz"), {"ready": True, "waiting": []})


class EventReader:
    """Reads /api/v1/events."""

    def __init__(self, port, last=None, timeout=10):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.connection.request("GET", "/api/v1/events", headers={"Last-Event-ID": last} if last else {})
        self.response = self.connection.getresponse()
        assert self.response.status == 200

    def until(self, kind, camera, is_wanted=lambda data: True):
        """The next event of that kind about that camera, with data that is wanted."""
        event = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
                continue
            if event.get("event") == kind:
                data = json.loads(event["data"])
                if data["camera"] == camera and is_wanted(data):
                    return {**event, "data": data}
            event = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
