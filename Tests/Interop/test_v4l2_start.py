# SPDX-License-Identifier: Apache-2.0
# How a V4L2 camera begins: what ends nothing at the start, what it is set to, and when it counts as live.

import errno
import time
import unittest

from . import clients, fake_camera
from .apus import until
from .camera_case import MJPEG, RATE, CameraTest, capture, source, status, suite
from .case import longest_gap
from .fake_camera import FakeCamera
from .rtsp_client import RTSPClient
from .together import together

# The numbers of ioctls.
S_FMT, REQBUFS, QBUF, STREAMON = 5, 8, 15, 18


class SilentTest(CameraTest):
    """A camera that streams, and gives nothing to show."""

    FIELDS = {"stall": 3}
    STREAMS = ()
    REASON = "no frame for"

    @together("silence")
    def test_viewers_see_the_slate_until_there_is_something_to_show(self):
        until(lambda: status(self.apus)["streams"][0]["mode"] == "slate", 10, "the slate is shown")
        until(lambda: self.apus.describes("cam"), 10, "the stream is described")
        viewer = RTSPClient(self.apus.rtsp("cam")).play()
        self.addCleanup(viewer.close)
        opened = self.camera.opened
        states = set()

        def is_opened_again():
            states.add(source(self.apus)["state"])
            return self.camera.opened >= opened + 2

        began = time.monotonic()
        until(is_opened_again, 25, "the camera is opened again, and again")

        self.assertEqual(states, {"lost"})
        self.assertIn(self.REASON, source(self.apus)["reason"])
        self.assertEqual(source(self.apus)["losses"], 0)
        arrivals = [frame.arrived for frame in viewer.frames(began)]
        self.assertLess(longest_gap([began] + arrivals + [time.monotonic()]), 2)
        self.camera.stall = self.camera.damaged = 0
        until(lambda: source(self.apus)["state"] == "live", 15, "the camera is live")
        until(lambda: status(self.apus)["streams"][0]["mode"] == "encoding", 5, "the slate is gone")


class DamagedTest(SilentTest):
    """A camera all of whose frames are damaged."""

    FIELDS = {"damaged": 1_000_000}
    REASON = "only damaged frames for"


class StartTest(unittest.TestCase):
    """What a device answers at the start is no reason to end, for its camera or for others."""

    def start(self, options="", more="", **fields):
        camera = FakeCamera(MJPEG, fake_camera.images(), **fields)
        self.addCleanup(camera.close)
        other = f"[camera.other]\nsource = pattern:?size=320x180&fps=5\n{more}"
        apus = suite(camera, options, other, streams=["other"])
        self.addCleanup(apus.destroy)
        return camera, apus.start()

    def survive(self, call, code):
        camera, apus = self.start(fail_call=call, fail_error=code, fail_times=3)

        self.assertIsNone(apus.process.poll())
        until(lambda: source(apus)["state"] == "live", 20, "the camera is live")
        self.assertEqual(camera.fail_times, 0)
        self.assertGreater(source(apus)["failed_tries"], 0)

    @together("starts")
    def test_a_stream_that_does_not_start_at_first_is_tried_again(self):
        self.survive(STREAMON, errno.EPROTO)

    @together("starts")
    def test_a_device_that_somebody_has_at_first_is_tried_again(self):
        self.survive(S_FMT, errno.EBUSY)

    @together("starts")
    def test_buffers_that_are_refused_at_first_are_asked_for_again(self):
        self.survive(REQBUFS, errno.EINVAL)

    @together("starts")
    def test_buffers_that_are_not_taken_at_first_are_handed_over_again(self):
        self.survive(QBUF, errno.EIO)

    def test_a_format_that_the_device_never_has_ends_the_start(self):
        with self.assertRaisesRegex(AssertionError, "Made up offers no format h264"):
            self.start("?format=h264")

    @together("starts")
    def test_a_bus_without_room_for_anything_is_tried_again(self):
        camera, apus = self.start(bandwidth=1)

        until(lambda: "bandwidth" in source(apus).get("reason", ""), 5, "the reason is told")
        self.assertIsNone(apus.process.poll())
        camera.bandwidth = 0
        until(lambda: source(apus)["state"] == "live", 20, "the camera is live")

    @together("starts")
    def test_rates_that_no_camera_has_are_not_believed(self):
        for numerator, denominator in [(-1, 1), (1, -1)]:
            with self.subTest((numerator, denominator)):
                _, apus = self.start(parm_numerator=numerator, parm_denominator=denominator)

                until(lambda apus=apus: source(apus)["state"] == "live", 20, "the camera is live")
                clients.ffmpeg(apus.rtsp("cam"), RATE, 2, ["-rtsp_transport", "tcp"])
                self.assertEqual(capture(apus)["mode"], f"mjpeg 320x180 at {RATE} fps")
                self.assertNotIn("signal 4", apus.log_path.read_text())


class LockedTest(CameraTest):
    """A control that is locked while frames are captured, of a camera whose driver knows no priority."""

    FIELDS = {"rival": 2}
    MORE = "controls = vertical_flip=true"

    @together
    def test_it_is_set_before_the_first_frame_and_after_each_loss(self):
        self.assertEqual(self.camera.flip, 1)
        self.assertNotIn("control not set", self.apus.log_path.read_text())

        self.camera.unplugged = 1
        until(lambda: source(self.apus)["state"] == "lost", 5, "the camera is lost")
        self.camera.flip = self.camera.unplugged = 0
        until(lambda: source(self.apus)["state"] == "live", 10, "the camera is live again")

        self.assertEqual(self.camera.flip, 1)

    @together
    def test_nothing_is_claimed_where_there_is_nothing_to_claim(self):
        told = capture(self.apus)

        self.assertFalse(told["claimed"])
        self.assertEqual(told["deviations"], [])


class SizeTest(unittest.TestCase):
    """What a camera is set to that has not what is asked for."""

    def settle(self, options, modes=f"YUYV 0 0 {RATE} 0 0 0", **fields):
        """The camera, and what it is set to."""
        camera = FakeCamera(modes, fake_camera.images(), **fields)
        self.addCleanup(camera.close)
        with suite(camera, options, streams=[]) as apus:
            until(lambda: source(apus)["state"] == "live", 15, "the camera is live")
            return camera, capture(apus)

    @together("sizes")
    def test_the_size_asked_for_is_taken_from_a_range(self):
        camera, told = self.settle("?size=656x488", sizes="16 1000 16 16 600 8")

        self.assertTrue(told["mode"].startswith("yuyv 656x488 "), told["mode"])
        self.assertIsNone(told["compromise"])
        self.assertGreater(camera.tried, 0)

    @together("sizes")
    def test_the_nearest_on_the_grid_of_a_range_is_taken_and_told(self):
        _, told = self.settle("?size=650x490", sizes="16 1000 16 16 600 8")

        self.assertRegex(told["mode"], "yuyv 656x488 ")
        self.assertRegex(told["compromise"], "the camera has no 650x490; yuyv 656x488 .* is the nearest")

    @together("sizes")
    def test_a_range_without_steps_has_its_ends(self):
        for wanted, taken in [("320x180", "320x180"), ("900x500", "800x600")]:
            with self.subTest(wanted):
                _, told = self.settle(f"?size={wanted}", sizes="320 800 0 180 600 0")

                self.assertRegex(told["mode"], f"yuyv {taken} ")

    @together("sizes")
    def test_a_driver_that_sets_something_else_is_told_of(self):
        yuyv, picture = int.from_bytes(b"YUYV", "little"), f"H264 1920 1080 {RATE} 0 0 0"
        _, told = self.settle("?format=h264", picture, other_format=yuyv, other_width=320, other_height=180)

        self.assertEqual(
            told["compromise"],
            f"the driver sets yuyv 320x180 at {RATE} fps instead of h264 1920x1080 at {RATE} fps",
        )
