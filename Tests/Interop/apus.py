# SPDX-License-Identifier: Apache-2.0
# Starts `apus up` on free ports in a run directory of its own, finds its daemons, stops it.

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import settings
from .rtsp_client import RTSPClient, RTSPError


def free_port():
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, timeout, what, interval=0.02):
    """Waits until condition() is true and returns its value; fails after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)


class Apus:
    """One running suite.

    With Apus(cameras={"cam": "pattern:"}) as apus: …   ends with the suite stopped and its files removed.
    """

    def __init__(self, cameras=None, config=None, stdin=subprocess.DEVNULL, streams=None, arguments=()):
        self.cameras = cameras or {}
        # Suites with a certificate run beside each other: none may hold the standard port of HTTPS.
        needs_port = config is not None and "[tls]" in config and "[http]" not in config
        self.config = f"[http]\ntls_port = 0\n{config}" if needs_port else config
        self.stdin = stdin
        self.arguments = list(arguments)
        # Paths that must answer before the suite counts as ready.
        self.streams = streams if streams is not None else list(self.cameras)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-test-"))
        self.run_dir = self.directory / "run"
        self.log_path = self.directory / "log"
        self.rtsp_port, self.http_port = free_port(), free_port()
        self.process = None
        # More variables of the environment.
        self.environment = {}
        # A descriptor that standard output and error go to in place of a file.
        self.output = None
        # Descriptors that the program gets besides its standard ones.
        self.descriptors = ()

    # Starting and stopping

    def command(self):
        command = [settings.PROGRAMS / "apus", "up", "--run-dir", self.run_dir]
        command += ["--rtsp-port", str(self.rtsp_port), "--http-port", str(self.http_port)]
        if self.config is not None:
            path = self.directory / "apus.conf"
            path.write_text(self.config)
            command += ["--config", path]
        for name, source in self.cameras.items():
            command += ["--camera", f"{name}={source}"]
        return [str(part) for part in command + self.arguments]

    def start(self):
        with open(self.log_path, "ab") as log:
            # A session of its own, as a terminal would give it; stop() then signals the program alone.
            self.process = subprocess.Popen(
                self.command(),
                stdin=self.stdin,
                stdout=log if self.output is None else self.output,
                stderr=log if self.output is None else self.output,
                start_new_session=True,
                pass_fds=self.descriptors,
                # Whoever runs the tests may have users of his own.
                env={**os.environ, "XDG_CONFIG_HOME": str(self.directory), **self.environment},
            )
        try:
            self.wait_ready()
        except BaseException as error:
            log = self.log()
            self.destroy()
            raise AssertionError(f"{error}\n---- apus says\n{log}") from None
        return self

    def wait_ready(self, timeout=20):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"apus up ended with exit code {self.process.returncode}")
            return self.is_healthy() and all(self.describes(path) for path in self.streams)

        until(ready, timeout, f"apus up serves {self.streams}", interval=0.1)

    def is_healthy(self):
        try:
            return self.get("/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def describes(self, path):
        try:
            with RTSPClient(self.rtsp(path)) as client:
                client.describe()
                return True
        except (OSError, RTSPError):
            return False

    def interrupt(self, timeout=10):
        """Sends what Ctrl-C sends; returns the seconds until the program is gone."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout)
        return time.monotonic() - began

    def destroy(self):
        """Ends everything by force and removes the files."""
        if self.process is not None:
            left = self.processes()
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.remove_files()

    def remove_files(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(f"---- the end of Apus's log\n{self.log()}")
        self.destroy()

    # Looking at it

    def rtsp(self, path):
        return f"rtsp://127.0.0.1:{self.rtsp_port}/{path}"

    def http(self, path):
        return f"http://127.0.0.1:{self.http_port}{path}"

    def get(self, path, method="GET"):
        """One request; returns status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def log(self, lines=40):
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        end = "\n".join(text.splitlines()[-lines:])
        # A crash is what one wants to see, however long ago it was.
        _, crash, trace = text.partition("*** Program crashed")
        return f"{crash}{trace.split('Registers:')[0]}\n{end}" if crash else end

    def processes(self):
        """The daemons that run: pid → name."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                status = (entry / "status").read_text()
                name = pathlib.Path(os.readlink(entry / "exe")).name
            except OSError:
                continue
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            # A daemon that was killed leaves its opener of devices for a moment.
            if int(fields["PPid"]) == self.process.pid and fields["Name"].strip() != "apus-opener":
                found[int(entry.name)] = name.removesuffix(" (deleted)")
        return found

    def pid(self, daemon):
        """The pid of a daemon; None when it is not running."""
        return next((pid for pid, name in self.processes().items() if name == daemon), None)

    def kill(self, daemon):
        """kill -9; returns the pid that it had."""
        pid = self.pid(daemon)
        if pid is None:
            raise AssertionError(f"{daemon} does not run")
        os.kill(pid, signal.SIGKILL)
        return pid

    def anonymous_memory(self, daemon):
        """The private memory of a daemon in bytes."""
        rollup = pathlib.Path(f"/proc/{self.pid(daemon)}/smaps_rollup").read_text()
        line = next(line for line in rollup.splitlines() if line.startswith("Anonymous:"))
        return int(line.split()[1]) * 1024
