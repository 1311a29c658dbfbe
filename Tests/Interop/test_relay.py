# SPDX-License-Identifier: Apache-2.0
# One Apus pulls from another: over TLS, pictures of all codecs, sound, on demand, B-frames, and through its death.

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from . import clients, settings
from .apus import Apus, free_port, until
from .case import Case, SharedSuite
from .rtsp_client import RTSPClient
from .test_slate import state
from .test_tls import config, make_certificate
from .together import together

RATE = 25
TCP = ["-rtsp_transport", "tcp"]


def control(apus, *words):
    """What a control verb answers."""
    command = [settings.PROGRAMS / "apus", "ctl", "--json", "--run-dir", apus.run_dir, *words]
    answer = json.loads(clients.run(command, 10)[0])
    return answer.get("result", answer)


@contextlib.contextmanager
def publishing(url, *encoding, transport="tcp"):
    """ffmpeg publishes a test picture and a tone to an address."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={RATE}"]
    command += ["-re", "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000", "-pix_fmt", "yuv420p", *encoding]
    process = subprocess.Popen(
        [*command, "-f", "rtsp", "-rtsp_transport", transport, url], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def frames(url, seconds, transport):
    """The decoded frames of a stream, in order of presentation: time and type."""
    program = settings.need("ffprobe", "ffmpeg")
    command = [program, "-v", "error", "-rtsp_transport", transport, "-select_streams", "v"]
    command += ["-show_entries", "frame=pts_time,pict_type"]
    output, errors = clients.run([*command, "-of", "json", "-read_intervals", f"%+{seconds}", url], seconds + 20)
    clients.expect_silence("ffprobe", errors)
    # ffprobe has no time for the frames in front of the first one that tells how they are ordered.
    return [
        (float(frame["pts_time"]), frame["pict_type"]) for frame in json.loads(output)["frames"] if "pts_time" in frame
    ]


def loudness(url, seconds):
    """The mean volume of a stream's sound in dB, and how many samples of it came."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", *TCP, "-i", url, "-vn", "-t", str(seconds), "-af", "volumedetect", "-f", "null", "-"]
    _, said = clients.run(command, seconds + 20)
    samples = int(re.search(r"n_samples: (\d+)", said).group(1))
    return float(re.search(r"mean_volume: (\S+) dB", said).group(1)), samples


class EncryptedPullTest(SharedSuite):
    """The upstream shows a certificate that vouches for itself."""

    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-tls-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.certificate, key = make_certificate(pathlib.Path(cls.folder.name))
        cls.port = free_port()
        return Apus(config=config(cls.certificate, key, cls.port), streams=["cam"])

    def url(self, query):
        return f"rtsps://127.0.0.1:{self.port}/cam{query}"

    def fingerprint(self):
        command = ["openssl", "x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256"]
        return clients.run(command, 10)[0].strip().split("=")[1].replace(":", "")

    @together
    def test_any_certificate_will_do_if_told_so(self):
        with Apus(cameras={"cam": self.url("?verify=no")}) as apus:
            clients.ffmpeg(apus.rtsp("cam"), RATE, settings.SECONDS, TCP)
            self.assertEqual(state(apus)["state"], "live")

    @together
    def test_the_certificate_with_the_fingerprint_will_do(self):
        with Apus(cameras={"cam": self.url(f"?fingerprint={self.fingerprint()}")}) as apus:
            clients.ffmpeg(apus.rtsp("cam"), RATE, settings.SECONDS, TCP)
            self.assertEqual(state(apus)["state"], "live")

    @together
    def test_over_udp_it_comes_by_tcp_inside_of_tls_or_not_at_all(self):
        with Apus(cameras={"cam": self.url("?verify=no&transport=udp")}) as apus:
            clients.ffmpeg(apus.rtsp("cam"), RATE, 3, TCP)
            self.assertEqual((state(apus)["state"], state(apus)["transport"]), ("live", "tcp"))

    @together
    def test_others_are_refused(self):
        wrong = "00" * 32
        with Apus(cameras={"wrong": self.url(f"?fingerprint={wrong}"), "strict": self.url("")}, streams=[]) as apus:
            for camera in "wrong", "strict":
                until(lambda: "certificate" in state(apus, camera).get("reason", ""), 10, "the refusal is told")
                found = state(apus, camera)
                self.assertEqual(found["state"], "lost", found)


class RelayTest(Case):
    @contextlib.contextmanager
    def relay(self, path="cam", query="", more="", cameras=None):
        """An upstream with a published camera, and an Apus that pulls from it."""
        upstream = Apus(cameras=cameras or {"cam": "publish:"}, streams=[])
        with upstream, Apus(config=f"[camera.cam]\nsource = {upstream.rtsp(path)}{query}\n{more}", streams=[]) as apus:
            yield upstream, apus

    @together("relay")
    def test_jpeg(self):
        with self.relay("cam/jpeg", cameras={"cam": f"pattern:?size=640x360&fps={RATE}"}) as (_, apus):
            until(lambda: state(apus)["state"] == "live", 15, "the source is live")
            self.assertEqual(state(apus)["codec"], "jpeg")
            # The second one is encoded from it.
            self.each(["cam/jpeg", "cam"], lambda path: clients.ffmpeg(apus.rtsp(path), RATE, settings.SECONDS, TCP))

    @together("relay")
    def test_sound(self):
        sounds = {
            "aac": (["-c:a", "aac"], 48000),
            "opus": (["-c:a", "libopus"], 48000),
            "pcm_mulaw": (["-c:a", "pcm_mulaw", "-ar", "8000"], 8000),
        }

        def check(name):
            encoding, rate = sounds[name]
            pictures = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(RATE)]
            with Apus(cameras={"cam": "publish:"}, streams=[]) as upstream:
                with publishing(upstream.rtsp("cam"), *pictures, *encoding):
                    until(lambda: "m=audio" in self.description(upstream), 15, "the published sound is described")
                    with Apus(cameras={"cam": upstream.rtsp("cam")}) as apus:
                        until(lambda: "m=audio" in self.description(apus), 15, "the pulled sound is described")
                        volume, samples = loudness(apus.rtsp("cam"), 3)
            # ffmpeg's tone is at -21 dB; silence is at -91.
            self.assertGreater(volume, -30)
            self.assertGreater(samples, 2 * rate)

        self.each(list(sounds), check)

    def description(self, apus):
        with RTSPClient(apus.rtsp("cam")) as client:
            return client.describe()[1]

    @together("relay")
    def test_on_demand(self):
        cameras = {"cam": f"pattern:?size=320x180&fps={RATE}"}
        with self.relay(more="on_demand = yes\n", cameras=cameras) as (upstream, apus):
            self.assertEqual(state(apus)["state"], "idle")
            self.assertEqual(len(control(upstream, "rtsp", "clients")["clients"]), 0)
            clients.ffmpeg(apus.rtsp("cam"), RATE, 3, TCP)
            self.assertEqual(state(apus)["state"], "live")
            self.assertEqual(len(control(upstream, "rtsp", "clients")["clients"]), 1)
            until(lambda: state(apus)["state"] == "idle", 25, "the source is closed again", 0.5)
            until(lambda: len(control(upstream, "rtsp", "clients")["clients"]) == 0, 5, "the connection is closed")

    def test_b_frames_keep_their_places(self):
        def check(transport):
            with self.relay(query=f"?transport={transport}") as (upstream, apus):
                with publishing(upstream.rtsp("cam"), "-c:v", "libx264", "-g", str(2 * RATE), "-an", transport=transport):
                    until(lambda: state(apus)["state"] == "live", 20, "the source is live")
                    self.assertEqual(state(apus)["transport"], transport)
                    self.each(["tcp", "udp"], lambda viewer: self.examine(frames(apus.rtsp("cam"), 6, viewer)))

        self.each(["tcp", "udp"], check)

    def examine(self, found):
        """Frames have B-frames among them, and steady times."""
        self.assertIn("B", [kind for _, kind in found])
        times = [at for at, _ in found]
        gaps = [after - before for before, after in zip(times, times[1:])]
        # The first frames are the slate's, and those that ffmpeg catches up with.
        self.assertGreater(min(gaps), 0, gaps)
        steady = gaps[-3 * RATE :]
        self.assertLess(max(steady), 1.5 / RATE, gaps)
        self.assertGreater(min(steady), 0.5 / RATE, gaps)

    @together("relay")
    def test_the_whole_upstream_is_killed_and_comes_back_while_a_viewer_watches(self):
        cameras = {"cam": f"pattern:?size=640x360&fps={RATE}"}
        with self.relay(cameras=cameras) as (upstream, apus), RTSPClient(apus.rtsp("cam")) as viewer:
            until(lambda: state(apus)["state"] == "live", 15, "the source is live")
            viewer.play()
            until(lambda: len(viewer.frames()) > 2 * RATE, 10, "frames at first")

            for pid in [upstream.process.pid, *upstream.processes()]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            upstream.process.wait()
            until(lambda: self.mode(apus) == "slate", 10, "the slate")
            slate = time.monotonic()
            until(lambda: len(viewer.frames(since=slate)) > 5, 10, "frames of the slate")
            upstream.start()
            until(lambda: self.mode(apus) == "passthrough", 30, "the source's own frames")
            back = time.monotonic()
            until(lambda: len(viewer.frames(since=back)) > 2 * RATE, 10, "frames afterwards")

            self.assertIsNone(viewer.ended)
            times = [frame.timestamp for frame in viewer.frames()]
            self.assertEqual(times, sorted(set(times)))
            clients.ffmpeg(apus.rtsp("cam"), RATE, 3, TCP)

    def mode(self, apus):
        return next(stream["mode"] for stream in control(apus, "video.cam", "status")["streams"] if stream["name"] == "main")
