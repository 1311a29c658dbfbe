# SPDX-License-Identifier: Apache-2.0
# Writes frames into a ring as docs/reference/ring.md tells it: stands in for a publisher.

import array
import fcntl
import mmap
import os
import socket
import struct
import threading
import time

F_ADD_SEALS, SEALS = 1033, 0x0002 | 0x0004 | 0x0010  # shrink, grow, future write
SLOTS, SLOT, HEADER, DATA = 256, 64, 4096, 4 << 20
DATA_OFFSET = HEADER + SLOTS * SLOT
KEYFRAME = 1


class RingWriter:
    """A ring at a socket path; with RingWriter(…) as ring: ring.publish(…)   ends in a hang-up."""

    def __init__(self, path, codec, width=0, height=0, rate=0, sample_rate=0, channels=0, configuration=b""):
        self.path, self.readers, self.sequence, self.head, self.keyframe = str(path), [], 0, 0, 0
        self.memory = os.memfd_create("test ring", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.memory, DATA_OFFSET + DATA)
        self.map = mmap.mmap(self.memory, DATA_OFFSET + DATA)
        fcntl.fcntl(self.memory, F_ADD_SEALS, SEALS)
        header = struct.pack("<IIQIIQQQI", 1, HEADER, time.time_ns() | 1, SLOTS, SLOT, HEADER, DATA_OFFSET, DATA, 1)
        self.map[8 : 8 + len(header)] = header
        described = codec.encode().ljust(4) + struct.pack(
            "<IIIIIII", width, height, rate, 1, sample_rate, channels, len(configuration)
        )
        self.map[132 : 132 + len(described)] = described
        self.map[1024 : 1024 + len(configuration)] = configuration
        self.map[0:8] = b"APUSRING"
        if os.path.exists(self.path):
            os.remove(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                reader, _ = self.listener.accept()
                reader.recv(16)
                wake, signal = os.pipe2(os.O_NONBLOCK)
                answer = struct.pack("<IHHII", 0x57525041, 1, 1, 0, 0)
                rights = array.array("i", [self.memory, wake])
                reader.sendmsg([answer], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                os.close(wake)
                self.readers.append((reader, signal))
            except OSError:
                return

    def publish(self, frame, captured, flags):
        """Publishes a frame that was taken at an instant of the monotonic clock, in nanoseconds."""
        position = (self.head + 63) & ~63
        if position % DATA + len(frame) > DATA:
            position += DATA - position % DATA
        self.head = position + len(frame)
        self.sequence += 1
        if flags & KEYFRAME:
            self.keyframe = self.sequence
        slot = HEADER + self.sequence % SLOTS * SLOT
        struct.pack_into("<Q", self.map, slot, 0)
        if self.head > DATA:
            struct.pack_into("<Q", self.map, 72, self.head - DATA)
        start = DATA_OFFSET + position % DATA
        self.map[start : start + len(frame)] = frame
        fields = (position, len(frame), flags, captured, time.monotonic_ns(), self.keyframe, 0)
        struct.pack_into("<QIIqqQI", self.map, slot + 8, *fields)
        struct.pack_into("<Q", self.map, slot, self.sequence)
        struct.pack_into("<Q", self.map, 64, self.head)
        struct.pack_into("<Q", self.map, 88, self.keyframe)
        struct.pack_into("<Q", self.map, 80, self.sequence)
        for _, signal in list(self.readers):
            try:
                os.write(signal, b"!")
            except BlockingIOError:
                pass

    def close(self):
        self.listener.close()
        for reader, signal in self.readers:
            reader.close()
            os.close(signal)
        os.close(self.memory)
        if os.path.exists(self.path):
            os.remove(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # Closing a socket does not wake the thread in accept().
        self.listener.shutdown(socket.SHUT_RDWR)
        self.close()


def access_units(stream, delimiter=b"\0\0\0\1\x09"):
    """Cuts an Annex B stream of ffmpeg's, which has access unit delimiters, into access units in ring form."""
    units = stream.split(delimiter)[1:]
    # The delimiter's payload, one byte, goes with it; start codes are of four bytes in rings.
    return [rewrite(unit[1:]) for unit in units]


def rewrite(unit):
    """Puts four-byte start codes everywhere."""
    parts = [part for part in unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if part]
    return b"".join(b"\0\0\0\1" + part for part in parts)
