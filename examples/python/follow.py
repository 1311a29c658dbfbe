#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A reader of the frame ring in Python, without any compiled part.
"""Follows a ring and prints a line a frame: follow.py SOCKET [FRAMES]. Needs numpy, and no compiled part.

`Ring` may be copied into programs of your own. A frame comes as a numpy array of bytes that is a copy of its own; for
JPEG rings `cv2.imdecode(frame.data, cv2.IMREAD_COLOR)` makes a picture of it.
"""

import mmap
import os
import select
import socket
import struct
import sys
from typing import NamedTuple

import numpy as np

MAGIC = 0x474E495253555041
VERSION = 1
HEADER_SIZE = 4096
KEYFRAME = 1
MESSAGE = struct.Struct("<IHHII")
SLOT = struct.Struct("<QQIIqqQI")
READER, WRITER, ATTACH = 0x48525041, 0x57525041, 1


class Frame(NamedTuple):
    sequence: int
    data: np.ndarray
    is_keyframe: bool
    captured: int
    """Monotonic nanoseconds, as time.monotonic_ns() counts them."""
    published: int


class Ring:
    """A ring that is attached. `demand=False` only watches frames that are made for others."""

    def __init__(self, path: str, demand: bool = True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        self.socket.send(MESSAGE.pack(READER, VERSION, ATTACH, int(demand), 0))
        answer, descriptors, _, _ = socket.recv_fds(self.socket, MESSAGE.size, 2)
        if len(descriptors) != 2 or MESSAGE.unpack(answer)[:2] != (WRITER, VERSION):
            raise OSError(f"{path}: not a ring of version {VERSION}")
        memory, self.event = descriptors
        # The memory is sealed: it cannot shrink under the mapping.
        self.map = mmap.mmap(memory, 0, mmap.MAP_SHARED, mmap.PROT_READ)
        self.bytes = np.frombuffer(self.map, dtype=np.uint8)
        self.words = np.frombuffer(self.map, dtype="<u8", count=HEADER_SIZE // 8)
        if self.words[0] != MAGIC or struct.unpack_from("<I", self.map, 8)[0] != VERSION:
            raise OSError(f"{path}: not a ring of version {VERSION}")
        self.slot_count, self.slot_size = struct.unpack_from("<II", self.map, 24)
        self.slots_offset, self.data_offset, self.data_size = struct.unpack_from("<QQQ", self.map, 32)
        codec, self.width, self.height, numerator, denominator = struct.unpack_from("<4sIIII", self.map, 132)
        self.codec = codec.decode().strip()
        self.fps = numerator / max(1, denominator)
        self.sequence = max(1, self.newest_keyframe)

    @property
    def tail(self) -> int:
        return int(self.words[72 // 8])

    @property
    def newest(self) -> int:
        return int(self.words[80 // 8])

    @property
    def newest_keyframe(self) -> int:
        return int(self.words[88 // 8])

    @property
    def utc_offset(self) -> int:
        """UTC minus monotonic time, in nanoseconds."""
        return struct.unpack_from("<q", self.map, 200)[0]

    def next(self, timeout: float = 10) -> Frame:
        """The next frame; after having been overtaken by the writer, the newest keyframe."""
        while True:
            self.wait(timeout)
            frame = self.read(self.sequence)
            if frame is not None:
                self.sequence += 1
                return frame
            self.sequence = max(self.newest_keyframe, self.sequence + 1)

    def wait(self, timeout: float) -> None:
        while self.newest < self.sequence:
            ready, _, _ = select.select([self.event, self.socket], [], [], timeout)
            if not ready:
                raise TimeoutError(f"no frame for {timeout} s")
            if self.event not in ready or not os.read(self.event, 64):
                raise ConnectionResetError("the producer has gone; attach again")

    def read(self, sequence: int) -> "Frame | None":
        """A copy of a frame, None if the writer has overwritten it."""
        slot = self.slots_offset + sequence % self.slot_count * self.slot_size
        found, position, length, flags, captured, published, _, _ = SLOT.unpack_from(self.map, slot)
        start = self.data_offset + position % self.data_size
        if found != sequence or position % self.data_size + length > self.data_size:
            return None
        data = self.bytes[start : start + length].copy()
        # The copy is the frame's if, after copying, neither its entry nor the tail has passed over it.
        if SLOT.unpack_from(self.map, slot)[0] != sequence or position < self.tail:
            return None
        return Frame(sequence, data, bool(flags & KEYFRAME), captured, published)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: follow.py SOCKET [FRAMES]")
    ring = Ring(sys.argv[1])
    print(f"{ring.codec} {ring.width}x{ring.height} at {ring.fps:g} fps")
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize):
        frame = ring.next()
        key = ", keyframe" if frame.is_keyframe else ""
        late = (frame.published - frame.captured) / 1e6
        print(f"frame {frame.sequence} {len(frame.data)} bytes{key}, {late:.2f} ms after its capture", flush=True)


if __name__ == "__main__":
    main()
