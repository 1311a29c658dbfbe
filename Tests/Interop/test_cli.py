# SPDX-License-Identifier: Apache-2.0
# The command line beside a running suite: status, memory, cpu, ring, ctl, config.

import json
import socket
import subprocess

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite

CONFIG = """
[http]
max_clients = 400
[camera.cam]
source = pattern:?size=640x360&fps=30
"""


class CommandLineTest(SharedSuite):
    """One suite; every command is told its run directory."""

    @classmethod
    def make_apus(cls):
        return Apus(config=CONFIG, streams=["cam"])

    def apus_says(self, *arguments, code=0):
        done = subprocess.run(
            [settings.PROGRAMS / "apus", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=15,
            check=False,
            env={"APUS_RUN_DIR": str(self.apus.run_dir), "PATH": "/usr/bin:/bin"},
        )
        self.assertEqual(done.returncode, code, done.stderr.decode() + done.stdout.decode())
        return done.stdout.decode() if code == 0 else done.stderr.decode()

    def test_status_names_every_daemon(self):
        # How busy processors are is a difference, which the first reading does not know yet.
        until(lambda: "machine  processors" in self.apus_says("status"), 10, "the machine has been read twice")
        text = self.apus_says("status")
        self.assertRegex(text, r"(?m)^machine  processors [0-9]+ % .*memory [0-9.]+ [GM]B of [0-9.]+ [GM]B free, network .*/s in, .*/s out$")

        for daemon in ["apus-video", "apus-rtsp", "apus-http"]:
            self.assertIn(daemon, text)

    def test_any_number_of_clients_is_listed(self):
        connections = [socket.create_connection(("127.0.0.1", self.apus.http_port), 10) for _ in range(230)]
        try:
            def listed(*arguments):
                return json.loads(self.apus_says("ctl", "http", "clients", *arguments, "--json"))["clients"]

            until(lambda: len(listed()) >= 230, 5, "all are listed")
            self.assertEqual(len({client["id"] for client in listed()}), len(listed()))
            self.assertEqual(len(listed("limit=3")), 3)
        finally:
            for connection in connections:
                connection.close()

    def test_json_is_json(self):
        for command in [["status"], ["memory"], ["cpu"], ["ring", "list"], ["ring", "info", "cam/main"]]:
            with self.subTest(command):
                json.loads(self.apus_says(*command, "--json"))

    def test_every_command_has_help(self):
        for command in [[], ["up"], ["status"], ["memory"], ["cpu"], ["ctl"], ["config"], ["ring"]]:
            with self.subTest(command):
                self.assertIn("apus", self.apus_says(*command, "--help"))

    def test_rings_are_listed(self):
        text = self.apus_says("ring", "list")

        for ring in ["cam/main", "cam/sub", "cam/jpeg"]:
            self.assertIn(ring, text)

    def test_latency_is_measured(self):
        text = self.apus_says("ring", "latency", "cam/main", "--seconds", "2")

        for figure in ["p50", "p95", "p99", "max"]:
            self.assertIn(figure, text)

    def test_the_control_reference_names_every_verb_and_argument(self):
        page = (settings.ROOT / "docs/reference/control.md").read_text()
        for daemon in ["video", "rtsp", "http", "supervisor"]:
            for verb in json.loads(self.apus_says("ctl", daemon, "--json"))["verbs"]:
                for name in [verb["name"], *(argument["name"] for argument in verb["arguments"])]:
                    with self.subTest(daemon, name=name):
                        self.assertIn(f"`{name}`", page)

    def test_a_text_is_set_as_it_is_written_and_a_terminal_obeys_nothing_of_it(self):
        for text in ["007", "1e3", "0x10", "true", "1.50", "\x1b[31mred\x07", "a\nb", "\x9bm"]:
            with self.subTest(text):
                self.apus_says("ctl", "video.cam", "set-control", "name=label", f"value={text}")
                controls = json.loads(self.apus_says("ctl", "video.cam", "controls", "--json"))["controls"]
                shown = self.apus_says("ctl", "video.cam", "controls")

                self.assertEqual(next(c["value"] for c in controls if c["name"] == "label"), text)
                self.assertEqual([c for c in shown if not c.isprintable() and c != "\n"], [])
        self.apus_says("ctl", "video.cam", "set-control", "name=main.gop", "value=2.50")
        self.apus_says("ctl", "video.cam", "set-control", "name=main.bitrate", "value=0900000")
        self.apus_says("ctl", "video.cam", "set-control", "name=brightness", "value=07")
        controls = json.loads(self.apus_says("ctl", "video.cam", "controls", "--json"))["controls"]
        values = {control["name"]: control.get("value") for control in controls}

        self.assertEqual((values["main.gop"], values["main.bitrate"], values["brightness"]), (2.5, 900_000, 7))

    def test_a_camera_that_is_not_there_has_no_values(self):
        config = str(self.apus.run_dir / "some.conf")
        with open(config, "w") as file:
            file.write("[camera.front.main]\nbitrate = 1M\n")

        self.assertEqual(self.apus_says("config", "get", "--config", config, "camera.front.main.bitrate"), "1M\n")
        self.assertIn("front", self.apus_says("config", "get", "--config", config, "camera.fornt.source", code=2))

    def test_passwords_of_sources_are_not_shown_unless_asked_for(self):
        config = self.apus.run_dir / "secret.conf"
        config.write_text("[camera.front]\nsource = rtsp://me:hush-hush@127.0.0.1/live\n")
        config.chmod(0o600)
        get = ["config", "get", "--config", str(config)]

        self.assertEqual(self.apus_says(*get, "camera.front.source"), "rtsp://me:***@127.0.0.1/live\n")
        self.assertEqual(self.apus_says(*get), "camera.front.source=rtsp://me:***@127.0.0.1/live\n")
        self.assertIn("me:hush-hush@", self.apus_says(*get, "--passwords", "camera.front.source"))
        self.assertNotIn("hush", self.apus_says("config", "set", "--config", str(config), "camera.front.source=rtspx://a:hush@b", code=2))
        self.assertNotIn("chmod", self.apus_says("config", "check", str(config)))
        config.chmod(0o644)
        program = settings.PROGRAMS / "apus"
        _, said = clients.run([program, "config", "check", config], 10)
        self.assertIn(f"chmod 600 {config}", said)

    def test_a_file_is_not_saved_over(self):
        other = self.apus.run_dir / "other.conf"
        other.write_text("# mine\n")

        self.assertIn("--force", self.apus_says("config", "save", str(other), code=2))
        self.assertEqual(other.read_text(), "# mine\n")
        self.apus_says("config", "save", "--force", str(other))
        self.assertIn("[camera.cam]", other.read_text())

    def test_the_version_is_told_by_command_and_option(self):
        self.assertRegex(self.apus_says("version"), r"^apus \d")
        self.assertEqual(self.apus_says("--version"), self.apus_says("version"))
        self.assertEqual(self.apus_says("version", "--help").splitlines()[0], "Shows the version.")

    def test_an_unknown_command_is_a_usage_error(self):
        self.assertIn("statsu", self.apus_says("statsu", code=2))
