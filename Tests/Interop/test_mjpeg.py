# SPDX-License-Identifier: Apache-2.0
# Motion JPEG and snapshots: what µStreamer's, mjpg-streamer's and raspivid_mjpeg_server's clients rely on.

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from . import clients, settings
from .apus import Apus, until
from .case import Case, SharedSuite
from .mjpeg_client import MJPEGClient
from .rtsp_client import RTSPClient
from .test_access import Users
from .together import together

RATE = 25
WIDTH, HEIGHT = 640, 360
EXTRA = (
    "online dropped width height client-fps grab-begin-time grab-end-time encode-begin-time encode-end-time "
    "expose-begin-time expose-cmp-time expose-end-time send-time latency"
).split()


def parts(port, path, count, timeout=10):
    """The first parts of a stream as (fields, picture); fields in lower case. Needs Content-Length in each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        found = []
        assert answer.readline() == b"--boundarydonotcross\r\n"
        while len(found) < count:
            fields = {}
            while (line := answer.readline().decode().strip()) != "":
                name, value = line.split(": ", 1)
                fields[name.lower()] = value
            picture = answer.read(int(fields["content-length"]))
            assert answer.readline() == b"\r\n"
            assert answer.readline() == b"--boundarydonotcross\r\n"
            found.append((fields, picture))
        return dict(answer.getheaders()), found
    finally:
        connection.close()


class StreamTest(SharedSuite):
    """The stream's forms, and what is told of its viewers."""

    @classmethod
    def make_apus(cls):
        source = f"pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}"
        return Apus(cameras={"cam": source, "yard": source})

    @together
    def test_extra_headers_say_where_a_picture_was_when(self):
        _, found = parts(self.apus.http_port, "/stream?extra_headers=1", 3 * RATE)
        times = []
        for fields, picture in found:
            for name in EXTRA:
                self.assertIn(f"x-ustreamer-{name}", fields)
            value = {name: float(fields[f"x-ustreamer-{name}"]) for name in EXTRA[5:]}
            self.assertEqual(fields["x-ustreamer-online"], "true")
            size = int(fields["x-ustreamer-width"]), int(fields["x-ustreamer-height"])
            self.assertEqual(size, (WIDTH, HEIGHT))
            self.assertLessEqual(value["grab-begin-time"], value["encode-end-time"])
            self.assertLessEqual(value["encode-end-time"], value["send-time"])
            self.assertAlmostEqual(value["latency"], value["send-time"] - value["grab-begin-time"], delta=0.001)
            self.assertAlmostEqual(value["send-time"], time.monotonic(), delta=30)
            self.assertTrue(picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9"))
            times.append(value["grab-begin-time"])
        self.assert_monotonic(times, "grab-begin-time")
        self.assertAlmostEqual(float(found[-1][0]["x-ustreamer-client-fps"]), RATE, delta=RATE * 0.2)

    def test_zero_data_sends_parts_without_pictures(self):
        for query in ["zero_data=1", "zero_data=1&extra_headers=1"]:
            with self.subTest(query):
                _, found = parts(self.apus.http_port, f"/stream?{query}", 5)
                self.assertEqual([picture for _, picture in found], [b""] * 5)
        self.assertIn("x-ustreamer-latency", found[0][0])

    def test_advance_headers_come_behind_each_picture(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=10)
        connection.request("GET", "/stream?advance_headers=1&extra_headers=1")
        answer = connection.getresponse()
        data = answer.read(200_000)
        connection.close()

        opening = b"--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n"
        self.assertTrue(data.startswith(opening + b"\xff\xd8"))
        self.assertGreater(data.count(b"\xff\xd9\r\n" + opening + b"\xff\xd8"), 2)
        self.assertNotIn(b"X-UStreamer", data)

    def test_the_key_is_in_the_cookie_and_in_the_state(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=10)
        connection.request("GET", "/stream?key=mine&dual_final_frames=1")
        answer = connection.getresponse()
        answer.read(50_000)
        cookie = answer.getheader("Set-Cookie")
        name, _, rest = cookie.partition("=")
        key, _, identity = rest.split(";")[0].partition("/")

        def seen():
            answer.read(5_000)
            state = json.loads(self.apus.get("/state")[2])
            found = state["result"]["stream"]["clients_stat"][identity]
            return found if found["fps"] else None

        found = until(seen, 10, "the client's rate in the state")
        connection.close()

        self.assertEqual((name, key), ("stream_client", "mine"))
        self.assertRegex(identity, "^[0-9a-f]+$")
        self.assertEqual(found["key"], "mine")
        flags = [found[name] for name in ["extra_headers", "advance_headers", "dual_final_frames", "zero_data"]]
        self.assertEqual(flags, [False, False, True, False])

    def test_a_key_that_would_not_fit_in_a_cookie_counts_as_none(self):
        for key in ["a;b", "a%0d%0ab", "x" * 65, ""]:
            with self.subTest(key):
                status, headers, _ = self.apus.get(f"/stream?key={key}", method="HEAD")
                if status == 200:
                    self.assertTrue(headers["Set-Cookie"].startswith("stream_client=0/"), headers)
                else:
                    self.assertEqual(status, 400)

    def test_the_state_has_µstreamers_shape_for_each_camera(self):
        with MJPEGClient(self.apus.http_port, "/yard/mjpeg"):
            time.sleep(1.5)
            yard = json.loads(self.apus.get("/yard/state")[2])
            first = json.loads(self.apus.get("/state")[2])
            same = json.loads(self.apus.get("/cam/state")[2])

        self.assertTrue(yard["ok"])
        result = yard["result"]
        self.assertEqual(sorted(result), ["encoder", "instance_id", "source", "stream"])
        self.assertEqual(sorted(result["encoder"]), ["quality", "type"])
        self.assertEqual(result["source"]["resolution"], {"width": WIDTH, "height": HEIGHT})
        self.assertTrue(result["source"]["online"])
        self.assertEqual(result["source"]["desired_fps"], RATE)
        self.assertAlmostEqual(result["source"]["captured_fps"], RATE, delta=RATE * 0.2)
        self.assertAlmostEqual(result["stream"]["queued_fps"], RATE, delta=RATE * 0.2)
        self.assertEqual(result["stream"]["clients"], 1)
        self.assertEqual(first["result"]["stream"]["clients"], 0)
        self.assertEqual(first["result"]["instance_id"], "cam")
        self.assertEqual(same["result"]["instance_id"], "cam")

    def test_every_address_of_the_design(self):
        pictures = ["/cam/snapshot.jpg", "/yard/snapshot.jpg", "/snap.jpg", "/snapshot", "/?action=snapshot"]
        streams = ["/cam/mjpeg", "/yard/mjpeg", "/mjpeg", "/stream", "/video.mjpg", "/?action=stream"]
        for path in pictures:
            with self.subTest(path):
                status, headers, body = self.apus.get(path)
                self.assertEqual((status, headers["Content-Type"]), (200, "image/jpeg"))
                self.assertTrue(body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9"))
        for path in streams:
            with self.subTest(path):
                _, found = parts(self.apus.http_port, path, 3)
                self.assertEqual(len(found), 3)
        for path in ["/state", "/cam/state", "/yard/state", "/api/v1/cameras", "/healthz", "/"]:
            with self.subTest(path):
                self.assertEqual(self.apus.get(path)[0], 200)

    @together
    def test_the_rtsp_port_serves_video_mjpg_too(self):
        _, found = parts(self.apus.rtsp_port, "/video.mjpg", RATE)
        self.assertEqual(len(found), RATE)
        clients.ffmpeg(
            f"http://127.0.0.1:{self.apus.rtsp_port}/video.mjpg", RATE, settings.SECONDS, ["-f", "mpjpeg"]
        )

    def test_a_connection_that_was_handed_over_goes_on_with_http(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.rtsp_port, timeout=10)
        connection.request("HEAD", "/video.mjpg")
        answer = connection.getresponse()
        answer.read()
        connection.close()

        self.assertEqual(answer.status, 200)
        self.assertIn("multipart/x-mixed-replace", answer.getheader("Content-Type"))

    def test_other_addresses_on_the_rtsp_port_lead_to_the_http_port(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.rtsp_port, timeout=10)
        connection.request("GET", "/cam/snapshot.jpg")
        answer = connection.getresponse()
        connection.close()

        self.assertEqual(answer.status, 302)


class RestTest(Case):
    """A source that gives a picture now and then."""

    def watch(self, path, picture):
        """What a viewer gets of one picture in three seconds and a half."""
        config = "[camera.cam]\nsource = stdin:mjpeg\nslate = no\n"
        with Apus(config=config, stdin=subprocess.PIPE, streams=[]) as apus:
            with MJPEGClient(apus.http_port, path, keep_data=True) as client:
                time.sleep(0.5)
                apus.process.stdin.write(picture)
                apus.process.stdin.flush()
                until(lambda: client.pictures, 10, "the picture")
                time.sleep(3.5)
                found = list(client.pictures)
            apus.process.stdin.close()
        self.assertEqual({len(picture.data) for picture in found}, {len(picture)})
        return [after.arrived - found[0].arrived for after in found[1:]]

    @together
    def test_the_last_picture_comes_again_each_second(self):
        with Apus(cameras={"cam": "pattern:?size=320x180&fps=25"}) as apus:
            picture = apus.get("/cam/snapshot.jpg")[2]

        def once(path):
            times = self.watch(path, picture)
            self.assertEqual(len(times), 3, times)
            self.assertTrue(all(after < (number + 1) * 1.3 for number, after in enumerate(times)), times)

        def twice(path):
            times = self.watch(path, picture)
            self.assertEqual(len(times), 4, times)
            self.assertLess(times[0], 0.6)

        checks = {"/cam/mjpeg": once, "/cam/mjpeg?dual_final_frames=1": twice}
        self.each(list(checks), lambda path: checks[path](path))


class OnlyRTSP(Apus):
    """A suite without apus-http."""

    def is_healthy(self):
        return self.describes("cam")


class WithoutHTTPTest(unittest.TestCase):
    def test_the_rtsp_port_says_that_apus_http_is_not_there(self):
        config = "[http]\nenabled = no\n[camera.cam]\nsource = pattern:?size=320x180\n"
        with OnlyRTSP(config=config, streams=[]) as apus:
            answer = self.ask(apus.rtsp_port)

        self.assertEqual(answer.status, 503)
        self.assertIn(b"apus-http", answer.read())

    def ask(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/video.mjpg")
        return connection.getresponse()


class AccessTest(unittest.TestCase):
    def test_the_rtsp_port_asks_for_users_like_the_http_port(self):
        with Users(streams=[]) as apus:
            connection = http.client.HTTPConnection("127.0.0.1", apus.rtsp_port, timeout=10)
            connection.request("GET", "/video.mjpg")
            self.assertEqual(connection.getresponse().status, 401)
            connection.close()
            url = f"http://127.0.0.1:{apus.rtsp_port}/video.mjpg"
            output, _ = clients.run(
                ["curl", "-s", "--digest", "-u", "bob:kennwort", "-I", "-w", "%{http_code}", url], 20
            )
            self.assertTrue(output.endswith("200"), output)


class PastTest(unittest.TestCase):
    """Pictures of a time in which somebody watched, or nobody did."""

    @together
    def test_a_picture_of_the_past_is_decoded_where_nobody_wanted_jpeg(self):
        with Apus(cameras={"cam": f"pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}"}) as apus:
            # The encoder of the main stream works for those who look at it.
            with RTSPClient(apus.rtsp("cam")) as viewer:
                viewer.play()
                time.sleep(3)
                now = time.time()
                status, headers, body = apus.get("/cam/snapshot.jpg?at=-1.5s")
        self.assertEqual(status, 200, body[:200])
        self.assertTrue(body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9"))
        self.assertAlmostEqual(now - float(headers["X-Timestamp"]), 1.5, delta=0.15)

    @together
    def test_a_time_when_nobody_watched_is_not_found(self):
        with Apus(cameras={"cam": f"pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}"}) as apus:
            with RTSPClient(apus.rtsp("cam")) as viewer:
                viewer.play()
                time.sleep(1)
            # From now on the encoder rests; its last picture is not that of a later time.
            def has_gone():
                status, _, body = apus.get("/cam/snapshot.jpg?at=-100ms")
                return status == 404 and b"nobody watched" in body

            # Who asks keeps the encoder awake for a while.
            until(has_gone, 25, "the last picture is too old", interval=6)


class SnapshotTest(SharedSuite):
    """What may be asked of a snapshot."""

    @classmethod
    def make_apus(cls):
        return Apus(
            config=(
                f"[camera.cam]\nsource = pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}\n"
                "[camera.gone]\nsource = v4l2:/dev/video63\n"
            ),
            streams=["cam"],
        )

    def picture(self, query, name="picture.jpg"):
        status, headers, body = self.apus.get(f"/cam/snapshot.jpg{query}")
        self.assertEqual(status, 200, body[:200])
        path = self.apus.directory / name
        path.write_bytes(body)
        found = clients.ffprobe_stream(path)
        return (found["width"], found["height"]), headers, body

    def test_pictures_are_scaled(self):
        for query, size in [
            ("?width=320", (320, 180)), ("?height=90", (160, 90)), ("?width=100&height=100", (100, 100)),
            ("?width=1280", (1280, 720)), ("?quality=20", (WIDTH, HEIGHT)),
        ]:
            with self.subTest(query):
                self.assertEqual(self.picture(query)[0], size)

    def test_quality_is_a_matter_of_bytes(self):
        coarse, fine = (len(self.picture(f"?quality={quality}")[2]) for quality in (5, 95))

        self.assertLess(coarse * 2, fine)

    def test_a_fresh_picture_is_taken_after_the_request(self):
        self.picture("")
        before = time.time()
        _, headers, _ = self.picture("?fresh=1")

        self.assertGreaterEqual(float(headers["X-Timestamp"]), before - 0.001)

    def test_a_picture_of_the_past_comes_from_the_rings(self):
        with MJPEGClient(self.apus.http_port, "/cam/mjpeg"):
            time.sleep(3.5)
            for query, age in [("?at=-2s", 2), ("?at=-500ms", 0.5), ("?at=-2.0&width=160", 2)]:
                with self.subTest(query):
                    now = time.time()
                    _, headers, _ = self.picture(query)
                    self.assertAlmostEqual(now - float(headers["X-Timestamp"]), age, delta=0.15)

    def test_a_time_that_no_ring_reaches_is_not_found(self):
        status, _, body = self.apus.get("/cam/snapshot.jpg?at=-3000s")

        self.assertEqual(status, 404, body)

    def test_what_makes_no_sense_is_refused(self):
        for query in [
            "width=0", "width=99999", "width=x", "height=-1", "quality=0", "quality=101", "at=5", "at=-", "at=-1e9",
            "at=-2h", "at=-99999", "fresh=2", "fresh=1&at=-1", "fallback=x",
        ]:
            with self.subTest(query):
                self.assertEqual(self.apus.get(f"/cam/snapshot.jpg?{query}")[0], 400)

    def test_fields_say_what_the_picture_is(self):
        status, headers, body = self.apus.get("/snapshot")

        self.assertEqual(status, 200)
        self.assertEqual(int(headers["Content-Length"]), len(body))
        self.assertEqual(headers["X-UStreamer-Online"], "true")
        self.assertEqual((int(headers["X-UStreamer-Width"]), int(headers["X-UStreamer-Height"])), (WIDTH, HEIGHT))
        for name in ["Grab-Begin", "Grab-End", "Encode-Begin", "Encode-End", "Send"]:
            self.assertGreater(float(headers[f"X-UStreamer-{name}-Timestamp"]), 0)
        self.assertRegex(headers["ETag"], '^".+"$')
        self.assertTrue(headers["Last-Modified"].endswith(" GMT"))
        self.assertAlmostEqual(float(headers["X-Timestamp"]), time.time(), delta=2)

    def test_head_tells_the_length(self):
        for query in ["", "?width=64"]:
            with self.subTest(query):
                status, headers, body = self.apus.get(f"/cam/snapshot.jpg{query}", method="HEAD")
                self.assertEqual((status, body), (200, b""))
                self.assertGreater(int(headers["Content-Length"]), 500)

    def test_many_at_once_are_one_encode(self):
        with MJPEGClient(self.apus.http_port, "/cam/mjpeg"):
            time.sleep(1)
            sockets = [socket.create_connection(("127.0.0.1", self.apus.http_port)) for _ in range(100)]
            for one in sockets:
                one.sendall(b"GET /cam/snapshot.jpg?width=320 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answers = [one.makefile("rb").read() for one in sockets]
            for one in sockets:
                one.close()

        self.assertEqual({answer.split(b" ", 2)[1] for answer in answers}, {b"200"})
        tags = {answer.split(b"ETag: ", 1)[1].split(b"\r\n", 1)[0] for answer in answers}
        # All came within a few frames' time.
        self.assertLess(len(tags), 15)

    def test_a_camera_that_is_lost_has_no_picture_but_the_slate(self):
        def lost():
            status, _, body = self.apus.get("/gone/snapshot.jpg")
            return body if status == 503 and b"lost" in body else None

        until(lost, 15, "503 with the reason")
        status, headers, body = self.apus.get("/gone/snapshot.jpg?fallback=slate")
        self.assertEqual((status, headers["X-UStreamer-Online"]), (200, "false"))
        self.assertTrue(body.startswith(b"\xff\xd8"))

        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=10)
        connection.request("GET", "/gone/snapshot.jpg", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 503)
        self.assertIn("lost", json.loads(answer.read())["error"]["message"])
        connection.close()

    def test_pictures_are_made_again_when_the_cameras_process_is_back(self):
        self.picture("?width=64")
        for pid, name in self.apus.processes().items():
            if name == "apus-video":
                os.kill(pid, signal.SIGKILL)
        until(lambda: self.apus.get("/cam/snapshot.jpg?width=66")[0] == 200, 20, "a picture again", interval=0.2)
