# SPDX-License-Identifier: Apache-2.0
# RTSP through HTTP and WebSocket: players, two tunnels at once, and every half of a tunnel that is none.

import base64
import pathlib
import shutil
import socket
import tempfile
import time

from . import clients, settings
from .apus import Apus, free_port, until
from .case import SharedSuite
from .rtsp_client import RTSPClient
from .together import together
from .tunnel_client import (
    HTTPTunnel,
    SecureTunnelledClient,
    SecureWebSocketClient,
    TunnelledClient,
    WebSocketClient,
)

RATE = 25
CONFIG = f"""
[camera.cam]
source = pattern:?size=1280x720&fps={RATE}
"""


class TunnelsTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=["cam"])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.apus.rtsp_port), 5)

    def ask(self, request):
        """What a connection is answered, up to the end of a head or of the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                received = connection.recv(4096)
                if not received:
                    break
                answer += received
            return answer.decode(errors="replace")

    def collect(self, client, seconds=2.0):
        """Plays for a while; the packets are whole and none is missing."""
        client.play()
        time.sleep(seconds)
        numbers = [packet.sequence for packet in list(client.packets)]
        self.assertIsNone(client.ended)
        self.assertGreater(len(client.frames()), RATE * seconds * 0.8)
        self.assertEqual([(a, b) for a, b in zip(numbers, numbers[1:]) if (a + 1) % 65536 != b], [])

    # Players

    @together
    def test_ffmpeg_through_http(self):
        clients.ffmpeg(self.apus.rtsp("cam"), RATE, settings.SECONDS, ["-rtsp_transport", "http"])

    @together
    def test_gstreamer_through_http(self):
        url = self.apus.rtsp("cam").replace("rtsp://", "rtsph://")
        clients.gstreamer(url, "h264", RATE, settings.SECONDS, "http+tcp")

    @together
    def test_websocket(self):
        with WebSocketClient(self.apus.rtsp("cam")) as client:
            self.collect(client, settings.SECONDS)
            self.assertGreater(client.socket.messages, RATE)
            # A ping is answered between two frames, and the stream goes on.
            client.socket.socket.ping("here")
            before = len(client.frames())
            until(lambda: len(client.frames()) > before + 5, 5, "frames behind a ping")

    @together
    def test_four_tunnels_at_once(self):
        kinds = [TunnelledClient, TunnelledClient, WebSocketClient, WebSocketClient]
        opened = [kind(self.apus.rtsp("cam")) for kind in kinds]
        try:
            self.each(opened, self.collect)
        finally:
            for client in opened:
                client.close()

    # HTTP tunnels

    def test_requests_in_any_pieces(self):
        with TunnelledClient(self.apus.rtsp("cam")) as client:
            request = f"OPTIONS {client.url} RTSP/1.0\r\nCSeq: 70\r\n\r\n".encode()
            text = base64.b64encode(request) + b"\r\n" + base64.b64encode(request.replace(b"70", b"71"))
            for index in range(len(text)):
                client.socket.input.sendall(text[index : index + 1])
            for number in ["70", "71"]:
                self.assertEqual(client._answer()[0]["cseq"], number)

    def test_the_post_may_close_and_come_again(self):
        with TunnelledClient(self.apus.rtsp("cam")) as client:
            client.describe()
            for _ in range(3):
                client.socket.input.close()
                client.socket.post()
                client.describe()
            # Without closing the old one first, too.
            old = client.socket.input
            client.socket.post()
            client.describe()
            self.assertEqual(old.recv(1), b"")
            client.play()
            client.socket.input.close()
            before = len(client.frames())
            until(lambda: len(client.frames()) > before + RATE, 5, "frames without a POST")

    def test_a_post_without_get_is_refused(self):
        answer = self.ask(b"POST /cam HTTP/1.0\r\nx-sessioncookie: nobody\r\nContent-Length: 32767\r\n\r\nT1BUSU9OUw==")
        self.assertRegex(answer, "^HTTP/1.[01] 404 ")

    @together
    def test_a_get_without_post_is_closed_after_its_time(self):
        with self.connect() as connection:
            connection.settimeout(15)
            connection.sendall(
                b"GET /cam HTTP/1.0\r\nx-sessioncookie: lonely\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
            )
            began = time.monotonic()
            while connection.recv(4096):
                pass
            self.assertGreater(time.monotonic() - began, 8)

    def test_a_cookie_in_use_is_refused(self):
        with TunnelledClient(self.apus.rtsp("cam")) as client:
            client.describe()
            with self.assertRaisesRegex(ConnectionError, "409"):
                HTTPTunnel("127.0.0.1", self.apus.rtsp_port, "cam", 5, cookie=client.socket.cookie)
            client.describe()

    def test_a_tunnel_belongs_to_its_address(self):
        with TunnelledClient(self.apus.rtsp("cam")) as client:
            client.describe()
            with socket.create_connection(("127.0.0.1", self.apus.rtsp_port), 5, ("127.0.0.2", 0)) as stranger:
                stranger.sendall(client.socket.head("POST", "Content-Length: 32767"))
                self.assertIn(b" 404 ", stranger.recv(4096))
            client.describe()

    def test_what_is_no_base64_ends_its_tunnel_only(self):
        with TunnelledClient(self.apus.rtsp("cam")) as client, TunnelledClient(self.apus.rtsp("cam")) as other:
            other.play()
            client.describe()
            client.socket.input.sendall(b"T1BU\0\xff!!")
            with self.assertRaises((ConnectionError, OSError)):
                while client.socket.recv(4096):
                    pass
                raise ConnectionError
            before = len(other.frames())
            until(lambda: len(other.frames()) > before + RATE, 5, "frames in the other tunnel")

    def test_half_open_tunnels_are_bounded(self):
        opened, refused = [], 0
        try:
            for number in range(20):
                connection = self.connect()
                opened.append(connection)
                connection.sendall(
                    f"GET / HTTP/1.0\r\nx-sessioncookie: flood{number}\r\n"
                    "Accept: application/x-rtsp-tunnelled\r\n\r\n".encode()
                )
                refused += b" 503 " in connection.recv(4096)
            self.assertGreaterEqual(refused, 12)
            with RTSPClient(self.apus.rtsp("cam")) as client:
                client.describe()
        finally:
            for connection in opened:
                connection.close()

    # WebSocket

    UPGRADE = (
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: {version}\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )

    def test_the_handshake_is_answered_as_the_rfc_says(self):
        answer = self.ask(self.UPGRADE.format(version=13, protocol="rtsp.onvif.org").encode())
        self.assertIn("HTTP/1.1 101 ", answer)
        self.assertIn("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", answer)

    def test_other_protocols_and_versions_are_refused(self):
        self.assertIn(" 400 ", self.ask(self.UPGRADE.format(version=13, protocol="chat").encode()))
        answer = self.ask(self.UPGRADE.format(version=8, protocol="rtsp.onvif.org").encode())
        self.assertIn(" 426 ", answer)
        self.assertIn("Sec-WebSocket-Version: 13", answer)

    def test_what_breaks_the_rules_is_closed_with_its_code(self):
        for frame, code in [
            (b"\x82\x03abc", 1002),
            (b"\xc2\x80\0\0\0\0", 1002),
            (b"\x82\xff" + b"\x7f" * 12, 1009),
            (b"\x81\x81\0\0\0\0\xff", 1007),
        ]:
            with self.subTest(code), self.connect() as connection:
                connection.sendall(self.UPGRADE.format(version=13, protocol="rtsp.onvif.org").encode() + frame)
                answer = b""
                while received := connection.recv(4096):
                    answer += received
                frame = answer.split(b"\r\n\r\n", 1)[1]
                self.assertEqual((frame[0], int.from_bytes(frame[2:4], "big")), (0x88, code))


class SecureTunnelsTest(SharedSuite):
    """The same tunnels on the port of RTSPS."""

    @classmethod
    def make_apus(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-tls-"))
        cls.port = free_port()
        clients.certificate(cls.folder)
        config = f"[tls]\ncertificate = {cls.folder}/crt.pem\nkey = {cls.folder}/key.pem\n"
        return Apus(config=f"{config}[rtsp]\ntls_port = {cls.port}\n{CONFIG}", streams=["cam"])

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def url(self):
        return f"rtsp://127.0.0.1:{self.port}/cam"

    @together
    def test_ffmpeg_through_https(self):
        clients.ffmpeg(self.url(), RATE, settings.SECONDS, ["-rtsp_transport", "https"])

    @together
    def test_tunnels_and_websockets_at_once(self):
        kinds = [SecureTunnelledClient, SecureTunnelledClient, SecureWebSocketClient, SecureWebSocketClient]
        opened = [kind(self.url()) for kind in kinds]
        try:
            self.each(opened, lambda client: TunnelsTest.collect(self, client))
        finally:
            for client in opened:
                client.close()

    def test_a_plain_post_cannot_join_an_encrypted_tunnel(self):
        with SecureTunnelledClient(self.url()) as client:
            client.describe()
            with socket.create_connection(("127.0.0.1", self.apus.rtsp_port), 5) as stranger:
                stranger.sendall(client.socket.head("POST", "Content-Length: 32767"))
                self.assertIn(b" 404 ", stranger.recv(4096))
            client.describe()
