# SPDX-License-Identifier: Apache-2.0
# USB cameras under the kernel's own driver for such: their JPEG, their controls, their plugs and their names.

import json
import pathlib
import subprocess
import time
import unittest

from Tests.Interop import settings
from Tests.Interop.apus import until

from . import devices
from .suite import PATIENCE, Suite, Viewer, check_bars, pictures, report
from .usb_camera import AUTO_EXPOSURE, CAMERA_TERMINAL, MANUAL_EXPOSURE, USBCamera

# Set by guest.py.
DRIVERS = None
SIZE = (320, 192)
RATE = 20
SUITE = None
# The camera that is watched, and another of the same make.
CAMERA, OTHER = None, None
ID = "usb-1209:0001-{}-if00-index0"


def doors():
    """The nodes with cameras' pictures; the driver makes another one each, for what goes with them."""
    nodes = devices.cameras("Door")
    return [node for node in nodes if pathlib.Path("/sys/class/video4linux", node[5:], "index").read_text() == "0\n"]


def plug(camera, port):
    """Plugs a camera in; its node, once the driver has taken it."""
    before = set(doors())
    camera.plug(port)
    return until(lambda: set(doors()) - before, PATIENCE, "the driver takes the camera", 0.1).pop()


def setUpModule():
    global SUITE, CAMERA, OTHER
    for name in ["uvcvideo", "vhci-hcd"]:
        DRIVERS.load(name)
        unittest.addModuleCleanup(DRIVERS.unload, name)
    image = pathlib.Path(DRIVERS.folder, "bars.mjpeg").read_bytes()
    image = image[: image.index(b"\xff\xd9") + 2]
    CAMERA, OTHER = USBCamera(image, SIZE, "A1", RATE), USBCamera(image, SIZE, "B2", RATE)
    plug(CAMERA, 0)
    SUITE = Suite({
        "usb": (f"v4l2:{ID.format('A1')}",
                "usb_reset = yes\ncontrols = exposure_time_absolute=300, auto_exposure=Manual Mode"),
    }).start()
    unittest.addModuleCleanup(SUITE.destroy)
    SUITE.wait_live("usb")


class USB(unittest.TestCase):
    """A camera that is named by its serial number."""

    def test_picture(self):
        source = SUITE.source("usb")
        self.assertEqual((source["codec"], source["size"], source["fps"]), ("jpeg", "320x192", RATE))
        print(f"     usb           {check_bars(pictures([SUITE.rtsp('usb/jpeg')])[0], SIZE)}", flush=True)

    def test_switch_before_value(self):
        """The time of exposure comes first in the configuration, but the camera takes it in manual mode only."""
        self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 2].value, MANUAL_EXPOSURE)
        self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 4].value, 300)
        SUITE.ask("usb", "set-control", name="auto_exposure", value="Aperture Priority Mode")
        self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 2].value, AUTO_EXPOSURE)
        listed = {control["name"]: control for control in SUITE.ask("usb", "controls")["controls"]}
        self.assertFalse(listed["exposure_time_absolute"]["active"])
        SUITE.ask("usb", "reset-controls")
        self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 4].value, 300)

    def test_only_a_reset_helps(self):
        """A camera that sends nothing is started again, opened again, and reset when neither has brought a frame."""
        viewer = Viewer(SUITE.rtsp("usb/jpeg"))
        self.addCleanup(viewer.end)
        viewer.more(5)
        before, resets, began = SUITE.source("usb"), CAMERA.resets, time.monotonic()
        CAMERA.wedge()
        taken = {}

        def has_taken_all():
            now = SUITE.source("usb")["capture"]["recoveries"]
            for step, count in before["capture"]["recoveries"].items():
                if now[step] > count:
                    taken.setdefault(step, time.monotonic() - began)
            return "reset" in taken

        SUITE.until(lambda: has_taken_all() or SUITE.stream("usb", "jpeg")["mode"] == "slate", "the slate is shown")
        SUITE.until(has_taken_all, "the camera is reset")
        self.assertEqual(list(taken), ["restart", "reopen", "reset"])
        self.assertEqual(CAMERA.resets, resets + 1)
        SUITE.until(lambda: SUITE.stream("usb", "jpeg")["mode"] == "passthrough", "pictures are back")
        viewer.more(10)
        self.assertTrue(viewer.is_connected)
        # It had forgotten what it was set to.
        self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 4].value, 300)
        after = SUITE.source("usb")
        steps = ", ".join(f"{step} after {moment:.1f} s" for step, moment in taken.items())
        report("usb reset", sum(moment >= began for moment in viewer.times), after["dropped"] - before["dropped"],
               viewer.gap(began), f", {steps}, back {time.monotonic() - began:.1f} s after its last frame")

    def test_listed(self):
        """Once, though it has another node for what goes with its pictures."""
        listed = subprocess.run([settings.PROGRAMS / "apus", "devices", "--json"], stdout=subprocess.PIPE, check=True)
        found = json.loads(listed.stdout)
        print(f"     {json.dumps(found)[:600]}", flush=True)
        self.assertEqual([device["id"] for device in found["devices"]], [ID.format("A1")])

    def test_unplugged_and_plugged_elsewhere(self):
        """Back at another port, as another node, while another camera has its old one: it goes on under its name."""
        viewer = Viewer(SUITE.rtsp("usb/jpeg"))
        self.addCleanup(viewer.end)
        viewer.more(5)
        for other in [False, True]:
            old = doors()[0]
            began, before = time.monotonic(), SUITE.source("usb")
            CAMERA.unplug()
            SUITE.wait_lost("usb")
            SUITE.until(lambda: SUITE.stream("usb", "jpeg")["mode"] == "slate", "the slate is shown")
            viewer.more(3)
            CAMERA.forget()
            if other:
                self.assertEqual(plug(OTHER, 0), old)
                self.addCleanup(OTHER.unplug)
            plugged = time.monotonic()
            new = plug(CAMERA, 1 if other else 0)
            if other:
                self.assertNotEqual(new, old)
            SUITE.until(lambda: SUITE.stream("usb", "jpeg")["mode"] == "passthrough", "pictures are back")
            took = time.monotonic() - plugged
            viewer.more(10)
            self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 4].value, 300)
            after = SUITE.source("usb")
            self.assertGreater(after["losses"], before["losses"])
            report("unplugged, elsewhere" if other else "unplugged", sum(moment >= began for moment in viewer.times),
                   after["dropped"] - before["dropped"], viewer.gap(began), f", back {took:.2f} s after the plug")
