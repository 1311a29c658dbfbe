# SPDX-License-Identifier: Apache-2.0
# Sound of every coding, published with its picture: decoded by ffmpeg and GStreamer, complete and in step.

import os
import pathlib
import re
import statistics
import tempfile
import time

from . import clients, publishing, settings
from .apus import Apus, until
from .case import SharedSuite
from .test_pull import PYTHON

# They begin with what takes the stream's packets.
GSTREAMER_DECODERS = {
    "aac": "rtpmp4gdepay name=audio ! avdec_aac",
    "opus": "rtpopusdepay name=audio ! avdec_opus",
    "pcmu": "rtppcmudepay name=audio ! mulawdec",
    "pcma": "rtppcmadepay name=audio ! alawdec",
    "l16": "rtpL16depay name=audio",
}


class SoundTest(SharedSuite):
    """One camera for each coding; all publish at the same time."""

    @classmethod
    def make_apus(cls):
        folder = tempfile.TemporaryDirectory(prefix="apus-sound-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        config = "".join(f"[camera.{coding}]\nsource = publish:\n" for coding in publishing.AUDIO)
        return Apus(config=config, streams=[])

    def setUp(self):
        for coding in publishing.AUDIO:
            self.enterContext(publishing.ffmpeg(self.apus.rtsp(coding), "h264", coding))
        for coding in publishing.AUDIO:
            until(lambda: (self.apus.run_dir / f"ring/{coding}.audio.sock").exists(), 10, f"the sound of {coding}")
        time.sleep(publishing.SETTLED)

    def test_ffmpeg_and_gstreamer_hear_every_coding(self):
        listeners = [f"{coding} by {program}" for coding in publishing.AUDIO for program in ("ffmpeg", "gstreamer")]

        def listen(name):
            coding, program = name.split(" by ")
            getattr(self, program)(coding)

        self.each(listeners, listen)

    def ffmpeg(self, coding):
        transport = "udp" if coding in ("opus", "pcma") else "tcp"
        heard = publishing.watch(
            self.apus.rtsp(coding), self.folder / coding, settings.SECONDS, ["-rtsp_transport", transport]
        )
        offsets = [round(1000 * offset) for offset in heard.offsets()]
        spans = heard.sound[-1][0] - heard.sound[0][0] + 0.01
        print(f"      {coding:5} {len(heard.sound) / 100:.2f} s of sound in {spans:.2f} s, {heard.pitch:.0f} Hz, "
              f"{offsets} ms after the picture")
        self.assertAlmostEqual(heard.pitch, publishing.PITCH, delta=20)
        self.assertGreater(len(heard.sound), 100 * settings.SECONDS * 0.7)
        # As many samples as time has passed, and no gap between them.
        self.assertAlmostEqual(len(heard.sound) / 100, spans, delta=0.02)
        self.assertEqual(heard.gaps_of_sound(), [])
        self.assertGreaterEqual(len(offsets), 2)
        self.assertLess(max(map(abs, offsets)), 60)

    def gstreamer(self, coding):
        seconds = settings.SECONDS - 1
        path = self.folder / f"{coding}.raw"
        script = pathlib.Path(__file__).with_name("gst_listener.py")
        command = [PYTHON, script, self.apus.rtsp(coding), GSTREAMER_DECODERS[coding], path, seconds + 1]
        environment = {**os.environ, "GST_DEBUG": "1", "GST_DEBUG_NO_COLOR": "1"}
        _, errors = clients.run(command, seconds + clients.GRACE, env=environment)
        errors = "\n".join(line for line in errors.splitlines() if re.search("ERROR", line))
        clients.expect_silence("GStreamer", errors)
        samples = memoryview(path.read_bytes()).cast("h")
        self.assertGreater(len(samples) / 16_000, seconds * 0.4)
        self.assertAlmostEqual(pitch(samples, 16_000), publishing.PITCH, delta=100)


def pitch(samples, rate):
    """The middle pitch of the hundredths of a second that are loud throughout."""
    window = rate // 100
    pieces = [samples[start : start + window] for start in range(0, len(samples) - window, window)]
    loud = [piece for piece in pieces if max(piece[: window // 4]) > 8000 and max(piece[-window // 4 :]) > 8000]
    rises = [sum(1 for before, after in zip(piece, piece[1:]) if before < 0 <= after) for piece in loud]
    return statistics.median(rises) * 100 if rises else 0
