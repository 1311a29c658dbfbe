# SPDX-License-Identifier: Apache-2.0
# Fragmented MP4 over WebSocket: the order of messages, decoding, what viewers share, slow viewers, a new producer.

import json
import time
import unittest

from . import clients, publishing, settings
from .apus import Apus, until
from .case import SharedSuite
from .together import together
from .websocket_client import BINARY, TEXT, Refused, WebSocketClient

RATE = 30


def boxes(data):
    """The types of the boxes in a message."""
    found, offset = [], 0
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4], "big")
        found.append(data[offset + 4 : offset + 8].decode())
        offset += size
    return found


def decode(path, messages):
    """Writes what came behind the text to a file, decodes it, and returns ffprobe's view of its streams."""
    path.write_bytes(b"".join(message.data for message in messages if message.opcode == BINARY))
    program = settings.need("ffprobe", "ffmpeg")
    output, errors = clients.run([program, "-v", "error", "-count_frames", "-show_streams", "-of", "json", path], 30)
    clients.expect_silence("ffprobe", errors)
    return {stream["codec_type"]: stream for stream in json.loads(output)["streams"]}


class MSETest(SharedSuite):
    @classmethod
    def make_apus(cls):
        return Apus(config="[camera.cam]\nsource = pattern:?size=640x360\n[camera.avc]\nsource = publish:\n", streams=["cam"])

    @together
    def test_a_text_then_the_head_then_a_fragment_for_each_picture(self):
        with WebSocketClient(self.apus.http_port, "/cam/mse", timeout=15) as client:
            first = [client.message() for _ in range(3)]
            messages = client.messages(settings.SECONDS)
        self.assertEqual([message.opcode for message in first], [TEXT, BINARY, BINARY])
        description = json.loads(first[0].data)
        self.assertRegex(description["mime"], r'^video/mp4; codecs="avc1\.[0-9A-F]{6}"$')
        self.assertEqual((description["width"], description["height"]), (640, 360))
        self.assertEqual(boxes(first[1].data), ["ftyp", "moov"])
        self.assertEqual(boxes(first[2].data), ["prft", "moof", "mdat"])
        self.assertTrue(all(boxes(message.data)[-2:] == ["moof", "mdat"] for message in messages))
        clients.expect_frames("the client", len(messages), RATE, settings.SECONDS)
        streams = decode(self.apus.directory / "mse.mp4", first[1:] + messages)
        self.assertEqual(int(streams["video"]["nb_read_frames"]), len(messages) + 1)

    @together
    def test_two_viewers_get_the_same_bytes(self):
        with WebSocketClient(self.apus.http_port, "/cam/mse", timeout=15) as one:
            one.message()
            with WebSocketClient(self.apus.http_port, "/cam/mse", timeout=15) as other:
                other.message()
                first = {message.data for message in one.messages(3)}
                second = {message.data for message in other.messages(1)}
        self.assertGreater(len(first & second), RATE // 2)

    @together
    def test_sound_comes_with_the_pictures(self):
        with publishing.ffmpeg(self.apus.rtsp("avc"), "h264", "aac"):
            until(lambda: (self.apus.run_dir / "ring/avc.audio.sock").exists(), 10, "the sound")
            time.sleep(publishing.SETTLED)
            with WebSocketClient(self.apus.http_port, "/avc/mse", timeout=15) as client:
                messages = client.messages(settings.SECONDS)
        texts = [json.loads(message.data) for message in messages if message.opcode == TEXT]
        self.assertTrue(texts[-1]["audio"], texts)
        last = max(index for index, message in enumerate(messages) if message.opcode == TEXT)
        streams = decode(self.apus.directory / "sound.mp4", messages[last + 1 :])
        self.assertEqual({stream["codec_name"] for stream in streams.values()}, {"h264", "aac"})
        self.assertGreater(int(streams["audio"]["nb_read_frames"]), 100)

    @together
    def test_a_slow_viewer_goes_on_at_a_keyframe(self):
        with WebSocketClient(self.apus.http_port, "/cam/mse", buffer=4096, timeout=15) as client:
            client.message()
            time.sleep(8)
            messages = client.messages(4)
        heads = [boxes(message.data)[0] for message in messages if message.opcode == BINARY]
        self.assertGreater(heads.count("prft"), 0)
        path = self.apus.directory / "slow.mp4"
        streams = decode(path, messages)
        self.assertGreater(int(streams["video"]["nb_read_frames"]), RATE)

    def test_what_is_no_websocket_or_no_stream_is_refused(self):
        self.assertEqual(self.apus.get("/cam/mse")[0], 426)
        with self.assertRaises(Refused) as refusal:
            WebSocketClient(self.apus.http_port, "/cam/other/mse")
        self.assertEqual(refusal.exception.status, 404)


class RestartTest(unittest.TestCase):
    @together
    def test_a_producer_that_comes_back_is_described_anew(self):
        with Apus(cameras={"cam": "pattern:?size=640x360"}) as apus:
            with WebSocketClient(apus.http_port, "/cam/mse", timeout=15) as client:
                before = client.messages(3)
                apus.kill("apus-video")
                after = client.messages(10)
            texts = [index for index, message in enumerate(after) if message.opcode == TEXT]
            self.assertEqual(len(texts), 1)
            self.assertEqual(before[0].opcode, TEXT)
            streams = decode(apus.directory / "again.mp4", after[texts[0] + 1 :])
            self.assertGreater(int(streams["video"]["nb_read_frames"]), RATE * 2)
