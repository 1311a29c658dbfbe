# SPDX-License-Identifier: Apache-2.0
# A made-up V4L2 camera (fake_v4l2.c) and its films: what it does is said here while it runs.

import atexit
import functools
import mmap
import pathlib
import struct
import subprocess
import tempfile
import threading

from . import clients, settings
from .ring_writer import access_units

# In the order of fake_v4l2.c.
FIELDS = (
    "stall damaged gap cut dequeue_error dequeue_errors start_error start_errors bandwidth signal width height events "
    "clock_offset clock_kind unplugged rival fail_call fail_error fail_times parm_numerator parm_denominator "
    "other_format other_width other_height flip opened started stopped dequeued claimed keyframes frames tried"
).split()
MONOTONIC = 0x2000
DEVICE = "/dev/apus-fake"


class FakeCamera:
    """The camera's page: each field of FIELDS is an attribute that the running program sees at once."""

    def __init__(self, modes, film=(), sizes="", **fields):
        # Its own attributes do not go into the page.
        self.__dict__["folder"] = tempfile.TemporaryDirectory(prefix="apus-fake-")
        folder = pathlib.Path(self.folder.name)
        (folder / "page").write_bytes(bytes(4 * len(FIELDS)))
        (folder / "film").write_bytes(b"".join(struct.pack("<I", len(item)) + item for item in film) or bytes(4))
        with open(folder / "page", "r+b") as file:
            self.__dict__["page"] = mmap.mmap(file.fileno(), 0)
        self.__dict__["environment"] = {
            "LD_PRELOAD": library(),
            "FAKE_PAGE": str(folder / "page"),
            "FAKE_FILM": str(folder / "film"),
            "FAKE_MODES": modes,
        }
        if sizes:
            # Smallest, largest and step of the widths, then of the heights.
            self.environment["FAKE_RANGE"] = sizes
        self.clock_kind = MONOTONIC
        for name, value in fields.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return struct.unpack_from("<i", self.page, 4 * FIELDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("<i", self.page, 4 * FIELDS.index(name), value)

    def close(self):
        self.page.close()
        self.folder.cleanup()


def library():
    """The path of fake_v4l2.c as a library, which is made once a run."""
    with making:
        return make_library()


making = threading.Lock()


@functools.cache
def make_library():
    folder = tempfile.TemporaryDirectory(prefix="apus-fake-")
    # It goes when the run ends.
    atexit.register(folder.cleanup)
    path = f"{folder.name}/fake.so"
    source = pathlib.Path(__file__).with_name("fake_v4l2.c")
    compiler = settings.need("gcc", "gcc")
    clients.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl", "-lpthread"], 60)
    return path


def images(count=15, size="320x180"):
    """So many JPEGs of a moving picture, with the standard Huffman tables."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=15"]
    command += ["-frames:v", str(count), "-c:v", "mjpeg", "-huffman", "default", "-q:v", "5", "-f", "image2pipe", "-"]
    stream = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    return [b"\xff\xd8\xff" + part for part in stream.split(b"\xff\xd8\xff")[1:]]


def without_tables(image):
    """An image without its Huffman tables, as many cameras send them."""
    result, at = image[:2], 2
    while image[at + 1] != 0xDA:
        length = 2 + int.from_bytes(image[at + 2 : at + 4], "big")
        if image[at + 1] != 0xC4:
            result += image[at : at + length]
        at += length
    return result + image[at:]


def units(count=30, size="320x180", gop=15):
    """So many access units of H.264, each with a delimiter, parameter sets in front of each keyframe."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=15"]
    command += ["-frames:v", str(count), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-tune", "zerolatency", "-g", str(gop), "-bsf:v", "h264_metadata=aud=insert", "-f", "h264", "-"]
    stream = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    return access_units(stream)
