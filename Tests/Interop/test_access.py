# SPDX-License-Identifier: Apache-2.0
# Users: real clients log in by Digest, what is not allowed is refused, attempts are slowed, floods harm nobody.

import concurrent.futures
import ctypes
import ctypes.util
import hashlib
import http.client
import os
import pathlib
import pty
import pwd
import re
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from . import clients, settings
from .apus import Apus, until
from .rtsp_client import RTSPClient, RTSPError

RATE = 25

CONFIG = f"""
[apus]
users = {{users}}
auth_failures = 4
auth_lockout = 2s

[camera.cam]
source = pattern:?size=640x360&fps={RATE}

[camera.yard]
source = pattern:?size=640x360&fps={RATE}

[rtsp]
first_request_timeout = 2s
max_clients = 24
max_headers = 16
max_request = 2k
max_tracks = 1
"""


class Users(Apus):
    """A suite with users; ready once it asks for them."""

    template = CONFIG

    def command(self):
        users = self.directory / "users"
        for name, password, role, cameras in [
            ("anna", "geheimnis", "admin", "*"), ("bob", "kennwort", "viewer", "cam"), ("eve", "lauschend", "publisher", "cam")
        ]:
            if not users.exists() or f"{name} " not in users.read_text():
                self.user(f"{password}\n", "add", name, "--role", role, "--cameras", cameras)
        self.config = self.template.format(users=users)
        return super().command()

    def user(self, password, *arguments):
        """Runs apus user."""
        return subprocess.run(
            [settings.PROGRAMS / "apus", "user", *arguments, "--users", self.directory / "users"],
            input=password, text=True, capture_output=True, timeout=10, check=True,
        )

    def reload(self):
        subprocess.run(
            [settings.PROGRAMS / "apus", "config", "reload", "--run-dir", self.run_dir], timeout=10, check=True,
            capture_output=True,
        )

    def describes(self, path):
        with User(self, "anna", "geheimnis", path) as client:
            try:
                client.describe()
                return True
            except RTSPError:
                return False


class User(RTSPClient):
    """A client that answers a Digest challenge as RFC 7616 says."""

    def __init__(self, apus, name, password, path="cam", algorithm="SHA-256"):
        super().__init__(apus.rtsp(path))
        self.name, self.password, self.algorithm = name, password, algorithm
        self.challenge = None
        self.count = 0

    def request(self, method, url=None, **headers):
        if self.challenge is None and method != "OPTIONS":
            try:
                return super().request(method, url, **headers)
            except RTSPError as error:
                if "401" not in str(error):
                    raise
        if self.challenge:
            headers["Authorization"] = self.authorization(method, url or self.url)
        return super().request(method, url, **headers)

    def _answer(self):
        # The challenges of a 401, before it becomes an exception.
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        for line in self.buffer.split(b"\r\n\r\n")[0].decode().split("\r\n"):
            if line.startswith("WWW-Authenticate: Digest") and f"algorithm={self.algorithm}" in line:
                self.challenge = dict(re.findall(r'(\w+)="([^"]*)"', line))
                self.count = 0
        return super()._answer()

    def authorization(self, method, url):
        self.count += 1
        hashed = lambda text: hashlib.new(self.algorithm.replace("-", ""), text.encode()).hexdigest()
        first = hashed(f"{self.name}:{self.challenge['realm']}:{self.password}")
        nonce, count = self.challenge["nonce"], f"{self.count:08x}"
        response = hashed(f"{first}:{nonce}:{count}:abc:auth:{hashed(f'{method}:{url}')}")
        return (
            f'Digest username="{self.name}", realm="{self.challenge["realm"]}", nonce="{nonce}", uri="{url}", '
            f'response="{response}", algorithm={self.algorithm}, qop=auth, nc={count}, cnonce="abc"'
        )


class FilesTest(unittest.TestCase):
    """Files that a service reads and an administrator changes: where the tests run as root, they are another user's."""

    def apus(self, *words, **options):
        done = subprocess.run([settings.PROGRAMS / "apus", *words], capture_output=True, text=True, timeout=15, **options)
        self.assertEqual(done.returncode, 0, done.stderr)

    def whose(self, path):
        status = path.stat()
        return status.st_uid, status.st_gid, oct(stat.S_IMODE(status.st_mode))

    def test_files_stay_whose_they_were_and_new_ones_are_their_folders_owners(self):
        with tempfile.TemporaryDirectory(prefix="apus-files-") as name:
            folder = pathlib.Path(name)
            config, users = folder / "apus.conf", folder / "users"
            config.write_text("[camera.cam]\nsource = pattern:\n")
            config.chmod(0o640)
            owner = os.getuid(), os.getgid()
            if os.getuid() == 0:
                nobody = pwd.getpwnam("nobody")
                owner = nobody.pw_uid, nobody.pw_gid
                for path in (folder, config):
                    os.chown(path, *owner)

            for words in (["add"], ["passwd"]):
                self.apus("user", *words, "anna", "--users", users, input="geheimnis\n")
                self.assertEqual(self.whose(users), (*owner, "0o600"))
            self.apus("config", "set", "rtsp.port=8555", "--config", config)
            self.assertEqual(self.whose(config), (*owner, "0o640"))


class TerminalTest(unittest.TestCase):
    """Passwords are typed at a terminal."""

    def typed(self, *passwords):
        """Runs apus user add at a terminal of its own; returns its exit code, what it showed, and the file's text."""
        with tempfile.TemporaryDirectory() as directory:
            users = pathlib.Path(directory) / "users"
            pid, terminal = pty.fork()
            if pid == 0:
                program = str(settings.PROGRAMS / "apus")
                os.execv(program, [program, "user", "add", "anna", "--users", str(users)])
            shown = b""
            for password in passwords:
                shown = self.read(terminal, shown, shown.count(b": ") + 1)
                os.write(terminal, password)
            shown = self.read(terminal, shown, None)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.close(terminal)
            return code, shown.decode(), users.read_text() if users.exists() else ""

    def read(self, terminal, shown, prompts):
        """Reads until so many prompts were shown, or until the end."""
        try:
            while prompts is None or shown.count(b": ") < prompts:
                shown += os.read(terminal, 1024)
        except OSError:
            pass
        return shown

    def test_a_password_is_not_shown_and_asked_for_twice(self):
        code, shown, users = self.typed(b"geheimnit\x7fs\r", b"geheimnis\r")

        self.assertEqual(code, 0, shown)
        self.assertNotIn("gehei", shown)
        self.assertIn(hashlib.md5(b"anna:Apus:geheimnis").hexdigest(), users)

    def test_passwords_that_differ_and_giving_up_change_nothing(self):
        for typed in [(b"one\r", b"two\r"), (b"one\x03",), (b"\x04",)]:
            with self.subTest(typed):
                code, shown, users = self.typed(*typed)
                self.assertNotEqual(code, 0)
                self.assertIn("nothing was changed", shown)
                self.assertEqual(users, "")


class AccessTest(unittest.TestCase):
    """Each test has a suite of its own, since failed attempts are remembered."""

    def setUp(self):
        self.apus = Users(streams=["cam", "yard"]).start()
        self.addCleanup(self.apus.destroy)

    def url(self, path, user="bob:kennwort"):
        return self.apus.rtsp(path).replace("rtsp://", f"rtsp://{user}@")

    def described(self, name, password, path="cam", **options):
        """What a DESCRIBE ends with."""
        with User(self.apus, name, password, path, **options) as client:
            try:
                client.describe()
                return "200"
            except RTSPError as error:
                return re.search(r"RTSP/1.0 (\d+)", str(error)).group(1)

    def test_real_clients_log_in(self):
        plays = [
            lambda: clients.ffmpeg(self.url("cam"), RATE, 3, ["-rtsp_transport", "tcp"]),
            lambda: clients.ffmpeg(self.url("cam"), RATE, 3, ["-rtsp_transport", "udp"]),
            lambda: clients.ffmpeg(self.url("cam"), RATE, 3, ["-rtsp_transport", "http"]),
            lambda: clients.mpv(self.url("cam"), RATE, 2),
            lambda: clients.gstreamer(self.url("cam"), "h264", RATE, 2, "tcp"),
        ]
        with concurrent.futures.ThreadPoolExecutor(len(plays)) as pool:
            for running in [pool.submit(play) for play in plays]:
                running.result()

    def test_libcurl_logs_in_by_digest(self):
        body = curl_describe(self.apus.rtsp("cam"), "bob:kennwort")
        self.assertIn(b"m=video", body)
        self.assertNotIn(b"m=video", curl_describe(self.apus.rtsp("cam"), "bob:wrong"))
        output = clients.run(
            [settings.need("curl", "curl"), "-sS", "-i", "--digest", "-u", "bob:kennwort", self.apus.rtsp("cam")], 10
        )[0]
        self.assertIn("RTSP/1.0 200 OK", output)

    def test_two_sessions_at_once_from_one_address(self):
        with User(self.apus, "anna", "geheimnis", "yard") as one, User(self.apus, "bob", "kennwort", algorithm="MD5") as other:
            one.play()
            other.play()
            time.sleep(2)
            for client in (one, other):
                clients.expect_frames(client.name, len(client.frames()), RATE, 1.5)
            listed = clients.run(
                [settings.PROGRAMS / "apus", "ctl", "rtsp", "clients", "--json", "--run-dir", self.apus.run_dir], 10
            )[0]
            self.assertIn('"anna"', listed)
            self.assertIn('"bob"', listed)

    def test_cameras_and_roles_are_kept_apart(self):
        self.assertEqual(self.described("bob", "kennwort", "cam"), "200")
        self.assertEqual(self.described("bob", "kennwort", "yard"), "403")
        self.assertEqual(self.described("anna", "geheimnis", "yard"), "200")
        self.assertEqual(self.described("eve", "lauschend", "cam"), "403")
        with User(self.apus, "bob", "kennwort") as client:
            with self.assertRaisesRegex(RTSPError, "403"):
                client.request("ANNOUNCE")

    def test_wrong_passwords_are_slowed_then_locked_out_and_nobody_else_minds(self):
        with User(self.apus, "bob", "kennwort") as inside:
            inside.play()
            began = time.monotonic()
            statuses = [self.described("bob", "wrong") for _ in range(4)]
            took = time.monotonic() - began
            self.assertEqual(statuses, ["401", "401", "401", "403"])
            self.assertGreater(took, 0.25 + 0.5 + 1)
            self.assertEqual(self.described("bob", "kennwort"), "403")
            before = len(inside.frames())
            self.assertEqual(len(self.elsewhere("127.0.0.9")), 2)
            until(lambda: self.described("bob", "kennwort") == "200", 5, "the lock ends")
            self.assertGreater(len(inside.frames()), before)

    def elsewhere(self, address):
        """A DESCRIBE from another address: the challenges."""
        with socket.create_connection(("127.0.0.1", self.apus.rtsp_port), 5, (address, 0)) as connection:
            connection.sendall(f"DESCRIBE {self.apus.rtsp('cam')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            return re.findall(rb"WWW-Authenticate: Digest", connection.recv(4096))

    def test_a_changed_users_file_is_taken_without_a_restart(self):
        pid = self.apus.pid("apus-rtsp")
        with User(self.apus, "bob", "kennwort") as client, User(self.apus, "anna", "geheimnis") as other:
            client.play()
            other.play()
            self.apus.user(None, "remove", "bob")
            self.apus.reload()
            until(lambda: client.ended, 5, "bob is sent away")
            self.assertIsNone(other.ended)
        self.assertEqual(self.described("bob", "kennwort"), "401")
        self.assertEqual(self.apus.pid("apus-rtsp"), pid)

    def test_http_asks_too(self):
        def status(path, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=10)
            try:
                connection.request("GET", path, headers=headers)
                return connection.getresponse().status
            finally:
                connection.close()

        for path in ["/healthz", "/", "/api/v1/session"]:
            self.assertEqual(status(path), 200)
        for path in ["/api/v1/cameras", "/cam/snapshot.jpg", "/cam/mjpeg"]:
            self.assertEqual(status(path), 401)
        curl = settings.need("curl", "curl")
        for kind in ["--digest", "--basic"]:
            for path, expected in [("/cam/snapshot.jpg", "200"), ("/yard/snapshot.jpg", "403")]:
                command = [curl, "-s", "-o", os.devnull, "-w", "%{http_code}", kind, "-u", "bob:kennwort"]
                self.assertEqual(clients.run([*command, self.apus.http(path)], 10)[0], expected)
        listed = clients.run([curl, "-s", "--digest", "-u", "bob:kennwort", self.apus.http("/api/v1/cameras")], 10)[0]
        self.assertNotIn("yard", listed)

    def test_connections_that_say_nothing_are_closed_and_make_room(self):
        flood = [socket.create_connection(("127.0.0.1", self.apus.rtsp_port)) for _ in range(60)]
        try:
            self.assertEqual(self.described("bob", "kennwort"), "200")
            for connection in flood:
                connection.settimeout(6)
                self.assertEqual(connection.recv(1), b"")
        finally:
            for connection in flood:
                connection.close()

    def test_requests_over_the_limits_end_their_connection(self):
        line = f"OPTIONS {self.apus.rtsp('cam')} RTSP/1.0\r\nCSeq: 1\r\n"
        for more, status in [
            ("A: b\r\n" * 15, b"200"), ("A: b\r\n" * 16, b"400"),
            ("Content-Length: 2048\r\n", b""), ("Content-Length: 2049\r\n", b"400"), ("A: " + "b" * 2100, b"400"),
        ]:
            with self.subTest(more[:20]), socket.create_connection(("127.0.0.1", self.apus.rtsp_port)) as connection:
                connection.settimeout(0.5)
                connection.sendall(f"{line}{more}\r\n\r\n".encode())
                try:
                    answer = connection.recv(4096)
                except TimeoutError:
                    answer = b""
                self.assertEqual(answer[9:12], status)


def curl_describe(url, user):
    """DESCRIBE by libcurl with Digest, which the curl program cannot be told to do; returns what came."""
    library = ctypes.util.find_library("curl") or ctypes.util.find_library("curl-gnutls")
    if library is None:
        settings.missing("libcurl is not installed: apt-get install libcurl4")
    curl = ctypes.CDLL(library)
    curl.curl_easy_init.restype = ctypes.c_void_p
    received = []
    write = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)(
        lambda data, size, count, _: received.append(ctypes.string_at(data, size * count)) or size * count
    )
    handle = ctypes.c_void_p(curl.curl_easy_init())
    # CURLOPT_URL, _RTSP_STREAM_URI, _USERPWD, _HTTPAUTH (Digest), _RTSP_REQUEST (DESCRIBE), _WRITEFUNCTION
    for option, value in [(10002, url), (10191, url), (10005, user)]:
        curl.curl_easy_setopt(handle, ctypes.c_int(option), ctypes.c_char_p(value.encode()))
    for option, value in [(107, 2), (189, 2)]:
        curl.curl_easy_setopt(handle, ctypes.c_int(option), ctypes.c_long(value))
    curl.curl_easy_setopt(handle, ctypes.c_int(20011), write)
    curl.curl_easy_perform(handle)
    curl.curl_easy_cleanup(handle)
    return b"".join(received)
