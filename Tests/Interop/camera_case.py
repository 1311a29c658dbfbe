# SPDX-License-Identifier: Apache-2.0
# What tests of made-up V4L2 cameras have in common: a suite over one, its status, and viewers of it.

import json
import time

from . import clients, fake_camera, settings
from .apus import Apus, until
from .case import Case, SharedSuite
from .fake_camera import DEVICE, FakeCamera
from .mjpeg_client import MJPEGClient
from .rtsp_client import RTSPClient
from .together import runs_beside_others

RATE = 15
MJPEG = f"MJPG 320 180 {RATE} 0 0 0"


def suite(camera, options="", more="", sub="no", streams=("cam",)):
    config = f"[camera.cam]\nsource = v4l2:{DEVICE}{options}\nslate_after = 500ms\n{more}\n"
    config += f"[camera.cam.sub]\nenabled = {sub}\n"
    apus = Apus(config=config, streams=list(streams))
    apus.environment = camera.environment
    return apus


def status(apus):
    command = [settings.PROGRAMS / "apus", "ctl", "--json", "--run-dir", apus.run_dir, "video.cam", "status"]
    return json.loads(clients.run(command, 10)[0])


def source(apus):
    return status(apus)["source"]


def capture(apus):
    return source(apus)["capture"]


class CameraCase(Case):
    """What tests of all cameras have in common."""

    MODES = MJPEG
    OPTIONS = ""
    MORE = ""
    SUB = "no"
    STREAMS = ("cam",)
    FIELDS = {}

    @classmethod
    def film(cls):
        return fake_camera.images()

    @classmethod
    def make(cls):
        """The camera's images, the camera, and a suite for it."""
        images = cls.film()
        camera = FakeCamera(cls.MODES, images, **cls.FIELDS)
        return images, camera, suite(camera, cls.OPTIONS, cls.MORE, cls.SUB, cls.STREAMS)

    def setUp(self):
        if "cam" in self.STREAMS:
            until(lambda: source(self.apus)["state"] == "live", 20, "the camera is live")

    def viewers(self):
        """Somebody who watches over RTSP, and somebody who does over HTTP; both have pictures."""
        rtsp = RTSPClient(self.apus.rtsp("cam")).play()
        self.addCleanup(rtsp.close)
        mjpeg = MJPEGClient(self.apus.http_port, "/cam/mjpeg", keep_data=True)
        self.addCleanup(mjpeg.__exit__)
        until(lambda: len(rtsp.frames()) > 3 and len(mjpeg.pictures) > 3, 20, "both viewers have pictures")
        return rtsp, mjpeg

    def go_on(self, viewers, seconds=1.0):
        """The viewers are still connected, and get pictures at the camera's rate."""
        rtsp, mjpeg = viewers
        began = time.monotonic()
        time.sleep(seconds)
        self.assertIsNone(rtsp.ended)
        self.assertIsNone(mjpeg.ended)
        for name, count in [("RTSP", len(rtsp.frames(began))), ("MJPEG", len(mjpeg.arrivals(began)))]:
            self.assertGreater(count, seconds * RATE * 0.5, name)

    def raised(self, group, name, count, timeout=15):
        """Waits until a count of the camera's has risen by at least so much, and returns by how much."""
        before = capture(self.apus)[group][name]
        return lambda: until(
            lambda: (capture(self.apus)[group][name] - before >= count) and capture(self.apus)[group][name] - before,
            timeout,
            f"{group}: {name} rises by {count}",
        )


class SharedCameraTest(CameraCase, SharedSuite):
    """One suite and its camera for all tests of a class, one after the other."""

    @classmethod
    def make_apus(cls):
        cls.images, cls.camera, apus = cls.make()
        cls.addClassCleanup(cls.camera.close)
        return apus


class CameraTest(CameraCase):
    """A suite and a camera for each test, beside other tests'."""

    log = ""

    def setUp(self):
        if not runs_beside_others(self):
            # It only tells what came of it.
            return
        self.images, self.camera, apus = self.make()
        self.addCleanup(self.camera.close)
        self.apus = apus.start()
        self.addCleanup(self.end)
        super().setUp()

    def end(self):
        self.log = self.apus.log(15)
        self.apus.destroy()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if self.log and len(result.failures) + len(result.errors) > before:
            print(f"---- the end of Apus's log\n{self.log}")
