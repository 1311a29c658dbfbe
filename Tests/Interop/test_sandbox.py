# SPDX-License-Identifier: Apache-2.0
# What the daemons have closed to themselves stays closed: each one tries, in its own process and sandbox.

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from . import clients, settings
from .apus import Apus, until
from .rtsp_client import RTSPClient

DAEMONS = ["apus-video", "apus-rtsp", "apus-http"]
DEEDS = ["list the files of /var", "list the files of /root", "write a file into /tmp", "run a program"]
DEVICES = ["make a file in /dev", "open a device that is no camera"]
SOCKETS = ["raw IPv4 socket", "packet socket", "Bluetooth"]


class SandboxTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="apus-sandbox-")
        self.addCleanup(self.directory.cleanup)

    def trial(self, daemon, config, *arguments):
        path = pathlib.Path(self.directory.name) / "apus.conf"
        path.write_text(config)
        return subprocess.run(
            [settings.PROGRAMS / daemon, "--config", path, "--run-dir", f"{self.directory.name}/run", "--try-sandbox",
             *arguments],
            capture_output=True,
            text=True,
            timeout=20,
        )

    def test_files_programs_and_sockets_outside_of_its_set_are_refused(self):
        for daemon in DAEMONS:
            with self.subTest(daemon):
                result = self.trial(daemon, "[camera.cam]\nsource = pattern:\n")
                lines = result.stdout.splitlines()
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertTrue(all(line.startswith("refused ") for line in lines), lines)
                for deed in DEEDS + DEVICES + SOCKETS:
                    self.assertTrue(any(deed in line for line in lines), f"{deed} was not tried: {lines}")

    def test_no_source_needs_more_of_dev_than_devices_that_are_there(self):
        for source in ["auto", "v4l2:/dev/video0", "libcamera:", "publish:", "stdin:mjpeg"]:
            with self.subTest(source):
                output = self.trial("apus-video", f"[camera.cam]\nsource = {source}\nusb_reset = yes\n").stdout
                self.assertIn("refused  make a file in /dev", output)
                # What libcamera opens, and when, nobody but it can tell.
                verdict = "ALLOWED" if source == "libcamera:" else "refused"
                self.assertIn(f"{verdict}  open a device that is no camera", output)

    def test_a_camera_that_is_plugged_in_later_is_opened_and_no_other_device(self):
        node, link = pathlib.Path("/dev/video97"), pathlib.Path("/dev/video98")
        for path in (node, link):
            self.addCleanup(path.unlink, missing_ok=True)
        with Apus(config=f"[camera.cam]\nsource = v4l2:{node}\n", streams=[]) as apus:

            def reason():
                command = [settings.PROGRAMS / "apus", "ctl", "video.cam", "status", "--json", "--run-dir", apus.run_dir]
                told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["source"]
                return told.get("reason", "")

            until(lambda: "No such file" in reason(), 5, "the camera is awaited")
            # /dev/full: a device that everybody may open, by a camera's name.
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
            until(lambda: "ermission" in reason(), 15, "what is no camera is refused")
            node.unlink()
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(81, 97))
            # The kernel has been asked: it has no such camera.
            until(lambda: "No such device" in reason(), 15, "the camera's node is opened")

    def test_a_daemon_whose_opener_of_devices_dies_begins_anew(self):
        with Apus(cameras={"cam": "pattern:?size=320x240&fps=10"}) as apus:
            before = apus.pid("apus-video")
            children = pathlib.Path(f"/proc/{before}/task/{before}/children").read_text().split()
            self.assertEqual(len(children), 1, "apus-video has no opener of devices, or more than one")
            self.assertEqual(pathlib.Path(f"/proc/{children[0]}/comm").read_text().strip(), "apus-opener")
            self.assertIn("Seccomp:\t2", pathlib.Path(f"/proc/{children[0]}/status").read_text())
            self.assertLessEqual(len(list(pathlib.Path(f"/proc/{children[0]}/fd").iterdir())), 3)

            os.kill(int(children[0]), signal.SIGKILL)

            until(lambda: apus.pid("apus-video") not in (None, before), 5, "another apus-video")
            with RTSPClient(apus.rtsp("cam")) as viewer:
                viewer.play()
                until(lambda: len(viewer.frames()) > 5, 10, "pictures")

    def test_only_the_camera_process_may_ask_the_kernel_for_its_devices(self):
        for daemon in DAEMONS:
            with self.subTest(daemon):
                output = self.trial(daemon, "[camera.cam]\nsource = pattern:\n").stdout
                self.assertEqual("netlink" in output, daemon != "apus-video")

    def test_without_the_sandbox_the_same_deeds_succeed(self):
        result = self.trial("apus-http", "[apus]\nsandbox = no\n[camera.cam]\nsource = pattern:\n")

        self.assertEqual(result.returncode, 1)
        for deed in DEEDS[:1] + DEEDS[2:]:
            self.assertIn(f"ALLOWED  {deed}", result.stdout)

    def test_what_the_supervisor_says_goes_before_the_configuration(self):
        for daemon in DAEMONS:
            with self.subTest(daemon):
                result = self.trial(daemon, "[apus]\nsandbox = no\n[camera.cam]\nsource = pattern:\n", "--sandbox")
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_running_daemons_are_in_it_and_say_so(self):
        with Apus(cameras={"cam": "pattern:?size=320x240&fps=10"}) as apus:
            for daemon in DAEMONS:
                with self.subTest(daemon):
                    status = pathlib.Path(f"/proc/{apus.pid(daemon)}/status").read_text()
                    self.assertIn("NoNewPrivs:\t1", status)
                    self.assertIn("Seccomp:\t2", status)
            told = json.loads(
                subprocess.run(
                    [settings.PROGRAMS / "apus", "ctl", "rtsp", "status", "--json", "--run-dir", apus.run_dir],
                    check=True,
                    capture_output=True,
                ).stdout
            )["sandbox"]
            self.assertTrue(told["seccomp"])
            self.assertGreater(told["landlock"], 0, "this kernel has no Landlock")

    def test_a_file_that_a_reload_names_is_read_by_a_daemon_that_could_not_read_it_before(self):
        with Apus(config="[camera.cam]\nsource = pattern:?size=320x240&fps=10\n") as apus:
            before = apus.pid("apus-video")
            (apus.directory / "apus.conf").write_text(f"[camera.cam]\nsource = file:{settings.film()}?loop\n")
            subprocess.run(
                [settings.PROGRAMS / "apus", "config", "reload", "--run-dir", apus.run_dir],
                check=True,
                capture_output=True,
            )
            until(lambda: apus.pid("apus-video") not in (None, before), 5, "another apus-video")
            with RTSPClient(apus.rtsp("cam")) as viewer:
                viewer.play()
                until(lambda: len(viewer.frames()) > 30, 10, "frames of the film")


class Overtaken(Apus):
    """A suite of whose daemons somebody has taken over each; what each could do then is in `reports`."""

    def __init__(self, deeds, user=None, **arguments):
        super().__init__(config=arguments.pop("config", None), **arguments)
        self.user = user
        library = self.directory / "deeds.so"
        source = pathlib.Path(__file__).with_name("deeds.c")
        clients.run([settings.need("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], 60)
        self.folder = self.directory / "deeds"
        self.folder.mkdir()
        self.stranger = subprocess.Popen(["sleep", "60"], user=user)
        self.environment = {
            "LD_PRELOAD": str(library), "DEEDS_DIRECTORY": str(self.folder), "DEEDS_STRANGER": str(self.stranger.pid),
        }
        self.deeds = deeds

    def command(self):
        command = super().command()
        if self.user is None:
            return command
        clear = ["--clear-groups", "--reuid", str(self.user), "--regid", str(self.user)]
        return [settings.need("setpriv", "util-linux"), *clear, *command]

    def start(self):
        lines = [self.named(deed) for deed in self.deeds]
        (self.folder / "tries").write_text("\n".join(lines) + "\n")
        if self.user is not None:
            for path in [self.directory, *self.directory.rglob("*")]:
                os.chown(path, self.user, self.user)
        return super().start()

    def destroy(self):
        self.stranger.kill()
        self.stranger.wait()
        super().destroy()

    def named(self, deed):
        return deed.replace("{run}", str(self.run_dir)).replace("{dir}", str(self.directory))

    def report(self, daemon):
        """Deeds with what came of them: DONE, the name of an error, or an answer."""
        path = self.folder / f"report.{daemon}"
        until(lambda: path.exists() and "all\tDONE" in path.read_text(), 10, f"{daemon} has tried everything")
        return dict(line.split("\t", 1) for line in path.read_text().splitlines())


VIDEO, RTSP, HTTP = ({daemon} for daemon in DAEMONS)
SERVERS = RTSP | HTTP
# What a daemon may do at all; what is not here, none may.
MAY = {
    "TCP": VIDEO | SERVERS, "UDP": VIDEO | SERVERS, "thread": VIDEO | SERVERS, "own limits": VIDEO | SERVERS,
    "signal to itself": VIDEO | SERVERS, "all": VIDEO | SERVERS,
    "netlink of devices": VIDEO, "memory that is written and run": VIDEO, "data that becomes code": VIDEO,
    "1.5 GB of memory": VIDEO, "file in memory": VIDEO | RTSP, "file in memory that is run": VIDEO | RTSP,
    # It waits for the end of its opener of devices.
    "pidfd": VIDEO,
}
# The same for what is done to files.
TO_FILES = {
    "read {run}/apus.conf": VIDEO | SERVERS, "read {run}/config/apus.conf": VIDEO | SERVERS,
    "write {run}/apus.conf": set(), "write {run}/config/apus.conf": set(), "remove {run}/apus.conf": set(),
    "remove {run}/config/apus.conf": set(), "write {run}/config/new": set(), "write {run}/new": set(),
    "link {run}/new": set(), "remove {run}/supervisor.sock": set(), "bind {run}/new.sock": set(),
    "read {run}/secrets/users": SERVERS, "write {run}/secrets/users": set(), "remove {run}/secrets/users": set(),
    "write {run}/shares/new": HTTP, "link {run}/shares/link": set(), "write {run}/ring/new": set(),
    "write {run}/control/new": set(), "bind {run}/ring/*.sock": VIDEO | RTSP,
    "bind {run}/control/*.sock": VIDEO | SERVERS, "bind {run}/pictures/*.sock": VIDEO,
    "bind {run}/handover/*.sock": SERVERS, "bind {dir}/new.sock": set(), "bind {run}/notify/new.sock": set(),
    "read {dir}/secret": set(), "write {dir}/secret": set(), "remove {dir}/secret": set(), "chmod {dir}/secret": set(),
    "chown {dir}/secret": set(), "setxattr {dir}/secret": set(), "utimes {dir}/secret": set(),
    "truncate {dir}/secret": set(), "write {dir}/new": set(), "link {dir}/new": set(), "read {dir}/users": set(),
    "write {dir}/users": set(), "write {dir}/users.new": set(), "write {dir}/apus/users": set(),
    "read {dir}/home/.ssh/key": set(), "write {dir}/home/.ssh/authorized_keys": set(), "write {dir}/home/new": set(),
    "read /etc/shadow": set(), "read /etc/passwd": set(), "write /etc/cron.d/new": set(), "write /etc/new": set(),
    "read /proc/1/environ": set(), "write /proc/sys/kernel/hostname": set(), "read /root": set(),
    "write /usr/new": set(), "read /dev/full": set(), "read /dev/kmsg": set(), "write /tmp/new": set(),
}
# What may be refused with: permissions, and what a limit says.
REFUSALS = {"EPERM", "EACCES", "EROFS", "ENOSYS", "ENOMEM", "EFBIG"}


class OvertakenTest(unittest.TestCase):
    """Each daemon tries everything itself; a preloaded library stands for who has taken it over."""

    def check(self, apus):
        may = {apus.named(deed): daemons for deed, daemons in TO_FILES.items()} | MAY
        for daemon in DAEMONS:
            report = apus.report(daemon)
            tried = set(map(apus.named, TO_FILES)) | {deed for deed, daemons in MAY.items() if daemon in daemons}
            self.assertFalse(tried - set(report), "not all was tried")
            for deed, answer in report.items():
                if deed.startswith(("ask ", "connect ")):
                    continue
                with self.subTest(deed, daemon=daemon):
                    if daemon in may.get(deed, ()):
                        self.assertEqual(answer, "DONE")
                    else:
                        self.assertIn(answer, REFUSALS)

    def start(self, user=None, more=(), **arguments):
        apus = Overtaken([*TO_FILES, *more], user, **arguments)
        self.addCleanup(apus.destroy)
        (apus.directory / "secret").write_text("hush")
        (apus.directory / "apus").mkdir()
        for path in [apus.directory / "users", apus.directory / "apus" / "users"]:
            path.write_text("# nobody\n")
            path.chmod(0o600)
        (apus.directory / "home" / ".ssh").mkdir(parents=True)
        (apus.directory / "home" / ".ssh" / "key").write_text("hush")
        apus.environment["HOME"] = str(apus.directory / "home")
        return apus

    CAMERAS = {"cam": "pattern:?size=320x240&fps=10"}
    CONFIG = "[camera.cam]\nsource = pattern:?size=320x240&fps=10\n"

    def test_with_a_configuration_among_others_files(self):
        with self.start(config=self.CONFIG) as apus:
            self.check(apus)

    def test_without_a_configuration_file(self):
        apus = self.start(cameras=self.CAMERAS)
        # As somebody who has never had one: root's would be in /etc/apus.
        apus.environment["XDG_CONFIG_HOME"] = ""
        with apus:
            self.check(apus)

    @unittest.skipIf(os.geteuid(), "the tests run as a user anyway")
    def test_as_a_user_without_a_configuration_file(self):
        apus = self.start(user=65_534, cameras=self.CAMERAS)
        apus.environment["XDG_CONFIG_HOME"] = ""
        with apus:
            self.check(apus)
            for daemon in DAEMONS:
                self.assertIn("CapPrm:\t0000000000000000", self.status(apus, daemon))

    def test_only_the_web_server_may_ask_the_supervisor_and_not_for_all(self):
        status, change = '{"id":1,"do":"status"}', '{"id":2,"do":"config-set","set":["apus.sandbox=no"]}'
        more = [f"ask {{run}}/supervisor.sock {request}" for request in (status, change)]
        with self.start(more=more, config=self.CONFIG) as apus:
            for daemon in DAEMONS:
                report = apus.report(daemon)
                if daemon == "apus-http":
                    self.assertIn("run_dir", report[f"ask {status}"])
                    self.assertIn("not changed over the network", report[f"ask {change}"])
                else:
                    self.assertEqual(report[f"ask {status}"], "ECONNRESET", daemon)
            self.assertNotIn("sandbox", (apus.directory / "apus.conf").read_text())

    def test_sockets_without_a_path_are_out_of_reach(self):
        with socket.socket(socket.AF_UNIX) as listener:
            name = f"apus-test-{os.getpid()}"
            listener.bind(f"\0{name}")
            listener.listen()
            with self.start(more=[f"connect @{name}"], config=self.CONFIG) as apus:
                told = json.loads(
                    subprocess.run(
                        [settings.PROGRAMS / "apus", "ctl", "rtsp", "status", "--json", "--run-dir", apus.run_dir],
                        check=True,
                        capture_output=True,
                    ).stdout
                )
                self.assertGreaterEqual(told["sandbox"]["landlock"], 6, "this kernel (before 6.12) does not keep them apart")
                for daemon in DAEMONS:
                    self.assertEqual(apus.report(daemon)[f"connect @{name}"], "EPERM", daemon)

    def test_little_is_left_of_roots_rights_and_of_what_a_process_may_use(self):
        self.assertEqual(os.geteuid(), 0, "only root can show what is left of its rights")
        with Apus(cameras=self.CAMERAS) as apus:
            for daemon, rights in [("apus-video", 0b110), ("apus-rtsp", 1 << 10 | 0b100), ("apus-http", 1 << 10 | 0b100)]:
                with self.subTest(daemon):
                    for kind in ["CapPrm", "CapEff"]:
                        self.assertIn(f"{kind}:\t{rights:016x}", self.status(apus, daemon))
                    limits = pathlib.Path(f"/proc/{apus.pid(daemon)}/limits").read_text()
                    found = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
                    self.assertEqual(found["Max core file size"], ["0", "0"])
                    self.assertEqual(found["Max file size"], [str(2 << 30)] * 2)
                    data = "unlimited" if daemon == "apus-video" else str(1 << 30)
                    self.assertEqual(found["Max data size"], [data] * 2)

    @staticmethod
    def status(apus, daemon):
        return pathlib.Path(f"/proc/{apus.pid(daemon)}/status").read_text()
