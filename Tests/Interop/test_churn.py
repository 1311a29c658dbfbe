# SPDX-License-Identifier: Apache-2.0
# Viewers of all transports that come and go: what they cost goes with them.

import json
import os
import pathlib
import random
import shutil
import socket
import tempfile

from . import clients
from .apus import Apus, free_port, until
from .case import SharedSuite
from .rtsp_client import RTSPClient, RTSPError
from .tunnel_client import (
    SecureTunnelledClient,
    SecureWebSocketClient,
    TunnelledClient,
    WebSocketClient,
    trusting,
)

CYCLES = int(os.environ.get("APUS_CHURN", "500"))
WORKERS = 4


class SecureClient(RTSPClient):
    """RTSPS."""

    def connect(self, parts, timeout):
        return trusting().wrap_socket(super().connect(parts, timeout))


class DatagramClient(RTSPClient):
    """Packets over UDP; `play` returns when one has come."""

    def play(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
            packets.bind(("127.0.0.1", 0))
            packets.settimeout(10)
            port = packets.getsockname()[1]
            headers, _ = self.request(
                "SETUP", f"{self.url}/trackID=0", Transport=f"RTP/AVP;unicast;client_port={port}-{port + 1}"
            )
            self.session = headers["session"].split(";")[0]
            self.request("PLAY")
            packets.recv(2000)


class MulticastClient(RTSPClient):
    """Asks for multicast; whether packets arrive is for another test."""

    def play(self):
        headers, _ = self.request("SETUP", f"{self.url}/trackID=0", Transport="RTP/AVP;multicast")
        self.session = headers["session"].split(";")[0]
        self.request("PLAY")


class ChurnTest(SharedSuite):
    PLAIN = [RTSPClient, DatagramClient, TunnelledClient, WebSocketClient]
    SECURE = [SecureClient, SecureTunnelledClient, SecureWebSocketClient]

    @classmethod
    def make_apus(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-tls-"))
        clients.certificate(cls.folder)
        cls.port = free_port()
        config = (
            f"[tls]\ncertificate = {cls.folder}/crt.pem\nkey = {cls.folder}/key.pem\n"
            f"[rtsp]\ntls_port = {cls.port}\n[camera.cam]\nsource = pattern:?size=320x240&fps=25\n"
        )
        return Apus(config=config, streams=["cam"])

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def cycle(self, kind, rand):
        """One viewer: it comes, sees one frame, and goes in one of the ways in which viewers go."""
        secure = kind in self.SECURE
        url = f"rtsp://127.0.0.1:{self.port}/cam" if secure else self.apus.rtsp("cam")
        with kind(url, timeout=15) as client:
            way = rand.randrange(5)
            if way == 0:
                # Gone before it played.
                client.describe()
                return
            client.play()
            if kind not in (DatagramClient, MulticastClient):
                until(lambda: client.packets or client.ended, 15, f"a packet for {kind.__name__}", interval=0.001)
                if client.ended:
                    raise client.ended
            elif way == 1:
                client.request("TEARDOWN")

    def churn(self, count, kinds):
        def work(seed):
            rand = random.Random(seed)
            for number in range(count // WORKERS):
                self.cycle(kinds[number % len(kinds)], rand)

        self.each(range(WORKERS), work)
        self.settle()

    def connections(self):
        pid = self.apus.pid("apus-rtsp")
        return len(os.listdir(f"/proc/{pid}/fd"))

    def settle(self):
        """Waits until the server has noticed that everybody has gone."""
        until(lambda: not self.viewers(), 15, "all viewers are gone", interval=0.1)

    def viewers(self):
        command = [str(clients.settings.PROGRAMS / "apus"), "ctl", "--run-dir", str(self.apus.run_dir)]
        output, _ = clients.run([*command, "rtsp", "clients", "--json"], 20)
        return json.loads(output)["clients"]

    def multicast(self):
        """Multicast too, where this server has it."""
        try:
            with MulticastClient(self.apus.rtsp("cam")) as client:
                client.play()
            return [MulticastClient]
        except RTSPError:
            return []

    def test_viewers_come_and_go(self):
        kinds = self.PLAIN + self.SECURE + self.multicast()
        # apus-http hears of viewers over a connection that it makes with the first question, or a second after its start.
        self.assertEqual(self.apus.get("/api/v1/clients")[0], 200)
        # What is made once and kept: buffers, OpenSSL's tables, the allocator's arenas.
        self.churn(max(100, CYCLES // 10), kinds)
        descriptors, memory = self.connections(), self.apus.anonymous_memory("apus-rtsp")
        pid = self.apus.pid("apus-rtsp")

        self.churn(CYCLES, kinds)

        after = self.apus.anonymous_memory("apus-rtsp")
        print(f"      {CYCLES} cycles of {len(kinds)} kinds: {memory >> 10} kB before, {after >> 10} kB after")
        self.assertEqual(self.apus.pid("apus-rtsp"), pid)
        # The command that asked for the viewers was a client itself.
        until(lambda: self.connections() <= descriptors, 5, f"no more than {descriptors} descriptors are open")
        self.assertLessEqual(after, memory * 1.1)
