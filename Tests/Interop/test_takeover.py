# SPDX-License-Identifier: Apache-2.0
# Sources that are killed under viewers of every transport, and publishers that follow each other.

import concurrent.futures
import os
import pathlib
import signal
import socket
import tempfile
import threading
import time

from . import clients, publishing
from .apus import Apus, free_port, until
from .case import SharedSuite
from .rtsp_client import RTSPClient
from .test_slate import state as status
from .tunnel_client import TunnelledClient, WebSocketClient

# Viewers of each transport.
COUNT = 20
CLOCK = 90_000


def state(apus, camera="cam"):
    """The state of a camera's source; nothing while its daemon is not there."""
    try:
        return status(apus, camera)["state"]
    except AssertionError:
        return None


class DatagramClient(RTSPClient):
    """Collects its packets from UDP."""

    def play(self):
        self.packets_in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.packets_in.bind(("127.0.0.1", 0))
        port = self.packets_in.getsockname()[1]
        headers, _ = self.request(
            "SETUP", f"{self.url}/trackID=0", Transport=f"RTP/AVP;unicast;client_port={port}-{port + 1}"
        )
        self.session = headers["session"].split(";")[0]
        self.request("PLAY")
        self._reader = threading.Thread(target=self._collect_datagrams, daemon=True)
        self._reader.start()
        return self

    def _collect_datagrams(self):
        self.packets_in.settimeout(30)
        try:
            while packet := self.packets_in.recv(2000):
                self._keep(packet)
        except OSError as error:
            self.ended = error

    def close(self):
        # The server may not answer any more; an empty datagram ends the reader.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self.packets_in.getsockname())
        super().close()
        self.packets_in.close()

    def stays_connected(self):
        """True if the control connection answers."""
        self.request("GET_PARAMETER")
        return True


class TakeoverTest(SharedSuite):
    TRANSPORTS = {
        "tcp": RTSPClient,
        "udp": DatagramClient,
        "http": TunnelledClient,
        "websocket": WebSocketClient,
        "tls": RTSPClient,
    }

    @classmethod
    def make_apus(cls):
        folder = tempfile.TemporaryDirectory(prefix="apus-takeover-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        clients.certificate(cls.folder)
        cls.port = free_port()
        film = publishing.film("h264", "aac")
        config = (
            f"[tls]\ncertificate = {cls.folder}/crt.pem\nkey = {cls.folder}/key.pem\n"
            f"[rtsp]\ntls_port = {cls.port}\nmax_clients = 400\n"
            f"[camera.cam]\nsource = publish:\n[camera.other]\nsource = publish:\n"
            f"[camera.film]\nsource = file:{film}\n[camera.pattern]\nsource = pattern:?size=320x180&fps=25\n"
        )
        return Apus(config=config, streams=["film", "pattern"])

    def viewers(self, camera, count):
        """That many viewers of each transport, who play: pairs of a name and a client."""
        def join(kind):
            name, client = kind
            url = f"rtsps://127.0.0.1:{self.port}/{camera}" if name == "tls" else self.apus.rtsp(camera)
            return f"{camera} {name}", client(url).play()

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            return list(pool.map(join, list(self.TRANSPORTS.items()) * count))

    def kill_video(self):
        for pid, name in self.apus.processes().items():
            if name == "apus-video":
                os.kill(pid, signal.SIGKILL)

    def test_viewers_of_every_transport_stay(self):
        url = self.apus.rtsp("cam")
        with publishing.ffmpeg(url) as first:
            until(lambda: state(self.apus) == "live", 10, "the first publisher's film")
            viewers = self.viewers("cam", COUNT) + self.viewers("film", 2) + self.viewers("pattern", 2)
            published = [client for name, client in viewers if name.startswith("cam")]
            every = [client for _, client in viewers]
            try:
                self.frames(every, 1.5, 25, patience=0.5)
                killed = time.monotonic()
                first.kill()
                until(lambda: state(self.apus) != "live", 5, "the loss is noticed")
                time.sleep(1.5)
                self.frames(published, 2, 5)
                with publishing.ffmpeg(url):
                    until(lambda: state(self.apus) == "live", 10, "the second publisher's film")
                    back = time.monotonic()
                    self.frames(published, 1.5, 25, patience=1)
                    self.kill_video()
                    dead = time.monotonic()
                    for name, client in viewers:
                        until(lambda: len(client.frames(dead + 0.5)) > 25, 15, f"{name} sees frames again")
                    for name in sorted({name for name, _ in viewers}):
                        with self.subTest(name):
                            for client in (client for its, client in viewers if its == name):
                                self.examine(client)
                self.report(viewers, killed, back, dead)
            finally:
                for client in every:
                    client.close()

    def frames(self, every, seconds, rate, patience=0.0):
        """Waits, and checks that all got frames at about this rate meanwhile."""
        time.sleep(patience)
        since = time.monotonic()
        time.sleep(seconds)
        counts = sorted(len(client.frames(since)) for client in every)
        self.assertGreater(counts[0], rate * seconds * 0.6, counts)
        self.assertLess(counts[-1], rate * seconds * 1.5, counts)

    def examine(self, client):
        self.assertIsNone(client.ended)
        if isinstance(client, DatagramClient):
            self.assertTrue(client.stays_connected())
        times = [frame.timestamp for frame in client.frames()]
        self.assertEqual(len(times), len(set(times)), "two frames with one timestamp")
        newest = times[0]
        for time_ in times:
            # B-frames keep their places, which lie behind that of a picture sent before.
            self.assertGreater(time_, newest - CLOCK // 4, "timestamps go back")
            newest = max(newest, time_)
        numbers = [packet.sequence for packet in client.packets]
        breaks = [pair for pair in zip(numbers, numbers[1:]) if (pair[1] - pair[0]) & 0xFFFF != 1]
        self.assertEqual(breaks, [], "packets are missing")

    def report(self, viewers, killed, back, dead):
        """Prints how long nothing came around each change."""
        for what, moment in [("publisher killed", killed), ("publisher back", back), ("apus-video killed", dead)]:
            gaps = []
            for name, client in viewers:
                if name.startswith("cam") or moment == dead:
                    near = [frame.arrived for frame in client.frames(moment - 1) if frame.arrived < moment + 5]
                    gaps.append(max((later - before for before, later in zip(near, near[1:])), default=0))
            gaps.sort()
            print(f"      {what}: longest pause {gaps[len(gaps) // 2]:.2f} s for most, {gaps[-1]:.2f} s for the last "
                  f"of {len(gaps)} viewers")

    def test_a_second_publisher_waits_until_the_first_falls_silent(self):
        url = self.apus.rtsp("other")
        with publishing.ffmpeg(url) as first:
            until(lambda: state(self.apus, "other") == "live", 10, "the first publisher's film")
            with publishing.ffmpeg(url) as second:
                second.process.wait(10)
                self.assertIn("403", second.said())
            self.assertIsNone(first.process.poll())
            first.process.send_signal(signal.SIGSTOP)
            try:
                time.sleep(2.5)
                with publishing.gstreamer(url), RTSPClient(url) as viewer:
                    viewer.play()
                    until(lambda: "another publisher took over" in self.apus.log(1000), 5, "the second takes over")
                    since = time.monotonic()
                    until(lambda: len(viewer.frames(since)) > 25, 5, "the second publisher's film")
            finally:
                first.process.send_signal(signal.SIGCONT)
