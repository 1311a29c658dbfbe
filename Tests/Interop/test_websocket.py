# SPDX-License-Identifier: Apache-2.0
# Frames over WebSocket: the messages' layouts, reCamera's port, viewers who stall, protocol abuse.

import json
import select
import socket
import struct
import subprocess
import time

import websocket

from . import clients, settings
from .apus import Apus, free_port, until
from .case import SharedSuite, longest_gap
from .together import together
from .websocket_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Refused, WebSocketClient

RATE = 25
WIDTH, HEIGHT = 640, 360
PORT = free_port()
CONFIG = f"""
[http]
websocket_port = {PORT}
max_latency = 500ms

[camera.cam]
source = pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}
[camera.cam.main]
gop = 1s
[camera.cam.sub]
size = 320x180

[camera.hevc]
source = pattern:?size={WIDTH}x{HEIGHT}&fps={RATE}
[camera.hevc.main]
codec = h265
"""


def units(data):
    """The types of an H.264 access unit's NAL units, and whether all start codes have 3 or 4 bytes."""
    found, position = [], data.find(b"\0\0\1")
    while position >= 0:
        found.append(data[position + 3] & 31)
        position = data.find(b"\0\0\1", position + 3)
    return found


def stamp(message):
    return struct.unpack("<Q", message.data[-8:])[0] / 1000


def decoded_frames(data, codec):
    """How many pictures ffmpeg gets out of a stream without a complaint."""
    command = ["ffmpeg", "-v", "error", "-f", codec, "-i", "-", "-f", "null", "-stats_period", "60", "-progress", "-", "-"]
    result = subprocess.run(command, input=data, capture_output=True, timeout=60, check=True)
    if result.stderr:
        raise AssertionError(f"ffmpeg: {result.stderr.decode()[:400]}")
    return int(result.stdout.decode().rsplit("frame=", 1)[1].split()[0])


class WebSocketTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=["cam", "hevc"])

    def open(self, path="/cam/ws", port=None, **options):
        return WebSocketClient(port or self.apus.http_port, path, **options)

    def clients(self):
        command = [settings.PROGRAMS / "apus", "ctl", "--json", "--run-dir", self.apus.run_dir, "http", "clients"]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=10).stdout)["clients"]

    def assert_alive(self):
        with self.open() as client:
            self.assertEqual(client.message().opcode, BINARY)

    # Layouts

    @together
    def test_a_message_is_an_access_unit_and_its_time(self):
        with self.open() as client:
            messages = client.messages(settings.SECONDS)

        self.assertTrue(all(message.opcode == BINARY and message.is_final for message in messages))
        self.assertTrue(all(message.data.startswith(b"\0\0\0\1") for message in messages))
        stamps = [stamp(message) for message in messages]
        self.assert_monotonic(stamps, "times of capture")
        # The first ones come out of the ring.
        self.assertLess(max(message.arrived - stamp(message) for message in messages[RATE * 2 :]), 0.5)
        clients.expect_frames("the viewer", len(messages), RATE, settings.SECONDS)

    @together
    def test_every_keyframe_begins_with_parameter_sets_and_the_first_message_is_one(self):
        with self.open() as client:
            found = [units(message.data[:-8]) for message in client.messages(3)]

        self.assertEqual(found[0][:2], [7, 8])
        self.assertIn(5, found[0])
        keyframes = [types for types in found if 5 in types]
        self.assertGreaterEqual(len(keyframes), 3)
        self.assertTrue(all(types[:2] == [7, 8] for types in keyframes), keyframes)
        self.assertFalse(any(9 in types for types in found), "access unit delimiters")

    def test_the_first_message_comes_at_once(self):
        with self.open() as other:
            other.messages(1)
            began = time.monotonic()
            with self.open() as client:
                client.message()
            self.assertLess(time.monotonic() - began, 0.3)

    @together
    def test_what_jmuxer_needs(self):
        # Its codec string is made of the bytes behind the first SPS's header; it has no B-frames and one frame a message.
        with self.open() as client:
            messages = client.messages(2)
        first = messages[0].data
        self.assertEqual(first[4] & 31, 7)
        self.assertRegex(first[5:8].hex(), "^(42|4d|64)[0-9a-f]{4}$")
        for message in messages:
            slices = [kind for kind in units(message.data[:-8]) if kind in (1, 5)]
            self.assertGreaterEqual(len(slices), 1)
        # It takes the whole message, the time included.
        whole = b"".join(message.data for message in messages)
        pure = b"".join(message.data[:-8] for message in messages)
        self.assertEqual(decoded_frames(pure, "h264"), len(messages))
        result = subprocess.run(
            ["ffmpeg", "-v", "quiet", "-f", "h264", "-i", "-", "-f", "null", "-progress", "-", "-"],
            input=whole, capture_output=True, timeout=60,
        )
        self.assertEqual(int(result.stdout.decode().rsplit("frame=", 1)[1].split()[0]), len(messages))

    @together
    def test_frames_are_decodable(self):
        cases = [("/cam/ws", "h264"), ("/cam/sub/ws", "h264"), ("/hevc/ws", "hevc"), ("/cam/jpeg/ws", "mjpeg")]
        for path, codec in cases:
            with self.subTest(path), self.open(path) as client:
                messages = client.messages(2)
                pure = b"".join(message.data[:-8] for message in messages)
                self.assertGreater(len(messages), RATE)
                self.assertEqual(decoded_frames(pure, codec), len(messages))

    @together
    def test_chunks_are_described_and_numbered(self):
        for path, codec in [("/cam/ws", "avc1."), ("/hevc/ws", "hev1."), ("/cam/jpeg/ws", "image/jpeg")]:
            with self.subTest(path), self.open(path + "?format=chunks") as client:
                first, *messages = client.messages(2)
                described = json.loads(first.data)
                self.assertEqual(first.opcode, TEXT)
                self.assertTrue(described["codec"].startswith(codec), described)
                self.assertEqual((described["width"], described["height"]), (WIDTH, HEIGHT))
                headers = [struct.unpack("<IIq", message.data[:16]) for message in messages]
                self.assertTrue(headers[0][0] & 1, "the first one is a keyframe")
                self.assert_monotonic([time_ for _, _, time_ in headers], "times")
                if codec != "image/jpeg":
                    numbers = [number for _, number, _ in headers]
                    self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
                    pure = b"".join(message.data[16:] for message in messages)
                    name = "h264" if codec == "avc1." else "hevc"
                    self.assertEqual(decoded_frames(pure, name), len(messages))

    def test_what_is_not_there_is_refused(self):
        for path, status in [
            ("/nothing/ws", 404), ("/cam/nothing/ws", 404), ("/cam/audio/ws", 404), ("/cam/ws?format=x", 400),
            ("/cam/ws?channel=300", 400),
        ]:
            with self.subTest(path), self.assertRaises(Refused) as refused:
                self.open(path)
            self.assertEqual(refused.exception.status, status)

    def test_pythons_websocket_client_takes_frames(self):
        client = websocket.create_connection(f"ws://127.0.0.1:{self.apus.http_port}/cam/ws", timeout=5)
        data = [client.recv() for _ in range(RATE)]
        client.ping("x")
        client.close()

        self.assertEqual(decoded_frames(b"".join(frame[:-8] for frame in data), "h264"), RATE)

    # reCamera's port

    @together
    def test_recameras_port_speaks_version_1(self):
        with self.open("/", PORT) as client:
            messages = client.messages(1)

        self.assertEqual(units(messages[0].data[:-8])[:2], [7, 8])
        self.assertEqual(decoded_frames(b"".join(message.data[:-8] for message in messages), "h264"), len(messages))

    @together
    def test_recameras_port_speaks_version_1_1(self):
        for channel, codec in [(0, "h264"), (1, "h264"), (2, "hevc")]:
            with self.subTest(channel), self.open(f"/?channel={channel}", PORT) as client:
                messages = client.messages(1)
                self.assertTrue(all(message.data[0] == channel for message in messages))
                pure = b"".join(message.data[1:-8] for message in messages)
                self.assertEqual(decoded_frames(pure, codec), len(messages))

    @together
    def test_a_single_camera_has_the_channels_that_clients_know_by_heart(self):
        port = free_port()
        config = f"[http]\nwebsocket_port = {port}\n[camera.one]\nsource = pattern:?size=640x360\n"
        with Apus(config=config, streams=["one"]) as apus:
            for channel in (0, 1, 2):
                with self.subTest(channel), WebSocketClient(port, f"/?channel={channel}") as client:
                    messages = client.messages(1)
                    self.assertTrue(messages and all(message.data[0] == channel for message in messages))
            with self.assertRaises(Refused) as refused:
                WebSocketClient(port, "/?channel=3")
            self.assertEqual(refused.exception.status, 400)
            self.assertEqual(len(json.loads(apus.get("/api/channels")[2])["data"]["channels"]), 2)

    def test_recameras_port_refuses_as_it_does(self):
        for path, status in [
            ("/?channel=9", 400), ("/?channel=", 400), ("/?channel=x", 400), ("/other", 404), ("/cam/ws", 404),
            ("/healthz", 404),
        ]:
            with self.subTest(path), self.assertRaises(Refused) as refused:
                self.open(path, PORT)
            self.assertEqual(refused.exception.status, status)
        with self.assertRaises(Refused) as refused:
            self.open("/", PORT, fields={"Upgrade": None})
        self.assertEqual(refused.exception.status, 426)

    def test_what_recameras_page_asks(self):
        status, _, body = self.apus.get("/api/deviceMgr/getCameraWebsocketUrl?time=1")
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["data"], {"websocketUrl": f"ws://127.0.0.1:{PORT}"})

        self.apus.get("/api/channels")
        time.sleep(0.3)
        answer = json.loads(self.apus.get("/api/channels")[2])
        self.assertEqual(answer["code"], 0)
        channels = answer["data"]["channels"]
        self.assertEqual([channel["id"] for channel in channels], [0, 1, 2, 3])
        self.assertEqual([channel["resolution"] for channel in channels[:2]], ["640x360", "320x180"])
        self.assertEqual(channels[1]["websocket_url"], f"ws://127.0.0.1:{PORT}/?channel=1")
        self.assertEqual(answer["data"]["default_channel"], 1)
        self.assertEqual(
            set(channels[0]),
            {
                "id", "name", "resolution", "fps", "bitrate", "codec", "use_case", "websocket_url", "shm_path",
                "active",
            },
        )

    def test_a_port_in_use_is_told(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            path = self.apus.directory / "taken.conf"
            path.write_text(CONFIG.replace(str(PORT), str(port)))
            command = [settings.PROGRAMS / "apus-http", "--run-dir", self.apus.directory / "other", "--config", path]
            result = subprocess.run(command, capture_output=True, timeout=10)

        self.assertEqual(result.returncode, 3)
        self.assertIn("websocket_port", result.stderr.decode())

    # Origins

    def test_pages_of_other_origins_are_refused(self):
        host = f"127.0.0.1:{self.apus.http_port}"
        with self.open(fields={"Origin": f"http://{host}"}) as client:
            client.message()
        for origin in ["http://evil.example", "null", "http://127.0.0.1.evil.example"]:
            with self.subTest(origin), self.assertRaises(Refused) as refused:
                self.open(fields={"Origin": origin})
            self.assertEqual(refused.exception.status, 403)
        with self.open("/", PORT, fields={"Origin": "http://127.0.0.1"}) as client:
            client.message()
        with self.assertRaises(Refused):
            self.open("/", PORT, fields={"Origin": "http://evil.example"})

    def test_handshakes_that_are_none(self):
        for fields, status in [
            ({"Sec-WebSocket-Version": "8"}, 426), ({"Sec-WebSocket-Key": "short"}, 400),
            ({"Sec-WebSocket-Key": None}, 400), ({"Upgrade": "h2c"}, 426), ({"Connection": "close"}, 426),
        ]:
            with self.subTest(str(fields)), self.assertRaises(Refused) as refused:
                self.open(fields=fields)
            self.assertEqual(refused.exception.status, status)

    def test_no_extension_is_agreed_on(self):
        with self.open(fields={"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}) as client:
            self.assertNotIn("sec-websocket-extensions", client.fields)
            client.message()

    # The protocol and its abuse

    def test_a_ping_is_answered(self):
        with self.open() as client:
            client.send(PING, b"anybody?")
            until(lambda: (frame := client.frame()).opcode == PONG and frame.data == b"anybody?", 3, "the pong")

    def test_closing_is_answered_with_its_code(self):
        for data, code in [(b"", None), (struct.pack(">H", 1000), 1000), (struct.pack(">H", 4000) + b"done", 4000)]:
            with self.subTest(str(code)), self.open() as client:
                client.send(CLOSE, data)
                self.assertEqual(client.ending()[0], code)

    def test_abuse_is_refused_with_its_code(self):
        cases = {
            "an unmasked frame": (1002, lambda c: c.send(TEXT, b"x", masked=False)),
            "reserved bits": (1002, lambda c: c.send(TEXT, b"x", reserved=4)),
            "a compressed frame": (1002, lambda c: c.send(BINARY, b"x", reserved=4)),
            "an unknown opcode": (1002, lambda c: c.send(3, b"x")),
            "an unknown control opcode": (1002, lambda c: c.send(11)),
            "a fragmented ping": (1002, lambda c: c.send(PING, is_final=False)),
            "a long ping": (1002, lambda c: c.send(PING, b"x" * 126)),
            "a continuation of nothing": (1002, lambda c: c.send(CONTINUATION, b"x")),
            "a message inside of a message": (
                1002, lambda c: (c.send(TEXT, b"x", is_final=False), c.send(TEXT, b"y")),
            ),
            "a close frame of one byte": (1002, lambda c: c.send(CLOSE, b"\3")),
            "a close code that is none": (1002, lambda c: c.send(CLOSE, struct.pack(">H", 1005))),
            "a length of 63 bits and more": (1002, lambda c: c.send(BINARY, b"", length=1 << 63)),
            "text that is not UTF-8": (1007, lambda c: c.send(TEXT, b"\xff\xfe")),
            "half a character": (1007, lambda c: c.send(TEXT, b"\xe2\x82")),
            "a reason that is not UTF-8": (1007, lambda c: c.send(CLOSE, b"\x03\xe8\xff")),
            "too long a message": (1009, lambda c: c.send(BINARY, b"", length=(16 << 10) + 1)),
            "too long a message in fragments": (
                1009,
                lambda c: [c.send(TEXT if i == 0 else CONTINUATION, b"x" * 4096, is_final=False) for i in range(5)],
            ),
            "too many pings": (1008, lambda c: [c.send(PING) for _ in range(4000)]),
            "too many messages": (1008, lambda c: [c.send(TEXT, b"{}") for _ in range(400)]),
        }
        for name, (code, abuse) in cases.items():
            with self.subTest(name), self.open() as client:
                client.message()
                abuse(client)
                ending = client.ending()
                self.assertIsNotNone(ending, "no close frame")
                self.assertEqual(ending[0], code)
        self.assert_alive()

    @together
    def test_texts_and_binary_messages_of_clients_do_no_harm(self):
        with self.open() as client:
            client.send(TEXT, b'{"what": "ever"}')
            client.send(TEXT, b"half", is_final=False)
            client.send(PING, b"between")
            client.send(CONTINUATION, b" and half")
            client.send(BINARY, bytes(1000))
            clients.expect_frames("the viewer", len(client.messages(2)), RATE, 1.5)

    def test_connections_that_end_anywhere_leave_nothing(self):
        before = len(self.clients())
        for cut in [1, 2, 3, 6, 7]:
            client = self.open()
            client.socket.sendall(b"\x81\xfe\x00\x7e\0\0\0\0"[:cut])
            client.close()
        for _ in range(20):
            self.open().close()
        until(lambda: len(self.clients()) <= before + 1, 5, "all clients are gone")
        self.assert_alive()

    # Many viewers

    @together
    def test_three_viewers_get_every_frame(self):
        viewers = [self.open("/cam/ws?format=chunks") for _ in range(3)]
        end = time.monotonic() + settings.SECONDS
        numbers = {id(viewer): [] for viewer in viewers}
        while time.monotonic() < end:
            ready = [v for v in viewers if v.rest] or select.select([v.socket for v in viewers], [], [], 1)[0]
            for viewer in viewers:
                if viewer in ready or viewer.socket in ready:
                    message = viewer.message()
                    if message.opcode == BINARY:
                        numbers[id(viewer)].append(struct.unpack("<I", message.data[4:8])[0])
        for viewer in viewers:
            found = numbers[id(viewer)]
            self.assertEqual(found, list(range(found[0], found[0] + len(found))))
            clients.expect_frames("a viewer", len(found), RATE, settings.SECONDS)
            viewer.close()

    @together
    def test_a_stalled_viewer_delays_nobody_and_goes_on_at_a_keyframe(self):
        stalled = self.open("/cam/jpeg/ws", buffer=4096)
        slow = self.open("/cam/ws?format=chunks", buffer=4096)
        slow.message()
        with self.open() as other:
            messages = other.messages(12)
        clients.expect_frames("the other viewer", len(messages), RATE, 11.5)
        self.assertLess(longest_gap([message.arrived for message in messages]), 0.4)
        late = [m for m in slow.messages(2) if m.opcode == BINARY]
        headers = [struct.unpack("<II", message.data[:8]) for message in late]
        gaps = [i for i in range(1, len(headers)) if headers[i][1] != headers[i - 1][1] + 1]
        if gaps:
            self.assertTrue(headers[gaps[0]][0] & 1, "goes on at a keyframe")
        stalled.close()
        slow.close()

    def test_viewers_are_listed(self):
        with self.open() as client:
            client.messages(1)
            viewer = next(found for found in self.clients() if found["busy"] == "ws")
        self.assertEqual((viewer["camera"], viewer["stream"]), ("cam", "main"))
        self.assertGreater(viewer["frames"], 10)
        self.assertIn("pending", viewer)


class StopTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(cameras={"cam": "pattern:?size=320x180&fps=10"})

    def test_a_server_that_stops_says_goodbye(self):
        with WebSocketClient(self.apus.http_port, "/cam/ws") as client:
            client.message()
            self.apus.interrupt()
            self.assertEqual(client.ending()[0], 1001)
