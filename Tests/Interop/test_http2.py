# SPDX-License-Identifier: Apache-2.0
# HTTP/2 over TLS: curl, nghttp and h2load as clients, and what no honest client does.

import collections
import itertools
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from . import settings
from .apus import Apus, free_port, until
from .case import SharedSuite
from .test_hls import Edge, attribute
from .test_http_transport import config
from .test_tls import make_certificate

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
CALM = 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def head(path="/healthz", more=(), method="GET"):
    """Fields as HPACK has them without its tables."""
    fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *more]
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in fields)


class Connection:
    """A client that writes its frames itself."""

    def __init__(self, port, context):
        self.socket = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost")
        self.protocol = self.socket.selected_alpn_protocol()
        self.buffer = b""
        self.socket.sendall(PREFACE + frame(SETTINGS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, stream, path="/healthz", **more):
        self.socket.sendall(frame(HEADERS, END_STREAM | END_HEADERS, stream, head(path, **more)))

    def next(self):
        """The next frame as (kind, flags, stream, payload); None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                piece = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                return None
            if not piece:
                return None
            self.buffer += piece
        size = 9 + int.from_bytes(self.buffer[:3], "big")
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found[3], found[4], int.from_bytes(found[5:9], "big"), found[9:]

    def expect(self, kind, stream=None):
        """Skips to the next frame of that kind."""
        while found := self.next():
            if found[0] == kind and stream in (None, found[2]):
                return found
        raise AssertionError(f"the connection ended before a frame of kind {kind}")

    def flood(self, piece, count):
        """Sends the same over and over; the reason of the GOAWAY that ends it."""
        try:
            for _ in range(count):
                self.socket.sendall(piece() if callable(piece) else piece)
        except OSError:
            pass
        return int.from_bytes(self.expect(GOAWAY)[3][4:8], "big")


class Answers:
    """What comes in a connection, by stream; all that is taken is given back to the windows."""

    def __init__(self, connection, keeps=True):
        self.connection, self.keeps = connection, keeps
        self.bodies = collections.defaultdict(bytes)
        self.pictures = collections.Counter()
        self.ended = set()
        self.streams = itertools.count(1, 2)

    def ask(self, path):
        self.connection.ask(stream := next(self.streams), path)
        return stream

    def get(self, path):
        return self.body(self.ask(path))

    def body(self, stream):
        while stream not in self.ended:
            self.take()
        return self.bodies[stream]

    def take(self):
        kind, flags, stream, payload = self.connection.next() or (GOAWAY, 0, 0, b"")
        if kind in (RESET, GOAWAY):
            raise AssertionError(f"frame of kind {kind} for stream {stream}: {payload}")
        if kind == DATA and payload:
            size = struct.pack(">I", len(payload))
            self.connection.socket.sendall(frame(WINDOW, 0, 0, size) + frame(WINDOW, 0, stream, size))
            self.pictures[stream] += payload.count(b"X-Timestamp")
            if self.keeps:
                self.bodies[stream] += payload
        if flags & END_STREAM and kind in (DATA, HEADERS):
            self.ended.add(stream)
        return True


class HTTP2Test(SharedSuite):
    """One camera over HTTPS."""

    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-http2-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.certificate, cls.key = make_certificate(pathlib.Path(cls.folder.name))
        cls.port = free_port()
        return Apus(config=config(cls.certificate, cls.key, cls.port))

    def url(self, path):
        return f"https://localhost:{self.port}{path}"

    def curl(self, url, *options):
        command = [settings.need("curl", "curl"), "-sS", "--cacert", str(self.certificate), "-m", "10", *options, url]
        return subprocess.run(command, capture_output=True, timeout=20)

    def connect(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.set_alpn_protocols(["h2"])
        return Connection(self.port, context)

    def test_curl_speaks_it(self):
        for path, start in [("/", b"<!"), ("/cam/snapshot.jpg", b"\xff\xd8"), ("/web/app.js", b"//")]:
            done = self.curl(self.url(path), "--http2", "-w", "%{stderr}%{http_version} %{http_code}")
            self.assertEqual(done.stderr, b"2 200", path)
            self.assertEqual(done.stdout[:2], start, path)
        done = self.curl(self.url("/cam/snapshot.jpg"), "--http2", "-I", "-w", "%{stderr}%{http_version}")
        self.assertEqual(done.stderr, b"2")

    def test_who_does_not_speak_it_gets_http_1(self):
        done = self.curl(self.url("/healthz"), "--http1.1", "-w", "%{stderr}%{http_version}")
        self.assertEqual(done.stderr, b"1.1")

    def test_both_bring_the_same_bytes(self):
        for path in ["/web/app.js", "/api/openapi.json"]:
            one, two = (self.curl(self.url(path), version).stdout for version in ("--http1.1", "--http2"))
            self.assertTrue(one)
            self.assertEqual(one, two, path)

    def test_mjpeg_and_events_and_a_snapshot_in_one_connection(self):
        with self.connect() as client:
            self.assertEqual(client.protocol, "h2")
            for stream, path in [(1, "/cam/mjpeg"), (3, "/api/v1/events"), (5, "/cam/snapshot.jpg")]:
                client.ask(stream, path)
            seen, pictures, ended = set(), 0, False
            end = time.monotonic() + 10
            while (pictures < 20 or not ended) and time.monotonic() < end:
                kind, flags, stream, payload = client.next()
                if kind == HEADERS:
                    seen.add(stream)
                if kind == DATA and payload:
                    size = struct.pack(">I", len(payload))
                    client.socket.sendall(frame(WINDOW, 0, 0, size) + frame(WINDOW, 0, stream, size))
                    pictures += payload.count(b"X-Timestamp") if stream == 1 else 0
                ended = ended or stream == 5 and bool(flags & END_STREAM)
            self.assertEqual((seen, ended), ({1, 3, 5}, True))
            self.assertGreaterEqual(pictures, 20)

            client.socket.sendall(frame(RESET, 0, 1, struct.pack(">I", 8)))
            client.ask(7)
            self.assertIn(client.expect(HEADERS, 7)[0], (HEADERS,))

    def test_a_stream_that_takes_nothing_stops_alone(self):
        with self.connect() as client:
            client.ask(1, "/cam/mjpeg")
            # Nothing is given back of the stream's window, all of the connection's.
            for stream in range(3, 203, 2):
                client.ask(stream, "/web/app.js")
                while True:
                    kind, flags, number, payload = client.next()
                    if kind == DATA and payload:
                        client.socket.sendall(frame(WINDOW, 0, 0, struct.pack(">I", len(payload))))
                    if number == stream and kind == DATA and flags & END_STREAM:
                        break

    def test_websockets_are_refused(self):
        with self.connect() as client:
            client.ask(1, "/cam/main/ws")
            status = client.expect(HEADERS, 1)
            self.assertTrue(status)

    def test_nghttp_gets_all_files_in_one_connection(self):
        program = settings.need("nghttp", "nghttp2-client")
        paths = ["/", "/web/app.js", "/cam/snapshot.jpg", "/healthz"]
        done = subprocess.run([program, "-nv", "-t", "10", *(self.url(path) for path in paths)],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(":status: 200"), len(paths), done.stdout[-2000:])

    def test_h2load_gets_answers_only(self):
        program = settings.need("h2load", "nghttp2-client")
        for path in ["/healthz", "/cam/snapshot.jpg", "/web/app.js"]:
            done = subprocess.run([program, "-n", "5000", "-c", "10", "-m", "50", self.url(path)],
                                  capture_output=True, text=True, timeout=120)
            self.assertIn("5000 succeeded, 0 failed, 0 errored", done.stdout, done.stdout + done.stderr)
            speed = [line for line in done.stdout.splitlines() if line.startswith("finished")]
            print(f"      {path}: {speed[0]}")

    def test_hls_of_low_latency_comes_over_one_connection(self):
        with self.connect() as connection:
            answers = Answers(connection)

            def has_parts():
                return b"#EXT-X-PART:" in answers.get("/cam/main/index.m3u8")

            until(has_parts, 15, "a playlist with parts", interval=0.2)
            text = answers.get("/cam/main/index.m3u8").decode()
            waited = 0
            for _ in range(12):
                edge = Edge(text)
                hint = attribute(text.split("#EXT-X-PRELOAD-HINT", 1)[1], "URI")
                # The next part before it is there, the playlist that will list it, and something else behind them.
                part = answers.ask(f"/cam/main/{hint}")
                reload = answers.ask(f"/cam/main/index.m3u8?_HLS_msn={edge.segment}&_HLS_part={edge.part}")
                self.assertTrue(answers.get("/favicon.svg").startswith(b"<svg"))
                waited += part not in answers.ended and reload not in answers.ended
                self.assertIn(b"mdat", answers.body(part))
                text = answers.body(reload).decode()
                new = Edge(text)
                self.assertGreater((new.segment, new.part), (edge.segment, edge.part))
            # The two wait for the same part and hold nobody up: the other file comes before them.
            self.assertGreaterEqual(waited, 10)

    def test_fifty_viewers_of_mjpeg_in_one_connection_get_the_same(self):
        rate, seconds = 25, settings.SECONDS
        with self.connect() as connection:
            answers = Answers(connection, keeps=False)
            viewers = [answers.ask("/cam/mjpeg") for _ in range(50)]
            until(lambda: answers.take() and min(answers.pictures[viewer] for viewer in viewers), 10, "all have a picture", 0)
            answers.pictures.clear()
            began = time.monotonic()
            while time.monotonic() < began + seconds:
                answers.take()
            rates = sorted(answers.pictures[viewer] / seconds for viewer in viewers)
            self.assertFalse(answers.ended)
        print(f"      {rates[0]:.1f} to {rates[-1]:.1f} pictures a second")

        self.assertGreater(rates[0], rate / 2)
        self.assertLess(rates[-1] - rates[0], rate / 5)

    def test_fifty_connections_of_mjpeg_do_not_slow_each_other_down(self):
        program = settings.need("h2load", "nghttp2-client")
        done = subprocess.run(
            [program, "-c", "50", "-m", "1", "-D", str(int(settings.SECONDS)), self.url("/cam/mjpeg")],
            capture_output=True, text=True, timeout=60)
        size = len(self.curl(self.url("/cam/snapshot.jpg")).stdout)
        data = int(re.search(r"\((\d+)\) data", done.stdout).group(1))
        print(f"      {data / size / 50 / settings.SECONDS:.1f} pictures a second each")

        self.assertIn("0 failed, 0 errored, 0 timeout", done.stdout)
        self.assertIn("status codes: 50 2xx", done.stdout)
        self.assertGreater(data, 50 * settings.SECONDS * 25 / 2 * size)

    def test_rapid_resets_end_the_connection(self):
        with self.connect() as client:
            def piece(stream=[-1]):
                stream[0] += 2
                return (frame(HEADERS, END_STREAM | END_HEADERS, stream[0], head("/cam/snapshot.jpg"))
                        + frame(RESET, 0, stream[0], struct.pack(">I", 8)))
            self.assertEqual(client.flood(piece, 2000), CALM)

    def test_floods_end_the_connection(self):
        floods = {
            "ping": frame(PING, payload=bytes(8)),
            "settings": frame(SETTINGS),
            "priority": frame(PRIORITY, 0, 3, bytes([0, 0, 0, 0, 1])),
        }
        for name, piece in floods.items():
            with self.subTest(name), self.connect() as client:
                self.assertEqual(client.flood(piece, 20000), CALM)
        with self.subTest("continuation"), self.connect() as client:
            client.socket.sendall(frame(HEADERS, END_STREAM, 1, head()))
            client.flood(frame(CONTINUATION, 0, 1, b"\0\1a\1b"), 100)
        with self.subTest("empty data"), self.connect() as client:
            client.socket.sendall(frame(HEADERS, END_HEADERS, 1, head(method="POST")))
            self.assertEqual(client.flood(frame(DATA, 0, 1), 20000), CALM)
        self.assertEqual(self.curl(self.url("/healthz"), "--http2").returncode, 0)

    def test_what_is_too_large_is_refused(self):
        with self.connect() as client:
            many = frame(HEADERS, END_STREAM, 1, head(more=[(f"x-{i}", "y" * 100) for i in range(90)])[:16000])
            client.socket.sendall(many + frame(CONTINUATION, END_HEADERS, 1, b"".join(
                b"\0\4x-zz\x7d" + b"y" * 125 for _ in range(100))))
            status = client.expect(HEADERS, 1)
            self.assertTrue(status)
            client.socket.sendall(frame(HEADERS, END_HEADERS, 3, head("/api/v1/login", method="POST")))
            for _ in range(6):
                client.socket.sendall(frame(DATA, 0, 3, bytes(16000)))
            client.expect(HEADERS, 3)
            # The rest is not wanted.
            self.assertEqual(client.expect(RESET, 3)[3], bytes(4))
            client.ask(5)
            client.expect(HEADERS, 5)

    def test_stopping_says_goodbye(self):
        with Apus(config=config(self.certificate, self.key, port := free_port())) as apus:
            context = ssl.create_default_context(cafile=str(self.certificate))
            context.set_alpn_protocols(["h2"])
            with Connection(port, context) as client:
                client.ask(1, "/cam/mjpeg")
                client.expect(HEADERS, 1)
                until(lambda: "viewer joined" in apus.log(200), 5, "a viewer")
                apus.interrupt()
                self.assertEqual(client.expect(GOAWAY)[3][4:8], bytes(4))
