# SPDX-License-Identifier: Apache-2.0
# Cameras that code their pictures (MJPEG, H.264, H.265): ffmpeg writes into loopback devices, which look like such.

import fcntl
import itertools
import pathlib
import struct
import subprocess
import threading
import time
import unittest

from Tests.Interop import settings
from Tests.Interop.apus import until

from . import devices, suite
from .suite import PATIENCE, Suite, Viewer, check_bars, pictures, report

# Set by guest.py.
DRIVERS = None
# What each is called in Apus, and which stream takes it as it is.
CODINGS = {"mjpeg": ("jpeg", "jpeg"), "h264": ("h264", "main"), "hevc": ("h265", "main")}
# The sizes of the films; see fixtures.py.
SIZES = {"bars": (320, 192), "wide": (400, 224)}
SIZE = SIZES["bars"]
# Frames a second.
RATE = 10
SUITE = None
FEEDER = None
NODES = {}


def camera(name):
    """Names of formats are no names of cameras."""
    return f"coded-{name}"


def path(name):
    """The address of the stream that the camera's frames go through untouched."""
    return SUITE.rtsp(f"{camera(name)}/{CODINGS[name][1]}")


def reason(name):
    return SUITE.source(camera(name)).get("reason", "")


def mode(name):
    return SUITE.stream(camera(name), CODINGS[name][1])["mode"]


class Feeder:
    """Whoever writes a film into the devices, over and over: ffmpeg, and this program where ffmpeg cannot."""

    def __init__(self, film="bars"):
        self.film = film
        command = ["ffmpeg", "-nostdin", "-v", "error"]
        fed = [name for name in NODES if name != "hevc"]
        for name in fed:
            command += ["-re", "-stream_loop", "-1" if name == "mjpeg" else "0", "-framerate", str(RATE)]
            command += ["-f", name, "-i", str(path_of(film, name))]
        for number, name in enumerate(fed):
            command += ["-map", f"{number}:v", "-c", "copy", "-f", "v4l2", NODES[name]]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write_units, daemon=True)
        self.thread.start()

    def write_units(self):
        """H.265, one access unit a time: each begins with a delimiter."""
        delimiter = b"\0\0\0\1\x46\1"
        units = [delimiter + unit for unit in path_of(self.film, "hevc").read_bytes().split(delimiter)[1:]]
        with open(NODES["hevc"], "wb", buffering=0) as device:
            # struct v4l2_format: type (output), width, height, pixel format, field (none); the rest is the driver's.
            picture = struct.pack("=II2I4sI", 2, 0, *SIZES[self.film], b"HEVC", 1)
            fcntl.ioctl(device, 0xC0D05605, picture.ljust(208, b"\0"))
            # The driver takes only who has said STREAMON for a feeder, whose leaving makes room for the next.
            fcntl.ioctl(device, 0x40045612, struct.pack("=i", 2))
            for unit in itertools.cycle(units):
                device.write(unit)
                if self.stopped.wait(1 / RATE):
                    return

    def fed(self):
        """Whom it has begun to feed: a loopback device has a format as soon as somebody writes into it."""
        if self.process.poll() is not None:
            raise AssertionError(f"ffmpeg: {self.process.stderr.read().decode(errors='replace')}")
        formats = {name: pathlib.Path("/sys/class/video4linux", pathlib.Path(node).name, "format")
                   for name, node in NODES.items()}
        return [name for name, format in formats.items() if format.read_text().strip()]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.stopped.set()
        self.thread.join()


def path_of(film, name):
    return pathlib.Path(DRIVERS.folder, f"{film}.{name}")


def setUpModule():
    global SUITE, FEEDER
    # With exclusive_caps, a device of version 0.12 takes no second feeder that only writes, as ffmpeg does: whoever
    # asks what the device can do between the two has it be nothing, and the feeder's VIDIOC_G_FMT fails with EINVAL.
    DRIVERS.load("v4l2loopback", f"devices={len(CODINGS)}", "exclusive_caps=0,0,1", "max_buffers=8",
                 "card_label=coded,coded,coded")
    unittest.addModuleCleanup(DRIVERS.unload, "v4l2loopback")
    NODES.update(zip(CODINGS, devices.cameras("coded")))
    FEEDER = Feeder()
    unittest.addModuleCleanup(lambda: FEEDER.stop())
    # Before somebody feeds them, the devices are none that capture.
    until(lambda: len(FEEDER.fed()) == len(NODES), PATIENCE, "the devices are fed", 0.2)
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
        viewers = self.watch()
        # At the start there are gaps, as ffmpeg was held up, and frames in front of the first keyframe.
        before, began = {name: SUITE.source(camera(name)) for name in NODES}, time.monotonic()
        for name, viewer in viewers.items():
            viewer.more(10)
            self.assertEqual(mode(name), "passthrough")
        # Somebody who looks what the devices can do takes nothing from who captures from them.
        subprocess.run([settings.PROGRAMS / "apus", "devices"], stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE)
        for viewer in viewers.values():
            viewer.more(20)
        for name, viewer in viewers.items():
            faults = self.report(name, name, viewer, before[name], began)
            self.assertEqual(SUITE.source(camera(name))["losses"], before[name]["losses"])
            # A reader who is more than two frames behind gets the newest from the driver, whatever its buffers hold;
            # ffmpeg makes up for what it was held up by writing several at once. Whoever writes one a time shows what
            # Apus loses: nothing.
            self.assertLessEqual(set(faults), set() if name == "hevc" else {"gap"})

    def test_who_feeds_them_leaves_and_comes_back(self):
        """The slate says so meanwhile; whoever comes may send pictures of another size. The same viewers see them."""
        global FEEDER
        viewers = self.watch()
        for film in ["wide", "bars"]:
            began = time.monotonic()
            before = {name: SUITE.source(camera(name)) for name in NODES}
            FEEDER.stop()
            for name in NODES:
                SUITE.until(lambda name=name: reason(name).endswith("nobody feeds the loopback device"),
                            f"{name} has no feeder")
                SUITE.until(lambda name=name: mode(name) == "slate", f"{name} shows the slate")
                viewers[name].more(2)
            FEEDER = Feeder(film)
            fed, took = {}, {}

            def are_back():
                for name in FEEDER.fed():
                    fed.setdefault(name, time.monotonic())
                    if name not in took and mode(name) == "passthrough":
                        took[name] = time.monotonic() - fed[name]
                return len(took) == len(NODES)

            until(are_back, PATIENCE, "all cameras are back", 0.02)
            for name, viewer in viewers.items():
                viewer.more(5)
                self.assertTrue(viewer.is_connected)
                source = SUITE.source(camera(name))
                self.assertEqual(source["size"], "%dx%d" % SIZES[film])
                self.assertEqual(source["losses"] - before[name]["losses"], 1)
                self.assertLess(took[name], 2 * suite.SLOWNESS)
                self.report(f"{name} fed again", name, viewer, before[name], began, f"back after {took[name]:.2f} s")
            for name, picture in zip(NODES, pictures([path(name) for name in NODES])):
                with self.subTest(f"{film} {name}"):
                    print(f"     {name:<13} {check_bars(picture, SIZES[film])}", flush=True)

    def report(self, what, name, viewer, before, began, more=""):
        """Tells what a viewer has seen since a moment; the frames that were not passed on since, by their fault."""
        source = SUITE.source(camera(name))
        counts = {why: count - before["capture"]["faults"][why] for why, count in source["capture"]["faults"].items()}
        faults = {why: count for why, count in counts.items() if count}
        report(what, sum(moment >= began for moment in viewer.times), source["dropped"] - before["dropped"],
               viewer.gap(began), f" {more} {faults}")
        return faults

    def watch(self):
        """A viewer of each camera, who has pictures."""
        viewers = {name: Viewer(path(name)) for name in NODES}
        for viewer in viewers.values():
            self.addCleanup(viewer.end)
        for viewer in viewers.values():
            viewer.more(5)
        return viewers
