# SPDX-License-Identifier: Apache-2.0
# How long a JPEG takes from the driver into the ring, in a machine whose clock counts instructions.
#
# Of each frame there are three times: the driver's own, of the first byte; when the driver has marked the buffer as
# done, which the kernel traces; when the ring had it, or a program that does nothing else had copied it. Between the
# first two the made-up camera sends the rest of the frame. What Apus takes begins with the second.

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from Tests.Interop import settings
from Tests.Interop.apus import until

from . import devices
from .suite import PATIENCE
from .usb_camera import USBCamera

# Set by guest.py.
DRIVERS = None
SIZE = (640, 480)
RATE = 100
FRAMES = 200
# The longest that 99 of 100 frames may take, in milliseconds.
LIMIT = 2.0
CONFIG = """
[camera.usb]
source = v4l2:{node}
[camera.usb.main]
enabled = no
[camera.usb.sub]
enabled = no
"""
TRACE = pathlib.Path("/sys/kernel/tracing")
EVENT = re.compile(r" (\d+)\.(\d{6}): vb2_buf_done: .* timestamp = (\d+)")


def setUpModule():
    for name in ["uvcvideo", "vhci-hcd"]:
        DRIVERS.load(name)
        unittest.addModuleCleanup(DRIVERS.unload, name)
    subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACE], check=True)
    # The same clock as that of frames.
    (TRACE / "trace_clock").write_text("mono")
    (TRACE / "events/vb2/vb2_buf_done/enable").write_text("1")


def done_times():
    """When each frame was done, by the driver's own time of it, both in microseconds; the trace is empty then."""
    found = EVENT.findall((TRACE / "trace").read_text())
    times = {int(own) // 1000: int(seconds) * 1000000 + int(part) for seconds, part, own in found}
    (TRACE / "trace").write_text("")
    return times


def percentiles(times):
    times = sorted(times)
    return {part: times[len(times) * part // 100] for part in [50, 95, 99]} | {100: times[-1]}


def tell(what, times):
    figures = {"p%d" % part if part < 100 else "most": value for part, value in percentiles(times).items()}
    words = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    print(f"     {what:<44} {words} ms", flush=True)


class Latency(unittest.TestCase):
    def test_from_the_driver_into_the_ring(self):
        image = pathlib.Path(DRIVERS.folder, "photo.jpeg").read_bytes()
        camera = USBCamera(image, SIZE, "A1", RATE)
        camera.plug(0)
        node = until(lambda: devices.cameras("Door"), PATIENCE, "the driver takes the camera", 0.1)[0]
        apus = self.through_apus(node)
        least = self.through_floor(node)
        print(f"     {len(apus)} frames of {len(image)} bytes, {RATE} a second", flush=True)
        tell("first byte to done: the camera's", [done for done, _ in apus])
        tell("done to ring: Apus", [rest for _, rest in apus])
        tell("done to copied: a program that only takes", [rest for _, rest in least])
        tell("first byte to ring", [done + rest for done, rest in apus])
        # With what the camera takes for its bytes, that is, which no driver's time leaves out.
        self.assertLess(percentiles([done + rest for done, rest in apus])[99], LIMIT)

    def split(self, frames):
        """Milliseconds from the driver's time to done, and on to the end; frames have the first and last in nanoseconds."""
        marks = done_times()
        known = [(marks[own // 1000] * 1000, own, end) for own, end in frames if own // 1000 in marks]
        self.assertGreaterEqual(len(known), FRAMES, f"{frames[-2:]} are not among {list(marks.items())[-2:]}")
        return [((done - own) / 1e6, (end - done) / 1e6) for done, own, end in known[-FRAMES:]]

    def through_apus(self, node):
        with tempfile.TemporaryDirectory() as folder:
            config, told = pathlib.Path(folder, "apus.conf"), pathlib.Path(folder, "frames")
            config.write_text(CONFIG.format(node=node))
            place = ["--run-dir", f"{folder}/run"]
            daemon = subprocess.Popen([settings.PROGRAMS / "apus-video", "--config", config, *place])
            try:
                until(pathlib.Path(folder, "run/ring/usb.jpeg.sock").exists, PATIENCE, "the ring is there", 0.1)
                with told.open("w") as file:
                    # The first frames find memory that was never touched.
                    count = ["-n", str(FRAMES + 20)]
                    command = [settings.PROGRAMS / "apus", "ring", "follow", "--json", *count, *place, "usb/jpeg"]
                    subprocess.run(command, stdout=file, check=True, timeout=PATIENCE)
            finally:
                daemon.terminate()
                daemon.wait()
            frames = [json.loads(line) for line in told.read_text().splitlines()]
        return self.split([(frame["captured_ns"], frame["published_ns"]) for frame in frames])

    def through_floor(self, node):
        done_times()
        command = [pathlib.Path(DRIVERS.folder, "floor"), node, str(FRAMES + 20)]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE).stdout
        frames = [tuple(map(int, line.split())) for line in told.splitlines()]
        return self.split([(own, own + delay) for own, delay in frames])
