# SPDX-License-Identifier: Apache-2.0
# Everything that can die dies, in any order, under viewers of every transport; all of it has to come back.

import collections
import http.client
import mmap
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import tempfile
import threading
import time

from . import clients, publishing, settings
from .apus import Apus, free_port, until
from .case import SharedSuite
from .mjpeg_client import MJPEGClient
from .rtsp_client import RTSPClient
from .test_hls import Edge
from .test_hotplug import source, tell
from .test_takeover import DatagramClient
from .tunnel_client import TunnelledClient, WebSocketClient
from .websocket_client import BINARY
from .websocket_client import WebSocketClient as FrameSocket

# How long faults happen, in seconds; `make chaos` has ten minutes of them.
SECONDS = int(os.environ.get("APUS_CHAOS", "60"))
# The longest that any viewer may see nothing because of a fault, and until all is as it was.
LIMIT = 2.0
# The cameras: somebody publishes one, one is a file, one is a device that can be unplugged.
CAMERAS = ["cam", "film", "device"]
DEVICE = "simulated-1"
# From one fault to the next: what the fault before has done is over by then.
PAUSE = (3.0, 5.0)
DAEMONS = ["apus-video", "apus-rtsp", "apus-http"]


class Player:
    """A viewer as people have them: joins again at once when its connection ends, and keeps when it saw frames."""

    def __init__(self, name, camera, join):
        self.name, self.camera, self.join = name, camera, join
        self.arrivals = []
        self.joins = 0
        self.is_stopping = False
        # Why it could not join last.
        self.trouble = None
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()

    def play(self):
        while not self.is_stopping:
            try:
                client = self.join()
            # Whatever the many kinds of clients raise: it is the frames that count.
            except Exception as error:
                self.trouble = error
                time.sleep(0.05)
                continue
            self.joins += 1
            seen = 0
            try:
                quiet = time.monotonic()
                while client.ended is None and not self.is_stopping:
                    frames = client.arrived()
                    if len(frames) > seen:
                        self.arrivals += frames[seen:]
                        seen = len(frames)
                        quiet = time.monotonic()
                    # A dead server does not always say goodbye: over UDP its silence is all there is.
                    if time.monotonic() - quiet > 1.5:
                        break
                    time.sleep(0.02)
            finally:
                try:
                    client.close()
                except Exception:
                    pass

    def gap(self, begin, end):
        """The longest time without a frame that touches this span."""
        times = [begin, *(time_ for time_ in list(self.arrivals) if begin < time_ < end), end]
        return max(later - before for before, later in zip(times, times[1:]))

    def stop(self):
        self.is_stopping = True
        self.thread.join(5)


def rtsp(kind):
    """A class of RTSP viewers that tell when frames arrived."""

    class Viewer(kind):
        def arrived(self):
            return [frame.arrived for frame in self.frames()]

    return lambda url: Viewer(url).play()


class Pictures(MJPEGClient):
    def arrived(self):
        return self.arrivals()

    def close(self):
        self.__exit__()


class Messages(FrameSocket):
    """Coded frames, or fragments, over WebSocket."""

    def __init__(self, port, path):
        super().__init__(port, path, timeout=10)
        self.times, self.ended = [], None
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def collect(self):
        try:
            while True:
                if self.message().opcode == BINARY:
                    self.times.append(time.monotonic())
        except Exception as error:
            self.ended = error

    def arrived(self):
        return list(self.times)


class Parts:
    """A player of HLS of low latency: asks for the playlist that has the next part, and then for that."""

    def __init__(self, port, camera):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.folder = f"/{camera}/main/"
        self.times, self.ended = [], None
        self.edge = Edge(self.playlist())
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def get(self, name):
        self.connection.request("GET", self.folder + name)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def playlist(self, query=""):
        status, text = self.get(f"index.m3u8{query}")
        if status != 200:
            raise ConnectionError(f"playlist: {status}")
        return text.decode()

    def collect(self):
        try:
            while True:
                text = self.playlist(f"?_HLS_msn={self.edge.segment}&_HLS_part={self.edge.part}")
                self.edge = Edge(text)
                newest = re.findall(r'EXT-X-PART:.*URI="([^"]+)"', text)[-1]
                # What has gone meanwhile, as with a producer that ends, the next playlist lists no more.
                if self.get(newest)[0] == 200:
                    self.times.append(time.monotonic())
        except Exception as error:
            self.ended = error

    def arrived(self):
        return list(self.times)

    def close(self):
        self.connection.close()


class Follower:
    """A program that reads the ring: a line for each frame."""

    def __init__(self, apus, camera):
        command = [settings.PROGRAMS / "apus", "ring", "follow", "--run-dir", apus.run_dir, f"{camera}/main"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.times, self.ended = [], None
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def collect(self):
        for _ in self.process.stdout:
            self.times.append(time.monotonic())
        self.ended = EOFError("the ring's reader has ended")

    def arrived(self):
        return list(self.times)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()


class ChaosTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        if os.geteuid() != 0:
            settings.missing("chaos needs root: it fills a file system of its own")
        folder = tempfile.TemporaryDirectory(prefix="apus-chaos-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        clients.certificate(cls.folder)
        cls.tls_port, cls.https_port, cls.websocket_port = free_port(), free_port(), free_port()
        cls.clock = cls.folder / "clock"
        cls.clock.write_bytes(bytes(8))
        library = cls.folder / "clock_step.so"
        source = pathlib.Path(__file__).with_name("clock_step.c")
        clients.run([settings.need("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], 60)
        config = (
            f"[tls]\ncertificate = {cls.folder}/crt.pem\nkey = {cls.folder}/key.pem\n"
            f"[rtsp]\ntls_port = {cls.tls_port}\n"
            f"[http]\ntls_port = {cls.https_port}\nwebsocket_port = {cls.websocket_port}\n"
            f"[apus]\nsimulated_devices = 1\n"
            f"[camera.cam]\nsource = publish:\n"
            f"[camera.film]\nsource = file:{publishing.film('h264', 'aac')}?loop\n"
            f"[camera.device]\nsource = auto\n[camera.device.sub]\nenabled = no\n[camera.device.main]\nsize = 320x240\n[camera.device.jpeg]\nsize = 320x240\n"
        )
        apus = Apus(config=config, streams=["film", "device"])
        # Small, so that it can be filled; the pictures are not in it.
        apus.run_dir.mkdir()
        clients.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0750", "apus-chaos", apus.run_dir], 10)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", apus.run_dir], check=False, capture_output=True)
        apus.environment = {"LD_PRELOAD": str(library), "CLOCK_STEP_FILE": str(cls.clock)}
        return apus

    def players(self):
        """A viewer of each transport at each camera."""
        players = []
        for camera in CAMERAS:
            url, secure = self.apus.rtsp(camera), f"rtsps://127.0.0.1:{self.tls_port}/{camera}"
            for name, kind, address in [
                ("rtsp tcp", RTSPClient, url),
                ("rtsp udp", DatagramClient, url),
                ("rtsp http tunnel", TunnelledClient, url),
                ("rtsp websocket", WebSocketClient, url),
                ("rtsps", RTSPClient, secure),
            ]:
                join = rtsp(kind)
                players.append(Player(name, camera, lambda join=join, address=address: join(address)))
            for name, kind in [("mjpeg", Pictures), ("ws", Messages), ("mse", Messages)]:
                path = f"/{camera}/{name}"
                players.append(
                    Player(name, camera, lambda kind=kind, path=path: kind(self.apus.http_port, path))
                )
            players.append(Player("hls", camera, lambda camera=camera: Parts(self.apus.http_port, camera)))
            players.append(Player("ring", camera, lambda camera=camera: Follower(self.apus, camera)))
        players.append(Player("https", "cam", lambda: Pictures(self.https_port, "/cam/mjpeg", tls=True)))
        players.append(Player("recamera", "cam", lambda: Messages(self.websocket_port, "/")))
        return players

    # Faults: each does its harm at once, and gives what has to be told of it.

    def victim(self, name):
        return random.choice([pid for pid, program in self.apus.processes().items() if program == name])

    def strike(self, how):
        name = random.choice(DAEMONS)
        os.kill(self.victim(name), how)
        return name

    def fault_killed(self):
        return self.strike(signal.SIGKILL)

    def fault_crashed(self):
        return self.strike(signal.SIGSEGV)

    def fault_stopped(self):
        return self.strike(signal.SIGSTOP)

    def fault_ring_reader_killed(self):
        reader = subprocess.Popen(
            [settings.PROGRAMS / "apus", "ring", "latency", "film/main", "--run-dir", self.apus.run_dir],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.3)
        reader.send_signal(random.choice([signal.SIGKILL, signal.SIGSTOP]))
        time.sleep(0.3)
        reader.kill()
        reader.wait()
        return "film.main"

    def fault_source_gone(self):
        self.publisher.kill()
        self.publisher.process.stdout.close()
        time.sleep(random.uniform(0, 3))
        self.publish()
        return "publisher of cam"

    def fault_device_unplugged(self):
        tell(self.apus, "unplug", f"device={DEVICE}")
        time.sleep(random.uniform(0, 3))
        tell(self.apus, "plug", f"device={DEVICE}")
        return DEVICE

    def fault_disk_full(self):
        filler = pathlib.Path(self.apus.run_dir) / "filler"
        try:
            with open(filler, "wb") as file:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
        except OSError:
            pass
        # What needs the disk is needed now.
        name = self.fault_killed()
        time.sleep(1.5)
        filler.unlink()
        return f"{name} killed meanwhile"

    def fault_clock_step(self):
        seconds = random.choice([-86_400, -3600, -5, 5, 3600, 86_400 * 365])
        with open(self.clock, "r+b") as file, mmap.mmap(file.fileno(), 8) as page:
            before = struct.unpack("q", page[:8])[0]
            page[:8] = struct.pack("q", before + seconds)
        return f"{seconds:+} s"

    def publish(self):
        self.publisher = publishing.ffmpeg(self.apus.rtsp("cam")).__enter__()

    def keep_publishing(self):
        """The publisher's own supervisor: without it, a killed apus-rtsp would end the film."""
        while not self.is_over:
            if self.publisher.process.poll() is not None:
                self.publish()
            time.sleep(0.05)

    def descriptors(self):
        """How many descriptors each program has, the supervisor too."""
        counts = collections.Counter()
        for pid, name in [*self.apus.processes().items(), (self.apus.process.pid, "apus")]:
            counts[name] += len(os.listdir(f"/proc/{pid}/fd"))
        return counts

    def relatives(self):
        """All processes of this suite, whoever their parent is, and those of apus up's that nobody has reaped."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state = (entry / "stat").read_text().rpartition(")")[2].split()
            except (OSError, NotADirectoryError):
                continue
            is_zombie = state[0] == "Z" and int(state[1]) == self.apus.process.pid
            if is_zombie or str(self.apus.run_dir) in line and int(entry.name) != self.apus.process.pid:
                found[int(entry.name)] = "zombie" if is_zombie else line
        return found

    def is_whole(self):
        """Whether every daemon answers and every camera's own pictures, not its slate, come in."""
        try:
            return self.apus.is_healthy() and self.apus.describes("film") and all(
                source(self.apus, camera)["state"] == "live" for camera in CAMERAS
            )
        except (AssertionError, OSError, ValueError, KeyError):
            return False

    def recovery(self):
        """How long from now until all is as it was."""
        began = time.monotonic()
        while not self.is_whole():
            if time.monotonic() > began + 15:
                return float("inf")
            time.sleep(0.02)
        return time.monotonic() - began

    def rings(self):
        return sorted(path.name for path in (pathlib.Path(self.apus.run_dir) / "ring").iterdir())

    def test_all_comes_back_after_every_fault(self):
        seed = int(os.environ.get("APUS_CHAOS_SEED", random.randrange(1 << 32)))
        random.seed(seed)
        print(f"      {SECONDS} s of faults; APUS_CHAOS_SEED={seed} has them in the same order")
        self.is_over = False
        self.publish()
        keeper = threading.Thread(target=self.keep_publishing, daemon=True)
        keeper.start()
        players = self.players()
        try:
            deadline = time.monotonic() + 20
            while blind := [player for player in players if not player.arrivals]:
                if time.monotonic() > deadline:
                    self.fail(f"no frames: {[(player.name, player.camera, player.trouble) for player in blind]}")
                time.sleep(0.1)
            self.assertNotEqual(self.recovery(), float("inf"), "the cameras are live")
            began = time.monotonic()
            time.sleep(5)
            quiet = max(player.gap(began, time.monotonic()) for player in players)
            print(f"      without faults: longest gap of any viewer {quiet:.2f} s")
            before, rings = self.descriptors(), self.rings()
            events = self.cause_faults(players)
            time.sleep(3)
            self.judge(players, events)
            after = self.descriptors()
            print(f"      descriptors before {dict(before)}, after {dict(after)}")
            for name in [*DAEMONS, "apus"]:
                # Connections that have just ended may still be there.
                self.assertLessEqual(after[name], before[name] + 6, f"descriptors of {name}")
            until(lambda: "zombie" not in self.relatives().values(), 5, "apus up reaps its children")
            self.assertEqual(self.rings(), rings)
        finally:
            self.is_over = True
            keeper.join(5)
            for player in players:
                player.stop()
            self.publisher.kill()
        self.assertEqual(collections.Counter(self.apus.processes().values()), self.expected_processes())
        self.check_nothing_is_left()

    def expected_processes(self):
        return collections.Counter({"apus-video": 3, "apus-rtsp": 1, "apus-http": 1})

    def cause_faults(self, players):
        """When each fault was, its name, what it was done to, and how long from its end until all was as before."""
        faults = [name for name in dir(self) if name.startswith("fault_")]
        # Each at least once, as far as the time goes.
        order = random.sample(faults, len(faults))
        events = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            name = order.pop() if order else random.choice(faults)
            moment = time.monotonic()
            what = getattr(self, name)()
            took = self.recovery()
            events.append((moment, name.removeprefix("fault_").replace("_", " "), what, took))
            time.sleep(random.uniform(*PAUSE))
        events.append((time.monotonic(), "end", "", 0))
        return events

    def judge(self, players, events):
        """Tells how long it took to recover and how long viewers saw nothing, and fails where it was too long."""
        gaps, recoveries = collections.defaultdict(list), collections.defaultdict(list)
        for (moment, name, what, took), (next_moment, *_) in zip(events, events[1:]):
            gap, player = max(((player.gap(moment, next_moment), player) for player in players), key=lambda pair: pair[0])
            gaps[name].append(gap)
            recoveries[name].append(took)
            if max(gap, took) > LIMIT or "APUS_CHAOS_SEED" in os.environ:
                print(f"      {name} ({what}): recovered in {took:.2f} s, {gap:.2f} s for {player.camera} {player.name}")
        for name, times in sorted(recoveries.items()):
            print(f"      {name:<18} {len(times):>4} times, recovered in {sum(times) / len(times):.2f} s, at most"
                  f" {max(times):.2f} s; longest gap of any viewer {max(gaps[name]):.2f} s")
        print(f"      {len(events) - 1} faults")
        joins = collections.Counter()
        for player in players:
            joins[player.name] += player.joins
        print("      joins: " + ", ".join(f"{name} {count}" for name, count in sorted(joins.items())))
        for name in gaps:
            with self.subTest(name):
                self.assertLessEqual(max(gaps[name]), LIMIT)
                self.assertLessEqual(max(recoveries[name]), LIMIT)

    def check_nothing_is_left(self):
        """Not a process, not a file but one once the suite has ended."""
        run_dir = pathlib.Path(self.apus.run_dir)
        self.apus.interrupt()
        self.assertEqual(self.relatives(), {})
        # Which device had which name is remembered on purpose.
        left = {path.name for path in run_dir.iterdir()} if run_dir.exists() else set()
        self.assertEqual(left - {"devices.json"}, set(), "files are left in the run directory")
