# SPDX-License-Identifier: Apache-2.0
# Boards that digitise a signal: its timings are taken over, it changes, it is gone, and it comes back, under viewers.

import time
import unittest

from . import devices
from .suite import Suite, Viewer, check_bars, pictures, report

# Set by guest.py.
DRIVERS = None
SUITE = None
NODES = {}
# The tests set controls of the driver, too. Few frames are encoded: the driver makes sixty a second.
SOURCE = "v4l2:{}?priority=shared"
MORE = """controls = osd_text_mode=2, test_pattern=100% Colorbar
[camera.{0}.main]
fps = 5
[camera.{0}.jpeg]
enabled = no"""
# The driver's menus: what its input sees.
CURRENT, NO_SIGNAL, NO_LOCK, OUT_OF_RANGE, SELECTED = range(5)
FIRST, SECOND = "640x480p59", "720x576p50"


def see(name):
    """Puts a signal of these timings on the digital input."""
    number = next(number for number, text in devices.menu(NODES["hdmi"], "dv_timings").items() if text == name)
    devices.control(NODES["hdmi"], dv_timings_signal_mode=SELECTED, dv_timings=number)


def setUpModule():
    global SUITE
    DRIVERS.load_vivid(hdmi=1, television=1)
    unittest.addModuleCleanup(DRIVERS.unload, "vivid")
    NODES.update(zip(["hdmi", "tv"], devices.cameras()))
    # The driver itself is set to 720p until somebody sets it to the signal's timings.
    see(FIRST)
    SUITE = Suite({name: (SOURCE.format(node), MORE.format(name)) for name, node in NODES.items()}).start()
    unittest.addModuleCleanup(SUITE.destroy)
    SUITE.wait_live(*NODES)


class Signals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.viewers = {name: Viewer(SUITE.rtsp(name)) for name in NODES}
        for viewer in cls.viewers.values():
            cls.addClassCleanup(viewer.end)
        for viewer in cls.viewers.values():
            viewer.more()

    def check_picture(self, name, size):
        """The stream has the signal's size, and shows the driver's bars."""
        SUITE.until(lambda: SUITE.source(name).get("size") == "%dx%d" % size, f"{name} has the size {size}")
        SUITE.until(lambda: SUITE.stream(name)["mode"] == "encoding", f"{name} is shown")
        print(f"     {name:<13} {check_bars(pictures([SUITE.rtsp(name)])[0], size)}", flush=True)

    def check_loss(self, name, lose, restore, reason):
        """The signal is lost, and said why; the slate is shown; the viewer stays, and sees it when it is back."""
        began = time.monotonic()
        before = SUITE.source(name)
        lose()
        SUITE.until(lambda: SUITE.source(name).get("reason", "").startswith(reason), f"the reason is {reason}")
        print(f"     {name:<13} {SUITE.source(name)['reason']}", flush=True)
        SUITE.until(lambda: SUITE.stream(name)["mode"] == "slate", "the slate is shown")
        self.viewers[name].more(2)
        restore()
        SUITE.wait_live(name)
        SUITE.until(lambda: SUITE.stream(name)["mode"] == "encoding", "the picture is back")
        self.viewers[name].more(3)
        after = SUITE.source(name)
        self.assertEqual(after["losses"] - before["losses"], 1)
        self.assertEqual(after["size"], before["size"])
        # The device was never closed: it waited for the signal.
        self.assertEqual(after["capture"]["recoveries"]["reopen"], 0)
        self.assertTrue(self.viewers[name].is_connected)
        frames = sum(moment >= began for moment in self.viewers[name].times)
        # The driver makes up to sixty frames a second, emulated or not, and none waits: gaps are what it had no time or
        # buffer for, superseded what was there twice when Apus had time.
        faults = {why: after["capture"]["faults"][why] - count for why, count in before["capture"]["faults"].items()}
        told = {why: count for why, count in faults.items() if count}
        dropped = after["dropped"] - before["dropped"]
        report(f"{name} {reason.partition(' at ')[0]}", frames, dropped, self.viewers[name].gap(began), f" {told}")

    def test_digital_timings_are_taken_over_and_followed(self):
        self.check_picture("hdmi", (640, 480))
        before = SUITE.source("hdmi")
        told = before["capture"]
        self.assertEqual((told["input"], told["timings"]), ("HDMI 0", "640x480p59.94"))

        began = time.monotonic()
        see(SECOND)
        self.check_picture("hdmi", (720, 576))
        self.viewers["hdmi"].more(5)
        after = SUITE.source("hdmi")
        self.assertEqual(after["capture"]["timings"], "720x576p50")
        self.assertGreater(after["capture"]["recoveries"]["retime"], told["recoveries"]["retime"])
        self.assertTrue(self.viewers["hdmi"].is_connected)
        frames = sum(moment >= began for moment in self.viewers["hdmi"].times)
        report("hdmi retimed", frames, after["dropped"] - before["dropped"], self.viewers["hdmi"].gap(began))

    def test_digital_signal_is_lost(self):
        reasons = {NO_SIGNAL: "no cable at input HDMI 0", NO_LOCK: "no lock to the signal at input HDMI 0",
                   OUT_OF_RANGE: "unsupported timings"}
        for mode, reason in reasons.items():
            with self.subTest(reason):
                self.check_loss(
                    "hdmi", lambda mode=mode: devices.control(NODES["hdmi"], dv_timings_signal_mode=mode),
                    lambda: devices.control(NODES["hdmi"], dv_timings_signal_mode=SELECTED), reason)

    def test_television_signal_is_lost(self):
        # PAL, which the driver begins with.
        self.check_picture("tv", (720, 576))
        for mode, reason in {NO_SIGNAL: "no signal at input S-Video 0", NO_LOCK: "no sync at input S-Video 0"}.items():
            with self.subTest(reason):
                self.check_loss(
                    "tv", lambda mode=mode: devices.control(NODES["tv"], standard_signal_mode=mode),
                    lambda: devices.control(NODES["tv"], standard_signal_mode=CURRENT), reason)
