# SPDX-License-Identifier: Apache-2.0
# Every pixel format, out of one memory a picture and out of one a plane, several cameras at once, watched over RTSP.

import unittest

from Tests.Interop.apus import until
from Tests.Interop.rtsp_client import RTSPClient

from . import devices
from .suite import PATIENCE, Suite, check_bars, pictures, report

# Set by guest.py.
DRIVERS = None
SINGLE = ["yuyv", "uyvy", "nv12", "nv21", "yu12", "grey", "rgb24", "bgr24"]
# The others have one plane only.
SEVERAL = ["yuyv", "nv12", "nv21", "yu12"]
# So many start at once: under emulation, a process takes seconds to load its libraries.
GROUP = 4
# The driver's lettering would lie over the bars.
BARS = "controls = osd_text_mode=2, test_pattern=100% Colorbar"


def setUpModule():
    DRIVERS.load_vivid(webcams=len(SINGLE), multiplanar=len(SEVERAL))
    unittest.addModuleCleanup(DRIVERS.unload, "vivid")


class Formats(unittest.TestCase):
    """A camera for each format of each kind of memory, one process each, four at once."""

    def check(self, formats, nodes):
        self.assertEqual(len(formats), len(nodes))
        cameras = {f"c{node.removeprefix('/dev/video')}-{name}": node for name, node in zip(formats, nodes)}
        suite = Suite({
            camera: (f"v4l2:{node}?size=320x180&fps=5&format={camera.partition('-')[2]}", BARS)
            for camera, node in cameras.items()
        })
        with suite:
            suite.wait_live(*cameras)
            processes = [name for name in suite.processes().values() if name == "apus-video"]
            self.assertEqual(len(processes), len(cameras))
            # All are watched at once by viewers who count packets.
            viewers = {camera: RTSPClient(suite.rtsp(camera), PATIENCE).play() for camera in cameras}
            try:
                # A picture of each, decoded by ffmpeg, has all colours of the bars.
                for camera, picture in zip(cameras, pictures([suite.rtsp(camera) for camera in cameras])):
                    with self.subTest(camera):
                        self.assertEqual(suite.source(camera)["size"], "320x180")
                        print(f"     {camera:<13} {check_bars(picture, grey=camera.endswith('grey'))}", flush=True)
                until(lambda: all(len(viewer.frames()) >= 10 for viewer in viewers.values()), PATIENCE,
                      "all viewers have 10 frames", 0.1)
            finally:
                for viewer in viewers.values():
                    viewer.close()
            for camera, viewer in viewers.items():
                with self.subTest(camera):
                    self.no_holes(viewer)
                    times = [packet.arrived for packet in viewer.frames()]
                    gap = max(after - before for before, after in zip(times, times[1:]))
                    report(camera, len(times), suite.source(camera)["dropped"], gap)

    def no_holes(self, viewer):
        numbers = [packet.sequence for packet in viewer.packets]
        self.assertEqual([after for before, after in zip(numbers, numbers[1:]) if (after - before) % 65536 != 1], [])


def add_groups():
    """One test for each few formats."""
    kinds = [("single", SINGLE, 0), ("several_planes", SEVERAL, len(SINGLE))]
    for kind, formats, base in kinds:
        for first in range(0, len(formats), GROUP):
            def test(self, names=formats[first : first + GROUP], start=base + first):
                self.check(names, devices.cameras()[start : start + len(names)])

            setattr(Formats, f"test_{kind}_{'_'.join(formats[first : first + GROUP])}", test)


add_groups()
