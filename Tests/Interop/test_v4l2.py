# SPDX-License-Identifier: Apache-2.0
# A V4L2 camera that fails in every way that cameras do, under viewers that stay: apus-video over a made-up device.

import errno
import time
import unittest

from . import clients, fake_camera, settings
from .apus import until
from .camera_case import RATE, CameraTest, SharedCameraTest, capture, source, status, suite
from .case import longest_gap
from .fake_camera import FakeCamera
from .mjpeg_client import MJPEGClient
from .together import together


class FaultTest(SharedCameraTest):
    """Frames that are bad, and frames that do not come."""

    def test_pictures_are_passed_on_untouched(self):
        self.assertIn(self.apus.get("/cam/snapshot.jpg")[2], self.images)

    def test_a_frame_rate_and_a_mode_are_told(self):
        told = capture(self.apus)

        self.assertEqual(told["mode"], f"mjpeg 320x180 at {RATE} fps")
        self.assertEqual(told["times"], "start of exposure")
        self.assertTrue(told["claimed"])
        self.assertIsNone(told["compromise"])

    def test_damaged_frames_are_left_out(self):
        viewers, raised = self.viewers(), self.raised("faults", "damaged", 5)
        restarts = capture(self.apus)["recoveries"]["restart"]

        self.camera.damaged = 5

        self.assertEqual(raised(), 5)
        self.go_on(viewers)
        self.assertEqual(capture(self.apus)["recoveries"]["restart"], restarts)

    def test_frames_that_the_driver_counts_and_does_not_give_are_counted(self):
        viewers, raised = self.viewers(), self.raised("faults", "gap", 7)

        self.camera.gap = 7

        self.assertEqual(raised(), 7)
        self.go_on(viewers)

    def test_truncated_pictures_are_left_out(self):
        viewers, raised = self.viewers(), self.raised("faults", "truncated", 3)

        self.camera.cut = 3

        self.assertEqual(raised(), 3)
        self.go_on(viewers)

    def test_a_device_that_starting_again_does_not_help_is_opened_again(self):
        viewers, raised = self.viewers(), self.raised("recoveries", "reopen", 1)

        self.camera.stall = 2

        # It opens well, and gives nothing: that is not live, and viewers are told.
        until(lambda: status(self.apus)["streams"][0]["mode"] == "slate", 10, "the slate is shown meanwhile")
        raised()
        until(lambda: source(self.apus)["state"] == "live", 10, "the camera is live again")
        self.go_on(viewers)

    def test_a_few_errors_instead_of_frames_are_survived(self):
        viewers, raised = self.viewers(), self.raised("faults", "error", 2)
        restarts = capture(self.apus)["recoveries"]["restart"]

        self.camera.dequeue_error, self.camera.dequeue_errors = errno.EIO, 2

        raised()
        self.go_on(viewers)
        self.assertEqual(capture(self.apus)["recoveries"]["restart"], restarts)

    def test_many_errors_instead_of_frames_start_the_stream_again(self):
        viewers, raised = self.viewers(), self.raised("recoveries", "restart", 1)

        self.camera.dequeue_error, self.camera.dequeue_errors = errno.EIO, 3

        raised()
        self.go_on(viewers)

    def test_a_camera_that_is_unplugged_comes_back_to_its_viewers(self):
        viewers, opened = self.viewers(), self.camera.opened
        # The first start afterwards fails as well.
        self.camera.start_error, self.camera.start_errors = errno.EPROTO, 1

        self.camera.unplugged = 1
        until(lambda: source(self.apus)["state"] == "lost", 5, "the camera is lost")
        reason = source(self.apus)["reason"]
        self.camera.unplugged = 0

        until(lambda: source(self.apus)["state"] == "live", 10, "the camera is live again")
        self.go_on(viewers)
        # Whoever looks late sees why it is not found.
        self.assertRegex(reason, "taken away|plugged in")
        self.assertGreaterEqual(self.camera.opened, opened + 2)
        self.assertIn("the stream does not start", self.apus.log_path.read_text())


class RestartTest(SharedCameraTest):
    """Faults that end a stream; three restarts in half a minute are not too many."""

    def test_a_stream_that_stands_still_is_started_again(self):
        viewers, raised = self.viewers(), self.raised("recoveries", "restart", 1)
        losses = source(self.apus)["losses"]
        began = time.monotonic()

        self.camera.stall = 1

        self.assertEqual(raised(), 1)
        self.go_on(viewers)
        self.assertEqual(source(self.apus)["losses"], losses)
        self.assertLess(longest_gap([began - 0.1] + viewers[1].arrivals(began)), 2)

    def test_a_stream_that_the_driver_has_ended_is_started_again(self):
        for code in [errno.EPIPE, errno.EINVAL]:
            with self.subTest(errno.errorcode[code]):
                viewers, raised = self.viewers(), self.raised("recoveries", "restart", 1)

                self.camera.dequeue_error, self.camera.dequeue_errors = code, 1

                raised()
                self.go_on(viewers)


class ClockTest(CameraTest):
    """A driver that does not know the time."""

    FIELDS = {"clock_offset": -3600}

    @together
    def test_arrivals_are_taken_for_a_clock_that_is_wrong(self):
        rtsp, _ = viewers = self.viewers()

        self.go_on(viewers, 2)

        self.assertEqual(capture(self.apus)["times"], "arrival")
        self.assertIn("wrong-timestamps", capture(self.apus)["deviations"])
        times = [frame.timestamp / 90_000 for frame in rtsp.frames()]
        self.assert_monotonic(times, "timestamps")
        self.assertAlmostEqual(times[-1] - times[-16], 1, delta=0.3)
        self.assertEqual(self.apus.log_path.read_text().count("wrong-timestamps"), 1)


class TablesTest(CameraTest):
    """A camera that leaves out the Huffman tables, and fills its buffers up with zeros."""

    @classmethod
    def film(cls):
        return [fake_camera.without_tables(image) + bytes(5000) for image in fake_camera.images()]

    @together
    def test_pictures_are_made_whole(self):
        _, mjpeg = viewers = self.viewers()
        self.go_on(viewers)
        path = self.apus.directory / "picture.jpg"
        path.write_bytes(mjpeg.pictures[-1].data)

        self.assertIn("no-huffman-tables", capture(self.apus)["deviations"])
        self.assertIn(b"\xff\xc4\x01\xa2", mjpeg.pictures[-1].data)
        self.assertTrue(mjpeg.pictures[-1].data.endswith(b"\xff\xd9"))
        self.assertEqual(clients.ffprobe_stream(path)["width"], 320)


class EndTest(CameraTest):
    """A camera that never writes the end marker."""

    @classmethod
    def film(cls):
        return [image[:-2] for image in fake_camera.images()]

    @together
    def test_the_end_is_put_in(self):
        _, mjpeg = viewers = self.viewers()

        self.go_on(viewers)

        self.assertIn(mjpeg.pictures[-1].data[:-2], self.images)
        self.assertIn("no-end-marker", capture(self.apus)["deviations"])


class SlowTest(CameraTest):
    """A camera of one frame a second, whose rivals have priority."""

    MODES = "MJPG 320 180 1 0 0 0"
    FIELDS = {"rival": 1}

    @together
    def test_it_is_not_taken_for_one_that_stands_still(self):
        with MJPEGClient(self.apus.http_port, "/cam/mjpeg") as client:
            until(lambda: len(client.pictures) >= 6, 15, "six pictures")

        told = capture(self.apus)
        self.assertEqual(told["recoveries"], {"restart": 0, "reopen": 0, "reset": 0, "retime": 0})
        self.assertFalse(told["claimed"])
        self.assertIn("claimed-by-another", told["deviations"])


class BandwidthTest(unittest.TestCase):
    """A bus that has no room for what is asked for."""

    MODES = "YUYV 320 180 30 15 10 0;YUYV 160 90 30 0 0 0;MJPG 160 90 30 15 0 0"

    def settle(self, options, bandwidth, modes=MODES):
        """What the camera is set to in the end, and what the log says of it."""
        camera = FakeCamera(modes, fake_camera.images(size="160x90"), bandwidth=bandwidth)
        self.addCleanup(camera.close)
        with suite(camera, options) as apus:
            until(lambda: source(apus)["state"] == "live", 10, "the camera is live")
            clients.ffmpeg(apus.rtsp("cam"), RATE, 2, ["-rtsp_transport", "tcp"])
            return capture(apus), apus.log_path.read_text()

    @together("bandwidth")
    def test_the_rate_is_lowered_first(self):
        told, log = self.settle("?size=320x180&format=yuyv", 2000)

        self.assertEqual(told["mode"], "yuyv 320x180 at 15 fps")
        self.assertEqual(
            told["compromise"], "the USB bus has no bandwidth for yuyv 320x180 at 30 fps; yuyv 320x180 at 15 fps goes"
        )
        self.assertIn("source gives less than asked", log)

    @together("bandwidth")
    def test_another_format_goes_before_half_the_rate(self):
        modes = "MJPG 320 180 15 0 0 0;YUYV 320 180 30 15 0 0"
        camera_only = fake_camera.images()
        camera = FakeCamera(modes, camera_only, bandwidth=1000)
        self.addCleanup(camera.close)
        with suite(camera, "?size=320x180&fps=30") as apus:
            self.assertEqual(capture(apus)["mode"], "mjpeg 320x180 at 15 fps")

    @together("bandwidth")
    def test_then_the_size_is_reduced(self):
        told, _ = self.settle("?size=320x180", 150)

        self.assertEqual(told["mode"], "mjpeg 160x90 at 30 fps")


class CodedTest(CameraTest):
    """A camera that codes H.264 itself, an access unit in each buffer; it begins in the middle."""

    MODES = f"H264 320 180 {RATE} 0 0 0"

    @classmethod
    def film(cls):
        units = fake_camera.units(gop=5)
        # The end goes on with the beginning: each round refers to what was there before.
        return units[3:] + units[:3]

    @together
    def test_it_is_passed_on(self):
        clients.ffmpeg(self.apus.rtsp("cam"), RATE, settings.SECONDS, ["-rtsp_transport", "tcp"])

        told = status(self.apus)
        main = next(stream for stream in told["streams"] if stream["name"] == "main")
        self.assertEqual((main["mode"], main["width"], main["height"]), ("passthrough", 320, 180))
        self.assertEqual(told["source"]["capture"]["faults"]["early"], 2)
        self.assertEqual(told["source"]["capture"]["deviations"], [])

    @together
    def test_a_keyframe_is_asked_for_until_one_comes_and_when_a_frame_is_lost(self):
        before = self.camera.keyframes
        self.assertGreater(before, 0)

        def lose():
            # Once a second at most one is asked for.
            self.camera.damaged = 1
            return self.camera.keyframes > before

        until(lose, 5, "a keyframe is asked for")


class SplitTest(CameraTest):
    """The same, each access unit in two buffers, cut anywhere."""

    MODES = f"H264 320 180 {RATE * 2} 0 0 0"

    @classmethod
    def film(cls):
        parts = [(unit[: len(unit) // 2], unit[len(unit) // 2 :]) for unit in fake_camera.units(gop=5)]
        return [part for pair in parts for part in pair]

    @together
    def test_it_is_passed_on(self):
        clients.ffmpeg(self.apus.rtsp("cam"), RATE, settings.SECONDS, ["-rtsp_transport", "tcp"])

        self.assertEqual(capture(self.apus)["deviations"], ["split-access-units"])


class SeveralTest(CameraTest):
    """The same, two access units in each buffer."""

    MODES = f"H264 320 180 {RATE} 0 0 0"

    @classmethod
    def film(cls):
        units = fake_camera.units(gop=10)
        return [b"".join(units[at : at + 2]) for at in range(0, len(units), 2)]

    @together
    def test_it_is_passed_on(self):
        clients.ffmpeg(self.apus.rtsp("cam"), RATE * 2, settings.SECONDS, ["-rtsp_transport", "tcp"])

        self.assertEqual(capture(self.apus)["deviations"], [])


class SignalTest(CameraTest):
    """A device that digitises a signal, which is not there at first."""

    MODES = f"YUYV 320 180 {RATE} 0 0 0"
    STREAMS = ()
    FIELDS = {"width": 320, "height": 180, "signal": errno.ENOLINK}

    def announce(self, **fields):
        for name, value in fields.items():
            setattr(self.camera, name, value)
        self.camera.events += 1

    def is_lost(self, reason):
        return lambda: source(self.apus).get("reason") == reason

    def is_live(self, size):
        return lambda: source(self.apus).get("size") == size

    @together
    def test_viewers_stay_through_all_that_becomes_of_the_signal(self):
        until(self.is_lost("no signal at input HDMI 0"), 5, "the reason is told")
        opened = self.camera.opened
        self.announce(signal=0)
        until(self.is_live("320x180"), 5, "the signal is shown")
        until(lambda: self.apus.describes("cam"), 10, "the stream is described")
        viewers = self.viewers()
        self.go_on(viewers)

        with self.subTest("another size"):
            self.announce(width=640, height=360)
            until(self.is_live("640x360"), 5, "the new timings are taken")
            self.go_on(viewers, 2)
            self.assertEqual(capture(self.apus)["timings"], "640x360p30")
            self.assertEqual(capture(self.apus)["recoveries"]["retime"], 1)

        with self.subTest("the same signal"):
            started = self.camera.started
            self.announce()
            self.go_on(viewers, 2)
            self.assertEqual(capture(self.apus)["recoveries"]["retime"], 1)
            self.assertEqual(self.camera.started, started)

        for code, reason in [
            (errno.ENOLINK, "no signal at input HDMI 0"),
            (errno.ENOLCK, "no lock to the signal at input HDMI 0"),
            (errno.ERANGE, "unsupported timings at input HDMI 0"),
        ]:
            with self.subTest(reason):
                # Without an event: some drivers have none.
                self.camera.signal = code
                until(self.is_lost(reason), 5, "the reason is told")
                until(lambda: status(self.apus)["streams"][0]["mode"] == "slate", 5, "the slate is shown")
                self.announce(signal=0)
                until(self.is_live("640x360"), 5, "the signal is back")
                until(lambda: status(self.apus)["streams"][0]["mode"] == "encoding", 5, "the slate is gone")
                self.go_on(viewers)
        self.assertEqual(self.camera.opened, opened)


class SmallTest(CameraTest):
    """A camera whose picture is smaller than the small picture."""

    SUB = "yes"

    @together
    def test_it_is_not_made_larger(self):
        found = clients.ffprobe_stream(self.apus.rtsp("cam/sub"), ["-rtsp_transport", "tcp"])

        self.assertEqual((found["width"], found["height"]), (320, 180))
