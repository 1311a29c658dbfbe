# SPDX-License-Identifier: Apache-2.0
# The capture time inside of frames: what apus latency makes of it, and that players pass over it.

import concurrent.futures
import subprocess
import time

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite
from .test_pull import latency
from .test_slate import Publisher, film, state
from .together import together

RATE = 25
STAMP = bytes.fromhex("0518 f7a1c0de 9d1b4f4e 8c864150 5553544d")
CONFIG = f"""
[camera.cam]
source = pattern:?size=640x360&fps={RATE}
[camera.cam.main]
stamp = yes
[camera.cam.sub]
codec = h265
stamp = yes
[camera.plain]
source = pattern:?size=640x360&fps={RATE}
[camera.passed]
source = publish:
[camera.passed.main]
stamp = yes
"""


def record(url, seconds, codec):
    """The stream's NAL units as ffmpeg hands them on, not decoded."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-t", str(seconds)]
    done = subprocess.run([*command, "-an", "-c", "copy", "-f", codec, "-"], capture_output=True, check=True, timeout=30)
    return done.stdout


def stamps(stream):
    """The times in a stream, in seconds since 1970."""
    times = []
    for piece in stream.split(STAMP)[1:]:
        # 8 bytes, and a 03 behind each pair of zeros.
        times.append(int.from_bytes(piece[:12].replace(b"\0\0\3", b"\0\0")[:8], "big") / 1e9)
    return times


class StampTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=["cam", "cam/sub", "plain"])

    def test_both_methods_agree(self):
        def measure(kind):
            path, *options = kind.split()
            found = latency(self.apus.rtsp(path), "-n", "60", *options)

            self.assertEqual(found["method"], "capture-stamp")
            self.assertLess(abs(found["latency"]["p50_ns"] - found["by_sender_reports"]["p50_ns"]), 2e6)
            self.assertLess(abs(found["latency"]["max_ns"] - found["by_sender_reports"]["max_ns"]), 2e6)
            self.assertGreater(found["latency"]["min_ns"], 0)
            self.assertLess(found["latency"]["p50_ns"], 200e6)

        self.each(["cam", "cam --udp", "cam/sub", "cam/sub --udp"], measure)

    @together
    def test_a_stream_without_stamps_is_measured_by_reports(self):
        self.assertEqual(latency(self.apus.rtsp("plain"), "-n", "20")["method"], "sender-reports")
        self.assertEqual(stamps(record(self.apus.rtsp("plain"), 1, "h264")), [])

    def test_players_pass_over_it(self):
        players = {
            "ffmpeg": lambda url, _: clients.ffmpeg(url, RATE, settings.SECONDS, ["-rtsp_transport", "tcp"]),
            "GStreamer": lambda url, codec: clients.gstreamer(url, codec, RATE, settings.SECONDS, "tcp"),
            "mpv": lambda url, _: clients.mpv(url, RATE, settings.SECONDS),
        }
        for path, codec in ("cam", "h264"), ("cam/sub", "h265"):
            with self.subTest(path):
                self.each(list(players), lambda name: players[name](self.apus.rtsp(path), codec))

    def test_each_frame_has_its_own_time(self):
        began = time.time()

        times = stamps(record(self.apus.rtsp("cam"), 3, "h264"))

        self.assertGreater(len(times), 2 * RATE)
        self.assert_monotonic(times, "stamps")
        self.assertLess(abs(times[0] - began), 10)

    @together
    def test_slate_and_frames_that_pass_untouched_are_stamped(self):
        units = film("H264")
        url = self.apus.rtsp("passed")
        self.assertTrue(self.apus.describes("passed"))

        slate = stamps(record(url, 2, "h264"))
        with Publisher(self.apus, units, camera="passed"):
            until(lambda: state(self.apus, "passed")["state"] == "live", 10, "the film")
            with concurrent.futures.ThreadPoolExecutor() as pool:
                recording = pool.submit(record, url, 3, "h264")
                clients.ffmpeg(url, 30, settings.SECONDS, ["-rtsp_transport", "tcp"])
                passed = stamps(recording.result())

        self.assertGreater(len(slate), 5)
        self.assertGreater(len(passed), 60)
        self.assert_monotonic(passed, "stamps")

    def test_it_can_be_changed_while_it_runs(self):
        config = self.apus.directory / "apus.conf"
        before = config.read_text()
        viewer = settings.PROGRAMS / "apus"

        config.write_text(before.replace("stamp = yes", "stamp = no"))
        clients.run([viewer, "config", "reload", "--run-dir", self.apus.run_dir], 10)
        without = latency(self.apus.rtsp("cam"), "-n", "10")["method"]
        config.write_text(before)
        clients.run([viewer, "config", "reload", "--run-dir", self.apus.run_dir], 10)

        self.assertEqual(without, "sender-reports")
        self.assertEqual(latency(self.apus.rtsp("cam"), "-n", "10")["method"], "capture-stamp")
        self.assertNotIn("daemon ended", self.apus.log(lines=1000))
