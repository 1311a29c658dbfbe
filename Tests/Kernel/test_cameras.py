# SPDX-License-Identifier: Apache-2.0
# Cameras of a real kernel, watched over RTSP by ffmpeg: formats, controls, hot-unplugging, faults of the driver.

import json
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest

from Tests.Interop import clients, settings
from Tests.Interop.apus import Apus, until

from . import devices

# Set by guest.py.
DRIVERS = None
SIZE = "size=320x180"
# The machine is slow: what takes a second elsewhere takes ten here.
PATIENCE = 120
CONFIG = """
[apus]
auth = off
[http]
port = 0
[camera.cam]
source = {source}
{more}
[camera.cam.sub]
enabled = no
[camera.cam.main]
codec = auto
"""


def suite(source, more=""):
    apus = Apus(config=CONFIG.format(source=source, more=more), streams=[])
    apus.wait_ready = lambda timeout=PATIENCE: until(
        lambda: ask(apus, "status", check=False) is not None, timeout, "apus-video answers", 0.2
    )
    return apus


def ask(apus, verb, *words, camera="cam", check=True):
    done = subprocess.run(
        [settings.PROGRAMS / "apus", "ctl", "--json", "--run-dir", apus.run_dir, f"video.{camera}", verb, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode != 0:
        if check:
            raise AssertionError(f"{verb} {' '.join(words)}: {done.stderr.strip()}\n{apus.log(12)}")
        return None
    return json.loads(done.stdout)


def source(apus, camera="cam"):
    return ask(apus, "status", camera=camera)["source"]


def is_live(apus, camera="cam"):
    return source(apus, camera)["state"] == "live"


def live(apus, camera="cam"):
    try:
        until(lambda: is_live(apus, camera), PATIENCE, "the source is live", 0.3)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{apus.log(15)}") from None
    return source(apus, camera)


def stream(apus, name="main"):
    return next(stream for stream in ask(apus, "status")["streams"] if stream["name"] == name)


def picture(apus, path="cam"):
    """One picture over RTSP, decoded by ffmpeg: width, height and mean colour."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "picture.ppm"
        program = settings.need("ffmpeg", "ffmpeg")
        clients.run(
            [program, "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", apus.rtsp(path)]
            + ["-frames:v", "1", file],
            PATIENCE,
        )
        head, width, height, _, pixels = re.match(rb"(P6)\s(\d+)\s(\d+)\s(\d+)\s(.*)", file.read_bytes(), re.S).groups()
    return int(width), int(height), pixels


def colour(pixels, width, x, y):
    place = (y * width + x) * 3
    return tuple(pixels[place:place + 3])


class Viewer(threading.Thread):
    """ffmpeg watching for a long time; when each of its pictures came."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-an", "-c", "copy", "-f",
             "framecrc", "-flush_packets", "1", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.times = []
        self.start()

    def run(self):
        for line in self.process.stdout:
            if not line.startswith("#"):
                self.times.append(time.monotonic())

    @property
    def is_connected(self):
        return self.process.poll() is None

    def more(self, count=5):
        before = len(self.times)
        until(lambda: len(self.times) >= before + count, PATIENCE, f"a viewer gets {count} more frames", 0.1)

    def end(self):
        self.process.kill()
        self.process.wait()


class Formats(unittest.TestCase):
    """Each pixel format is captured, and a picture of it decoded at the other end has the right colours."""

    def check(self, node, name):
        # The driver keeps what another test has set.
        plain = "controls = osd_text_mode=2, test_pattern=100% Red, brightness=128, contrast=128, saturation=128"
        with suite(f"v4l2:{node}?{SIZE}&fps=5&format={name}", plain) as apus:
            state = live(apus)
            self.assertEqual(state["size"], "320x180")
            red = self.middle(apus)
            ask(apus, "set-control", "name=test_pattern", "value=100% Blue")
            until(lambda: self.middle(apus) != red, PATIENCE, "the picture has another colour")
            blue = self.middle(apus)
            print(f"     {name} on {node}: red {red}, blue {blue}, {state['dropped']} dropped", flush=True)
            if name == "grey":
                self.assertTrue(max(red) - min(red) < 24 and max(blue) - min(blue) < 24)
                self.assertGreater(red[0], blue[0] + 20)
            else:
                self.assertTrue(red[0] > 150 > 100 > red[1] and red[2] < 100)
                self.assertTrue(blue[2] > 150 > 100 > blue[0] and blue[1] < 100)

    def middle(self, apus):
        """The colour in the middle of a picture that ffmpeg has got over RTSP and decoded."""
        width, height, pixels = picture(apus)
        self.assertEqual((width, height), (320, 180))
        return colour(pixels, width, width // 2, height // 2)


def add_formats():
    for name in ["yuyv", "uyvy", "nv12", "nv21", "yu12", "grey", "rgb24", "bgr24"]:
        def single(self, name=name):
            self.check(devices.cameras()[0], name)

        setattr(Formats, f"test_{name}", single)
    for name in ["yuyv", "nv12", "nv21", "yu12"]:
        def several(self, name=name):
            self.check(devices.cameras()[1], name)

        setattr(Formats, f"test_multiplanar_{name}", several)


add_formats()


class Controls(unittest.TestCase):
    """Controls are listed, set, read back by another program, watched, and set again after a loss."""

    def test_controls(self):
        node = devices.cameras()[0]
        with suite(f"v4l2:{node}?{SIZE}&fps=5", "controls = contrast=77") as apus:
            live(apus)
            listed = {control["name"]: control for control in ask(apus, "controls")["controls"]}
            kinds = {control["type"] for control in listed.values()}
            self.assertLessEqual({"integer", "boolean", "menu", "integer-menu", "button", "bitmask", "string"}, kinds)
            self.assertEqual(listed["contrast"]["value"], 77)
            self.assertEqual(devices.read_control(node, "contrast"), "77")
            print(f"     {len(listed)} controls of {len(kinds)} types", flush=True)

            ask(apus, "set-control", "name=brightness", "value=200")
            self.assertEqual(devices.read_control(node, "brightness"), "200")
            ask(apus, "set-control", "name=menu", "value=Menu Item 3")
            ask(apus, "set-control", "name=string", "value=hello     ", check=False)
            events = subprocess.Popen(
                [settings.PROGRAMS / "apus", "ctl", "--run-dir", apus.run_dir, "video.cam", "subscribe",
                 "events=control"], stdout=subprocess.PIPE, text=True)
            time.sleep(2)
            devices.control(node, saturation=33)
            # vivid changes one of its controls by itself, so others come too.
            changes = (json.loads(line)["control"] for line in events.stdout)
            self.assertEqual(next(change["value"] for change in changes if change["name"] == "saturation"), 33)
            events.kill()

            place = devices.platform_device(node)
            devices.unbind(place)
            until(lambda: not is_live(apus), PATIENCE, "the loss is seen", 0.3)
            devices.bind(place)
            live(apus)
            self.assertEqual(devices.read_control(node, "brightness"), "200")
            self.assertEqual(devices.read_control(node, "contrast"), "77")
            ask(apus, "reset-controls")
            self.assertEqual(devices.read_control(node, "brightness"), "128")
            self.assertEqual(devices.read_control(node, "contrast"), "77")


class Losses(unittest.TestCase):
    """A camera that is unplugged, and faults that the driver makes up: viewers stay, and pictures come back."""

    def setUp(self):
        self.node = devices.cameras()[0]
        self.apus = suite(f"v4l2:{self.node}?{SIZE}&fps=5").start()
        self.addCleanup(self.apus.destroy)
        live(self.apus)
        self.viewer = Viewer(self.apus.rtsp("cam"))
        self.addCleanup(self.viewer.end)
        self.viewer.more()

    def report(self, what):
        gaps = [after - before for before, after in zip(self.viewer.times, self.viewer.times[1:])]
        state = source(self.apus)
        print(f"     {what}: {len(self.viewer.times)} frames, longest gap {max(gaps):.2f} s, "
              f"{state['dropped']} dropped, {state['losses']} losses", flush=True)

    def settle(self, what):
        live(self.apus)
        self.viewer.more(10)
        self.assertTrue(self.viewer.is_connected)
        self.report(what)

    def test_unplugged_twice(self):
        for round in range(2):
            place = devices.platform_device(self.node)
            devices.unbind(place)
            until(lambda: not is_live(self.apus), PATIENCE, "the loss is seen", 0.3)
            # The slate goes on in the same stream.
            until(lambda: stream(self.apus)["mode"] == "slate", PATIENCE, "the slate is shown", 0.3)
            self.viewer.more(3)
            devices.bind(place)
            self.settle(f"unplugged, {round + 1}")
        self.assertEqual(source(self.apus)["losses"] >= 2, True)

    def test_dropped_buffers(self):
        devices.control(self.node, percentage_of_dropped_buffers=50)
        self.viewer.more(15)
        dropped = source(self.apus)["dropped"]
        devices.control(self.node, percentage_of_dropped_buffers=0)
        self.assertGreater(dropped, 0)
        self.settle("half of the buffers dropped")

    def test_disconnect(self):
        place = devices.platform_device(self.node)
        # The button makes the driver behave as if the plug was pulled; binding it anew is putting it back.
        devices.control(self.node, disconnect=1)
        until(lambda: not is_live(self.apus), PATIENCE, "the loss is seen", 0.3)
        devices.unbind(place)
        devices.bind(place)
        self.settle("disconnected")

    def test_errors_of_the_queue(self):
        for name in ["inject_vidioc_dqbuf_error", "inject_vidioc_qbuf_error", "inject_fatal_streaming_error"]:
            try:
                devices.control(self.node, **{name: 1})
            except AssertionError as error:
                if "unknown control" not in str(error):
                    raise
                continue
            self.settle(name)

    def test_errors_of_the_start(self):
        for name in ["inject_vidioc_reqbufs_error", "inject_start_streaming_error"]:
            place = self.node
            try:
                devices.control(place, **{name: 1})
            except AssertionError as error:
                if "unknown control" not in str(error):
                    raise
                continue
            # The next start meets the error once.
            devices.control(place, inject_fatal_streaming_error=1)
            self.settle(name)


class Cameras(unittest.TestCase):
    """Several cameras at once."""

    def test_two(self):
        first, second = devices.cameras()[:2]
        config = CONFIG.format(source=f"v4l2:{first}?{SIZE}&fps=5", more="")
        config += f"[camera.two]\nsource = v4l2:{second}?{SIZE}&fps=5\n[camera.two.sub]\nenabled = no\n"
        apus = Apus(config=config, streams=[])
        apus.wait_ready = lambda timeout=PATIENCE: until(
            lambda: ask(apus, "status", camera="two", check=False), timeout, "apus-video answers", 0.3
        )
        with apus:
            live(apus)
            live(apus, "two")
            viewers = [Viewer(apus.rtsp(name)) for name in ["cam", "two"]]
            try:
                for viewer in viewers:
                    viewer.more(10)
            finally:
                for viewer in viewers:
                    viewer.end()
