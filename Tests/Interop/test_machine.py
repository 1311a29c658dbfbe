# SPDX-License-Identifier: Apache-2.0
# The machine under a suite: what is told of it, warnings when limits are passed, encoders that do less while it is hot.

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from . import settings
from .apus import Apus, until
from .case import longest_gap
from .rtsp_client import RTSPClient
from .together import together

CONFIG = """
[apus]
auth = off
[telemetry]
interval = 1s
hot = 70
[thermal]
lower = {lower}
hot = 70
at_least = 50
pace = 1s
[camera.cam]
source = pattern:?size=640x360&fps=30
[camera.cam.main]
bitrate = 2M
[camera.film]
source = file:{film}
"""


class FakeMachine:
    """A folder with the few files of the kernel's that a test changes."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="apus-machine-"))
        self.write("sys/class/thermal/thermal_zone0/type", "cpu-thermal")
        self.write("sys/firmware/devicetree/base/model", "Raspberry Pi 5 Model B Rev 1.0\0")
        self.write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB")
        self.write("sys/block/mmcblk0/device/type", "MMC")
        self.heat(45)

    def write(self, path, text):
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # At once, as the kernel's files change: never half of one.
        new = place.with_name(place.name + ".new")
        new.write_text(text + "\n")
        new.rename(place)

    def heat(self, celsius):
        self.write("sys/class/thermal/thermal_zone0/temp", str(celsius * 1000))

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


class Events(threading.Thread):
    """Hears /api/v1/events until it is closed."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.heard = []
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.request("GET", "/api/v1/events")
        self.response = self.connection.getresponse()
        self.start()

    def run(self):
        kind = None
        try:
            for line in self.response:
                text = line.decode().strip()
                if text.startswith("event: "):
                    kind = text[7:]
                elif text.startswith("data: "):
                    self.heard.append((kind, json.loads(text[6:])))
        except (OSError, ValueError, AttributeError):
            # The suite, or the test, has ended.
            pass

    def of(self, kind, name=None):
        return [data for heard, data in list(self.heard) if heard == kind and name in (None, data.get("name"))]


class MachineTest(unittest.TestCase):
    def setUp(self):
        self.machine = FakeMachine()
        self.addCleanup(self.machine.remove)

    def suite(self, lower="both"):
        apus = Apus(config=CONFIG.format(lower=lower, film=settings.film()), streams=["cam", "film"])
        apus.environment["APUS_MACHINE_ROOT"] = str(self.machine.root)
        return apus

    def system(self, apus):
        status, _, body = apus.get("/api/v1/system")
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def control(self, apus, *words):
        command = [settings.PROGRAMS / "apus", "ctl", *words, "--json", "--run-dir", apus.run_dir]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def pid(self, apus, daemon):
        """The pid of a daemon that is ready."""
        daemons = self.control(apus, "supervisor", "status")["daemons"]
        return next((one["pid"] for one in daemons if one["name"] == daemon and one["state"] == "running"), None)

    def stream(self, apus, camera, name="main"):
        status = self.control(apus, f"video.{camera}", "status")
        return next(stream for stream in status["streams"] if stream["name"] == name)

    def status(self, apus):
        command = [settings.PROGRAMS / "apus", "status", "--run-dir", apus.run_dir]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    @together
    def test_limits_that_are_passed_are_told_once_and_once_when_that_is_over(self):
        with self.suite("off") as apus:
            events = Events(apus.http_port)
            until(lambda: self.system(apus)["temperatures"], 5, "the machine is read")
            self.assertEqual(self.system(apus)["model"], "Raspberry Pi 5 Model B Rev 1.0")
            self.assertEqual(self.system(apus)["warnings"], [])

            self.machine.heat(71)
            self.machine.write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 100000 kB")
            self.machine.write("sys/devices/platform/soc@107c000000/soc:firmware/get_throttled", "50005")
            self.machine.write("sys/block/mmcblk0/device/life_time", "0x0a 0x01")
            names = ["hot", "memory-low", "throttled", "under-voltage", "worn-out"]
            until(lambda: all(events.of("threshold", name) for name in names), 10, "the warnings")
            self.assertEqual(sorted(warning["name"] for warning in self.system(apus)["warnings"]), names)
            until(lambda: "warning  the processor is at 71 °C (limit 70 °C)" in self.status(apus), 5, "apus status")
            self.assertIn("the power supply is too weak", self.status(apus))
            _, _, figures = apus.get("/metrics")
            self.assertIn(b'apus_system_warning{name="worn-out",subject="mmcblk0"} 1', figures)
            self.assertIn(b'apus_system_storage_wear_ratio{device="mmcblk0"} 1', figures)

            self.machine.heat(50)
            self.machine.write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB")
            until(lambda: len(events.of("threshold", "hot")) > 1, 10, "it is cool again")
            until(lambda: len(events.of("threshold", "memory-low")) > 1, 10, "there is memory again")
            self.assertEqual([event["active"] for event in events.of("threshold", "hot")], [True, False])
            self.assertEqual([event["active"] for event in events.of("threshold", "memory-low")], [True, False])
            self.assertEqual([event["active"] for event in events.of("threshold", "worn-out")], [True])
            # Heat lowers nothing here.
            self.assertEqual(events.of("thermal"), [])
            self.assertIn("limit passed name=hot", apus.log_path.read_text())

    @together
    def test_a_hot_processor_has_the_encoders_do_less_and_a_cool_one_restores_them(self):
        with self.suite() as apus, RTSPClient(apus.rtsp("cam")) as cam, RTSPClient(apus.rtsp("film")) as film:
            events = Events(apus.http_port)
            cam.play()
            film.play()
            until(lambda: cam.frames() and film.frames(), 10, "pictures")
            self.assertNotIn("lowered", self.stream(apus, "cam"))

            self.machine.heat(85)
            until(lambda: self.stream(apus, "cam").get("lowered") == {"bitrate": 0.5, "fps": 0.5}, 20, "the least")
            until(lambda: 13 < self.stream(apus, "cam")["fps_measured"] < 17, 10, "half of the frames")
            self.assertEqual(self.stream(apus, "film")["mode"], "passthrough")
            self.assertGreater(len(events.of("thermal")), 2)
            system = self.system(apus)
            self.assertEqual((system["thermal"]["steps"], system["thermal"]["untouched"]), (3, ["film/main"]))
            self.assertIn("encoders are held to 50 % of the bitrate and 50 % of the frame rate", self.status(apus))
            self.assertIn("untouched, as they pass through: film/main", self.status(apus))
            self.assertIn(b'apus_thermal_share_ratio{what="fps"} 0.5', apus.get("/metrics")[2])

            # A daemon that begins anew hears of it again.
            before = self.control(apus, "video.cam", "status")["pid"]
            os.kill(before, signal.SIGKILL)
            until(lambda: self.pid(apus, "video.cam") not in (None, before), 10, "the camera is back")
            until(lambda: self.stream(apus, "cam").get("lowered") == {"bitrate": 0.5, "fps": 0.5}, 10, "lowered again")

            self.machine.heat(60)
            until(lambda: self.system(apus)["thermal"]["steps"] == 0, 30, "all is given back")
            until(lambda: "lowered" not in self.stream(apus, "cam"), 5, "the camera is told")
            until(lambda: self.stream(apus, "cam")["fps_measured"] > 27, 10, "all frames")
            self.assertEqual(events.of("thermal")[-1]["fps"], 1)
            log = apus.log_path.read_text()
            self.assertIn("the processor is hot: encoders do less than is configured", log)
            self.assertIn("not lowered, as it passes through untouched camera=film", log)
            self.assertIn("encoders do what is configured again", log)
            self.assertIsNone(cam.ended)
            self.assertIsNone(film.ended)

    @together
    def test_the_policy_is_changed_while_it_is_hot(self):
        with self.suite("bitrate") as apus, RTSPClient(apus.rtsp("cam")) as cam:
            cam.play()
            self.machine.heat(85)
            until(lambda: self.stream(apus, "cam").get("lowered") == {"bitrate": 0.5, "fps": 1}, 20, "the least bitrate")
            self.assertEqual(self.stream(apus, "cam")["fps"], 30)

            config = apus.directory / "apus.conf"
            config.write_text(config.read_text().replace("lower = bitrate", "lower = off"))
            command = [settings.PROGRAMS / "apus", "config", "reload", "--run-dir", apus.run_dir]
            subprocess.run(command, check=True, capture_output=True)
            until(lambda: "lowered" not in self.stream(apus, "cam"), 5, "all is given back at once")
            self.assertLess(longest_gap([frame.arrived for frame in cam.frames()]), 1)
