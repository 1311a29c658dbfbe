# SPDX-License-Identifier: Apache-2.0
# A client of multipart/x-mixed-replace that keeps the arrival of each picture.

import http.client
import re
import ssl
import threading
import time
from dataclasses import dataclass


@dataclass
class Picture:
    """One JPEG of the stream."""

    arrived: float
    data: bytes


class MJPEGClient:
    """Reads a stream in the background until it is closed."""

    def __init__(self, port, path, keep_data=False, tls=False):
        if tls:
            # The tests' certificates vouch for themselves.
            context = ssl._create_unverified_context()
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("GET", path)
        # The answer lets go of it when the stream ends.
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            raise AssertionError(f"{path}: {self.answer.status} {self.answer.reason}")
        kind = self.answer.getheader("Content-Type", "")
        match = re.fullmatch(r'multipart/x-mixed-replace; *boundary="?([^"]+)"?', kind)
        if match is None:
            raise AssertionError(f"{path}: Content-Type {kind!r}")
        self.boundary = b"--" + match.group(1).removeprefix("--").encode()
        self.keep_data = keep_data
        self.pictures = []
        # The exception that ended the stream; None while it lives.
        self.ended = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.socket.shutdown(2)
        except OSError:
            pass
        self._reader.join()
        self.connection.close()

    def arrivals(self, since=0.0):
        return [picture.arrived for picture in list(self.pictures) if picture.arrived > since]

    def _read(self):
        try:
            while True:
                self._part()
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.ended = error

    def _part(self):
        line = self._line()
        while not line.strip():
            line = self._line()
        if not line.strip().startswith(self.boundary):
            raise ValueError(f"expected the boundary {self.boundary!r}, got {line[:60]!r}")
        headers = {}
        while line := self._line().strip():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        if headers.get("content-type") != "image/jpeg":
            raise ValueError(f"a part has Content-Type {headers.get('content-type')!r}")
        length = int(headers["content-length"])
        data = self.answer.read(length)
        if len(data) != length or not data.startswith(b"\xff\xd8") or not data.endswith(b"\xff\xd9"):
            raise ValueError(f"a part of {length} bytes is no JPEG")
        self.pictures.append(Picture(time.monotonic(), data if self.keep_data else b""))

    def _line(self):
        line = self.answer.readline(4096)
        if not line:
            raise ConnectionError("the server closed the stream")
        return line
