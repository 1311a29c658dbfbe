# SPDX-License-Identifier: Apache-2.0
# What the host makes for the machine: the kernel's image unpacked, colour bars in each coding, the floor program.

import lzma
import subprocess

from . import machine

# The films, all of colour bars. RTP tells the sides of a JPEG in eights.
SIZES = {"bars": "320x192", "wide": "400x224"}
# What ffmpeg is to write into loopback devices. It can start an MJPEG file over, but no H.264 file: that one is long.
CODINGS = {
    # The Huffman tables that cameras use, the only ones that RTP can carry.
    "mjpeg": ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-huffman", "default", "-q:v", "3", "-f", "mjpeg"],
    "h264": ["-t", "600", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "0", "-g", "5", "-f", "h264"],
    "hevc": ["-pix_fmt", "yuv420p", "-c:v", "libx265", "-x265-params", "log-level=none:keyint=5:aud=1", "-f", "hevc"],
}


def make(version):
    """Makes what is missing; it takes a few seconds once."""
    image = machine.FOLDER / "vmlinux"
    packed = machine.FOLDER / f"files/boot/vmlinuz-{version}"
    if is_older(image, packed):
        image.write_bytes(unpack(packed.read_bytes()))
    for film, size in SIZES.items():
        for name, options in CODINGS.items():
            path = machine.FOLDER / f"{film}.{name}"
            if is_older(path, machine.ROOT / "Tests/Kernel/fixtures.py"):
                command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"pal100bars=size={size}:rate=10"]
                subprocess.run([*command, "-t", "2", *options, "-y", path], check=True)
    photo = machine.FOLDER / "photo.jpeg"
    if is_older(photo, machine.ROOT / "Tests/Kernel/fixtures.py"):
        command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x480", "-frames:v", "1"]
        subprocess.run([*command, "-huffman", "default", "-q:v", "3", "-f", "mjpeg", "-y", photo], check=True)
    source = machine.ROOT / "Tests/Kernel/floor.c"
    program = machine.FOLDER / "floor"
    if is_older(program, source):
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)


def is_older(path, source):
    return not path.exists() or path.stat().st_mtime < source.stat().st_mtime


def unpack(packed):
    """The kernel out of its own unpacker, which takes many seconds under emulation."""
    place = packed.find(b"\xfd7zXZ\0")
    while place >= 0:
        try:
            image = lzma.LZMADecompressor().decompress(packed[place:])
        except lzma.LZMAError:
            image = b""
        if image.startswith(b"\x7fELF"):
            return image
        place = packed.find(b"\xfd7zXZ\0", place + 1)
    raise SystemExit("kernel: the image is not packed by xz")
