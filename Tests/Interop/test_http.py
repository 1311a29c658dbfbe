# SPDX-License-Identifier: Apache-2.0
# The page, snapshots, MJPEG and health, with curl, VLC and a counting client.

import socket
import time

from . import clients, settings
from .apus import Apus
from .case import SharedSuite, longest_gap
from .mjpeg_client import MJPEGClient
from .together import together

RATE = 25
WIDTH, HEIGHT = 1280, 720


class HTTPTest(SharedSuite):
    """One camera, all that HTTP serves of it."""

    @classmethod
    def make_apus(cls):
        return Apus(cameras={"cam": f"pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}"})

    def test_curl_gets_a_valid_snapshot(self):
        path = self.apus.directory / "snapshot.jpg"
        headers = clients.curl(self.apus.http("/cam/snapshot.jpg"), path)
        found = clients.ffprobe_stream(path)
        clients.picture(path, self.apus.directory / "decoded.png")

        self.assertIn("image/jpeg", headers.lower())
        self.assertEqual((found["codec_name"], found["width"], found["height"]), ("mjpeg", WIDTH, HEIGHT))

    def test_a_snapshot_is_fresh(self):
        first = self.apus.get("/cam/snapshot.jpg")[2]
        time.sleep(0.5)
        second = self.apus.get("/cam/snapshot.jpg")[2]

        self.assertNotEqual(first, second)

    def test_mjpeg_comes_at_the_rate_of_the_source(self):
        with MJPEGClient(self.apus.http_port, "/cam/mjpeg") as client:
            time.sleep(1)
            began = time.monotonic()
            time.sleep(settings.SECONDS)
            arrivals = client.arrivals(since=began)

        self.assertAlmostEqual(len(arrivals) / settings.SECONDS, RATE, delta=RATE * 0.1)
        self.assertIsNone(client.ended and isinstance(client.ended, ValueError) or None, client.ended)
        self.assertLess(longest_gap(arrivals), 0.5)

    @together
    def test_every_address_of_the_first_camera(self):
        for path in ["/snap.jpg", "/snapshot", "/?action=snapshot"]:
            with self.subTest(path):
                status, headers, body = self.apus.get(path)
                self.assertEqual(status, 200)
                self.assertEqual(headers["Content-Type"], "image/jpeg")
                self.assertTrue(body.startswith(b"\xff\xd8"))
        for path in ["/mjpeg", "/stream", "/video.mjpg", "/?action=stream"]:
            with self.subTest(path), MJPEGClient(self.apus.http_port, path) as client:
                time.sleep(1)
                self.assertGreater(len(client.pictures), 5)

    def test_the_page_shows_the_camera(self):
        status, headers, body = self.apus.get("/")

        self.assertEqual(status, 200)
        self.assertIn("text/html", headers["Content-Type"])
        self.assertIn("cam", body.decode())

    def test_health(self):
        self.assertEqual(self.apus.get("/healthz")[0], 200)

    def test_what_is_not_there_is_not_found(self):
        for path in ["/nothing", "/nothing/snapshot.jpg", "/cam/nothing"]:
            with self.subTest(path):
                self.assertEqual(self.apus.get(path)[0], 404)

    def test_paths_that_lead_elsewhere_are_refused(self):
        for path in ["/../etc/passwd", "/%2e%2e/etc/passwd", "/cam%2fmjpeg", "/cam/snapshot.jpg%00"]:
            with self.subTest(path):
                self.assertEqual(self.apus.get(path)[0], 400)

    def test_other_methods_are_refused(self):
        self.assertEqual(self.apus.get("/cam/snapshot.jpg", method="DELETE")[0], 405)

    def test_head_has_no_body(self):
        status, _, body = self.apus.get("/cam/snapshot.jpg", method="HEAD")

        self.assertEqual((status, body), (200, b""))

    def test_vlc_plays_mjpeg(self):
        clients.vlc(self.apus.http("/cam/mjpeg"), RATE, settings.SECONDS)

    @together
    def test_ffmpeg_plays_mjpeg(self):
        clients.ffmpeg(self.apus.http("/cam/mjpeg"), RATE, settings.SECONDS, ["-f", "mpjpeg"])

    @together
    def test_a_client_that_does_not_read_costs_itself_only(self):
        with socket.create_connection(("127.0.0.1", self.apus.http_port)) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(b"GET /cam/mjpeg HTTP/1.1\r\nHost: x\r\n\r\n")
            with MJPEGClient(self.apus.http_port, "/cam/mjpeg") as other:
                time.sleep(settings.SECONDS)
                arrivals = other.arrivals()

        clients.expect_frames("the other client", len(arrivals), RATE, settings.SECONDS - 0.5)
        self.assertLess(longest_gap(arrivals), 0.5)
