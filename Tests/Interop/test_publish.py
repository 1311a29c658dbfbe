# SPDX-License-Identifier: Apache-2.0
# Publishing: ffmpeg and GStreamer send a film to cameras, over every transport, and viewers see and hear it.

import pathlib
import tempfile
import time
import unittest

from . import clients, publishing, settings
from .apus import Apus, free_port, until
from .case import SharedSuite, longest_gap
from .publishing import RATE

# What sound may be away from its picture, in seconds.
LIP_SYNC = 0.06


class PublishTest(SharedSuite):
    """One camera for each kind of publisher; all publish, and all are watched, at the same time."""

    # camera: publisher, its codings and transport, how it is watched.
    KINDS = {
        "tcp": (publishing.ffmpeg, "h264", "aac", "tcp", "udp"),
        "udp": (publishing.ffmpeg, "h265", "aac", "udp", "tcp"),
        "tls": (publishing.ffmpeg, "h264", "aac", "tcp", "tcp"),
        "gsttcp": (publishing.gstreamer, "h264", "aac", "tcp", "tcp"),
        "gstudp": (publishing.gstreamer, "h265", "opus", "udp", "udp"),
        "gsttls": (publishing.gstreamer, "h264", "aac", "tcp", "tcp"),
        "jpegs": (publishing.ffmpeg, "mjpeg", "pcmu", "tcp", "tcp"),
    }

    @classmethod
    def make_apus(cls):
        folder = tempfile.TemporaryDirectory(prefix="apus-publish-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        clients.certificate(cls.folder)
        cls.port = free_port()
        config = f"[tls]\ncertificate = {cls.folder}/crt.pem\nkey = {cls.folder}/key.pem\n"
        config += f"[rtsp]\ntls_port = {cls.port}\n"
        config += "".join(f"[camera.{camera}]\nsource = publish:\nslate = no\n" for camera in cls.KINDS)
        return Apus(config=config, streams=[])

    def publisher(self, camera):
        make, video, audio, transport, _ = self.KINDS[camera]
        url = self.apus.rtsp(camera)
        options = []
        if camera.endswith("tls"):
            url = f"rtsps://127.0.0.1:{self.port}/{camera}"
            options = ["tls-validation-flags=0"] if make is publishing.gstreamer else []
        return make(url, video, audio, transport, options)

    def test_films_are_published_and_watched(self):
        def check(camera):
            with self.publisher(camera) as publisher:
                try:
                    until(lambda: self.apus.describes(camera), 15, f"{camera} is published")
                    time.sleep(publishing.SETTLED)
                    transport = self.KINDS[camera][4]
                    folder = self.folder / camera
                    seen = publishing.watch(
                        self.apus.rtsp(camera), folder, settings.SECONDS + 1, ["-rtsp_transport", transport]
                    )
                    self.examine(camera, seen)
                except AssertionError as error:
                    publisher.kill()
                    raise AssertionError(f"{error}\n---- the publisher says\n{publisher.said()[-2000:]}") from None

        for camera in self.KINDS:
            publishing.film(*self.KINDS[camera][1:3])
        self.each(self.KINDS, check)

    def examine(self, camera, seen):
        clients.expect_frames(camera, len(seen.pictures), RATE, settings.SECONDS)
        times = seen.times[3:]
        self.assert_monotonic(times, camera)
        offsets = [round(1000 * offset) for offset in seen.offsets()]
        print(
            f"      {camera:6} {len(seen.pictures)} pictures, longest gap {1000 * longest_gap(times):.0f} ms, "
            f"{len(seen.sound) / 100:.2f} s of sound, {seen.pitch:.0f} Hz, {offsets} ms after the picture"
        )
        # JPEG is decoded and encoded, and on a busy machine pictures are left out.
        self.assertLess(longest_gap(times), 0.5 if camera == "jpegs" else 0.2)
        self.assertAlmostEqual(seen.pitch, publishing.PITCH, delta=20)
        self.assertGreaterEqual(len(seen.sound), 100 * settings.SECONDS * 0.85)
        self.assertGreaterEqual(len(offsets), 2, "no flash has a beep")
        self.assertLess(max(map(abs, offsets)), 1000 * LIP_SYNC)


class RightsTest(unittest.TestCase):
    """Who may publish, with users and without."""

    def refused(self, url, words):
        """Publishes with ffmpeg, which has to end and say why."""
        with publishing.ffmpeg(url) as publisher:
            publisher.process.wait(10)
            self.assertIn(words, publisher.said())

    def test_publishers_log_in_and_others_are_refused(self):
        with tempfile.TemporaryDirectory(prefix="apus-users-") as folder:
            users = pathlib.Path(folder, "users")
            users.write_text("eve role=publisher cameras=cam password=lauschend\nbob role=viewer password=kennwort\n")
            users.chmod(0o600)
            config = f"[apus]\nusers = {users}\n[camera.cam]\nsource = publish:\n[camera.yard]\nsource = publish:\n"
            with Apus(config=config, streams=[]) as apus:
                def url(user, camera="cam"):
                    return apus.rtsp(camera).replace("//", f"//{user}@")

                for number, make in enumerate([publishing.ffmpeg, publishing.gstreamer], 1):
                    with self.subTest(make.__name__), make(url("eve:lauschend")):
                        until(lambda: apus.log(1000).count("publisher joined") == number, 10, "eve publishes")
                    until(lambda: apus.log(1000).count("publisher left") == number, 10, "eve is gone")
                self.refused(url("eve:falsch"), "401")
                self.refused(url("bob:kennwort"), "403")
                self.refused(url("eve:lauschend", "yard"), "403")
                self.refused(apus.rtsp("cam"), "401")

    def test_what_cannot_be_published_is_refused(self):
        with Apus(config="[camera.cam]\nsource = publish:\n[camera.other]\nsource = pattern:\n", streams=[]) as apus:
            self.refused(apus.rtsp("nobody"), "404")
            self.refused(apus.rtsp("other"), "403")
