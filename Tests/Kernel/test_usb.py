# SPDX-License-Identifier: Apache-2.0
# A USB camera under the kernel's own driver for such: its JPEG passed through, its controls, its plug.

import pathlib
import time
import unittest

from Tests.Interop.apus import until

from . import devices
from .suite import PATIENCE, Suite, Viewer, check_bars, pictures, report
from .usb_camera import AUTO_EXPOSURE, CAMERA_TERMINAL, MANUAL_EXPOSURE, USBCamera

# Set by guest.py.
DRIVERS = None
SIZE = (320, 192)
SUITE = None
CAMERA = None


def node(product):
    """The device node of a camera's pictures: its driver makes another one for what goes with them."""
    found = devices.cameras(product)
    return found[0] if found else None


def setUpModule():
    global SUITE, CAMERA
    for name in ["uvcvideo", "vhci-hcd"]:
        DRIVERS.load(name)
        unittest.addModuleCleanup(DRIVERS.unload, name)
    image = pathlib.Path(DRIVERS.folder, "bars.mjpeg").read_bytes()
    CAMERA = USBCamera(image[: image.index(b"\xff\xd9") + 2], SIZE, "A1", "Front Door")
    CAMERA.plug(0)
    until(lambda: node("Front Door"), PATIENCE, "the driver takes the camera", 0.2)
    SUITE = Suite({
        "usb": (f"v4l2:{node('Front Door')}", "controls = exposure_time_absolute=300, auto_exposure=Manual Mode"),
    }).start()
    unittest.addModuleCleanup(SUITE.destroy)
    SUITE.wait_live("usb")


class USB(unittest.TestCase):
    def test_picture(self):
        source = SUITE.source("usb")
        self.assertEqual((source["codec"], source["size"], source["fps"]), ("jpeg", "320x192", 10))
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

    def test_unplugged(self):
        viewer = Viewer(SUITE.rtsp("usb/jpeg"))
        self.addCleanup(viewer.end)
        viewer.more(5)
        began = time.monotonic()
        before = SUITE.source("usb")
        CAMERA.unplug()
        SUITE.wait_lost("usb")
        SUITE.until(lambda: SUITE.stream("usb", "jpeg")["mode"] == "slate", "the slate is shown")
        viewer.more(3)
        # A camera that has been out of power has forgotten what it was set to.
        for control in CAMERA.controls.values():
            control.value = control.default
        CAMERA.plug(0)
        SUITE.wait_live("usb")
        SUITE.until(lambda: SUITE.stream("usb", "jpeg")["mode"] == "passthrough", "pictures are back")
        viewer.more(10)
        self.assertEqual(CAMERA.controls[CAMERA_TERMINAL, 4].value, 300)
        after = SUITE.source("usb")
        report("usb unplugged", sum(moment >= began for moment in viewer.times), after["dropped"] - before["dropped"],
               viewer.gap(began))
