# SPDX-License-Identifier: Apache-2.0
# A running suite in the machine: its cameras' daemons asked over their sockets, and viewers of its streams.

import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time

from Tests.Interop import clients, settings
from Tests.Interop.apus import Apus, until

# The machine is slow: what takes a second elsewhere takes ten here, and more when the host is busy.
PATIENCE = 150
# What the machine takes at rest until it has booted, in seconds; how many times slower it is, from guest.py.
BOOT = 6.0
SLOWNESS = 1.0
SIZE = (320, 180)
CONFIG = """
[apus]
auth = off
patience = 5
[http]
port = 0
"""
CAMERA = """
[camera.{name}]
source = {source}
encoder = software
{more}
[camera.{name}.sub]
enabled = no
"""

# What the tests have seen, for the table at the end: of each, the frames, the gaps and the longest wait for a frame.
REPORT = []


class Suite(Apus):
    """apus up with these cameras: name → source, or name → (source, more lines of its section)."""

    def __init__(self, cameras, config=""):
        sections = []
        for name, source in cameras.items():
            source, more = source if isinstance(source, tuple) else (source, "")
            sections.append(CAMERA.format(name=name, source=source, more=more))
        super().__init__(config=CONFIG + config + "".join(sections), streams=[])
        self.names = list(cameras)

    def wait_ready(self, timeout=PATIENCE):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"apus up ended with exit code {self.process.returncode}")
            return all(self.status(name) for name in self.names)

        until(ready, timeout, f"the daemons of {' '.join(self.names)} answer", 0.2)

    def ask(self, camera, verb, **arguments):
        """What a camera's daemon answers; raises what it refuses."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(PATIENCE)
            link.connect(str(self.run_dir / f"control/video.{camera}.sock"))
            link.sendall(json.dumps({"id": 1, "do": verb} | arguments).encode() + b"\n")
            with link.makefile() as lines:
                answer = json.loads(lines.readline())
        if "error" in answer:
            raise AssertionError(f"{camera} {verb} {arguments}: {answer['error']}\n{self.log(12)}")
        return answer["ok"]

    def status(self, camera):
        """None while the daemon does not answer."""
        try:
            return self.ask(camera, "status")
        except (OSError, ValueError, KeyError):
            return None

    def source(self, camera):
        status = self.status(camera)
        return status["source"] if status else {"state": "unknown"}

    def stream(self, camera, name="main"):
        return next(stream for stream in self.ask(camera, "status")["streams"] if stream["name"] == name)

    def is_live(self, camera):
        return self.source(camera)["state"] == "live"

    def wait_live(self, *cameras):
        for camera in cameras:
            self.until(lambda camera=camera: self.is_live(camera), f"{camera} is live")

    def wait_lost(self, camera):
        self.until(lambda: self.source(camera)["state"] == "lost", f"the loss of {camera} is seen")

    def until(self, condition, what):
        try:
            return until(condition, PATIENCE, what, 0.2)
        except AssertionError as error:
            states = "\n".join(f"{name}: {json.dumps(self.source(name))}" for name in self.names)
            raise AssertionError(f"{error}\n{states}\n{self.log(20)}") from None

    def describe(self):
        """How long one has waited for the daemons, for the report."""
        return f"{len(self.names)} cameras, {len(self.processes())} daemons"


def pictures(urls, timeout=PATIENCE):
    """One picture of each stream, taken over RTSP and decoded by ffmpeg: (width, height, RGB bytes)."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        command = [settings.need("ffmpeg", "ffmpeg"), "-nostdin", "-v", "error"]
        for url in urls:
            # ffmpeg need not find out the rate.
            command += ["-rtsp_transport", "tcp", "-fpsprobesize", "0", "-analyzeduration", "500000", "-i", url]
        for number in range(len(urls)):
            command += ["-map", f"{number}:v", "-frames:v", "1", f"{folder}/{number}.ppm"]
        clients.run(command, timeout)
        for number in range(len(urls)):
            content = pathlib.Path(f"{folder}/{number}.ppm").read_bytes()
            width, height, pixels = re.match(rb"P6\s(\d+)\s(\d+)\s\d+\s(.*)", content, re.S).groups()
            result.append((int(width), int(height), pixels))
    return result


# The colour bars that vivid and ffmpeg paint, from left to right.
BARS = {
    "white": (1, 1, 1), "yellow": (1, 1, 0), "cyan": (0, 1, 1), "green": (0, 1, 0),
    "magenta": (1, 0, 1), "red": (1, 0, 0), "blue": (0, 0, 1), "black": (0, 0, 0),
}


def check_bars(picture, size=SIZE, grey=False):
    """Whether it shows the bars in their colours, or in falling greys; the colours in words."""
    width, height, pixels = picture
    if (width, height) != size:
        raise AssertionError(f"the picture is {width}×{height}, not {size}")
    seen = []
    for number in range(len(BARS)):
        x, y = width * (2 * number + 1) // (2 * len(BARS)), height * 3 // 4
        place = (y * width + x) * 3
        seen.append(tuple(pixels[place : place + 3]))
    words = " ".join("%02x%02x%02x" % colour for colour in seen)
    if grey:
        steps = [left[0] - right[0] for left, right in zip(seen, seen[1:])]
        if any(max(colour) - min(colour) > 16 for colour in seen) or min(steps) < 8:
            raise AssertionError(f"not falling greys: {words}")
        return words
    for (name, wanted), colour in zip(BARS.items(), seen):
        if any(part > 90 if bit == 0 else part < 165 for bit, part in zip(wanted, colour)):
            raise AssertionError(f"the bar {name} has the colour {colour}: {words}")
    return words


class Viewer(threading.Thread):
    """ffmpeg watching for a long time; when each of its pictures came."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            [settings.need("ffmpeg", "ffmpeg"), "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-fpsprobesize",
             "0", "-i", url, "-an", "-c", "copy", "-f", "framecrc", "-flush_packets", "1", "-"],
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

        def come():
            if not self.is_connected:
                raise AssertionError(f"the viewer has ended: {self.process.stderr.read()[-500:]}")
            return len(self.times) >= before + count

        until(come, PATIENCE, f"a viewer gets {count} more frames", 0.1)

    def gap(self, since=0.0):
        """The longest wait for a frame that came after a moment."""
        return max((after - before for before, after in zip(self.times, self.times[1:]) if after >= since), default=0.0)

    def end(self):
        self.process.kill()
        self.process.wait()


def report(what, frames, dropped, gap, more=""):
    """A line of the table at the end, said now too."""
    REPORT.append((what, frames, dropped, gap))
    print(f"     {what}: {frames} frames, {dropped} dropped, longest gap {gap:.2f} s{more}", flush=True)


def print_report():
    if not REPORT:
        return
    print("\nseen                             frames   dropped   longest gap", flush=True)
    for what, frames, dropped, gap in REPORT:
        print(f"{what:<32} {frames:>6} {dropped:>9} {gap:>11.2f} s", flush=True)
    frames, dropped = sum(row[1] for row in REPORT), sum(row[2] for row in REPORT)
    print(f"{'all':<32} {frames:>6} {dropped:>9} {max((row[3] for row in REPORT), default=0):>11.2f} s\n", flush=True)
