# SPDX-License-Identifier: Apache-2.0
# A USB camera by way of libcamera: found, its JPEG passed through, its controls, its plug.
#
# Debian's kernel has no vimc, the driver that libcamera is usually tested with; its pipeline for USB cameras runs the
# same way through the library, and sees them as soon as udev does.

import pathlib
import subprocess
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


def name_controller():
    """Gives the virtual host controller the firmware's name that libcamera makes ids of, and that only real ones have."""
    place, real = pathlib.Path("/tmp/platform"), pathlib.Path("/sys/devices/platform")
    (place / "firmware_node").mkdir(parents=True)
    (place / "firmware_node/path").write_text("\\_SB_.VHCI\n")
    for controller in real.glob("vhci_hcd.*"):
        (place / controller.name).mkdir()
        subprocess.run(["mount", "--bind", controller, place / controller.name], check=True)
    subprocess.run(["mount", "--rbind", place, real], check=True)
    unittest.addModuleCleanup(subprocess.run, ["umount", "--recursive", real, place], check=False, capture_output=True)


def setUpModule():
    global SUITE, CAMERA
    for name in ["uvcvideo", "vhci-hcd"]:
        DRIVERS.load(name)
        unittest.addModuleCleanup(DRIVERS.unload, name)
    name_controller()
    # libcamera takes devices that udev knows.
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True, capture_output=True)
    unittest.addModuleCleanup(subprocess.run, ["pkill", "-x", "systemd-udevd"], check=False)
    SUITE = Suite({"lib": "libcamera:"}).start()
    unittest.addModuleCleanup(SUITE.destroy)
    SUITE.wait_lost("lib")
    image = pathlib.Path(DRIVERS.folder, "bars.mjpeg").read_bytes()
    CAMERA = USBCamera(image[: image.index(b"\xff\xd9") + 2], SIZE, "A1", 10, "Front Door")
    CAMERA.plug(0)
    until(lambda: devices.cameras("Front Door"), PATIENCE, "the driver takes the camera", 0.2)
    SUITE.wait_live("lib")


class LibCamera(unittest.TestCase):
    def test_picture(self):
        source = SUITE.source("lib")
        self.assertEqual((source["codec"], source["size"]), ("jpeg", "320x192"))
        print(f"     libcamera     {check_bars(pictures([SUITE.rtsp('lib/jpeg')])[0], SIZE)}", flush=True)

    def test_controls(self):
        listed = {control["name"]: control for control in SUITE.ask("lib", "controls")["controls"]}
        print(f"     libcamera     {' '.join(name for name in listed if '.' not in name)}", flush=True)
        self.assertEqual(listed["ae_enable"]["type"], "boolean")
        SUITE.ask("lib", "set-control", name="ae_enable", value=False)
        SUITE.until(
            lambda: CAMERA.controls[CAMERA_TERMINAL, 2].value == MANUAL_EXPOSURE, "exposure is manual"
        )
        SUITE.ask("lib", "set-control", name="exposure_time", value=30000)
        # USB counts in tenths of a millisecond.
        SUITE.until(lambda: CAMERA.controls[CAMERA_TERMINAL, 4].value == 300, "the exposure's time is set")
        SUITE.ask("lib", "set-control", name="ae_enable", value=True)
        SUITE.until(lambda: CAMERA.controls[CAMERA_TERMINAL, 2].value == AUTO_EXPOSURE, "exposure is automatic")

    def test_unplugged(self):
        viewer = Viewer(SUITE.rtsp("lib/jpeg"))
        self.addCleanup(viewer.end)
        viewer.more(5)
        CAMERA.unplug()
        SUITE.wait_lost("lib")
        SUITE.until(lambda: SUITE.stream("lib", "jpeg")["mode"] == "slate", "the slate is shown")
        viewer.more(3)
        CAMERA.plug(0)
        SUITE.wait_live("lib")
        SUITE.until(lambda: SUITE.stream("lib", "jpeg")["mode"] == "passthrough", "pictures are back")
        viewer.more(10)
        report("libcamera unplugged", len(viewer.times), SUITE.source("lib")["dropped"], viewer.gap())
