# SPDX-License-Identifier: Apache-2.0
# Socket activation: systemd opens the ports, Apus serves them; connections wait while something is started again.

import http.client
import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import unittest

from . import settings
from .apus import Apus, free_port, until

CAMERAS = {"cam": "pattern:?size=320x180&fps=10"}
# How long a connection may wait for a daemon that is started again.
PATIENCE = 20


class Activated(Apus):
    """A suite whose sockets systemd-socket-activate opens, by address; without names their ports tell."""

    def __init__(self, sockets, names=(), **options):
        super().__init__(cameras=CAMERAS, **options)
        self.sockets, self.names = sockets, names

    def command(self):
        command = [settings.need("systemd-socket-activate", "systemd")]
        command += [f"--listen={address}" for address in self.sockets]
        command += [f"--fdname={':'.join(self.names)}"] if self.names else []
        # It passes on little of the environment.
        return [*command, f"--setenv=XDG_CONFIG_HOME={self.directory}", *super().command()]


class Handed(Apus):
    """A suite whose sockets this process opens and keeps, as systemd does while a service is started again."""

    def __init__(self, sockets, names, **options):
        super().__init__(cameras=CAMERAS, **options)
        self.sockets, self.names = sockets, names
        self.descriptors = [one.fileno() for one in sockets]

    def command(self):
        # First to numbers that are none of ours, then to those from 3 on.
        moves = [f"exec {200 + at}<&{one}" for at, one in enumerate(self.descriptors)]
        moves += [f"exec {3 + at}<&{200 + at} {200 + at}<&-" for at in range(len(self.sockets))]
        said = f"LISTEN_PID=$$ LISTEN_FDS={len(self.sockets)} LISTEN_FDNAMES={':'.join(self.names)}"
        return ["/bin/bash", "-c", "; ".join([*moves, f'{said} exec "$@"']), "bash", *super().command()]


def listening(family=socket.AF_INET, address=("127.0.0.1", 0), kind=socket.SOCK_STREAM):
    """A socket that listens, as systemd opens it."""
    made = socket.socket(family, kind)
    made.bind(address)
    if kind == socket.SOCK_STREAM:
        made.listen(128)
    return made


class Waiting:
    """Connections that are made now, asking something of each server; they may be answered later."""

    def __init__(self, apus, count):
        self.http = [socket.create_connection(("127.0.0.1", apus.http_port), 5) for _ in range(count)]
        self.rtsp = [socket.create_connection(("127.0.0.1", apus.rtsp_port), 5) for _ in range(count)]
        for one in self.http:
            one.sendall(b"GET /favicon.svg HTTP/1.1\r\nHost: cam\r\nConnection: close\r\n\r\n")
        for one in self.rtsp:
            one.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")

    def answers(self):
        """The first lines of all answers."""
        lines = []
        for one in [*self.http, *self.rtsp]:
            one.settimeout(PATIENCE)
            with one, one.makefile("rb") as answer:
                lines.append(answer.readline().decode().strip())
        return lines

    def expected(self):
        return ["HTTP/1.1 200 OK"] * len(self.http) + ["RTSP/1.0 200 OK"] * len(self.rtsp)


class ActivationTest(unittest.TestCase):
    """Sockets from systemd."""

    def test_named_sockets_are_served_whatever_ports_are_configured(self):
        ports = [free_port(), free_port()]
        apus = Activated([f"127.0.0.1:{port}" for port in ports], ["rtsp", "http"])
        # What the command line says is not listened on.
        configured = (apus.rtsp_port, apus.http_port)
        self.addCleanup(apus.destroy)
        command = apus.command()
        apus.command = lambda: command
        apus.rtsp_port, apus.http_port = ports
        apus.start()
        cameras = json.loads(apus.get("/api/v1/cameras")[2])

        self.assertEqual(cameras["rtsp_port"], ports[0])
        for port in configured:
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)
        self.assertIn(f"http://127.0.0.1:{ports[1]}/", apus.log())

    def test_connections_wait_for_daemons_that_were_killed(self):
        with self.activated_by_port() as apus:
            for round in range(5):
                with self.subTest(round=round):
                    before = [apus.pid("apus-http"), apus.pid("apus-rtsp")]
                    apus.kill("apus-http")
                    apus.kill("apus-rtsp")
                    # Nobody is refused, at any moment.
                    waiting = Waiting(apus, 20)

                    self.assertEqual(waiting.answers(), waiting.expected())
                    until(lambda: apus.pid("apus-http") and apus.pid("apus-rtsp"), PATIENCE, "the daemons run")
                    self.assertFalse({apus.pid("apus-http"), apus.pid("apus-rtsp")} & set(before))

    def test_the_variables_and_sockets_are_for_one_process_alone(self):
        with self.activated_by_port() as apus:
            for pid, name in apus.processes().items():
                with self.subTest(name):
                    with open(f"/proc/{pid}/environ", "rb") as file:
                        words = file.read().decode().split("\0")
                    own = [word for word in words if word.startswith("APUS_SOCKETS=")]

                    self.assertFalse([word for word in words if word.startswith("LISTEN_")])
                    self.assertEqual(len(own), 0 if name == "apus-video" else 1)

    def test_sockets_live_on_while_the_service_is_started_again(self):
        sockets = [listening(), listening()]
        apus = Handed(sockets, ["http", "rtsp"])
        self.addCleanup(lambda: [one.close() for one in sockets])
        self.addCleanup(apus.destroy)
        apus.http_port, apus.rtsp_port = (one.getsockname()[1] for one in sockets)
        apus.start()
        for ending in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(ending.name):
                apus.process.send_signal(ending)
                apus.process.wait(10)
                until(lambda: not self.is_held(apus), 10, "the daemons are gone")
                waiting = Waiting(apus, 5)
                apus.start()

                self.assertEqual(waiting.answers(), waiting.expected())

    def is_held(self, apus):
        """Whether a control socket of a daemon still answers."""
        for path in (apus.run_dir / "control").glob("*.sock"):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    return True
        return False

    def test_a_unix_socket_and_two_families_are_served_and_stay(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="apus-test-"))
        path = pathlib.Path(directory, "http.sock")
        unix = listening(socket.AF_UNIX, str(path))
        four = listening()
        six = listening(socket.AF_INET6, ("::1", 0))
        sockets = [unix, four, six, listening()]
        self.addCleanup(lambda: [one.close() for one in sockets])
        apus = Handed(sockets, ["http-unix", "http", "http", "rtsp"])
        apus.http_port, apus.rtsp_port = four.getsockname()[1], sockets[3].getsockname()[1]
        with apus:
            for family, address in [
                (socket.AF_UNIX, str(path)), (socket.AF_INET, four.getsockname()), (socket.AF_INET6, six.getsockname())
            ]:
                with self.subTest(family.name), socket.socket(family) as client:
                    client.connect(address)
                    connection = http.client.HTTPConnection("cam")
                    connection.sock = client
                    connection.request("GET", "/healthz")
                    self.assertEqual(connection.getresponse().status, 200)
            apus.interrupt()

            self.assertTrue(path.is_socket(), "the socket belongs to who has opened it")

    def test_several_workers_share_the_sockets(self):
        sockets = [listening(), listening()]
        self.addCleanup(lambda: [one.close() for one in sockets])
        apus = Handed(sockets, ["http", "rtsp"], config="[rtsp]\nworkers = 2\n[camera.cam]\nsource = pattern:\n")
        apus.cameras, apus.streams = {}, ["cam"]
        apus.http_port, apus.rtsp_port = (one.getsockname()[1] for one in sockets)
        with apus:
            waiting = Waiting(apus, 10)

            self.assertEqual(waiting.answers(), waiting.expected())

    def test_sockets_that_nobody_would_serve_are_refused(self):
        everywhere = ("0.0.0.0", 0)
        cases = {
            "no server is for the socket": (listening(), "unknown", None),
            "is no listening stream socket": (listening(kind=socket.SOCK_DGRAM), "http", None),
            "no certificate in [tls]": (listening(), "https", None),
            "enabled = no in [rtsp]": (listening(), "rtsp", "[rtsp]\nenabled = no\n"),
            "would serve others": (listening(address=everywhere), "http", None),
            "a Unix socket is for http-unix": (listening(), "http-unix", None),
            "2 names for 1 sockets": (listening(), "http:rtsp", None),
        }
        for words, (given, name, config) in cases.items():
            with self.subTest(words), given:
                apus = Handed([given], [name], config=config)
                self.addCleanup(apus.remove_files)
                done = subprocess.run(
                    apus.command(),
                    pass_fds=apus.descriptors,
                    capture_output=True,
                    timeout=20,
                    text=True,
                    env={"XDG_CONFIG_HOME": str(apus.directory)},
                )

                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def activated_by_port(self):
        """A suite whose sockets have no names: their ports are the configured ones."""
        apus = Activated([])
        apus.sockets = [f"127.0.0.1:{apus.http_port}", f"127.0.0.1:{apus.rtsp_port}"]
        return apus
