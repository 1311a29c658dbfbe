# SPDX-License-Identifier: Apache-2.0
# RTSP clients that come through an HTTP tunnel or WebSocket.

import base64
import functools
import socket
import ssl
import uuid

from . import settings
from .rtsp_client import RTSPClient

TUNNEL_TYPE = "application/x-rtsp-tunnelled"


@functools.cache
def trusting():
    """TLS that takes any certificate."""
    # Not the default context, which reads all of the system's authorities.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class HTTPTunnel:
    """Two connections that look like one socket: requests go out in a POST, what comes back is in a GET's answer."""

    def __init__(self, host, port, path, timeout, cookie=None, encrypted=False):
        self.encrypted = encrypted
        self.address, self.path, self.timeout = (host, port), path, timeout
        self.cookie = cookie or uuid.uuid4().hex
        self.output = self.open()
        self.output.sendall(self.head("GET", f"Accept: {TUNNEL_TYPE}"))
        # Up to the end of the head and not a byte further.
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.output.recv(1)
            if not byte:
                raise ConnectionError(f"the GET ends after {head!r}")
            head += byte
        self.status = int(head.split()[1])
        self.head_text = head.decode()
        if self.status != 200:
            raise ConnectionError(f"the GET is answered {self.status}")
        self.post()

    def open(self):
        connection = socket.create_connection(self.address, self.timeout)
        return trusting().wrap_socket(connection) if self.encrypted else connection

    def head(self, method, line):
        return (
            f"{method} /{self.path} HTTP/1.0\r\nx-sessioncookie: {self.cookie}\r\n{line}\r\n"
            "Pragma: no-cache\r\nCache-Control: no-cache\r\n\r\n"
        ).encode()

    def post(self):
        """Opens the half that brings requests."""
        self.input = self.open()
        self.input.sendall(self.head("POST", f"Content-Type: {TUNNEL_TYPE}\r\nContent-Length: 32767"))

    def sendall(self, data):
        self.input.sendall(base64.b64encode(data))

    def recv(self, count):
        return self.output.recv(count)

    def settimeout(self, timeout):
        self.output.settimeout(timeout)

    def shutdown(self, how):
        self.output.shutdown(how)

    def close(self):
        self.input.close()
        self.output.close()


class TunnelledClient(RTSPClient):
    """An RTSP client through HTTP."""

    def connect(self, parts, timeout):
        return HTTPTunnel(parts.hostname, parts.port, parts.path.lstrip("/"), timeout)


class SecureTunnelledClient(RTSPClient):
    """An RTSP client through HTTPS."""

    def connect(self, parts, timeout):
        return HTTPTunnel(parts.hostname, parts.port, parts.path.lstrip("/"), timeout, encrypted=True)


class WebSocketStream:
    """The binary messages of a WebSocket as a stream of bytes, in and out; counts them."""

    def __init__(self, url, timeout):
        try:
            import websocket
        except ImportError:
            settings.missing("Python has no websocket: apt-get install python3-websocket (make setup does it)")
        trust = {"context": trusting()}
        self.socket = websocket.create_connection(url, timeout, subprotocols=["rtsp.onvif.org"], sslopt=trust)
        self.errors = (websocket.WebSocketException,)
        self.messages = 0

    def sendall(self, data):
        """In two messages, neither of which is whole RTSP."""
        middle = len(data) // 2
        self.socket.send_binary(data[:middle])
        self.socket.send_binary(data[middle:])

    def recv(self, _):
        try:
            message = self.socket.recv()
        except self.errors as error:
            raise ConnectionError(str(error)) from None
        self.messages += 1
        return message

    def settimeout(self, timeout):
        self.socket.settimeout(timeout)

    def shutdown(self, how):
        self.socket.sock.shutdown(how)

    def close(self):
        self.socket.shutdown()


class WebSocketClient(RTSPClient):
    """An RTSP client through WebSocket, as ONVIF has it."""

    def connect(self, parts, timeout):
        return WebSocketStream(f"ws://{parts.netloc}/", timeout)


class SecureWebSocketClient(RTSPClient):
    """The same, encrypted."""

    def connect(self, parts, timeout):
        return WebSocketStream(f"wss://{parts.netloc}/", timeout)
