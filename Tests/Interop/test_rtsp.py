# SPDX-License-Identifier: Apache-2.0
# ffmpeg, ffprobe, GStreamer and mpv play every stream over TCP and UDP.

import struct
import time
from dataclasses import dataclass

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite
from .rtsp_client import RTSPClient, RTSPError
from .together import together

RATE = 25


@dataclass
class Stream:
    """One stream that is served."""

    path: str
    codec: str
    width: int
    height: int

    def __str__(self):
        return self.path


STREAMS = [
    Stream("cam", "h264", 1280, 720),
    Stream("cam/sub", "h264", 640, 360),
    Stream("cam/jpeg", "jpeg", 1280, 720),
    Stream("hevc", "h265", 640, 360),
]

CONFIG = f"""
[camera.cam]
source = pattern:?size=1280x720&fps={RATE}

[camera.hevc]
source = pattern:?size=640x360&fps={RATE}

[camera.hevc.main]
codec = h265
"""


class PlayersTest(SharedSuite):
    """Each client watches all streams at the same time."""

    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=[stream.path for stream in STREAMS])

    def url(self, stream):
        return self.apus.rtsp(stream.path)

    def test_ffmpeg_over_tcp(self):
        self.each(STREAMS, lambda s: clients.ffmpeg(self.url(s), RATE, settings.SECONDS, ["-rtsp_transport", "tcp"]))

    def test_ffmpeg_over_udp(self):
        self.each(STREAMS, lambda s: clients.ffmpeg(self.url(s), RATE, settings.SECONDS, ["-rtsp_transport", "udp"]))

    def test_gstreamer_over_tcp(self):
        self.each(STREAMS, lambda s: clients.gstreamer(self.url(s), s.codec, RATE, settings.SECONDS, "tcp"))

    def test_gstreamer_over_udp(self):
        self.each(STREAMS, lambda s: clients.gstreamer(self.url(s), s.codec, RATE, settings.SECONDS, "udp"))

    def test_mpv_over_tcp(self):
        self.each(STREAMS, lambda s: clients.mpv(self.url(s), RATE, settings.SECONDS, "tcp"))

    def test_opencv_over_tcp(self):
        # OpenCV asks ffmpeg for TCP by itself. It cannot be told to take JPEG at its rate.
        streams = [stream for stream in STREAMS if stream.codec != "jpeg"]
        self.each(streams, lambda s: clients.opencv(self.url(s), RATE, settings.SECONDS))

    def test_ffprobe_sees_codec_and_size(self):
        def check(stream):
            found = clients.ffprobe_stream(self.url(stream), ["-rtsp_transport", "tcp"])
            codec = {"h265": "hevc", "jpeg": "mjpeg"}.get(stream.codec, stream.codec)
            self.assertEqual(
                (found["codec_name"], found["width"], found["height"]), (codec, stream.width, stream.height)
            )
            self.assertEqual(found.get("has_b_frames", 0), 0)

        self.each(STREAMS, check)

    def test_timestamps_are_monotonic_and_steady(self):
        def check(transport):
            for stream in STREAMS:
                packets = clients.ffprobe_packets(self.url(stream), 2, ["-rtsp_transport", transport])
                self.assertGreaterEqual(len(packets), RATE, stream)
                self.assert_monotonic([decoding for _, decoding, _ in packets], f"{stream} over {transport}")
                # The first packets are handed out while ffprobe still learns the clock.
                self.assert_steady([shown for shown, _, _ in packets[5:]], 1 / RATE, f"{stream} over {transport}", 0.9)

        self.each(["tcp", "udp"], check)

    def test_the_first_packet_comes_at_once_and_begins_a_keyframe(self):
        began = time.monotonic()
        with RTSPClient(self.apus.rtsp("cam")) as client:
            client.play()
            while not client.packets and time.monotonic() < began + 5:
                time.sleep(0.005)

            self.assertTrue(client.packets, "no packet within 5 s")
            self.assertLess(client.packets[0].arrived - began, 0.5)

    def test_sender_reports_name_the_same_instant_in_utc_and_rtp_time(self):
        delays, ages = [], []
        for _ in range(5):
            with RTSPClient(self.apus.rtsp("cam")) as client:
                client.play()
                until(lambda: client.reports and len(client.frames()) > RATE, 10, "a report and a second of frames")
                arrived, report = client.reports[0]
                frame = client.frames()[-1]
                # The arrival of the frame in UTC.
                received = time.time() - (time.monotonic() - frame.arrived)
            kind, ntp, rtp = struct.unpack_from(">xB6xQI", report)
            self.assertEqual(kind, 200, "the first RTCP packet is no sender report")
            sent = ntp / 2**32 - 2_208_988_800
            delays.append(arrived - sent)
            ticks = (frame.timestamp - rtp + 2**31) % 2**32 - 2**31
            ages.append(received - (sent + ticks / 90_000))

        # What is sent now arrives a little later, never earlier; and no frame arrives before it was taken.
        self.assertGreater(min(delays), -0.001)
        self.assertLess(min(delays), 0.005)
        self.assertGreater(min(ages), -0.001)
        self.assertLess(min(ages), 0.1)

    @together
    def test_sequence_numbers_have_no_gap(self):
        def check(stream):
            for _ in range(3):
                with RTSPClient(self.url(stream)) as client:
                    # A description looks at the stream without playing it, and must leave its numbers alone.
                    for _ in range(5):
                        client.describe()
                        time.sleep(0.05)
                    client.play()
                    time.sleep(1)
                    numbers = [packet.sequence for packet in list(client.packets)]
                self.assertGreater(len(numbers), RATE / 2)
                gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if (a + 1) % 65536 != b]
                self.assertEqual(gaps, [])

        self.each(STREAMS, check)

    def test_the_first_camera_has_short_names(self):
        for path in ["", "main", "sub", "jpeg", "stream0", "stream1"]:
            with self.subTest(path), RTSPClient(self.apus.rtsp(path)) as client:
                client.describe()

    def test_an_unknown_path_is_not_found(self):
        with RTSPClient(self.apus.rtsp("nothing")) as client:
            with self.assertRaisesRegex(RTSPError, "404"):
                client.describe()

    @together
    def test_a_client_that_does_not_read_costs_itself_only(self):
        with RTSPClient(self.apus.rtsp("cam")) as stuck, RTSPClient(self.apus.rtsp("cam")) as other:
            # It asks, and never reads an answer again.
            stuck.describe()
            headers, _ = stuck.request(
                "SETUP", self._track(stuck), Transport="RTP/AVP/TCP;unicast;interleaved=0-1"
            )
            stuck.session = headers["session"].split(";")[0]
            stuck.request("PLAY")
            other.play()
            time.sleep(settings.SECONDS)
            frames = other.frames()

        clients.expect_frames("the other client", len(frames), RATE, settings.SECONDS - 0.5)

    def _track(self, client):
        headers, sdp = client.describe()
        control = sdp[sdp.index("m=") :].split("a=control:")[1].split()[0]
        base = headers.get("content-base", client.url)
        return control if control.startswith("rtsp://") else base.rstrip("/") + "/" + control
