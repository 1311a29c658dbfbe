# SPDX-License-Identifier: Apache-2.0
# Sound of every coding, published with its picture: decoded by ffmpeg and GStreamer, complete and in step.

import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from . import clients, publishing, settings
from .apus import Apus, until
from .case import SharedSuite

GSTREAMER_DECODERS = {
    "aac": ["rtpmp4gdepay", "!", "avdec_aac"],
    "opus": ["rtpopusdepay", "!", "avdec_opus"],
    "pcmu": ["rtppcmudepay", "!", "mulawdec"],
    "pcma": ["rtppcmadepay", "!", "alawdec"],
    "l16": ["rtpL16depay"],
}
RTP_NAMES = {"aac": "MPEG4-GENERIC", "opus": "OPUS", "pcmu": "PCMU", "pcma": "PCMA", "l16": "L16"}


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
        program = settings.need("gst-launch-1.0", "gstreamer1.0-tools")
        seconds = settings.SECONDS - 1
        path = self.folder / f"{coding}.raw"
        command = [program, "-q", "rtspsrc", "name=server", f"location={self.apus.rtsp(coding)}", "protocols=tcp"]
        command += ["latency=200"]
        # Without anybody for the picture, rtspsrc fails if that comes before the first sound.
        command += ["server.", "!", "application/x-rtp,media=video", "!", "fakesink", "async=false", "sync=false"]
        command += ["server.", "!"]
        command += [f"application/x-rtp,media=audio,encoding-name={RTP_NAMES[coding]}", "!"]
        command += [*GSTREAMER_DECODERS[coding], "!", "audioconvert", "!", "audioresample", "!"]
        command += ["audio/x-raw,format=S16LE,rate=16000,channels=1", "!", "filesink", f"location={path}"]
        # What it has not written when it is ended counts as not heard: by itself it writes 64 kB at a time, two seconds.
        command += ["buffer-mode=unbuffered"]
        environment = {**os.environ, "GST_DEBUG": "1", "GST_DEBUG_NO_COLOR": "1"}
        listener = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        try:
            _, errors = listener.communicate(timeout=seconds + 1)
        except subprocess.TimeoutExpired:
            listener.terminate()
            _, errors = listener.communicate(timeout=10)
        errors = "\n".join(line for line in errors.decode().splitlines() if re.search("ERROR", line))
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
