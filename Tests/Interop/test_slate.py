# SPDX-License-Identifier: Apache-2.0
# Sources that come and go: published frames, the slate while there are none, viewers that stay through all of it.

import concurrent.futures
import contextlib
import json
import subprocess
import threading
import time
import unittest

from . import clients, settings
from .apus import Apus, until
from .case import longest_gap
from .mjpeg_client import MJPEGClient
from .ring_writer import KEYFRAME, RingWriter, access_units
from .together import together

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

    CAMERAS = {"cam": "H264", "other": "H265"}

    def watch(self, viewers):
        """Runs the viewers, functions of the suite, through four seconds of film, three of slate, and film again."""
        films = {codec: film(codec) for codec in self.CAMERAS.values()}

        def publishers():
            stack = contextlib.ExitStack()
            for camera, codec in self.CAMERAS.items():
                stack.enter_context(Publisher(apus, films[codec], codec, camera))
            return stack

        suite = Apus(cameras={camera: "publish:" for camera in self.CAMERAS}, streams=[])
        with suite as apus, concurrent.futures.ThreadPoolExecutor() as pool:
            with publishers():
                for camera in self.CAMERAS:
                    until(lambda: state(apus, camera)["state"] == "live", 5, "the publisher's film")
                time.sleep(1.2)
                running = [pool.submit(viewer, apus) for viewer in viewers]
                time.sleep(4)
            time.sleep(3)
            with publishers():
                return [viewer.result() for viewer in running]

    def record(self, path, transport):
        """A viewer that decodes for ten seconds, and tells how bright each frame is, and when it is shown."""
        program = settings.need("ffmpeg", "ffmpeg")

        def viewer(apus):
            video = apus.directory / f"{path.replace('/', '-')}-{transport}.mkv"
            command = [program, "-nostdin", "-v", "error", "-rtsp_transport", transport, "-i", apus.rtsp(path)]
            # Near enough to lossless, and small.
            command += ["-t", "10", "-fps_mode", "passthrough", "-enc_time_base", "-1"]
            command += ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-y", video]
            _, errors = clients.run(command, 40)
            clients.expect_silence("ffmpeg", errors)
            return brightness(video)

        return viewer

    def check(self, frames):
        # ffmpeg gives the first frames of an RTSP stream the time 0.
        times = [time for time, _ in frames[3:]]
        self.assert_rising(times)
        self.assertLess(longest_gap(times), 2.5)
        dark = [index for index, (_, level) in enumerate(frames) if level < 50]
        self.assertGreater(len(dark), 5, "the slate was not seen")
        self.assertGreater(dark[0], RATE, "the film was not seen before the slate")
        self.assertGreater(len(frames) - dark[-1], RATE, "the film did not come back")

    def assert_rising(self, times):
        for before, after in zip(times, times[1:]):
            if after <= before:
                self.fail(f"a frame at {after} s after one at {before} s")

    @together
    def test_viewers_see_film_slate_and_film_again(self):
        def pictures(apus):
            with MJPEGClient(apus.http_port, "/cam/mjpeg") as client:
                time.sleep(9)
                return client.arrivals()

        paths = [("cam", "tcp"), ("cam", "udp"), ("cam/sub", "tcp"), ("other", "tcp")]
        *recordings, arrivals = self.watch([*(self.record(*path) for path in paths), pictures])

        for path, frames in zip(paths, recordings):
            with self.subTest(str(path)):
                self.check(frames)
        self.assertLess(longest_gap(arrivals), 2.5)


def state(apus, camera="cam"):
    """What apus status says of a camera's source."""
    program = settings.PROGRAMS / "apus"
    output, _ = clients.run([program, "ctl", "--json", "--run-dir", apus.run_dir, f"video.{camera}", "status"], 10)
    answer = json.loads(output)
    return answer.get("source") or answer["result"]["source"]


class WaitingTest(unittest.TestCase):
    """Cameras whose source has never been there."""

    @together
    def test_a_viewer_gets_the_slate_at_once(self):
        cameras = {"cam": "publish:", "gone": "v4l2:/dev/video63"}
        with Apus(cameras=cameras, streams=["cam", "gone", "cam/sub", "gone/jpeg"]) as apus:
            found = clients.ffprobe_stream(apus.rtsp("gone"), ["-rtsp_transport", "tcp"])
            self.assertEqual((found["codec_name"], found["width"], found["height"]), ("h264", 1280, 720))
            self.assertEqual(apus.get("/gone/snapshot.jpg?fallback=slate")[0], 200)
            self.assertEqual(state(apus)["reason"], "waits for a publisher")
            self.assertIn("(waits for a publisher)", apus.log())
            self.assertIn("No such", state(apus, "gone")["reason"])

    @together
    def test_a_camera_on_demand_is_opened_for_its_viewers_only(self):
        config = "[camera.cam]\nsource = pattern:?size=320x180\non_demand = yes\n"
        with Apus(config=config, streams=[]) as apus:
            self.assertEqual(state(apus)["state"], "idle")
            clients.ffmpeg(apus.rtsp("cam"), 30, 2, ["-rtsp_transport", "tcp"])
            self.assertEqual(state(apus)["state"], "live")
            until(lambda: state(apus)["state"] == "idle", 25, "the source is closed again", 0.5)
