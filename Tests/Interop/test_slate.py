# SPDX-License-Identifier: Apache-2.0
# Sources that come and go: published frames, the slate while there are none, viewers that stay through all of it.

import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from . import clients, settings
from .apus import Apus, until
from .case import longest_gap
from .mjpeg_client import MJPEGClient
from .ring_writer import KEYFRAME, RingWriter, access_units

RATE = 30
SIZE = (640, 360)
ENCODERS = {
    "H264": ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bsf:v", "h264_metadata=aud=insert"],
    "H265": ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "log-level=none:aud=1"],
}


def film(codec):
    """Two seconds of a bright moving picture, as access units."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={RATE}"]
    command += ["-t", "2", "-pix_fmt", "yuv420p", *ENCODERS[codec], "-g", str(RATE), "-f", codec.lower().replace("h265", "hevc"), "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    delimiter = b"\0\0\0\1\x09" if codec == "H264" else b"\0\0\0\1\x46\x01"
    return access_units(done.stdout, delimiter)


class Publisher:
    """Publishes a film over and over into a camera's ring, from its own thread, until the end of its block."""

    def __init__(self, apus, units, codec="H264", camera="cam"):
        path = apus.run_dir / f"ring/{camera}.publish.sock"
        self.ring = RingWriter(path, codec, *SIZE, RATE)
        self.units = units
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        start, number = time.monotonic_ns(), 0
        while not self.ended.is_set():
            unit = self.units[number % len(self.units)]
            captured = start + number * 1_000_000_000 // RATE
            time.sleep(max(0, (captured - time.monotonic_ns()) / 1e9))
            self.ring.publish(unit, captured, KEYFRAME if number % RATE == 0 else 0)
            number += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()
        self.ring.__exit__()


def brightness(video):
    """The mean luma of each decoded frame of a recording, with its time."""
    program = settings.need("ffprobe", "ffmpeg")
    command = [program, "-v", "error", "-f", "lavfi", "-i", f"movie={video},signalstats"]
    command += ["-show_entries", "frame=pts_time:frame_tags=lavfi.signalstats.YAVG", "-of", "csv=p=0"]
    output, _ = clients.run(command, 30)
    return [tuple(map(float, line.split(",")[:2])) for line in output.split() if "," in line]


class PublishedTest(unittest.TestCase):
    """A viewer of each kind stays on its connection while the publisher goes and another one comes."""

    def watch(self, codec, paths):
        units = film(codec)
        found = {}
        with Apus(cameras={"cam": "publish:"}, streams=["cam"]) as apus, concurrent.futures.ThreadPoolExecutor() as pool:
            with Publisher(apus, units, codec):
                until(lambda: clients.ffprobe_stream(apus.rtsp("cam"), ["-rtsp_transport", "tcp"])["width"] == 640, 10, "film")
                time.sleep(0.5)
                recordings = {path: pool.submit(self.record, apus, *path) for path in paths}
                time.sleep(3)
            time.sleep(3.5)
            with Publisher(apus, units, codec):
                for path, recording in recordings.items():
                    found[path] = recording.result()
        return found

    def record(self, apus, path, transport):
        """Eleven seconds, decoded as they come."""
        program = settings.need("ffmpeg", "ffmpeg")
        video = apus.directory / f"{path.replace('/', '-')}-{transport}.mkv"
        command = [program, "-nostdin", "-v", "error", "-rtsp_transport", transport, "-i", apus.rtsp(path)]
        command += ["-t", "10", "-fps_mode", "passthrough", "-c:v", "ffv1", "-y", video]
        _, errors = clients.run(command, 40)
        clients.expect_silence("ffmpeg", errors)
        return brightness(video)

    def check(self, frames):
        if settings.os.environ.get("DUMP"): print(frames)
        times = [time for time, _ in frames]
        self.assertTrue(all(after > before for before, after in zip(times, times[1:])), "times do not rise")
        self.assertLess(longest_gap(times), 2.5)
        dark = [index for index, (_, level) in enumerate(frames) if level < 50]
        self.assertGreater(len(dark), 8, "the slate was not seen")
        self.assertGreater(dark[0], RATE, "the film was not seen before the slate")
        self.assertGreater(len(frames) - dark[-1], RATE, "the film did not come back")

    def test_h264_viewers_see_film_slate_and_film(self):
        paths = [("cam", "tcp"), ("cam", "udp"), ("cam/sub", "tcp")]
        for path, frames in self.watch("H264", paths).items():
            with self.subTest(str(path)):
                self.check(frames)
