# SPDX-License-Identifier: Apache-2.0
# A suite with users of every role, and a browser's side of its HTTP server: cookies, origins, logging in.

import base64
import http.client
import json
import socket
import subprocess

from . import settings
from .test_access import Users

CONFIG = """
[apus]
users = {users}
auth_failures = 4
auth_lockout = 2s

[camera.cam]
source = pattern:?size=320x240&fps=10

[camera.yard]
source = pattern:?size=320x240&fps=10
"""

PASSWORDS = {"anna": "geheimnis", "olga": "bedienung", "bob": "kennwort", "eve": "lauschend"}
ROLES = {"anna": ("admin", "*"), "olga": ("operator", "cam"), "bob": ("viewer", "cam"), "eve": ("publisher", "cam")}
JSON = {"Content-Type": "application/json"}


class Site(Users):
    """A suite with a user of each role."""

    template = CONFIG

    def command(self):
        if not (self.directory / "users").exists():
            for name, (role, cameras) in ROLES.items():
                self.user(f"{PASSWORDS[name]}\n", "add", name, "--role", role, "--cameras", cameras)
        return super().command()

    def apus(self, *arguments):
        """Runs apus with the suite's run directory; returns what it wrote."""
        command = [settings.PROGRAMS / "apus", *arguments, "--run-dir", self.run_dir]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=15)
        if done.returncode:
            raise AssertionError(f"apus {arguments}: {done.stderr}")
        return done.stdout


class Answer:
    def __init__(self, answer):
        self.status, self.fields, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def cookies(self):
        """What is set: name → (value, attributes)."""
        parts = [value.split("; ") for value in self.fields.get_all("Set-Cookie") or []]
        return {part[0].split("=", 1)[0]: (part[0].split("=", 1)[1], part[1:]) for part in parts}


class Browser:
    """Keeps cookies, and sends what a browser does from a page of the site."""

    def __init__(self, apus):
        self.apus, self.jar = apus, {}
        self.host = f"127.0.0.1:{apus.http_port}"

    def ask(self, method, path, body=None, **fields):
        fields = {name.replace("_", "-"): value for name, value in fields.items() if value is not None}
        fields.setdefault("Host", self.host)
        if self.jar and "Cookie" not in fields:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.apus.http_port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body.encode() if isinstance(body, str) else body)))
            connection.endheaders(body.encode() if isinstance(body, str) else body)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        for name, (value, attributes) in answer.cookies.items():
            if "Max-Age=0" in attributes:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return answer

    def get(self, path, **fields):
        return self.ask("GET", path, **fields)

    def post(self, path, body, **fields):
        return self.ask("POST", path, body, Origin=fields.pop("Origin", f"http://{self.host}"), **fields)

    def login(self, name, password=None):
        return self.post("/api/v1/login", {"user": name, "password": password or PASSWORDS[name]})

    def watch(self, path="/cam/mjpeg", **fields):
        """Begins to watch; returns the status and the connection."""
        connection = socket.create_connection(("127.0.0.1", self.apus.http_port), 10)
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        fields = {"Host": self.host, **({"Cookie": cookie} if cookie else {}), **fields}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        connection.settimeout(5)
        return int(connection.recv(4096).split(b" ")[1]), connection


def ended(connection):
    """True once the server has closed; takes what it sent meanwhile."""
    try:
        connection.settimeout(0.05)
        for _ in range(64):
            if not connection.recv(1 << 16):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def basic(name):
    credentials = base64.b64encode(f"{name}:{PASSWORDS[name]}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}
