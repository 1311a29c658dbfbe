# SPDX-License-Identifier: Apache-2.0
# Drives a headless Chromium or Firefox by WebDriver BiDi: opens pages, runs scripts, takes pictures, hears complaints.

import base64
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from . import settings
from .apus import free_port, until

CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    # The tests count requests to elsewhere: these are the browser's own.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
]
FIREFOX_SETTINGS = {
    "media.autoplay.default": 0,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "browser.safebrowsing.update.enabled": False,
    "remote.active-protocols": 1,
}


class Browser:
    """One browser with one page.

    With Browser("chromium") as browser: …   ends with the browser's processes gone.
    """

    def __init__(self, kind, width=1280, height=800):
        self.kind = kind
        self.size = (width, height)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-browser-"))
        self.log_path = self.directory / "log"
        self.numbers = itertools.count(1)
        self.complaints = []
        self.requests = []
        self.process = self.socket = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        import websocket

        address = self.start_chromium() if self.kind == "chromium" else self.start_firefox()
        self.socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        if self.kind == "firefox":
            self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.page = self.call("browsingContext.getTree")["contexts"][0]["context"]
        self.resize(*self.size)

    def start_chromium(self):
        driver = settings.need("chromedriver", "chromium-driver")
        settings.need("chromium", "chromium")
        port = free_port()
        self.launch([driver, f"--port={port}"])
        base = f"http://127.0.0.1:{port}"
        until(lambda: self.answers(base + "/status"), 20, "chromedriver answers", interval=0.1)
        arguments = [*CHROMIUM_ARGUMENTS, f"--user-data-dir={self.directory / 'profile'}"]
        options = {"binary": shutil.which("chromium"), "args": arguments}
        wanted = {"capabilities": {"alwaysMatch": {"webSocketUrl": True, "goog:chromeOptions": options}}}
        request = urllib.request.Request(base + "/session", json.dumps(wanted).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            session = json.load(answer)["value"]
        self.session = f"{base}/session/{session['sessionId']}"
        return session["capabilities"]["webSocketUrl"]

    def start_firefox(self):
        program = settings.need("firefox-esr", "firefox-esr")
        profile = self.directory / "profile"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in FIREFOX_SETTINGS.items()]
        (profile / "user.js").write_text("\n".join(lines))
        port = free_port()
        self.launch([program, "--headless", "--no-remote", "--profile", profile, f"--remote-debugging-port={port}"])
        until(lambda: "WebDriver BiDi listening" in self.log(), 40, "Firefox listens", interval=0.1)
        return f"ws://127.0.0.1:{port}/session"

    def launch(self, command):
        with open(self.log_path, "wb") as log:
            # A home of its own, so that nobody's profile is touched.
            environment = {**os.environ, "HOME": str(self.directory)}
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                # Its helpers end with it, and write nothing more into its folder.
                start_new_session=True,
            )

    def answers(self, address):
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        try:
            if self.socket is not None:
                self.call("browser.close")
                self.socket.close()
        except Exception:  # It is ended below in any case.
            pass
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    # The protocol

    def call(self, method, **parameters):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                if message["type"] == "error":
                    raise AssertionError(f"{self.kind}: {method}: {message['error']}: {message.get('message')}")
                return message["result"]
            self.heard(message)

    def heard(self, message):
        about = message.get("params", {})
        if message.get("method") == "log.entryAdded" and about.get("level") in ("error", "warn"):
            self.complaints.append(about.get("text") or "")
        elif message.get("method") == "network.beforeRequestSent":
            self.requests.append(about["request"]["url"])

    # What tests do

    def resize(self, width, height):
        self.call("browsingContext.setViewport", context=self.page, viewport={"width": width, "height": height})

    def open(self, address):
        self.call("browsingContext.navigate", context=self.page, url=address, wait="complete")

    def run(self, script):
        """The value of an expression, awaited; as Python values."""
        result = self.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({script}) ?? null))()",
            target={"context": self.page},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise AssertionError(f"{self.kind}: {result['exceptionDetails']['text']}")
        return json.loads(result["result"]["value"])

    def wait_for(self, script, what, timeout=20):
        return until(lambda: self.run(f"Promise.resolve({script}).then(Boolean)"), timeout, f"{self.kind}: {what}", interval=0.1)

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.call("input.performActions", context=self.page, actions=[source])

    def screenshot(self, path):
        """Writes what is seen as PNG."""
        data = self.call("browsingContext.captureScreenshot", context=self.page)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))


def elsewhere(requests):
    """The requests that did not go to this machine."""
    own = ("http://127.0.0.1", "https://127.0.0.1", "ws://127.0.0.1", "wss://127.0.0.1", "data:", "blob:", "about:")
    return [address for address in requests if not address.startswith((*own, "chrome:", "resource:"))]
