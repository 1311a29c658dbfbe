# SPDX-License-Identifier: Apache-2.0
# Apus as a client: pulling from gst-rtsp-server and from another Apus, and measuring ages of frames.

import json
import pathlib
import subprocess
import time

from . import clients, settings
from .apus import Apus, free_port, until
from .case import Case, SharedSuite
from .rtsp_client import RTSPClient
from .together import together

RATE = 25
# Debian's Python has the bindings; another one in front of it has not.
PYTHON = "/usr/bin/python3"


def latency(url, *options):
    """What `apus latency` measures, as its JSON."""
    output, _ = clients.run([settings.PROGRAMS / "apus", "latency", "--json", *options, url], 60)
    return json.loads(output)


class GStreamerServer:
    """gst-rtsp-server on a free port; with a user it asks for Digest."""

    def __init__(self, user=None, password=None):
        check = "import gi; gi.require_version('GstRtspServer', '1.0')"
        if subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode != 0:
            settings.missing("no gst-rtsp-server: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi")
        self.port = free_port()
        login = [user, password] if user else []
        script = pathlib.Path(__file__).with_name("gst_server.py")
        self.process = subprocess.Popen([PYTHON, script, str(self.port), *login], stdout=subprocess.PIPE)

    def __enter__(self):
        self.process.stdout.readline()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def url(self, login="", query=""):
        return f"rtsp://{login}127.0.0.1:{self.port}/test{query}"


class LatencyTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(cameras={"cam": f"pattern:?size=1280x720&fps={RATE}"})

    def test_frames_are_young_over_tcp_and_udp(self):
        options = {"tcp": [], "udp": ["--udp"]}

        def measure(transport):
            found = latency(self.apus.rtsp("cam"), "-n", "100", *options[transport])

            self.assertEqual(found["method"], "sender-reports")
            self.assertGreaterEqual(found["latency"]["frames"], 100)
            self.assertLess(found["latency"]["p50_ns"], 100e6)
            self.assertGreater(found["latency"]["min_ns"], 0)
            self.assertEqual(found["clock_jumps"], 0)
            self.assertEqual(found["deviations"], [])

        self.each(list(options), measure)


class PullTest(Case):
    """A camera that is another server's stream."""

    def source(self, apus):
        status, _, body = apus.get("/healthz")
        self.assertEqual(status, 200, body)
        output, _ = clients.run(
            [settings.PROGRAMS / "apus", "ctl", "--run-dir", apus.run_dir, "video.cam", "status", "--json"], 10
        )
        return json.loads(output)["source"]

    @together
    def test_gstreamer_over_tcp_and_udp(self):
        def check(transport):
            with GStreamerServer() as server:
                with Apus(cameras={"cam": server.url(query=f"?transport={transport}")}) as apus:
                    clients.ffmpeg(apus.rtsp("cam"), RATE, settings.SECONDS, ["-rtsp_transport", "tcp"])
                    found = self.source(apus)

                    self.assertEqual((found["state"], found["transport"]), ("live", transport))
                    self.assertEqual(found["packets_lost"], 0)

        self.each(["tcp", "udp"], check)

    @together
    def test_gstreamer_with_digest(self):
        with GStreamerServer("me", "hush-hush") as server:
            with Apus(cameras={"cam": server.url("me:hush-hush@")}) as apus:
                clients.ffmpeg(apus.rtsp("cam"), RATE, settings.SECONDS, ["-rtsp_transport", "tcp"])

                self.assertIn("me:***@", self.source(apus)["address"])
                self.assertNotIn("hush-hush", apus.log(lines=1000))

    @together
    def test_another_apus_is_killed_and_comes_back_while_a_viewer_watches(self):
        with Apus(cameras={"cam": f"pattern:?size=640x360&fps={RATE}"}) as upstream:
            with Apus(cameras={"cam": upstream.rtsp("cam")}) as apus, RTSPClient(apus.rtsp("cam")) as viewer:
                viewer.play()
                until(lambda: len(viewer.frames()) > RATE, 10, "frames at first")
                upstream.kill("apus-rtsp")
                until(lambda: self.source(apus)["losses"] > 0, 10, "the loss is noticed")
                until(lambda: self.source(apus)["state"] == "live", 20, "the source is back")
                back = time.monotonic()
                until(lambda: len(viewer.frames(since=back)) > 2 * RATE, 10, "frames afterwards")

                self.assertIsNone(viewer.ended)
                self.assert_rising([frame.timestamp for frame in viewer.frames()])

    def assert_rising(self, times):
        for before, after in zip(times, times[1:]):
            self.assertGreater(after, before, "timestamps of the viewer's stream")
