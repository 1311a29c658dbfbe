# SPDX-License-Identifier: Apache-2.0
# A film as a looping camera, a pipe of JPEGs and one of H.264 as cameras, and libcamera's.

import os
import re
import subprocess
import time
import unittest

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite
from .mjpeg_client import MJPEGClient
from .together import together


class FilmTest(SharedSuite):
    """Big Buck Bunny, 5.28 s of H.264 at 25 frames per second, again and again."""

    RATE = 25

    @classmethod
    def make_apus(cls):
        return Apus(cameras={"cam": f"file:{settings.film()}?loop"})

    def test_it_is_passed_on_without_coding_it_again(self):
        found = clients.ffprobe_stream(self.apus.rtsp("cam"), ["-rtsp_transport", "tcp"])

        # Our encoder makes no Main profile of that size out of itself; the file has it.
        self.assertEqual((found["codec_name"], found["profile"], found["width"]), ("h264", "Main", 1280))

    @together
    def test_timestamps_go_on_across_the_loop(self):
        # Longer than the film, so that its end is passed at least once.
        packets = clients.ffprobe_packets(self.apus.rtsp("cam"), 8, ["-rtsp_transport", "tcp"])

        self.assertGreater(len(packets), 6.5 * self.RATE)
        self.assert_monotonic([decoding for _, decoding, _ in packets], "decoding times")
        self.assert_steady([shown for shown, _, _ in packets[5:]], 1 / self.RATE, "presentation times", 0.6)

    @together
    def test_ffmpeg_decodes_across_the_loop(self):
        clients.ffmpeg(self.apus.rtsp("cam"), self.RATE, 8, ["-rtsp_transport", "tcp"])

    def test_the_small_picture_and_snapshots_are_made_of_it(self):
        found = clients.ffprobe_stream(self.apus.rtsp("cam/sub"), ["-rtsp_transport", "tcp"])
        path = self.apus.directory / "snapshot.jpg"
        clients.curl(self.apus.http("/cam/snapshot.jpg"), path)

        self.assertEqual((found["width"], found["height"]), (640, 360))
        self.assertEqual(clients.ffprobe_stream(path)["width"], 1280)


class PipeTest(unittest.TestCase):
    """A producer writes into the standard input of apus up."""

    RATE = 25

    def produce(self, output, *coding):
        program = settings.need("ffmpeg", "ffmpeg")
        command = [program, "-nostdin", "-v", "error", "-re", "-f", "lavfi"]
        command += ["-i", f"testsrc2=size=640x360:rate={self.RATE}", *coding, "-"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL)

    def decode(self, apus):
        clients.ffmpeg(apus.rtsp("cam"), self.RATE, settings.SECONDS, ["-rtsp_transport", "tcp"])

    def watch(self, producer, source, check):
        """Runs check with a suite that reads the producer's pipe."""
        try:
            with Apus(cameras={"cam": source}, stdin=producer.stdout) as apus:
                producer.stdout.close()
                check(apus)
        finally:
            producer.kill()
            producer.wait()

    @together
    def test_mjpeg(self):
        def check(apus):
            self.decode(apus)
            with MJPEGClient(apus.http_port, "/cam/mjpeg") as client:
                time.sleep(3)
                self.assertAlmostEqual(len(client.pictures), 3 * self.RATE, delta=self.RATE / 2)

        self.watch(self.produce(subprocess.PIPE, "-f", "mjpeg", "-q:v", "4"), "stdin:mjpeg", check)

    def test_mjpeg_pictures_are_passed_on_untouched(self):
        def check(apus):
            # ffmpeg writes its name into each picture; a picture coded again would not have it.
            self.assertIn(b"Lavc", apus.get("/cam/snapshot.jpg")[2])

        self.watch(self.produce(subprocess.PIPE, "-f", "mjpeg", "-q:v", "4"), "stdin:mjpeg", check)

    @together
    def test_h264(self):
        coding = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-f", "h264"]
        self.watch(self.produce(subprocess.PIPE, *coding), "stdin:h264", self.decode)

    @together
    def test_the_end_of_the_input_is_waited_out(self):
        settings.need("ffmpeg", "ffmpeg")
        apus = Apus(cameras={"cam": "stdin:mjpeg"})
        path = apus.directory / "pipe"
        os.mkfifo(path)
        # Opened for both, so that opening does not wait; the reading end is what apus up gets.
        both = os.open(path, os.O_RDWR)
        apus.stdin = os.open(path, os.O_RDONLY)
        first = self.produce(both, "-f", "mjpeg")
        os.close(both)
        second = None
        try:
            with apus:
                first.kill()
                first.wait()
                time.sleep(1)
                self.assertIsNone(apus.process.poll(), "apus up ended with its input")
                self.assertTrue(apus.is_healthy())

                with open(path, "wb") as again:
                    second = self.produce(again, "-f", "mjpeg")
                with MJPEGClient(apus.http_port, "/cam/mjpeg") as client:
                    until(lambda: len(client.pictures) > self.RATE, 8, "pictures of the second producer")
        finally:
            for producer in filter(None, [first, second]):
                producer.kill()
                producer.wait()


class LibCameraTest(unittest.TestCase):
    def test_the_library_is_loaded_where_the_daemon_may_open_little(self):
        """Cameras in it are there in the kernel suite only; that there is none is libcamera's own answer."""
        with Apus(cameras={"cam": "libcamera:"}) as apus:
            until(lambda: re.search(r'source awaited .*reason="libcamera v[0-9.]+ has no camera"', apus.log(50)), 20,
                  "libcamera has looked for cameras")
