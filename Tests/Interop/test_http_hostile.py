# SPDX-License-Identifier: Apache-2.0
# What no honest client does to the HTTP port: each gets the right status or the door, and a viewer notices nothing.

import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time

from . import settings
from .apus import Apus, until
from .case import SharedSuite, longest_gap
from .mjpeg_client import MJPEGClient

RATE = 25
CYCLES = int(os.environ.get("APUS_CHURN", "500"))
HEAD = b"Host: x\r\n"


class Dripping:
    """Connections over which one byte comes each second; ends with its block."""

    def __init__(self, links, beginning):
        self.links = links
        for link in links:
            link.sendall(beginning)
        self.began = time.monotonic()
        # How long the first one was waited for; nothing while it is.
        self.patience = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.drip, daemon=True)
        self.thread.start()

    def drip(self):
        due = self.began
        while not self.stop.is_set():
            for link in self.links:
                try:
                    link.send(b"b")
                except OSError:
                    pass
            due += 1
            while not self.stop.wait(0.02) and time.monotonic() < due:
                if self.patience is None and select.select(self.links[:1], [], [], 0)[0]:
                    self.patience = time.monotonic() - self.began

    def answer(self):
        """What the first one is answered, and after how long."""
        line = self.links[0].makefile("rb").readline()
        until(lambda: self.patience, 5, "the answer is noticed")
        return line, self.patience

    def close(self):
        self.stop.set()
        self.thread.join()
        for link in self.links:
            link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class HostileTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(config=f"[http]\nmax_clients = 700\n[camera.cam]\nsource = pattern:?size=320x180&fps={RATE}\n",
                    streams=["cam"])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A body may take half a minute: these begin now and are looked at later.
        links = [socket.create_connection(("127.0.0.1", cls.apus.http_port), timeout=60) for _ in range(10)]
        cls.slow_bodies = Dripping(links, b"POST /healthz HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n")

    @classmethod
    def tearDownClass(cls):
        cls.slow_bodies.close()
        super().tearDownClass()

    def setUp(self):
        self.viewer = MJPEGClient(self.apus.http_port, "/cam/mjpeg")
        until(lambda: self.viewer.pictures, 10, "the viewer's first picture")
        self.began = time.monotonic()
        self.pid = self.apus.pid("apus-http")

    def tearDown(self):
        arrivals = self.viewer.arrivals(since=self.began)
        self.viewer.__exit__()
        self.assertEqual(self.apus.pid("apus-http"), self.pid, "apus-http was started again")
        self.assertIsNone(self.viewer.ended and isinstance(self.viewer.ended, ValueError) or None)
        if len(arrivals) > RATE:
            self.assertLess(longest_gap(arrivals), 1.0, "the viewer was held up")

    def connect(self, timeout=5):
        return socket.create_connection(("127.0.0.1", self.apus.http_port), timeout=timeout)

    def talk(self, request, timeout=5, close=False):
        """Sends bytes; returns all that comes until the server closes or says nothing more."""
        with self.connect(timeout) as link:
            try:
                link.sendall(request)
                if close:
                    link.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            received = b""
            try:
                while chunk := link.recv(65536):
                    received += chunk
                    if len(received) > 1 << 20:
                        break
            except (TimeoutError, ConnectionResetError):
                pass
            return received

    def statuses(self, request, **options):
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d\d\d) ", self.talk(request, **options))]

    def test_requests_that_two_programs_could_read_differently_are_refused(self):
        get = b"GET /healthz HTTP/1.1\r\n" + HEAD
        post = b"POST /healthz HTTP/1.1\r\n" + HEAD
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        shapes = {
            "length and chunks": post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": post + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
            "a list of lengths": post + b"Content-Length: 4, 5\r\n\r\nabcde",
            "a signed length": post + b"Content-Length: +4\r\n\r\nabcd",
            "a negative length": post + b"Content-Length: -1\r\n\r\n",
            "a hexadecimal length": post + b"Content-Length: 0x4\r\n\r\nabcd",
            "chunked not last": post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "chunked twice": post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "folded": get + b"A: b\r\n c\r\n\r\n",
            "folded first": b"GET /healthz HTTP/1.1\r\n " + HEAD + b"\r\n",
            "space before colon": get + b"Content-Length : 4\r\n\r\nabcd",
            "bare LF": b"GET /healthz HTTP/1.1\nHost: x\n\n",
            "bare CR": get + b"A: b\rC: d\r\n\r\n",
            "NUL": get + b"A: b\0c\r\n\r\n",
            "no colon": get + b"nothing\r\n\r\n",
            "empty name": get + b": x\r\n\r\n",
            "two hosts": get + b"Host: y\r\n\r\n",
            "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
            "no version": b"GET /healthz\r\n\r\n",
            "four words": b"GET /healthz x HTTP/1.1\r\n" + HEAD + b"\r\n",
            "traversal": b"GET /../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
            "bad chunk size": post + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "chunk without end": post + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n",
            "huge chunk": post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        }
        for name, shape in shapes.items():
            with self.subTest(name):
                # What is hidden behind it is never answered.
                self.assertEqual(self.statuses(shape + smuggled), [400])

    def test_what_is_not_spoken_here_is_refused(self):
        for name, request, expected in [
            ("another coding", b"POST /healthz HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip\r\n\r\n", {400, 501}),
            ("another expectation", b"POST /healthz HTTP/1.1\r\n" + HEAD + b"Expect: x\r\n\r\n", {417}),
            ("HTTP/2 without a word", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 501, 505}),
            ("HTTP/3", b"GET / HTTP/3.0\r\n" + HEAD + b"\r\n", {505}),
            ("an unknown method", b"BREW / HTTP/1.1\r\n" + HEAD + b"\r\n", {501}),
            ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), {400, 414, 501}),
        ]:
            with self.subTest(name):
                found = self.statuses(request)
                self.assertEqual(len(found), 1)
                self.assertIn(found[0], expected)

    def test_what_is_too_large_is_refused(self):
        get = b"GET /healthz HTTP/1.1\r\n" + HEAD
        for name, request, status in [
            ("target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
            ("field", get + b"A: " + b"b" * 20000 + b"\r\n\r\n", 431),
            ("fields", get + b"A: b\r\n" * 100 + b"\r\n", 431),
            ("endless line", get + b"A: " + b"b" * 200_000, 431),
            ("body", b"POST /healthz HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999999\r\n\r\n", 413),
            ("segments", b"GET /" + b"a/" * 100 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
            ("query", b"GET /?" + b"a&" * 100 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        ]:
            with self.subTest(name):
                self.assertEqual(self.statuses(request), [status])

    def test_an_upgrade_of_a_plain_address_is_answered_plainly(self):
        upgrade = (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        for path in [b"/healthz", b"/cam/snapshot.jpg"]:
            with self.subTest(path.decode()):
                self.assertNotIn(101, self.statuses(b"GET " + path + b" HTTP/1.1\r\n" + HEAD + upgrade, timeout=1))

    def test_a_flood_of_pipelined_requests_is_answered_or_cut_off(self):
        one = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
        found = self.statuses(one * 500 + b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        self.assertEqual(set(found), {200})
        self.assertEqual(len(found), 501)
        with self.connect() as link:
            link.sendall(b"GET /cam/mjpeg HTTP/1.1\r\n" + HEAD + b"\r\n")
            # Nothing follows a stream, so what is asked behind it is thrown away and never kept.
            memory = self.apus.anonymous_memory("apus-http")
            try:
                for _ in range(100):
                    link.sendall(one * 1000)
            except OSError:
                pass
            self.assertLess(self.apus.anonymous_memory("apus-http"), memory + (1 << 20))

    def test_half_closed_clients_get_their_answer_or_nothing(self):
        self.assertEqual(self.statuses(b"GET /healthz HTTP/1.1\r\n" + HEAD, close=True), [])
        before = self.descriptors()
        for _ in range(50):
            self.talk(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n", close=True, timeout=2)
        until(lambda: self.descriptors() <= before, 10, "the half-closed connections are gone")

    def test_slow_heads_and_bodies_end_in_time(self):
        links = [self.connect(60) for _ in range(390)]
        with Dripping(links, b"GET /healthz HTTP/1.1\r\n" + HEAD + b"A: ") as heads:
            self.assertEqual(self.apus.get("/healthz")[0], 200)
            head, patience = heads.answer()
            self.assertIn(b" 408 ", head)
            self.assertLess(patience, 15)
        body, patience = self.slow_bodies.answer()
        self.assertIn(b" 408 ", body)
        self.assertLess(patience, 40)

    def test_who_opens_many_connections_and_asks_nothing_keeps_nobody_out(self):
        links = [self.connect(60) for _ in range(800)]
        try:
            for link in links:
                try:
                    link.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"A: ")
                except OSError:
                    pass  # It had to make room.
            for _ in range(5):
                began = time.monotonic()
                self.assertEqual(self.apus.get("/healthz")[0], 200)
                self.assertLess(time.monotonic() - began, 5)
        finally:
            for link in links:
                link.close()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cycle(self, number):
        """One client: it asks for something, and goes in one of the ways in which clients go."""
        with self.connect(10) as link:
            match number % 5:
                case 0:
                    link.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
                    while link.recv(65536):
                        pass
                case 1:
                    link.sendall(b"GET /cam/mjpeg HTTP/1.1\r\n" + HEAD + b"\r\n")
                    link.recv(1000)
                case 2:
                    link.sendall(b"GET /cam/snapshot.jpg HTTP/1.1\r\n" + HEAD + b"\r\n")
                    link.recv(1000)
                case 3:
                    link.sendall(b"GET /cam/snap")
                case _:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    link.sendall(b"GET /cam/mjpeg HTTP/1.1\r\n" + HEAD + b"\r\n")

    def churn(self, count):
        def work(seed):
            for number in range(count // 4):
                self.cycle(seed + number)

        self.each(range(4), work)

    def test_clients_that_come_and_go_leave_nothing_behind(self):
        self.churn(max(200, CYCLES // 10))
        time.sleep(3)
        descriptors, memory = self.descriptors(), self.apus.anonymous_memory("apus-http")
        self.churn(CYCLES)
        until(lambda: self.descriptors() <= descriptors, 15, "all descriptors are back")
        after = self.apus.anonymous_memory("apus-http")
        print(f"      {CYCLES} cycles: {memory >> 10} kB before, {after >> 10} kB after")
        self.assertLessEqual(after, memory * 1.1 + (64 << 10))

    def test_many_requests_of_wrk_get_answers_only(self):
        program = shutil.which("wrk")
        self.assertIsNotNone(program, "wrk is missing: scripts/setup")
        self.wrk(program, "/healthz")
        time.sleep(3)
        memory = self.apus.anonymous_memory("apus-http")
        for path in ["/cam/snapshot.jpg", "/api/v1/cameras", "/", "/healthz"]:
            with self.subTest(path):
                output = self.wrk(program, path)
                print(f"      {path}: {re.search(r'Requests/sec: *([0-9.]+)', output).group(1)} requests/s")
                self.assertNotIn("Non-2xx", output)
                self.assertNotIn("Socket errors", output)
        most = memory * 1.25 + (256 << 10)
        until(lambda: self.apus.anonymous_memory("apus-http") <= most, 3, f"the memory is {most} bytes at most again")

    def wrk(self, program, path):
        seconds = max(2, settings.SECONDS // 2)
        command = [program, "-c", "100", "-t", "1", "-d", f"{seconds}s", self.apus.http(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
