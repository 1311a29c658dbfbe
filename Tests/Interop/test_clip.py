# SPDX-License-Identifier: Apache-2.0
# Clips out of the ring: complete files of the past, files that go on into the future, and what is refused.

import http.client
import json
import time

from . import clients, publishing, settings
from .apus import Apus, until
from .case import SharedSuite
from .test_av1 import temporal_units
from .test_slate import Publisher
from .together import together


class ClipTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        config = "".join(f"[camera.{name}]\nsource = publish:\n" for name in ("avc", "hevc", "av1", "law", "off"))
        return Apus(config="[camera.cam]\nsource = pattern:?size=640x360\n" + config, streams=[])

    def publish(self, camera, video, audio):
        self.enterContext(publishing.ffmpeg(self.apus.rtsp(camera), video, audio))
        until(lambda: (self.apus.run_dir / f"ring/{camera}.audio.sock").exists(), 10, f"the sound of {camera}")
        # The sound is put in step in the first seconds, and then there has to be a past.
        time.sleep(publishing.SETTLED + 4)

    def clip(self, camera, query, timeout=20):
        """Fetches a clip; returns its path, its headers, and what ffprobe says of the whole file."""
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=timeout)
        connection.request("GET", f"/{camera}/clip.mp4?{query}")
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {data.decode()}")
        path = self.apus.directory / f"{camera}.mp4"
        path.write_bytes(data)
        program = settings.need("ffprobe", "ffmpeg")
        command = [program, "-v", "error", "-count_frames", "-show_streams", "-of", "json", path]
        output, errors = clients.run(command, 30)
        clients.expect_silence("ffprobe", errors)
        streams = {stream["codec_type"]: stream for stream in json.loads(output)["streams"]}
        decoder = settings.need("ffmpeg", "ffmpeg")
        _, errors = clients.run([decoder, "-nostdin", "-v", "error", "-xerror", "-i", path, "-f", "null", "-"], 30)
        clients.expect_silence("ffmpeg", errors)
        return path, dict(answer.getheaders()), streams

    def test_a_clip_of_the_past_and_one_into_the_future(self):
        _, fields, streams = self.clip("cam", "from=-1s&to=%2B5s")
        self.assertNotIn("Content-Length", fields)
        frames = int(streams["video"]["nb_read_frames"])
        self.assertTrue(3.5 * 30 <= frames <= 8.5 * 30, f"{frames} frames")

        path, fields, streams = self.clip("cam", "from=-3s")
        self.assertEqual(int(fields["Content-Length"]), path.stat().st_size)
        self.assertRegex(fields["Content-Disposition"], r'^attachment; filename="cam-\d{8}T\d{6}Z\.mp4"$')
        self.assertRegex(fields["X-Clip-From"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        video = streams["video"]
        self.assertEqual(video["nb_read_frames"], video["nb_frames"])
        self.assertTrue(2.9 <= float(video["duration"]) <= 5.2, video["duration"])
        self.assertEqual(float(video["start_time"]), 0)

    @together
    def test_a_past_that_nobody_watched_is_told_as_such(self):
        # A suite of its own, as others watch here.
        with Apus(cameras={"cam": "pattern:?size=320x180&fps=10"}, streams=[]) as apus:
            connection = http.client.HTTPConnection("127.0.0.1", apus.http_port, timeout=20)
            connection.request("GET", "/cam/clip.mp4?from=-9s&to=-8s")
            answer = connection.getresponse()
            reason = answer.read().decode()
            connection.close()

        self.assertEqual(answer.status, 503)
        self.assertIn("nobody watched it", reason)

    @together
    def test_every_codec_with_its_sound(self):
        self.enterContext(Publisher(self.apus, temporal_units(), "AV01", camera="av1"))
        for camera, video, audio in [("avc", "h264", "aac"), ("hevc", "h265", "opus"), ("law", "h264", "pcmu")]:
            self.enterContext(publishing.ffmpeg(self.apus.rtsp(camera), video, audio))
        time.sleep(publishing.SETTLED + 5)
        codecs = {
            "avc": {"video": "h264", "audio": "aac"},
            "hevc": {"video": "hevc", "audio": "opus"},
            "law": {"video": "h264", "audio": "pcm_mulaw"},
            "av1": {"video": "av1"},
        }

        def check(camera):
            for query in ("from=-3s", "from=-2s&to=%2B2s"):
                _, _, streams = self.clip(camera, query)
                self.assertEqual({kind: stream["codec_name"] for kind, stream in streams.items()}, codecs[camera])
                for kind, stream in streams.items():
                    self.assertTrue(1.9 <= float(stream["duration"]) <= 6.2, f"{kind} lasts {stream['duration']}")

        self.each(list(codecs), check)

    @together
    def test_what_makes_no_sense_is_refused(self):
        expected = {
            "/cam/clip.mp4?from=yesterday": 400,
            "/cam/clip.mp4?from=-1s&to=-2s": 400,
            "/cam/clip.mp4?to=99999s": 400,
            "/cam/clip.mp4?stream=other": 404,
            "/nobody/clip.mp4": 404,
        }
        self.assertEqual({path: self.apus.get(path)[0] for path in expected}, expected)
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=20)
        connection.request("GET", "/off/clip.mp4")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 503)
        self.assertIn(b"off/main", answer.read())
        connection.close()
