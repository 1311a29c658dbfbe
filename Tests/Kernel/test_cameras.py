# SPDX-License-Identifier: Apache-2.0
# Two cameras of a real driver under viewers: controls, unplugging, and every fault that the driver can make up.

import json
import subprocess
import time
import unittest

from Tests.Interop import settings

from . import devices
from .suite import PATIENCE, Suite, Viewer, report

# Set by guest.py.
DRIVERS = None
SUITE = None
# The tests set controls of the driver, too.
SOURCE = "v4l2:{}?size=320x180&fps=10&priority=shared"


def setUpModule():
    global SUITE
    DRIVERS.load_vivid(webcams=1, multiplanar=1)
    unittest.addModuleCleanup(DRIVERS.unload, "vivid")
    one, two = devices.cameras()
    SUITE = Suite({"one": (SOURCE.format(one), "controls = contrast=77"), "two": SOURCE.format(two)}).start()
    unittest.addModuleCleanup(SUITE.destroy)
    SUITE.wait_live("one", "two")


class Controls(unittest.TestCase):
    """Controls of every type are listed, set, read back by another program, watched, reset."""

    def setUp(self):
        self.node = devices.cameras()[0]

    def test_set_and_read_back(self):
        listed = {control["name"]: control for control in SUITE.ask("one", "controls")["controls"]}
        kinds = {control["type"] for control in listed.values()}
        self.assertLessEqual({"integer", "boolean", "menu", "integer-menu", "button", "bitmask", "string"}, kinds)
        print(f"     {len(listed)} controls of {len(kinds)} types", flush=True)

        # What the configuration says.
        self.assertEqual(listed["contrast"]["value"], 77)
        self.assertEqual(devices.read_control(self.node, "contrast"), "77")

        # What users say: by the command line, and one of each type by the socket.
        subprocess.run(
            [settings.PROGRAMS / "apus", "ctl", "--run-dir", SUITE.run_dir, "video.one", "set-control",
             "name=brightness", "value=200"], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        values = {
            "integer_32_bits": (-5, "-5"), "integer_64_bits": (1 << 40, str(1 << 40)), "boolean": (False, "0"),
            "menu": ("Menu Item 4", "4"), "integer_menu": (6, "6"), "string": ("abc", "'abc'"), "bitmask": (16, "16"),
        }
        for name, (value, _) in values.items():
            SUITE.ask("one", "set-control", name=name, value=value)
        self.assertEqual(devices.read_control(self.node, "brightness"), "200")
        for name, (_, told) in values.items():
            with self.subTest(name):
                self.assertEqual(devices.read_control(self.node, name).split(" ")[0], told)

        # What cannot be: each is refused, and said why.
        for name, value in [("brightness", 256), ("menu", "Menu Item 2 (Skipped)"), ("read_only_integer_32_bits", 1),
                            ("gain", 3), ("no_such_control", 1)]:
            with self.subTest(name):
                with self.assertRaises(AssertionError):
                    SUITE.ask("one", "set-control", name=name, value=value)

    def test_changes_by_others_are_told(self):
        events = subprocess.Popen(
            [settings.PROGRAMS / "apus", "ctl", "--run-dir", SUITE.run_dir, "video.one", "subscribe", "events=control"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(events.communicate)
        self.addCleanup(events.kill)
        # The driver changes a control by itself each second: its telling means that one is subscribed.
        json.loads(events.stdout.readline())
        devices.control(self.node, saturation=33)
        changes = (json.loads(line)["control"] for line in events.stdout)
        self.assertEqual(next(change["value"] for change in changes if change["name"] == "saturation"), 33)

    def test_values_outlive_the_camera(self):
        SUITE.ask("one", "set-control", name="brightness", value=190)
        place = devices.platform_device(self.node)
        devices.unbind(place)
        SUITE.wait_lost("one")
        devices.bind(place)
        SUITE.wait_live("one", "two")
        self.assertEqual(devices.read_control(self.node, "brightness"), "190")
        self.assertEqual(devices.read_control(self.node, "contrast"), "77")
        SUITE.ask("one", "reset-controls")
        self.assertEqual(devices.read_control(self.node, "brightness"), "128")
        self.assertEqual(devices.read_control(self.node, "contrast"), "77")


class Losses(unittest.TestCase):
    """Cameras that are unplugged, and faults that the driver makes up: viewers stay, and pictures come back."""

    @classmethod
    def setUpClass(cls):
        cls.viewers = {name: Viewer(SUITE.rtsp(name)) for name in ["one", "two"]}
        for viewer in cls.viewers.values():
            cls.addClassCleanup(viewer.end)
        for viewer in cls.viewers.values():
            viewer.more()

    def setUp(self):
        self.node = devices.cameras()[0]
        self.began = time.monotonic()
        self.before = {name: SUITE.source(name) for name in self.viewers}

    def settle(self, what, *names):
        """The cameras are back, and their viewers, who were never gone, see them."""
        names = names or ["one"]
        SUITE.wait_live(*names)
        for name in names:
            SUITE.until(lambda name=name: SUITE.stream(name)["mode"] not in ["slate", "idle"], f"{name} has no slate")
            self.viewers[name].more(5)
        for name, viewer in self.viewers.items():
            self.assertTrue(viewer.is_connected, name)
        for name in names:
            viewer = self.viewers[name]
            frames = sum(moment >= self.began for moment in viewer.times)
            after = SUITE.source(name)
            losses = after["losses"] - self.before[name]["losses"]
            dropped = after["dropped"] - self.before[name]["dropped"]
            report(f"{what} {name}", frames, dropped, viewer.gap(self.began), f", {losses} losses")

    def losses(self, name="one"):
        return SUITE.source(name)["losses"] - self.before[name]["losses"]

    def test_unplugged_twice(self):
        for _ in range(2):
            place = devices.platform_device(self.node)
            devices.unbind(place)
            for name in self.viewers:
                SUITE.wait_lost(name)
                # The slate goes on in the same stream.
                SUITE.until(lambda name=name: SUITE.stream(name)["mode"] == "slate", f"{name} shows the slate")
                self.viewers[name].more(3)
            devices.bind(place)
            SUITE.wait_live(*self.viewers)
        # Tries while it is not there are no losses.
        self.assertEqual(self.losses(), 2)
        self.settle("unbound twice", "one", "two")

    def test_dropped_buffers(self):
        devices.control(self.node, percentage_of_dropped_buffers=50)
        self.addCleanup(devices.control, self.node, percentage_of_dropped_buffers=0)
        SUITE.until(lambda: SUITE.source("one")["dropped"] >= self.before["one"]["dropped"] + 5, "5 drops are counted")
        self.viewers["one"].more(10)
        self.assertEqual(self.losses(), 0)
        devices.control(self.node, percentage_of_dropped_buffers=0)
        self.settle("half dropped")

    def test_damaged_buffer(self):
        for count in range(3):
            devices.control(self.node, inject_v4l2_buf_flag_error=1)
            SUITE.until(lambda: SUITE.source("one")["dropped"] > self.before["one"]["dropped"] + count,
                        "the damaged frame is counted")
        self.assertEqual(self.losses(), 0)
        self.settle("damaged buffers")

    def test_disconnect(self):
        # The button makes the driver behave as if the plug was pulled; binding it anew is putting it back.
        place = devices.platform_device(self.node)
        devices.control(self.node, disconnect=1)
        SUITE.wait_lost("one")
        self.assertEqual(self.losses("two"), 0)
        devices.unbind(place)
        devices.bind(place)
        self.settle("disconnected", "one", "two")

    def test_buffer_not_taken_back(self):
        devices.control(self.node, inject_vidioc_qbuf_error=1)
        self.settle("QBUF error")

    def test_stream_broken(self):
        devices.control(self.node, inject_fatal_streaming_error=1)
        self.settle("fatal error")

    def test_stream_broken_and_buffers_refused(self):
        # Both are for the next start, which the third brings about.
        devices.control(self.node, inject_vidioc_reqbufs_error=1)
        devices.control(self.node, inject_fatal_streaming_error=1)
        self.settle("REQBUFS error")

    def test_stream_broken_and_start_refused(self):
        devices.control(self.node, inject_vidioc_streamon_error=1)
        devices.control(self.node, inject_fatal_streaming_error=1)
        self.settle("STREAMON error")
