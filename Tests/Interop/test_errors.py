# SPDX-License-Identifier: Apache-2.0
# What cannot work says so in one line that names the thing, and ends with a non-zero exit code.

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from . import settings
from .apus import Apus, free_port, until


class ErrorsTest(unittest.TestCase):
    """Each test is one mistake of a user's."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.ports = ["--rtsp-port", str(free_port()), "--http-port", str(free_port())]

    def up(self, *arguments, prefix=(), programs=None, timeout=10):
        """Runs apus up, which must fail; returns its one line."""
        command = [*prefix, str((programs or settings.PROGRAMS) / "apus"), "up", "--run-dir", self.directory / "run"]
        try:
            done = subprocess.run(
                [str(part) for part in [*command, *arguments]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
                cwd=self.directory,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode(errors="replace")
            raise AssertionError(f"it still runs after {timeout} s, and said\n{said}") from None
        lines = [line for line in done.stderr.decode().splitlines() if line.strip()]
        self.assertNotEqual(done.returncode, 0, f"it worked, and said {lines}")
        self.assertGreaterEqual(done.returncode, 0, "it ended by a signal")
        self.assertEqual(len(lines), 1, "more than one line:\n" + "\n".join(lines))
        return lines[0]

    def apus(self, *arguments, code):
        """Runs a command beside no instance, which must end with `code`; returns its errors."""
        done = subprocess.run(
            [settings.PROGRAMS / "apus", *arguments, "--run-dir", self.directory / "run"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
        self.assertEqual(done.returncode, code, done.stderr.decode() + done.stdout.decode())
        return done.stderr.decode()

    def config(self, text):
        path = self.directory / "apus.conf"
        path.write_text(text)
        return path

    def assert_names(self, line, *things):
        for thing in things:
            self.assertIn(str(thing), line)

    def test_an_unknown_key_is_named_with_its_place_and_the_nearest_key(self):
        path = self.config("[rtsp]\nprot = 8554\n")

        self.assert_names(self.up("--config", path), f"{path}:2", "prot", "port")

    def test_a_bad_value_is_named_with_its_place(self):
        path = self.config("[rtsp]\n\nport = many\n")

        self.assert_names(self.up("--config", path), f"{path}:3", "port", "many")

    def test_a_missing_configuration_file_is_named(self):
        self.assert_names(self.up("--config", self.directory / "none.conf"), "none.conf", "No such file")

    def test_a_users_file_that_others_can_read_is_named_with_the_remedy(self):
        path = self.config("")
        users = self.directory / "users"
        users.write_text("anna password=x\n")
        users.chmod(0o644)

        self.assert_names(self.up("--config", path), users, "0644", f"chmod 600 {users}")
        self.assert_names(self.apus("config", "check", path, code=2), f"chmod 600 {users}")

    def test_a_mistake_in_the_users_file_is_named_with_its_place(self):
        path = self.config("")
        users = self.directory / "users"
        users.write_text("# ours\nanna rol=admin password=x\n")
        users.chmod(0o600)

        self.assert_names(self.up("--config", path), f"{users}:2", "rol", "role")

    def test_listening_wider_without_users_is_named_with_both_remedies(self):
        path = self.config("[rtsp]\nlisten = 0.0.0.0\n")

        self.assert_names(self.up("--config", path), f"{path}:2", "apus user add", "auth = off", self.directory / "users")

    def test_mistakes_with_users_are_named(self):
        users = ["--users", self.directory / "users"]

        self.assert_names(self.apus("user", "remove", "anna", *users, code=2), "anna", users[1])
        self.assert_names(self.apus("user", "add", "a/b", *users, code=2), "a/b")
        self.assert_names(self.apus("user", "add", "anna", "--role", "vewer", *users, code=2), "--role", "viewer")
        self.assert_names(self.apus("user", "add", "anna", *users, code=2), "password", "empty")
        done = subprocess.run(
            [settings.PROGRAMS / "apus", "user", "add", "anna", *users], input="1234567\n", capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("less than 8 characters", done.stderr)
        self.assertFalse(users[1].exists())

    def test_a_port_in_use_is_named_with_the_key_to_change(self):
        for option, key in [("--rtsp-port", "rtsp"), ("--http-port", "http")]:
            with self.subTest(option), socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                port = taken.getsockname()[1]
                line = self.up("--camera", "cam=pattern:", *self.ports, option, port)
                self.assert_names(line, port, key, "port")

    def test_a_missing_file_is_named(self):
        line = self.up("--camera", "cam=file:/nowhere/clip.mp4", *self.ports)

        self.assert_names(line, "/nowhere/clip.mp4", "No such file")

    def test_a_file_that_is_no_video_is_named(self):
        path = self.directory / "clip.mp4"
        path.write_bytes(b"this is no film" * 100)

        self.assert_names(self.up("--camera", f"cam=file:{path}", *self.ports), path)

    def test_an_unknown_source_is_named_with_the_known_ones(self):
        line = self.up("--camera", "cam=video:/dev/video0", *self.ports)

        self.assert_names(line, "video", "v4l2:")

    def test_a_device_without_permission_is_named_with_the_remedy(self):
        device, prefix, programs = forbidden(self.directory)

        line = self.up("--camera", f"cam=v4l2:{device}", *self.ports, prefix=prefix, programs=programs)

        self.assert_names(line, device, "Permission denied", "group")

    def test_a_node_that_is_no_camera_is_named(self):
        # With a second camera: nothing of it will ever be otherwise.
        other = ["--camera", "other=pattern:", *self.ports]

        self.assert_names(self.up("--camera", "cam=v4l2:/dev/null", *other), "/dev/null", "not a V4L2 device")
        self.assert_names(self.up("--camera", "cam=v4l2:/dev/shm", *other), "/dev/shm", "directory")

    def test_a_bad_option_is_named(self):
        self.assert_names(self.up("--camra", "cam=pattern:"), "--camra", "--camera")

    def test_a_bad_ring_option_is_named_although_nothing_runs(self):
        for command in [["latency", "--seconds", "x"], ["follow", "-n", "0"], ["latency", "-n", "x"]]:
            with self.subTest(command):
                self.assert_names(self.apus("ring", *command, "cam/main", code=2), command[1], command[2])

    def test_a_camera_without_a_source_is_named(self):
        self.assert_names(self.up("--camera", "cam"), "--camera", "NAME=SOURCE")

    def test_options_that_do_not_fit_each_other_are_named(self):
        line = self.up("--camera", "a=stdin:mjpeg", "--camera", "b=stdin:h264", *self.ports)

        self.assert_names(line, "--camera", "b=stdin:h264", "camera a")
        self.assertNotIn("defaults", line)
        self.assert_names(self.up("--rtsp-port", "8080", "--http-port", "8080"), "--http-port 8080", "[rtsp]")

    def test_a_file_with_faults_is_named_before_the_options(self):
        path = self.config("[http]\n[rtsp]\nport = 8080\n")

        line = self.up("--config", path, "--camera", "cam=pattern:")

        self.assert_names(line, f"{path}:", "8080")

    def test_a_run_directory_that_cannot_be_made_is_named(self):
        (self.directory / "run").write_text("a file")

        self.assert_names(self.up("--camera", "cam=pattern:", *self.ports), self.directory / "run")


class OtherUser(Apus):
    """A suite of a user who may open no devices."""

    def command(self):
        os.chmod(self.directory, 0o777)
        self.device, prefix, programs = forbidden(self.directory)
        self.cameras["door"] = f"v4l2:{self.device}"
        return [*prefix, str(programs / "apus"), *super().command()[1:]]


class RunningTest(unittest.TestCase):
    """What is no reason to end."""

    def test_a_device_without_permission_ends_no_other_camera(self):
        with OtherUser(cameras={"cam": "pattern:?size=320x240&fps=15"}, streams=["cam"]) as apus:
            until(lambda: f"{apus.device}: Permission denied" in apus.log(), 5, "the log names the device")

            self.assertIsNone(apus.process.poll())
            self.assertEqual(apus.get("/cam/snapshot.jpg")[0], 200)

    def test_a_missing_device_is_named_and_waited_for(self):
        with Apus(cameras={"cam": "v4l2:/dev/video99"}, streams=[]) as apus:
            until(lambda: "/dev/video99: No such file or directory" in apus.log(), 5, "the log names the device")

            self.assertIsNone(apus.process.poll())
            self.assertEqual(sorted(apus.processes().values()), ["apus-http", "apus-rtsp", "apus-video"])

    def test_a_second_instance_is_refused_and_the_first_goes_on(self):
        with Apus(cameras={"cam": "pattern:?size=320x240&fps=15"}) as apus:
            done = subprocess.run(
                [settings.PROGRAMS / "apus", "up", "--run-dir", apus.run_dir, "--camera", "cam=pattern:"]
                + ["--rtsp-port", "0", "--http-port", "0"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
                check=False,
            )

            self.assertGreater(done.returncode, 0)
            self.assertEqual(len(done.stderr.decode().strip().splitlines()), 1, done.stderr.decode())
            self.assertIn(str(apus.run_dir), done.stderr.decode())
            self.assertEqual(apus.get("/cam/snapshot.jpg")[0], 200)


def forbidden(directory):
    """A device that other users may not open, how to run as one of them, and programs in `directory` that they may run."""
    names = ["/dev/mem", "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop-control"]
    device = next((name for name in names if os.path.exists(name)), None)
    if device is None:
        settings.missing("no device that other users may not open")
    programs = directory / "bin"
    shutil.copytree(settings.PROGRAMS, programs, ignore=lambda _, names: [n for n in names if not is_program(n)])
    os.chmod(directory, 0o777)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    return device, prefix, programs


def is_program(name):
    return name == "apus" or (name.startswith("apus-") and "." not in name)
