# SPDX-License-Identifier: Apache-2.0
# Devices of a real driver become cameras by themselves, and stay the same ones when they go and come.

import json
import subprocess
import time
import unittest

from Tests.Interop import settings

from . import devices
from .suite import PATIENCE, Suite, Viewer, report

# Set by guest.py.
DRIVERS = None


class Devices(unittest.TestCase):
    def listed(self, suite):
        command = [settings.PROGRAMS / "apus", "devices", "--json", "--run-dir", suite.run_dir]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
        return json.loads(done.stdout)["devices"]

    def test_plugged_in_after_the_start_unplugged_and_back(self):
        more = "[camera.cam.main]\nsize = 320x180\nfps = 10\n[camera.cam.jpeg]\nenabled = no\n"
        with Suite({"cam": ("auto", more)}) as suite:
            # While the kernel knows of no video devices at all, a simulated one stands in.
            suite.wait_live("cam")
            self.assertTrue(all(device["simulated"] for device in self.listed(suite)))
            # That camera is there before the server may be.
            suite.until(lambda: suite.describes("cam"), "RTSP serves it")
            viewer = Viewer(suite.rtsp("cam"))
            self.addCleanup(viewer.end)
            viewer.more(5)

            began = time.monotonic()
            DRIVERS.load_vivid(webcams=2)
            self.addCleanup(DRIVERS.unload, "vivid")
            suite.until(lambda: len(self.listed(suite)) == 2, "both cameras are found, and nothing else")
            nodes = devices.cameras()
            found = {device["camera"]: device for device in self.listed(suite)}
            self.assertEqual(set(found), {"cam", "vivid"})
            self.assertEqual(sorted(device["node"] for device in found.values()), nodes)
            print("     " + ", ".join(device["id"] for device in found.values()), flush=True)
            suite.names.append("vivid")
            suite.wait_live("cam", "vivid")
            self.assertEqual(suite.source("cam")["address"], "v4l2:" + found["cam"]["id"])
            viewer.more(10)
            report("devices come", len(viewer.times), suite.source("cam")["dropped"], viewer.gap(began))
            suite.until(lambda: suite.describes("vivid"), "RTSP serves the other")
            other = Viewer(suite.rtsp("vivid"))
            self.addCleanup(other.end)
            other.more(5)

            began = time.monotonic()
            place = devices.platform_device(nodes[0])
            devices.unbind(place)
            suite.until(lambda: not self.listed(suite), "both cameras are gone")
            for name in ["cam", "vivid"]:
                suite.wait_lost(name)
            viewer.more(3)
            devices.bind(place)
            suite.wait_live("cam", "vivid")
            suite.until(lambda: len(self.listed(suite)) == 2, "both cameras are listed again")
            self.assertEqual({device["camera"]: device["id"] for device in self.listed(suite)},
                             {name: device["id"] for name, device in found.items()})
            for watching in [viewer, other]:
                watching.more(10)
                self.assertTrue(watching.is_connected)
            source = suite.source("cam")
            taken = {step: count for step, count in source["capture"]["recoveries"].items() if count}
            report("devices unbound", len(viewer.times), source["dropped"], viewer.gap(began), f" {taken}")

            heard = suite_answer(suite)
            self.assertIn("kernel", heard["heard_by"])


def suite_answer(suite):
    """What the supervisor says of its devices."""
    command = [settings.PROGRAMS / "apus", "ctl", "supervisor", "devices", "--json", "--run-dir", suite.run_dir]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return json.loads(done.stdout)
