# SPDX-License-Identifier: Apache-2.0
# A small RTSP client over TCP that keeps what it receives with its time of arrival.

import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass


class RTSPError(Exception):
    """The server answered with another status than 200."""


@dataclass
class Packet:
    """One RTP packet."""

    arrived: float
    sequence: int
    # Unwrapped: it counts on past 2^32.
    timestamp: int
    marker: bool


class RTSPClient:
    """Plays the first stream of a presentation, interleaved on the control connection."""

    def __init__(self, url, timeout=5):
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self.socket = self.connect(parts, timeout)
        self.buffer = b""
        self.sequence = 0
        self.session = None
        self.packets = []
        # RTCP of the first track: when it arrived, in seconds of UTC, and its bytes.
        self.reports = []
        # The exception that ended the connection; None while it lives.
        self.ended = None
        self._reader = None

    def connect(self, parts, timeout):
        """What to send to and receive from, like a socket."""
        plain = socket.create_connection((parts.hostname, parts.port), timeout)
        # The tests' certificates vouch for themselves.
        return ssl._create_unverified_context().wrap_socket(plain) if parts.scheme == "rtsps" else plain

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        # The reader first: the descriptor's number may be another connection's as soon as it is closed.
        if self._reader is not None:
            self._reader.join()
        self.socket.close()

    def request(self, method, url=None, **headers):
        """Sends a request and returns its answer's headers and body."""
        self.sequence += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self.sequence}"]
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self._answer()

    def describe(self):
        headers, body = self.request("DESCRIBE", Accept="application/sdp")
        return headers, body.decode()

    def play(self):
        """Sets up the first stream and starts to collect its packets in the background."""
        headers, sdp = self.describe()
        media = sdp[sdp.index("m=") :]
        control = re.search(r"a=control:(\S+)", media).group(1)
        base = headers.get("content-base", self.url)
        track = control if control.startswith("rtsp://") else base.rstrip("/") + "/" + control
        headers, _ = self.request("SETUP", track, Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        self.session = headers["session"].split(";")[0]
        self.request("PLAY", base)
        self.socket.settimeout(30)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        return self

    def frames(self, since=0.0):
        """The packets that end a frame and arrived after a moment."""
        return [packet for packet in list(self.packets) if packet.marker and packet.arrived > since]

    def _answer(self):
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            self._receive()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        if status.split()[1] != "200":
            raise RTSPError(f"{self.url}: {status}")
        return headers, body

    def _receive(self):
        received = self.socket.recv(1 << 16)
        if not received:
            raise ConnectionError("the server closed the connection")
        self.buffer += received

    def _collect(self):
        try:
            while True:
                while len(self.buffer) < 4:
                    self._receive()
                dollar, channel, length = struct.unpack_from(">BBH", self.buffer)
                if dollar != 0x24:
                    raise RTSPError(f"expected an interleaved packet, got {self.buffer[:40]!r}")
                while len(self.buffer) < 4 + length:
                    self._receive()
                packet, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
                if channel == 0:
                    self._keep(packet)
                elif channel == 1:
                    self.reports.append((time.time(), packet))
        except (OSError, ConnectionError, RTSPError) as error:
            self.ended = error

    def _keep(self, packet):
        second, sequence, timestamp = struct.unpack_from(">xBHI", packet)
        if self.packets:
            last = self.packets[-1].timestamp
            timestamp = last + ((timestamp - last + (1 << 31)) % (1 << 32)) - (1 << 31)
        self.packets.append(Packet(time.monotonic(), sequence, timestamp, bool(second & 0x80)))
