# SPDX-License-Identifier: Apache-2.0
# Several workers behind one port: who gets whom, what there is only one of, what the end of one means for the others.

import contextlib
import json
import os
import pathlib
import signal
import socket
import time

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite, longest_gap
from .rtsp_client import RTSPClient, RTSPError
from .test_access import User, Users
from .tunnel_client import HTTPTunnel, TunnelledClient

HOSTS = [f"127.0.0.{number}" for number in range(1, 9)]
GROUP = "239.255.77.1"
PICTURES = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n"
)


class FromHost(RTSPClient):
    """A client with an address of its choice."""

    def __init__(self, url, host):
        self.host = host
        super().__init__(url, timeout=10)

    def connect(self, parts, timeout):
        return socket.create_connection((parts.hostname, parts.port), timeout, (self.host, 0))

    def announce(self):
        """Becomes the publisher of its camera, without a frame."""
        self.sequence += 1
        head = f"ANNOUNCE {self.url} RTSP/1.0\r\nCSeq: {self.sequence}\r\nContent-Type: application/sdp\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(PICTURES)}\r\n\r\n{PICTURES}".encode())
        self._answer()
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
        headers, _ = self.request("SETUP", f"{self.url}/trackID=0", Transport=transport)
        self.session = headers["session"].split(";")[0]
        self.request("RECORD")


class TunnelFromHosts(HTTPTunnel):
    """A tunnel with the address of each of its connections chosen."""

    def __init__(self, host, port, path, timeout, sources):
        self.sources = iter(sources)
        super().__init__(host, port, path, timeout)

    def open(self):
        return socket.create_connection(self.address, self.timeout, (next(self.sources), 0))


class WorkersTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        config = (
            "[rtsp]\nworkers = 2\n[camera.cam]\nsource = pattern:?size=320x240&fps=25\ntalkback = yes\n"
            f"[camera.cam.main]\nmulticast = {GROUP}:5004\n[camera.pub]\nsource = publish:\n"
        )
        return Apus(config=config, streams=["cam"])

    def ctl(self, *words):
        command = [str(settings.PROGRAMS / "apus"), *words, "--json", "--run-dir", str(self.apus.run_dir)]
        return json.loads(clients.run(command, 20)[0])

    def listed(self):
        return self.ctl("ctl", "rtsp", "clients")["clients"]

    def worker_pids(self):
        """name → pid"""
        daemons = self.ctl("status")["daemons"]
        return {daemon["name"]: daemon["pid"] for daemon in daemons if daemon["program"] == "apus-rtsp"}

    def sorted_hosts(self):
        """The addresses by the worker that they get: {1: […], 2: […]}."""
        with contextlib.ExitStack() as stack:
            for host in HOSTS:
                stack.enter_context(FromHost(self.apus.rtsp("cam"), host)).request("OPTIONS")
            by_worker = {1: [], 2: []}
            for client in self.listed():
                by_worker[client["worker"]].append(client["peer"].split(":")[0])
        self.assertTrue(by_worker[1] and by_worker[2], by_worker)
        return by_worker

    def answers(self):
        try:
            return all(self.ctl("ctl", name, "status")["ready"] for name in self.worker_pids())
        except (AssertionError, KeyError, ValueError):
            return False

    def setUp(self):
        def all_run():
            daemons = self.ctl("status")["daemons"]
            return [daemon["state"] for daemon in daemons if daemon["program"] == "apus-rtsp"] == ["running"] * 2

        until(all_run, 10, "both workers run", interval=0.1)
        until(lambda: not self.listed(), 10, "everybody is gone", interval=0.1)

    def test_a_host_always_gets_the_same_worker(self):
        with contextlib.ExitStack() as stack:
            for host in HOSTS * 3:
                stack.enter_context(FromHost(self.apus.rtsp("cam"), host)).play()
            listed = self.listed()

        self.assertEqual(len(listed), len(HOSTS) * 3)
        self.assertEqual(len({client["id"] for client in listed}), len(listed))
        self.assertEqual({client["worker"] for client in listed}, {1, 2})
        pairs = {(client["peer"].split(":")[0], client["worker"]) for client in listed}
        self.assertEqual(len(pairs), len(HOSTS))

    def test_a_worker_that_dies_takes_only_its_own_clients(self):
        by_worker = self.sorted_hosts()
        before = self.worker_pids()
        with (
            FromHost(self.apus.rtsp("cam"), by_worker[1][0]) as stays,
            FromHost(self.apus.rtsp("cam"), by_worker[2][0]) as goes,
        ):
            stays.play()
            goes.play()
            until(lambda: len(stays.frames()) > 25 and len(goes.frames()) > 25, 10, "a second of film for both")

            os.kill(before["rtsp-2"], signal.SIGKILL)

            until(lambda: goes.ended, 5, "the killed worker's viewer notices")
            killed = time.monotonic()
            until(lambda: stays.frames(killed + 2), 10, "film for the other one")
            self.assertLess(longest_gap([frame.arrived for frame in stays.frames()]), 0.5)
        until(lambda: self.worker_pids().get("rtsp-2") not in (None, before["rtsp-2"]), 5, "the worker is back")
        self.assertEqual(self.worker_pids()["rtsp"], before["rtsp"])
        self.sorted_hosts()

    def test_tunnels(self):
        with TunnelledClient(self.apus.rtsp("cam")) as client:
            client.play()
            until(lambda: len(client.frames()) > 10, 10, "film through the tunnel")

        # Halves of two hosts, at two workers: neither lets the second half into the first one's tunnel.
        by_worker = self.sorted_hosts()
        hosts = [by_worker[1][0], by_worker[2][0]]
        tunnel = TunnelFromHosts("127.0.0.1", self.apus.rtsp_port, "cam", 5, hosts)
        self.assertIn(b" 404 ", tunnel.input.recv(200))
        tunnel.close()

    def test_a_tunnel_outlives_the_other_worker(self):
        for stays, goes in [(1, 2), (2, 1)]:
            host = self.sorted_hosts()[stays][0]
            before = self.worker_pids()
            tunnel = TunnelFromHosts("127.0.0.1", self.apus.rtsp_port, "cam", 5, [host, host, host])
            name = "rtsp" if goes == 1 else f"rtsp-{goes}"

            os.kill(before[name], signal.SIGKILL)
            until(lambda: self.worker_pids().get(name) not in (None, before[name]), 5, "the worker is back")
            until(self.answers, 5, "it serves")

            # The host may get the new worker now, which passes the new half of the tunnel on to the one that stayed.
            tunnel.input.close()
            tunnel.post()
            tunnel.sendall(f"OPTIONS {self.apus.rtsp('cam')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            self.assertIn(b"RTSP/1.0 200", tunnel.recv(500))
            self.assertEqual({client["worker"] for client in self.listed()}, {stays})
            tunnel.close()

    def test_multicast_is_sent_by_one(self):
        by_worker = self.sorted_hosts()
        with contextlib.ExitStack() as stack:
            for hosts in by_worker.values():
                client = stack.enter_context(FromHost(self.apus.rtsp("cam"), hosts[0]))
                client.describe()
                transport = "RTP/AVP;multicast"
                headers, _ = client.request("SETUP", f"{client.url}/trackID=0", Transport=transport)
                self.assertIn(GROUP, headers["transport"])
                client.session = headers["session"].split(";")[0]
                client.request("PLAY")
            listed = self.listed()

        self.assertEqual([(client["worker"], client["state"]) for client in listed], [(1, "playing")] * 2)

    def test_who_speaks_to_a_camera_is_with_the_first(self):
        by_worker = self.sorted_hosts()
        with FromHost(self.apus.rtsp("cam"), by_worker[2][0]) as client:
            _, sdp = client.request("DESCRIBE", Accept="application/sdp", Require="www.onvif.org/ver20/backchannel")
            self.assertIn(b"sendonly", sdp)
            self.assertEqual([client["worker"] for client in self.listed()], [1])

    def test_a_camera_has_one_publisher_wherever_it_is(self):
        by_worker = self.sorted_hosts()
        for first, second in [(1, 2), (2, 1)]:
            with FromHost(self.apus.rtsp("pub"), by_worker[first][0]) as client:
                client.announce()
                with FromHost(self.apus.rtsp("pub"), by_worker[second][0]) as other:
                    with self.assertRaisesRegex(RTSPError, "403"):
                        other.announce()
                self.assertEqual([entry["worker"] for entry in self.listed() if "publishes" in entry], [first])
            until(lambda: not self.listed(), 5, "the publisher is gone")

    def test_nothing_is_left_of_those_who_came_and_went(self):
        def descriptors():
            return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in self.worker_pids().items()}

        def come_and_go(host, number):
            with FromHost(self.apus.rtsp("cam"), host) as client:
                if number % 2:
                    client.play()
                else:
                    headers, _ = client.request("SETUP", f"{client.url}/trackID=0", Transport="RTP/AVP;multicast")

        self.each(HOSTS, lambda host: [come_and_go(host, number) for number in range(4)])
        until(lambda: not self.listed(), 10, "everybody is gone")
        before = descriptors()

        self.each(HOSTS, lambda host: [come_and_go(host, number) for number in range(20)])

        until(lambda: not self.listed(), 10, "everybody is gone")
        for name, count in descriptors().items():
            self.assertLessEqual(count, before[name] + 1, name)

    def test_the_number_of_workers_follows_the_configuration(self):
        path = pathlib.Path(self.apus.directory / "apus.conf")
        config = path.read_text()

        def reload(count):
            path.write_text(config.replace("workers = 2", f"workers = {count}"))
            clients.run([settings.PROGRAMS / "apus", "config", "reload", "--run-dir", self.apus.run_dir], 20)
            until(lambda: len(self.worker_pids()) == count and None not in self.worker_pids().values(), 10, count)

        before = self.worker_pids()
        with FromHost(self.apus.rtsp("cam"), HOSTS[0]) as client:
            client.play()
            reload(3)
            self.assertEqual({name: self.worker_pids()[name] for name in before}, before)
            reload(2)
            self.assertIsNone(client.ended)
        reload(1)
        # One alone listens in another way than several do: it begins anew.
        until(lambda: self.apus.describes("cam"), 5, "the only worker listens", interval=0.02)
        with FromHost(self.apus.rtsp("cam"), HOSTS[1]) as client:
            client.describe()
        reload(2)
        until(self.answers, 5, "both workers listen", interval=0.1)
        self.sorted_hosts()


class WorkersAtTheStartTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        config = "[rtsp]\nworkers = 2\nport = 0\n[camera.cam]\nsource = pattern:?size=320x240&fps=25\n"
        apus = Apus(config=config, streams=[])
        apus.rtsp_port = 0
        return apus

    def test_workers_share_a_port_that_was_left_to_them(self):
        ports = set()
        for name in ["rtsp", "rtsp-2"]:
            command = [str(settings.PROGRAMS / "apus"), "ctl", "--run-dir", str(self.apus.run_dir), name, "status"]
            status = json.loads(clients.run([*command, "--json"], 20)[0])
            ports.add(status["listening"][0]["port"])
        self.assertEqual(len(ports), 1)

        # The port is somebody's already: the workers do not share it with strangers.
        config = f"[rtsp]\nworkers = 2\nport = {ports.pop()}\n[http]\nenabled = no\n[camera.cam]\nsource = pattern:\n"
        other = Apus(config=config, streams=[])
        path = other.directory / "apus.conf"
        path.write_text(config)
        command = [str(settings.PROGRAMS / "apus"), "up", "--config", str(path), "--run-dir", str(other.run_dir)]
        result = clients.subprocess.run(command, capture_output=True, text=True, timeout=20)
        other.remove_files()
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("cannot listen on", result.stderr)


class WorkersWithUsersTest(SharedSuite):
    class Suite(Users):
        template = (
            "[apus]\nusers = {users}\n[rtsp]\nworkers = 2\n[camera.cam]\nsource = pattern:?size=320x240&fps=25\n"
            f"[camera.cam.main]\nmulticast = {GROUP}:5004\n"
        )

    class UserFromHost(User):
        def __init__(self, apus, host, name, password):
            self.host = host
            super().__init__(apus, name, password)

        def connect(self, parts, timeout):
            return socket.create_connection((parts.hostname, parts.port), timeout, (self.host, 0))

    @classmethod
    def make_apus(cls):
        return cls.Suite()

    def listed(self):
        command = [settings.PROGRAMS / "apus", "ctl", "rtsp", "clients", "--json", "--run-dir", self.apus.run_dir]
        return json.loads(clients.run(command, 20)[0])["clients"]

    def test_who_is_handed_over_is_not_asked_again(self):
        with contextlib.ExitStack() as stack:
            for host in HOSTS:
                client = stack.enter_context(self.UserFromHost(self.apus, host, "bob", "kennwort"))
                client.describe()
            self.assertEqual({entry["worker"] for entry in self.listed()}, {1, 2})
        with contextlib.ExitStack() as stack:
            for host in HOSTS:
                client = stack.enter_context(self.UserFromHost(self.apus, host, "bob", "kennwort"))
                client.describe()
                # From here on a 401 is an error: the client has been challenged.
                headers, _ = client.request("SETUP", f"{client.url}/trackID=0", Transport="RTP/AVP;multicast")
                client.session = headers["session"].split(";")[0]
                client.request("PLAY")
            listed = self.listed()
        self.assertEqual({(entry["worker"], entry["user"]) for entry in listed}, {(1, "bob")})
        self.assertEqual(len(listed), len(HOSTS))

    def test_who_is_nobody_is_not_handed_over(self):
        for host in HOSTS:
            with FromHost(self.apus.rtsp("cam"), host) as client:
                with self.assertRaisesRegex(RTSPError, "401"):
                    client.request("SETUP", f"{client.url}/trackID=0", Transport="RTP/AVP;multicast")
