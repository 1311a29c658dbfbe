# SPDX-License-Identifier: Apache-2.0
# Cameras that code their pictures (MJPEG, H.264, H.265): ffmpeg writes into loopback devices, which look like such.

import fcntl
import itertools
import pathlib
import struct
import subprocess
import threading
import unittest

from Tests.Interop.apus import until

from . import devices
from .suite import PATIENCE, Suite, Viewer, check_bars, pictures, report

# Set by guest.py.
DRIVERS = None
# What each is called in Apus, and which stream takes it as it is.
CODINGS = {"mjpeg": ("jpeg", "jpeg"), "h264": ("h264", "main"), "hevc": ("h265", "main")}
SIZE = (320, 192)
SUITE = None
FEEDER = None
NODES = {}


def camera(name):
    """Names of formats are no names of cameras."""
    return f"coded-{name}"


def path(name):
    """The address of the stream that the camera's frames go through untouched."""
    return SUITE.rtsp(f"{camera(name)}/{CODINGS[name][1]}")


def mode(name):
    return SUITE.stream(camera(name), CODINGS[name][1])["mode"]


class Feeder:
    """Whoever writes the bars into the devices, over and over: ffmpeg, and this program where ffmpeg cannot."""

    def __init__(self, rate=10):
        command = ["ffmpeg", "-nostdin", "-v", "error"]
        fed = [name for name in NODES if name != "hevc"]
        for name in fed:
            command += ["-re", "-stream_loop", "-1" if name == "mjpeg" else "0", "-framerate", str(rate)]
            command += ["-f", name, "-i", str(bars(name))]
        for number, name in enumerate(fed):
            command += ["-map", f"{number}:v", "-c", "copy", "-f", "v4l2", NODES[name]]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.rate = rate
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write_units, daemon=True)
        self.thread.start()

    def write_units(self):
        """H.265, one access unit a time: each begins with a delimiter."""
        delimiter = b"\0\0\0\1\x46\1"
        units = [delimiter + unit for unit in bars("hevc").read_bytes().split(delimiter)[1:]]
        with open(NODES["hevc"], "wb", buffering=0) as device:
            # struct v4l2_format: type (output), width, height, pixel format, field (none); the rest is the driver's.
            picture = struct.pack("=II2I4sI", 2, 0, *SIZE, b"HEVC", 1)
            fcntl.ioctl(device, 0xC0D05605, picture.ljust(208, b"\0"))
            for unit in itertools.cycle(units):
                device.write(unit)
                if self.stopped.wait(1 / self.rate):
                    return

    def is_ready(self):
        """A loopback device has a format as soon as somebody writes into it."""
        if self.process.poll() is not None:
            raise AssertionError(f"ffmpeg: {self.process.stderr.read().decode(errors='replace')}")
        folders = [pathlib.Path("/sys/class/video4linux", pathlib.Path(node).name) for node in NODES.values()]
        return all((folder / "format").read_text().strip() for folder in folders)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.stopped.set()
        self.thread.join()


def bars(name):
    return pathlib.Path(DRIVERS.folder, f"bars.{name}")


def setUpModule():
    global SUITE, FEEDER
    DRIVERS.load("v4l2loopback", f"devices={len(CODINGS)}", "exclusive_caps=1,1,1", "max_buffers=8",
                 "card_label=coded,coded,coded")
    unittest.addModuleCleanup(DRIVERS.unload, "v4l2loopback")
    NODES.update(zip(CODINGS, devices.cameras("coded")))
    FEEDER = Feeder()
    unittest.addModuleCleanup(lambda: FEEDER.stop())
    # Before somebody feeds them, the devices are none that capture.
    until(FEEDER.is_ready, PATIENCE, "the devices are fed", 0.2)
    SUITE = Suite({camera(name): f"v4l2:{node}?format={name}" for name, node in NODES.items()}).start()
    unittest.addModuleCleanup(SUITE.destroy)
    SUITE.wait_live(*map(camera, NODES))


class Coded(unittest.TestCase):
    """What the camera codes goes through untouched, and is decoded at the other end."""

    def test_colours(self):
        """A picture of each over RTSP, out of the camera's own bytes, has the colours that ffmpeg painted."""
        for name, picture in zip(NODES, pictures([path(name) for name in NODES])):
            with self.subTest(name):
                print(f"     {name:<13} {check_bars(picture, SIZE)}", flush=True)
                source = SUITE.source(camera(name))
                self.assertEqual((source["codec"], source["size"]), (CODINGS[name][0], "320x192"))

    def test_passes_through(self):
        viewers = {name: Viewer(path(name)) for name in NODES}
        try:
            for name, viewer in viewers.items():
                viewer.more(20)
                self.assertEqual(mode(name), "passthrough")
        finally:
            for viewer in viewers.values():
                viewer.end()
        for name, viewer in viewers.items():
            source = SUITE.source(camera(name))
            faults = {why: count for why, count in source["capture"]["faults"].items() if count}
            report(name, len(viewer.times), source["dropped"], viewer.gap(), f" {faults}")
