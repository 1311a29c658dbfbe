# SPDX-License-Identifier: Apache-2.0
# The way back: clients that speak to a camera's loudspeaker, in every coding, over TCP and UDP.

import base64
import json
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite
from .rtsp_client import RTSPClient, RTSPError

TAG = "www.onvif.org/ver20/backchannel"
# Coding: payload type, timestamp ticks and bytes of a packet of 20 ms.
CODINGS = {
    "pcmu": (0, 160, 160),
    "pcma": (8, 160, 160),
    "opus": (111, 960, 40),
    "aac": (112, 1024, 80),
    "l16": (113, 320, 640),
}


class Talker(RTSPClient):
    """Speaks to a camera; with a port over UDP, else on the connection."""

    def __init__(self, url, udp=False):
        super().__init__(url)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if udp else None
        self.number = 0
        self.server = None

    def join(self):
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        if self.udp:
            self.udp.bind(("127.0.0.1", 0))
            port = self.udp.getsockname()[1]
            transport = f"RTP/AVP;unicast;client_port={port}-{port + 1}"
        _, body = self.request("DESCRIBE", Accept="application/sdp", Require=TAG)
        media = body.decode().split("m=")[-1]
        control = re.search(r"a=control:(\S+)", media).group(1)
        headers, _ = self.request("SETUP", f"{self.url}/{control}", Transport=transport, Require=TAG)
        self.session = headers["session"].split(";")[0]
        if self.udp:
            self.server = ("127.0.0.1", int(re.search(r"server_port=(\d+)", headers["transport"]).group(1)))
        self.request("PLAY", Require=TAG)
        return media

    def speak(self, coding, packets=25):
        """Sends that many packets of 20 ms, as fast as can be."""
        kind, ticks, size = CODINGS[coding]
        for _ in range(packets):
            self.number += 1
            payload = struct.pack(">HH", 16, size << 3) if coding == "aac" else b""
            payload += bytes([0xFC]) + bytes(size - 1)
            packet = struct.pack(">BBHII", 0x80, kind, self.number & 0xFFFF, self.number * ticks, 0x1234) + payload
            if self.udp:
                self.udp.sendto(packet, self.server)
            else:
                self.socket.sendall(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
            time.sleep(0.005)

    def close(self):
        super().close()
        if self.udp:
            self.udp.close()


class TalkbackTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        config = "".join(
            f"[camera.{name}]\nsource = pattern:?size=320x180&fps=10\ntalkback = {on}\n"
            for name, on in [("cam", "yes"), ("mute", "no")]
        )
        return Apus(config=config, streams=["cam", "mute"])

    def ring(self):
        """What apus ring says of the camera's loudspeaker; nothing where there is none."""
        command = [settings.PROGRAMS / "apus", "ring", "info", "--json", "--run-dir", self.apus.run_dir, "cam/speaker"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def test_every_coding_arrives_in_the_ring(self):
        for coding in CODINGS:
            for udp in (False, True):
                way = f"{coding} over {'udp' if udp else 'tcp'}"
                with self.subTest(way), Talker(self.apus.rtsp("cam"), udp) as talker:
                    media = talker.join()
                    self.assertIn("a=sendonly", media)
                    self.assertIn(str(CODINGS[coding][0]), media.splitlines()[0].split()[3:])
                    talker.speak(coding)
                    until(lambda: (self.ring() or {}).get("newest", 0) >= 25, 5, "25 packets in the ring")
                    self.assertEqual(self.ring()["codec"], coding)
                until(lambda: self.ring() is None, 5, "the ring goes with its talker")

    def test_a_second_talker_is_refused(self):
        with Talker(self.apus.rtsp("cam")) as first, Talker(self.apus.rtsp("cam")) as second:
            first.join()
            with self.assertRaisesRegex(RTSPError, "453"):
                second.join()
            first.request("TEARDOWN")
            first.session = None
            second.join()

    def test_a_camera_without_a_loudspeaker_says_so(self):
        with socket.create_connection(("127.0.0.1", self.apus.rtsp_port), 5) as plain:
            plain.sendall(f"DESCRIBE {self.apus.rtsp('mute')} RTSP/1.0\r\nCSeq: 1\r\nRequire: {TAG}\r\n\r\n".encode())
            answer = plain.recv(4096).decode()
        self.assertIn(" 551 ", answer)
        self.assertRegex(answer, f"Unsupported: {re.escape(TAG)}")

    def test_gstreamer_sees_a_track_that_it_may_send(self):
        program = settings.need("gst-launch-1.0", "gstreamer1.0-tools")
        command = [program, "-v", "rtspsrc", f"location={self.apus.rtsp('cam')}", "backchannel=onvif", "protocols=tcp"]
        command += ["name=source", "source.", "!", "application/x-rtp,media=video", "!", "fakesink", "num-buffers=20"]
        # How it ends is not asked: rtspsrc may send PAUSE after it has closed its own connection.
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        self.assertIn("a-sendonly", done.stdout)


class TalkRightsTest(unittest.TestCase):
    def test_only_operators_may_speak(self):
        with tempfile.TemporaryDirectory(prefix="apus-users-") as folder:
            users = pathlib.Path(folder, "users")
            users.write_text("bob role=viewer password=kennwort\nida role=operator password=laut\n")
            users.chmod(0o600)
            config = f"[apus]\nusers = {users}\n[camera.cam]\nsource = pattern:?size=320x180&fps=10\ntalkback = yes\n"
            with Apus(config=config, streams=[]) as apus:
                for user, status in ("bob:kennwort", "403"), ("ida:laut", None):
                    with self.subTest(user), Talker(apus.rtsp("cam")) as talker:
                        token = base64.b64encode(user.encode()).decode()
                        plain = talker.request
                        talker.request = lambda *words, **more: plain(*words, Authorization=f"Basic {token}", **more)
                        if status is None:
                            talker.join()
                            continue
                        with self.assertRaisesRegex(RTSPError, status):
                            talker.join()


class ReloadTest(unittest.TestCase):
    """What a reload changes holds at once in apus-rtsp, too."""

    CAMERA = "[camera.cam]\nsource = pattern:?size=320x180&fps=10\ntalkback = yes\n"

    def reload(self, apus, config):
        pathlib.Path(apus.directory, "apus.conf").write_text(config)
        command = [settings.PROGRAMS / "apus", "config", "reload", "--run-dir", apus.run_dir]
        subprocess.run(command, check=True, timeout=20, capture_output=True)

    def test_talkback_is_taken_away(self):
        with Apus(config=self.CAMERA, streams=["cam"]) as apus, Talker(apus.rtsp("cam")) as talker:
            talker.join()
            talker.speak("pcmu")
            self.reload(apus, apus.config.replace("talkback = yes", "talkback = no"))
            until(lambda: "the camera takes no sound any more" in apus.log(), 5, "who speaks is sent away")
            with Talker(apus.rtsp("cam")) as other, self.assertRaisesRegex(RTSPError, "404|551"):
                other.join()

    def test_a_user_who_may_not_speak_any_more_is_sent_away(self):
        with tempfile.TemporaryDirectory(prefix="apus-users-") as folder:
            users = pathlib.Path(folder, "users")
            users.write_text("ida role=operator password=laut\n")
            users.chmod(0o600)
            config = f"[apus]\nusers = {users}\n{self.CAMERA}"
            with Apus(config=config, streams=[]) as apus, Talker(apus.rtsp("cam")) as talker:
                plain = talker.request
                token = base64.b64encode(b"ida:laut").decode()
                talker.request = lambda *words, **more: plain(*words, Authorization=f"Basic {token}", **more)
                talker.join()
                users.write_text("ida role=viewer password=laut\n")
                self.reload(apus, apus.config)
                until(lambda: "the user may not speak any more" in apus.log(), 5, "ida is sent away")

    def test_a_camera_becomes_published_and_a_group_goes(self):
        config = "[camera.cam]\nsource = pattern:?size=320x180&fps=10\n[camera.cam.main]\nmulticast = 239.7.7.8:5004/1\n"
        with Apus(config=config, streams=["cam"]) as apus:
            with RTSPClient(apus.rtsp("cam")) as listener:
                listener.describe()
                transport = "RTP/AVP;multicast"
                listener.request("SETUP", f"{listener.url}/trackID=0", Transport=transport)
                self.reload(apus, apus.config.replace("multicast = 239.7.7.8:5004/1", "bitrate = 1M"))
                until(lambda: self.ended(listener), 5, "the listener is sent away")
            with RTSPClient(apus.rtsp("cam")) as listener:
                listener.describe()
                with self.assertRaisesRegex(RTSPError, "461"):
                    listener.request("SETUP", f"{listener.url}/trackID=0", Transport=transport)
            self.reload(apus, "[camera.cam]\nsource = publish:\n")
            sdp = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            with RTSPClient(apus.rtsp("cam")) as publisher:
                head = f"ANNOUNCE {publisher.url} RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n"
                publisher.socket.sendall(f"{head}Content-Length: {len(sdp)}\r\n\r\n{sdp}".encode())
                self.assertIn(b" 200 ", publisher.socket.recv(4096))

    def ended(self, client):
        try:
            client.request("OPTIONS")
            return False
        except (RTSPError, OSError, EOFError):
            return True
