# SPDX-License-Identifier: Apache-2.0
# What the daemons have closed to themselves stays closed: each one tries, in its own process and sandbox.

import json
import os
import pathlib
import signal
import stat
import subprocess
import tempfile
import unittest

from . import settings
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

    def trial(self, daemon, config):
        path = pathlib.Path(self.directory.name) / "apus.conf"
        path.write_text(config)
        return subprocess.run(
            [settings.PROGRAMS / daemon, "--config", path, "--run-dir", f"{self.directory.name}/run", "--try-sandbox"],
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
