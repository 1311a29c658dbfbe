# SPDX-License-Identifier: Apache-2.0
# Clients that break the rules: each is refused as it should be, and a viewer beside them loses nothing.

import os
import random
import socket
import struct
import threading
import time

from . import settings
from .apus import Apus, until
from .case import SharedSuite, longest_gap
from .rtsp_client import RTSPClient, RTSPError

RATE = 25
CONFIG = f"""
[rtsp]
max_clients = 300

[camera.cam]
source = pattern:?size=640x360&fps={RATE}
"""


class HostileTest(SharedSuite):
    """A viewer watches from the first test to the last; every test ends with a look at it and at the server."""

    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=["cam"])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.watch()

    @classmethod
    def watch(cls):
        cls.viewer = RTSPClient(cls.apus.rtsp("cam")).play()
        until(lambda: len(cls.viewer.frames()) > RATE, 10, "the viewer's first second")

    @classmethod
    def tearDownClass(cls):
        cls.viewer.close()
        super().tearDownClass()

    def setUp(self):
        if self.viewer.ended:
            # A test before has ended it, and has failed for that.
            self.viewer.close()
            self.watch()
        self.pid = self.apus.pid("apus-rtsp")
        self.before = self.apus.anonymous_memory("apus-rtsp")
        # What it saw before is another test's.
        self.first = len(self.viewer.packets) - 1

    def tearDown(self):
        seen = len(self.viewer.frames())
        until(lambda: len(self.viewer.frames()) > seen + RATE // 2, 5, "the viewer's next half second")
        packets = self.viewer.packets[self.first :]
        numbers = [packet.sequence for packet in packets]
        self.assertEqual([(a, b) for a, b in zip(numbers, numbers[1:]) if (a + 1) % 65536 != b], [])
        self.assertLess(longest_gap([packet.arrived for packet in packets]), 1.0)
        self.assertEqual(self.apus.pid("apus-rtsp"), self.pid, "the server is another process")
        # What a flood needed goes when it goes, but for what the allocator keeps.
        until(lambda: self.connections() <= 1, 10, "the others' connections are gone")
        self.assertLess(self.apus.anonymous_memory("apus-rtsp"), self.before + (6 << 20))

    def connect(self, timeout=5):
        return socket.create_connection(("127.0.0.1", self.apus.rtsp_port), timeout)

    def connections(self):
        """Descriptors of the server's that are connected TCP sockets."""
        port = f":{self.apus.rtsp_port:04X}"
        with open(f"/proc/{self.pid}/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return sum(1 for row in rows if row[1].endswith(port) and row[3] == "01")

    def ask(self, request, connection=None):
        """The status that a request is answered with; None if the connection ends without one."""
        own = connection or self.connect()
        try:
            own.sendall(request.encode() if isinstance(request, str) else request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                received = own.recv(4096)
                if not received:
                    return None
                answer += received
            return int(answer.split()[1])
        except ConnectionResetError:
            return None
        finally:
            if connection is None:
                own.close()

    def request(self, method, sequence=1, *headers, path="cam", version="RTSP/1.0"):
        lines = [f"{method} {self.apus.rtsp(path)} {version}", f"CSeq: {sequence}", *headers]
        return "\r\n".join(lines) + "\r\n\r\n"

    SETUP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"

    # Sessions

    def test_a_session_of_another_connection_is_not_found(self):
        for method in ["PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SETUP"]:
            with self.subTest(method):
                text = self.request(method, 1, f"Session: {self.viewer.session}", self.SETUP)
                self.assertEqual(self.ask(text), 454)

    def test_methods_in_the_wrong_state(self):
        for method in ["PLAY", "PAUSE", "TEARDOWN", "RECORD"]:
            with self.subTest(method):
                self.assertIn(self.ask(self.request(method)), [454, 455])

    def test_repeated_setup(self):
        with self.connect() as connection:
            for number in range(200):
                path = "cam/trackID=0"
                status = self.ask(self.request("SETUP", number, self.SETUP, path=path), connection)
                self.assertIn(status, [200, 454, 455, 459])
            self.assertIn(self.ask(self.request("PLAY", 999), connection), [200, 454])

    def test_ports_of_another_client_are_not_taken(self):
        transport = "Transport: RTP/AVP;unicast;client_port=40100-40101"
        overlapping = "Transport: RTP/AVP;unicast;client_port=40099-40100"
        with self.connect() as first, self.connect() as second:
            self.assertEqual(self.ask(self.request("SETUP", 1, transport, path="cam/trackID=0"), first), 200)
            for offer in [transport, overlapping]:
                self.assertEqual(self.ask(self.request("SETUP", 1, offer, path="cam/trackID=0"), second), 461)
            first.close()
            until(
                lambda: self.ask(self.request("SETUP", 1, transport, path="cam/trackID=0"), second) == 200,
                5,
                "the ports are free again",
            )

    def test_setup_of_another_stream_in_a_session(self):
        with RTSPClient(self.apus.rtsp("cam")) as client:
            headers, _ = client.request(
                "SETUP", self.apus.rtsp("cam/trackID=0"), Transport="RTP/AVP/TCP;unicast;interleaved=0-1"
            )
            client.session = headers["session"].split(";")[0]
            with self.assertRaisesRegex(RTSPError, "459|455"):
                client.request(
                    "SETUP", self.apus.rtsp("cam/sub/trackID=0"), Transport="RTP/AVP/TCP;unicast;interleaved=2-3"
                )

    # Requests

    def test_other_versions_are_refused(self):
        self.assertEqual(self.ask(self.request("OPTIONS", version="RTSP/2.0")), 505)
        self.assertEqual(self.ask(self.request("DESCRIBE", version="RTSP/1.1")), 505)

    def test_requirements_nobody_knows(self):
        self.assertEqual(self.ask(self.request("OPTIONS", 1, "Require: implicit-play")), 551)

    def test_impossible_transports(self):
        for transport in ["", "RTP/AVP;multicast;port=1-0", "RTP/XYZ", "RTP/AVP/TCP;interleaved=9-8;mode=RECORD", ";" * 500]:
            with self.subTest(transport):
                text = self.request("SETUP", 1, f"Transport: {transport}", path="cam/trackID=0")
                self.assertIn(self.ask(text), [400, 455, 461])

    def test_oversized_requests_end_their_connection(self):
        for text in [
            b"OPTIONS " + b"a" * 100_000,
            b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
            b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 999999999\r\n\r\n",
            b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        ]:
            with self.subTest(text[:40]):
                self.assertIn(self.ask(text), [400, None])

    def test_garbage_in_all_forms(self):
        rand = random.Random(7)
        starts = [b"", b"$\x00", b"\x16\x03\x01\x02\x00\x01", b"GET ", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n", b"\r\n" * 99]
        for number in range(200):
            with self.connect() as connection:
                data = rand.choice(starts) + rand.randbytes(rand.randrange(1, 3000))
                try:
                    connection.sendall(data)
                    if number % 2:
                        connection.shutdown(socket.SHUT_WR)
                        connection.settimeout(0.2)
                        connection.recv(4096)
                except OSError:
                    pass

    def test_interleaved_garbage_is_passed_over(self):
        rand = random.Random(3)
        with RTSPClient(self.apus.rtsp("cam")) as client:
            client.play()
            for number in range(2000):
                payload = rand.randbytes(rand.randrange(0, 300))
                client.socket.sendall(struct.pack(">BBH", 0x24, number % 256, len(payload)) + payload)
            before = len(client.frames())
            until(lambda: len(client.frames()) > before + RATE, 5, "frames behind the garbage")
            self.assertIsNone(client.ended)

    def test_pipelined_requests_are_answered_in_order(self):
        with self.connect() as connection:
            connection.sendall("".join(self.request("OPTIONS", number) for number in range(500)).encode())
            answer = b""
            while answer.count(b"\r\n\r\n") < 500:
                answer += connection.recv(1 << 16)
            numbers = [int(line[5:]) for line in answer.split(b"\r\n") if line.startswith(b"CSeq:")]
            self.assertEqual(numbers, list(range(500)))

    # Floods

    def test_requests_whose_answers_nobody_reads(self):
        with self.connect() as connection:
            connection.settimeout(2)
            text = self.request("DESCRIBE", 1).encode() * 100
            try:
                for _ in range(400):
                    connection.sendall(text)
            except OSError:
                pass
            self.assertLess(self.apus.anonymous_memory("apus-rtsp"), self.before + (12 << 20))

    def test_a_flood_of_connections_that_say_nothing(self):
        opened = []
        try:
            for _ in range(400):
                opened.append(self.connect())
                opened[-1].setblocking(False)
            # Those over the limit are told so and closed; the viewer stays.
            until(lambda: self.connections() <= 300, 5, "no more than 300 are left")
        finally:
            for connection in opened:
                connection.close()
        until(lambda: self.apus.describes("cam"), 5, "others are served behind the flood")

    def test_a_flood_of_half_requests(self):
        opened = []
        try:
            for number in range(200):
                opened.append(self.connect())
                opened[-1].sendall(self.request("DESCRIBE").encode()[: 5 + number % 60])
            with RTSPClient(self.apus.rtsp("cam")) as client:
                client.describe()
            self.assertLess(self.apus.anonymous_memory("apus-rtsp"), self.before + (8 << 20))
        finally:
            for connection in opened:
                connection.close()

    def test_reports_from_strangers_over_udp(self):
        with self.connect() as connection, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            text = self.request("SETUP", 1, "Transport: RTP/AVP;unicast;client_port=40000-40001", path="cam/trackID=0")
            connection.sendall(text.encode())
            answer = connection.recv(4096).decode()
            ports = next(part for part in answer.replace("\r\n", ";").split(";") if part.startswith("server_port="))
            rtp, rtcp = (int(port) for port in ports[12:].split("-"))
            for _ in range(2000):
                stranger.sendto(os.urandom(100), ("127.0.0.1", rtp))
                stranger.sendto(b"\x81\xc9\x00\x07" + os.urandom(28), ("127.0.0.1", rtcp))

    def test_everything_at_once(self):
        """All of it for some seconds, from several threads."""
        stop = time.monotonic() + settings.SECONDS

        def attack(seed):
            rand = random.Random(seed)
            while time.monotonic() < stop:
                try:
                    with self.connect(1) as connection:
                        for _ in range(rand.randrange(1, 6)):
                            method = rand.choice(["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "RECORD"])
                            path = rand.choice(["cam", "cam/sub", "cam/trackID=0", "nothing", "cam/trackID=99"])
                            text = self.request(method, 1, self.SETUP, path=path).encode()
                            connection.sendall(text if rand.random() < 0.8 else text[: rand.randrange(len(text))])
                        connection.settimeout(0.05)
                        connection.recv(4096)
                except OSError:
                    pass

        threads = [threading.Thread(target=attack, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
