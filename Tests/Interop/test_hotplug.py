# SPDX-License-Identifier: Apache-2.0
# Simulated devices that are plugged in and unplugged while viewers watch.

import http.client
import json
import subprocess
import threading
import time
import unittest

from . import settings
from .apus import Apus, until
from .case import longest_gap
from .mjpeg_client import MJPEGClient
from .rtsp_client import RTSPClient

CONFIG = """
[apus]
simulated_devices = {count}
[camera.cam]
source = auto
[camera.cam.main]
size = 320x240
fps = 25
[camera.cam.sub]
enabled = no
[camera.cam.jpeg]
size = 320x240
fps = 10
"""
# From the device's return to the first of its frames.
RESUMES_WITHIN = 2.0


def apus_command(apus, *arguments):
    """What a command of apus says of the suite, as JSON."""
    command = [str(settings.PROGRAMS / "apus"), *arguments, "--run-dir", str(apus.run_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout else {}


def tell(apus, verb, *arguments):
    return apus_command(apus, "ctl", "supervisor", verb, *arguments, "--json")


def devices(apus):
    return {device["id"]: device for device in apus_command(apus, "devices", "--json")["devices"]}


def source(apus, camera):
    return apus_command(apus, "ctl", f"video.{camera}", "status", "--json")["source"]


def cameras(apus):
    return {camera["name"]: camera for camera in json.loads(apus.get("/api/v1/cameras")[2])["cameras"]}


class Events:
    """Collects the API's events in the background."""

    def __init__(self, apus):
        self.connection = http.client.HTTPConnection("127.0.0.1", apus.http_port, timeout=60)
        self.connection.request("GET", "/api/v1/events")
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self.all = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        kind = None
        try:
            for line in self.answer:
                text = line.decode().strip()
                if text.startswith("event: "):
                    kind = text[7:]
                elif text.startswith("data: "):
                    self.all.append((kind, json.loads(text[6:])))
        except (OSError, ValueError, http.client.HTTPException):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(2)
        self.thread.join()
        self.connection.close()

    def of(self, kind):
        return [data for name, data in list(self.all) if name == kind]


class HotPlugTest(unittest.TestCase):
    def unplugged_and_back(self, apus, device, camera):
        """Unplugs a device under viewers and plugs it in again; returns what they saw."""
        with RTSPClient(apus.rtsp(camera)) as rtsp, MJPEGClient(apus.http_port, f"/{camera}/mjpeg") as pictures:
            rtsp.play()
            until(lambda: len(rtsp.frames()) > 25 and len(pictures.arrivals()) > 10, 10, "viewers see the camera")
            node = devices(apus)[device]["node"]
            tell(apus, "unplug", f"device={device}")
            until(lambda: source(apus, camera)["state"] == "lost", 5, "the camera is lost")
            until(lambda: device not in devices(apus), 5, "the device is gone")
            until(lambda: not cameras(apus)[camera]["online"], 5, "the API says so")
            slate = time.monotonic()
            until(lambda: len(rtsp.frames(slate)) > 5, 10, "the slate is shown over RTSP")
            until(lambda: len(pictures.arrivals(slate)) > 5, 10, "the slate is shown over HTTP")

            back = time.monotonic()
            tell(apus, "plug", f"device={device}")
            until(lambda: source(apus, camera)["state"] == "live", 5, "the camera is back")
            until(lambda: devices(apus)[device]["node"] != node, 5, "the device has another node")
            # The slate's five a second are not taken for the camera's.
            until(lambda: len(rtsp.frames(time.monotonic() - 1)) >= 20, 10, "the camera's rate is back over RTSP")
            frames = [packet.arrived for packet in rtsp.frames()]
            resumed = next(
                (at for at, later in zip(frames, frames[5:]) if at > back and later - at < 0.4), float("inf")
            )
            self.assertLess(resumed - back, RESUMES_WITHIN)
            until(lambda: len(pictures.arrivals(time.monotonic() - 1)) >= 7, 10, "pictures come as fast as before")
            self.assertIsNone(pictures.ended)
            gaps = longest_gap(frames), longest_gap(pictures.arrivals())
            print(f"  {camera}: back after {resumed - back:.2f} s; longest gaps {gaps[0]:.2f} s RTSP, {gaps[1]:.2f} s MJPEG")
            # The slate comes after a second.
            self.assertLess(max(gaps), 2.5)

    def test_cameras_keep_names_and_viewers_when_their_devices_go_and_come(self):
        config = CONFIG.format(count=2)
        with Apus(config=config, streams=["cam", "simulated-camera-2"]) as apus, Events(apus) as events:
            found = devices(apus)
            self.assertEqual({id: found[id]["camera"] for id in found}, {"simulated-1": "cam", "simulated-2": "simulated-camera-2"})
            self.assertTrue(all(device["simulated"] for device in found.values()))
            self.unplugged_and_back(apus, "simulated-1", "cam")
            self.unplugged_and_back(apus, "simulated-2", "simulated-camera-2")

            changes = [(event["change"], event["id"], event["camera"]) for event in events.of("device")]
            self.assertEqual(
                changes,
                [
                    ("removed", "simulated-1", "cam"),
                    ("added", "simulated-1", "cam"),
                    ("removed", "simulated-2", "simulated-camera-2"),
                    ("added", "simulated-2", "simulated-camera-2"),
                ],
            )
            status, _, body = apus.get("/api/v1/devices")
            self.assertEqual(status, 200)
            self.assertEqual([device["id"] for device in json.loads(body)["devices"]], ["simulated-1", "simulated-2"])

    def test_a_device_that_is_plugged_in_later_appears_without_a_restart_and_without_touching_others(self):
        with Apus(config=CONFIG.format(count=0), streams=["cam"]) as apus:
            config = apus.directory / "apus.conf"
            pids = {daemon: apus.pid(daemon) for daemon in ["rtsp", "http", "video.cam"]}
            self.assertEqual(source(apus, "cam")["address"], "pattern:")
            with RTSPClient(apus.rtsp("cam")) as viewer:
                viewer.play()
                until(lambda: len(viewer.frames()) > 25, 10, "a viewer sees the pattern")

                config.write_text(CONFIG.format(count=1))
                tell(apus, "config-reload")
                until(lambda: source(apus, "cam")["address"] == "v4l2:simulated-1", 5, "cam goes over to the device")
                until(lambda: source(apus, "cam")["state"] == "live", 5, "cam shows the device")

                config.write_text(CONFIG.format(count=3))
                tell(apus, "config-reload")
                until(lambda: set(cameras(apus)) == {"cam", "simulated-camera-2", "simulated-camera-3"}, 5, "two more cameras")
                until(lambda: apus.describes("simulated-camera-3"), 10, "RTSP serves them")
                with RTSPClient(apus.rtsp("simulated-camera-3")) as other:
                    other.play()
                    until(lambda: len(other.frames()) > 10, 10, "a viewer sees the new camera")
                until(lambda: apus.get("/simulated-camera-2/snapshot.jpg")[0] == 200, 10, "HTTP serves them")

                before = time.monotonic()
                until(lambda: len(viewer.frames(before)) > 25, 10, "the first viewer still watches")
                gap = longest_gap([packet.arrived for packet in viewer.frames()])
                print(f"  pattern to device: longest gap {gap:.2f} s")
                self.assertLess(gap, 1.5)
            self.assertEqual(pids, {daemon: apus.pid(daemon) for daemon in pids})

            # Those that the configuration takes away again are cameras no more.
            config.write_text(CONFIG.format(count=1))
            tell(apus, "config-reload")
            until(lambda: set(cameras(apus)) == {"cam"}, 5, "the cameras are gone")

    def test_names_are_kept_over_a_restart(self):
        with Apus(config=CONFIG.format(count=2), streams=["cam", "simulated-camera-2"]) as apus:
            names = {id: device["camera"] for id, device in devices(apus).items()}
            apus.interrupt()
            memory = json.loads((apus.run_dir / "devices.json").read_text())
            # As if another device had come first.
            for entry in memory["devices"]:
                entry["camera"] = {"cam": "garden", "simulated-camera-2": "cam"}[entry["camera"]]
            (apus.run_dir / "devices.json").write_text(json.dumps(memory))
            apus.streams = ["cam", "garden"]
            apus.start()
            self.assertEqual(names, {"simulated-1": "cam", "simulated-2": "simulated-camera-2"})
            after = {id: device["camera"] for id, device in devices(apus).items()}
            self.assertEqual(after, {"simulated-1": "garden", "simulated-2": "cam"})

    def test_a_simulated_device_refuses_what_it_has_not(self):
        config = CONFIG.format(count=1) + "[camera.door]\nsource = v4l2:simulated-1?format=h264\n"
        with Apus(config=config, streams=[]) as apus:
            until(lambda: source(apus, "door").get("reason"), 5, "a reason")
            self.assertEqual(source(apus, "door")["state"], "lost")
            self.assertIn("simulated-1: a simulated device has no format h264", source(apus, "door")["reason"])

    def test_a_camera_that_names_a_device_waits_for_it_and_it_is_no_other_camera_meanwhile(self):
        config = CONFIG.format(count=1) + "[camera.door]\nsource = v4l2:simulated-1?size=160x120&fps=10\n"
        with Apus(config=config, streams=["door"]) as apus:
            self.assertEqual(devices(apus)["simulated-1"]["camera"], "door")
            self.assertEqual(source(apus, "cam")["address"], "pattern:")
            self.assertEqual((source(apus, "door")["size"], source(apus, "door")["fps"]), ("160x120", 10.0))
            tell(apus, "unplug", "device=simulated-1")
            until(lambda: source(apus, "door")["state"] == "lost", 5, "the camera is lost")
            tell(apus, "plug", "device=simulated-1")
            until(lambda: source(apus, "door")["state"] == "live", 5, "the camera is back")
