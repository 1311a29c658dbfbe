# SPDX-License-Identifier: Apache-2.0
# Apus as a service of systemd, installed as the README tells: started at boot, watched, shut in, and its sockets.

import grp
import json
import pathlib
import pwd
import socket
import subprocess
import time
import unittest

from Tests.Interop.apus import until

from .suite import PATIENCE, Viewer, pictures

# Set by guest.py.
DRIVERS = None
RTSP = "rtsp://127.0.0.1:8554"
HTTP_PORT = 8080
CONFIG = pathlib.Path("/etc/apus/apus.conf")
# What this machine can code without falling behind, and a camera that is whatever is plugged in.
PATTERN = "source = pattern:?size=320x180&fps=10\n"
FRONT = "[camera.front]\nsource = auto\n[camera.front.main]\nsize = 320x180\n[camera.front.sub]\nenabled = no\n"
# The unit's are 20 s and 10 s.
OVERRIDES = "[Service]\nWatchdogSec=5s\nTimeoutAbortSec=1s\n"


def run(*command, check=True):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=check, timeout=PATIENCE).stdout.strip()


def show(name, unit="apus"):
    return run("systemctl", "show", "--value", "-p", name, unit)


def main_pid():
    return int(show("MainPID"))


def processes():
    """The names of the service's processes, by process id."""
    path = pathlib.Path("/sys/fs/cgroup/system.slice/apus.service/cgroup.procs")
    found = {}
    for pid in path.read_text().split() if path.exists() else []:
        try:
            found[int(pid)] = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
    return found


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def wait_active(other_than=None):
    """Until the service has said that it is ready, as another process than before."""
    until(lambda: show("ActiveState") == "active" and main_pid() != other_than, PATIENCE, "the service is active", 0.2)


class Service(unittest.TestCase):
    """In the order of their names: what one does to the service is there for the next."""

    def setUp(self):
        if "sockets" not in self.id():
            wait_active()

    def test_1_started_at_boot(self):
        """Ready without anybody having started it, with the configuration as it is delivered, and with a picture."""
        began, ready = int(show("ExecMainStartTimestampMonotonic")), int(show("ActiveEnterTimestampMonotonic"))
        size = pictures([f"{RTSP}/cam"])[0][:2]
        print(f"     ready {(ready - began) / 1e6:.1f} s after its start, {ready / 1e6:.1f} s after the kernel's,"
              f" with {size[0]}×{size[1]}; status: {show('StatusText')}", flush=True)
        self.assertEqual(show("NRestarts"), "0")
        self.assertIn("cam", run("apus", "status"))

    def test_2_reload(self):
        """Cameras come and change by systemctl reload, and a viewer of another one does not notice."""
        text = CONFIG.read_text()
        self.assertIn("[camera.cam]\n", text)
        text = text.replace("[camera.cam]\n", f"[camera.cam]\n{PATTERN}") + FRONT
        CONFIG.write_text(text)
        run("systemctl", "reload", "apus")
        self.assertEqual(pictures([f"{RTSP}/cam"])[0][:2], (320, 180))
        before = processes()
        viewer = Viewer(f"{RTSP}/cam")
        self.addCleanup(viewer.end)
        viewer.more(5)
        CONFIG.write_text(f"{text}[camera.second]\n{PATTERN}")
        run("systemctl", "reload", "apus")
        self.assertEqual(pictures([f"{RTSP}/second"])[0][:2], (320, 180))
        viewer.more(5)
        self.assertEqual(before.items() - processes().items(), set())
        self.assertIn("second", show("StatusText"))
        CONFIG.write_text(f"{text}[camera.second]\nnonsense = 1\n")
        self.assertNotEqual(subprocess.run(["systemctl", "reload", "apus"], check=False).returncode, 0)
        self.assertIn("nonsense", show("StatusText"))
        self.assertIn("nonsense", run("journalctl", "--no-pager", "-u", "apus", "-n", "5"))
        print(f"     {show('StatusText')}", flush=True)
        CONFIG.write_text(text)
        run("systemctl", "reload", "apus")

    def test_3_plugged_in(self):
        """The user of the service may open a device that comes later."""
        DRIVERS.load_vivid(1)

        def is_taken():
            return [device for device in json.loads(run("apus", "devices", "--json"))["devices"]
                    if device["driver"] == "vivid" and device["camera"]]

        print(f"     vivid is the camera {until(is_taken, PATIENCE, 'the camera is taken', 0.5)[0]['camera']}", flush=True)
        # An owner other than root, and a group that others are not in, as udev's rules have it.
        found = pathlib.Path("/dev/video0").stat()
        self.assertEqual((found.st_mode & 0o777, grp.getgrgid(found.st_gid).gr_name), (0o660, "video"))
        self.assertEqual(pictures([f"{RTSP}/front"])[0][:2], (320, 180))

    def test_4_shut_in(self):
        """Each process is the user of the service, without rights of its own and with a filter of system calls."""
        user = str(pwd.getpwnam("apus").pw_uid)
        names = processes()
        for pid, name in names.items():
            with self.subTest(name):
                status = status_of(pid)
                self.assertEqual(set(status["Uid"].split()), {user})
                self.assertEqual({status[f"Cap{kind}"] for kind in ["Inh", "Prm", "Eff", "Bnd", "Amb"]}, {"0" * 16})
                self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual({"apus", "apus-video", "apus-opener", "apus-rtsp", "apus-http"}, set(names.values()))
        told = run("systemd-analyze", "security", "--no-pager", "apus", check=False).splitlines()[-1]
        print(f"     {told}", flush=True)
        self.assertLess(float(told.split(":")[1].split()[0]), 2.0)

    def test_5_killed(self):
        """Without its supervisor no daemon stays, and systemd starts all of it again."""
        before, pid = processes(), main_pid()
        began = time.monotonic()
        run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "apus")
        wait_active(other_than=pid)
        print(f"     ready again {time.monotonic() - began:.1f} s after the kill", flush=True)
        self.assertEqual(before.keys() & processes().keys(), set())
        pictures([f"{RTSP}/cam"])

    def test_6_hung(self):
        """Who gives signs of life is left alone; who gives none is ended by systemd, and started again."""
        folder = pathlib.Path("/run/systemd/system/apus.service.d")
        folder.mkdir(parents=True)
        (folder / "watchdog.conf").write_text(OVERRIDES)
        run("systemctl", "daemon-reload")
        # The watchdog's time is told to a program at its start.
        run("systemctl", "restart", "apus")
        before, pid = processes(), main_pid()
        time.sleep(7)
        self.assertEqual(main_pid(), pid)
        began = time.monotonic()
        run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "apus")
        wait_active(other_than=pid)
        print(f"     ready again {time.monotonic() - began:.1f} s after it was stopped; its watchdog is 5 s", flush=True)
        self.assertEqual(before.keys() & processes().keys(), set())
        self.assertIn("watchdog", run("journalctl", "--no-pager", "-u", "apus", "-n", "200").lower())

    def test_7_stopped(self):
        """In the time that is allowed, and nothing is left."""
        began = time.monotonic()
        run("systemctl", "stop", "apus")
        print(f"     stopped in {time.monotonic() - began:.1f} s", flush=True)
        self.assertEqual((show("Result"), processes()), ("success", {}))
        self.assertFalse(pathlib.Path("/run/apus").exists())
        self.assertEqual(run("pgrep", "-u", "apus", check=False), "")

    def test_8_sockets(self):
        """systemd has the ports: the first viewer starts the service, and one who comes while it is killed waits."""
        run("systemctl", "enable", "--now", "apus.socket")
        self.assertEqual(show("ActiveState"), "inactive")
        self.assertEqual(pictures([f"{RTSP}/cam"])[0][:2], (320, 180))
        pid = main_pid()
        run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "apus")
        with socket.create_connection(("127.0.0.1", HTTP_PORT), timeout=PATIENCE) as link:
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 ", link.recv(100))
        wait_active(other_than=pid)
