# SPDX-License-Identifier: Apache-2.0
# A WebSocket client that can do wrong on purpose, and keeps the arrival of each message.

import base64
import hashlib
import os
import select
import socket
import struct
import time
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Message:
    """One frame of the server's."""

    arrived: float
    opcode: int
    is_final: bool
    data: bytes


class Refused(Exception):
    """The server did not open the connection; `status`, `fields` and `body` say why."""

    def __init__(self, status, fields, body):
        super().__init__(f"{status}: {body.decode(errors='replace').strip()}")
        self.status, self.fields, self.body = status, fields, body


class WebSocketClient:
    """A connection behind its handshake; Refused if the server does not want it."""

    def __init__(self, port, path, fields=(), buffer=None, timeout=5):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        key = base64.b64encode(os.urandom(16))
        head = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
            **dict(fields),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value is not None)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        self.status, self.fields = self.read_head()
        if self.status != 101:
            body = self.read(int(self.fields.get("content-length", 0)))
            self.close()
            raise Refused(self.status, self.fields, body)
        accept = base64.b64encode(hashlib.sha1(key + SALT).digest()).decode()
        if self.fields.get("sec-websocket-accept") != accept:
            raise AssertionError("Sec-WebSocket-Accept is wrong")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Receiving

    def fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.rest += data

    def read(self, count):
        while len(self.rest) < count:
            self.fill()
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            self.fill()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}

    def frame(self):
        """The next frame as it came."""
        first, second = self.read(2)
        length = second & 0x7F
        if second & 0x80:
            raise AssertionError("the server masks")
        if first & 0x70:
            raise AssertionError(f"reserved bits are set: {first:02x}")
        if length == 126:
            (length,) = struct.unpack(">H", self.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.read(8))
        data = self.read(length)
        return Message(time.time(), first & 15, bool(first & 0x80), data)

    def message(self):
        """The next message; pings are answered, a close frame is an error."""
        while True:
            frame = self.frame()
            if frame.opcode == PING:
                self.send(PONG, frame.data)
            elif frame.opcode == CLOSE:
                raise ConnectionError(f"closed: {self.code(frame)}")
            elif frame.opcode != PONG:
                return frame

    def messages(self, seconds):
        """All messages of that time."""
        found = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.rest or select.select([self.socket], [], [], left)[0]:
                found.append(self.message())
        return found

    def ending(self):
        """Reads on until the server closes; returns the close frame's code and reason, or None."""
        closing = None
        try:
            while True:
                frame = self.frame()
                if frame.opcode == CLOSE:
                    closing = self.code(frame)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            return closing

    @staticmethod
    def code(frame):
        if len(frame.data) < 2:
            return None, ""
        return struct.unpack(">H", frame.data[:2])[0], frame.data[2:].decode()

    # Sending

    def send(self, opcode, data=b"", is_final=True, masked=True, reserved=0, length=None):
        """Sends a frame; `length` lies about the payload's."""
        length = len(data) if length is None else length
        head = bytes([(0x80 if is_final else 0) | reserved << 4 | opcode])
        mask = 0x80 if masked else 0
        if length < 126:
            head += bytes([mask | length])
        elif length < 1 << 16:
            head += bytes([mask | 126]) + struct.pack(">H", length)
        else:
            head += bytes([mask | 127]) + struct.pack(">Q", length)
        if masked:
            key = os.urandom(4)
            head += key
            data = bytes(byte ^ key[index % 4] for index, byte in enumerate(data))
        self.socket.sendall(head + data)

    def send_close(self, code=1000, reason=""):
        self.send(CLOSE, struct.pack(">H", code) + reason.encode())
