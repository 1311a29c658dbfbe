# SPDX-License-Identifier: Apache-2.0
# HLS: players of low latency and plain ones, blocking reloads, what is refused, a producer that comes back.

import datetime
import http.client
import json
import re
import subprocess
import tempfile
import time
import unittest

from . import clients, publishing, settings
from .apus import Apus, until
from .case import SharedSuite, longest_gap
from .together import together

PATTERN_RATE = 30


def get(apus, path):
    """One request, which may wait for a first segment."""
    connection = http.client.HTTPConnection("127.0.0.1", apus.http_port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def playlist(apus, path):
    status, fields, body = get(apus, path)
    if status != 200:
        raise AssertionError(f"{path}: {status} {body.decode().strip()}")
    if fields["Content-Type"] != "application/vnd.apple.mpegurl":
        raise AssertionError(f"{path}: {fields['Content-Type']}")
    return body.decode()


def attribute(text, name):
    return re.search(rf"[:,]{name}=\"?([^\",\n]+)", text).group(1)


def program_date(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Edge:
    """The live end of a playlist: the number of the next part, and when its last picture was taken."""

    def __init__(self, text):
        number = int(re.search(r"MEDIA-SEQUENCE:(\d+)", text).group(1))
        self.part, self.captured = 0, 0
        for line in text.splitlines():
            if line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
                self.captured, self.part = program_date(line.split(":", 1)[1]), 0
            elif line.startswith("#EXT-X-PART:"):
                self.captured += float(attribute(line, "DURATION"))
                self.part += 1
            elif line and not line.startswith("#"):
                number, self.part = number + 1, 0
        self.segment = number


class HLSTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        config = "[camera.cam]\nsource = pattern:?size=640x360\n"
        config += "".join(f"[camera.{name}]\nsource = publish:\n" for name in ("avc", "hevc"))
        return Apus(config=config, streams=[])

    def publish(self, camera, video, audio):
        self.enterContext(publishing.ffmpeg(self.apus.rtsp(camera), video, audio))
        until(lambda: (self.apus.run_dir / f"ring/{camera}.audio.sock").exists(), 10, f"the sound of {camera}")

    @together
    def test_ffmpeg_gstreamer_and_vlc_play_it(self):
        url = self.apus.http("/cam/index.m3u8")
        # Players begin three segments behind the end: give them so many, as a stream that is watched has.
        until(
            lambda: playlist(self.apus, "/cam/main/index.m3u8").count("#EXTINF") >= 4, 20, "four segments", interval=1
        )
        players = {
            "ffmpeg": lambda: clients.ffmpeg(url, PATTERN_RATE, settings.SECONDS),
            "ffmpeg, plain": lambda: clients.ffmpeg(
                self.apus.http("/cam/main/index.m3u8?plain=1"), PATTERN_RATE, settings.SECONDS
            ),
            # Its demuxer changes pads with the variant, which gst-launch cannot follow.
            "gstreamer": lambda: self.gstreamer(self.apus.http("/cam/main/index.m3u8")),
            # It fills its buffer first, and drops pictures on a busy machine: a third has to come.
            "vlc": lambda: clients.vlc(url, PATTERN_RATE / 3, settings.SECONDS + 6),
        }
        self.each(list(players), lambda name: players[name]())

    def gstreamer(self, url):
        program = settings.need("gst-launch-1.0", "gstreamer1.0-tools")
        command = [program, "-v", "souphttpsrc", f"location={url}", "!", "hlsdemux", "!", "qtdemux", "!", "h264parse", "!"]
        command += ["avdec_h264", "!", "fakesink", "sync=false", "silent=false"]
        # It plays until it is stopped, as the stream has no end.
        with tempfile.TemporaryFile() as said:
            player = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            try:
                player.wait(settings.SECONDS + 6)
            except subprocess.TimeoutExpired:
                player.kill()
            player.wait()
            said.seek(0)
            text = said.read()
        clients.expect_silence("GStreamer", "\n".join(re.findall(r"^ERROR.*", text.decode(), re.M)))
        clients.expect_frames("GStreamer", text.count(b"last-message = chain "), PATTERN_RATE, settings.SECONDS)

    @together
    def test_packets_are_in_order_and_as_many_as_time_passes(self):
        self.publish("avc", "h264", "aac")
        for path in ("/cam/main/index.m3u8", "/avc/main/index.m3u8"):
            with self.subTest(path):
                packets = clients.ffprobe_packets(self.apus.http(path), settings.SECONDS)
                self.assert_monotonic([decoded for _, decoded, _ in packets], path)
                shown = sorted(shown for shown, _, _ in packets)
                self.assertLess(longest_gap(shown), 0.1)
                self.assertGreater(len(packets), 25 * settings.SECONDS * 0.8)
                self.assertTrue(packets[0][2], "the first picture is a keyframe")

    @together
    def test_sound_goes_with_the_pictures(self):
        self.publish("hevc", "h265", "opus")
        program = settings.need("ffprobe", "ffmpeg")
        text = playlist(self.apus, "/hevc/index.m3u8")
        self.assertRegex(text, r'CODECS="hvc1\.[^"]+,opus"')
        url = self.apus.http("/hevc/main/index.m3u8")
        command = [program, "-v", "error", "-show_packets", "-show_streams", "-of", "json"]
        output, errors = clients.run([*command, "-read_intervals", "%+4", url], 30)
        clients.expect_silence("ffprobe", errors)
        found = json.loads(output)
        self.assertEqual({stream["codec_name"] for stream in found["streams"]}, {"hevc", "opus"})
        sound = [float(packet["pts_time"]) for packet in found["packets"] if packet["codec_type"] == "audio"]
        self.assert_monotonic(sound, "sound")
        self.assertLess(longest_gap(sound), 0.03)
        clients.ffmpeg(url, publishing.RATE, 3)

    def test_a_part_is_there_soon_after_its_last_picture(self):
        edge = Edge(playlist(self.apus, "/cam/main/index.m3u8"))
        delays, waits = [], []
        for _ in range(12):
            began = time.time()
            text = playlist(
                self.apus, f"/cam/main/index.m3u8?_HLS_msn={edge.segment}&_HLS_part={edge.part}&_HLS_skip=YES"
            )
            now = time.time()
            edge = Edge(text)
            delays.append(now - edge.captured)
            waits.append(now - began)
            hint = attribute(text, "URI").removeprefix("hls/")
            self.assertIn("PRELOAD-HINT", text)
            self.assertTrue(hint)
        print(f"      a part is listed {1000 * min(delays):.0f} to {1000 * max(delays):.0f} ms after its last picture's end, "
              f"reloads waited {1000 * max(waits):.0f} ms at most")
        # The part's own duration of waiting, and no more; coding and a busy machine on top of the capture.
        self.assertLess(max(waits[1:]), 0.334 + 0.3)
        self.assertLess(sorted(delays)[len(delays) // 2], 0.25)

    def test_a_hinted_part_is_waited_for_and_a_segment_is_its_parts(self):
        text = playlist(self.apus, "/cam/main/index.m3u8")
        hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', text).group(1)
        status, fields, body = get(self.apus, f"/cam/main/{hint}")
        self.assertEqual((status, fields["Content-Type"]), (200, "video/mp4"))
        self.assertIn(b"moof", body[:200])
        segment = re.findall(r"^hls/(\d+)\.m4s$", text, re.M)[-1]
        parts = re.findall(rf'URI="(hls/{segment}\.\d+\.m4s)"', text)
        joined = b"".join(get(self.apus, f"/cam/main/{part}")[2] for part in parts)
        self.assertEqual(get(self.apus, f"/cam/main/hls/{segment}.m4s")[2], joined)

    def test_what_makes_no_sense_is_refused(self):
        edge = Edge(playlist(self.apus, "/cam/main/index.m3u8"))
        expected = {
            f"/cam/main/index.m3u8?_HLS_msn={edge.segment + 10}": 400,
            "/cam/main/index.m3u8?_HLS_part=1": 400,
            "/cam/main/index.m3u8?_HLS_msn=x": 400,
            "/cam/main/index.m3u8?_HLS_skip=maybe": 400,
            "/cam/main/hls/1.m4s": 404,
            "/cam/main/hls/init-1.mp4": 404,
            f"/cam/main/hls/{edge.segment}.900.m4s": 404,
            "/cam/main/hls/..%2fx": 400,
            "/cam/nothing/index.m3u8": 404,
            "/nobody/index.m3u8": 404,
        }
        self.assertEqual({path: get(self.apus, path)[0] for path in expected}, expected)


class RestartTest(unittest.TestCase):
    @together
    def test_a_player_goes_on_when_the_producer_is_started_again(self):
        with Apus(cameras={"cam": "pattern:?size=640x360"}) as apus:
            program = settings.need("ffmpeg", "ffmpeg")
            before = playlist(apus, "/cam/main/index.m3u8")
            command = [program, "-nostdin", "-v", "error", "-progress", "-", "-nostats"]
            command += ["-i", apus.http("/cam/main/index.m3u8"), "-an", "-t", "14", "-f", "null", "-"]
            player = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(4)
            edge = Edge(playlist(apus, "/cam/main/index.m3u8"))
            apus.kill("apus-video")
            began = time.monotonic()
            # Whoever waits for a part has the new producer's first, and need not wait for a whole segment (2 s).
            text = playlist(apus, f"/cam/main/index.m3u8?_HLS_msn={edge.segment}&_HLS_part={edge.part + 1}")
            while Edge(text).segment == edge.segment:
                edge = Edge(text)
                text = playlist(apus, f"/cam/main/index.m3u8?_HLS_msn={edge.segment}&_HLS_part={edge.part}")
            print(f"      the next life's first part {time.monotonic() - began:.2f} s after the kill")
            self.assertNotIn("#EXTINF", text)
            until(lambda: "#EXT-X-DISCONTINUITY\n" in playlist(apus, "/cam/main/index.m3u8"), 20, "a discontinuity")
            after = playlist(apus, "/cam/main/index.m3u8")
            self.assertNotEqual(attribute(before, "URI"), attribute(after, "URI"), "another initialisation segment")
            self.assertGreater(Edge(after).segment, Edge(before).segment)
            output, errors = player.communicate(timeout=60)
            frames = int(re.findall(rb"^frame=\s*(\d+)", output, re.M)[-1])
            print(f"      ffmpeg decoded {frames} pictures over the restart; it said: {errors.decode()[:200]!r}")
            # Some are lost with the producer.
            self.assertGreater(frames, PATTERN_RATE * 8)
