# SPDX-License-Identifier: Apache-2.0
# The page in real browsers: every transport plays, the delay it shows is right, it comes back after failures.

import json
import os
import pathlib
import statistics
import subprocess
import time

from . import publishing, settings
from .apus import Apus, until
from .browser import Browser, elsewhere
from .case import SharedSuite

RATE = 25
# How long each transport is watched: 3 s, or what the environment says.
SECONDS = float(os.environ.get("APUS_BROWSER_SECONDS", "3"))
# Where pictures of the page go, if anywhere.
PICTURES = os.environ.get("APUS_BROWSER_PICTURES")

# Reads the time that the test pattern writes into its pictures (PatternStamp.swift), in the page: milliseconds since
# 1970, or nothing where there is none.
STAMP = """
globalThis.apusStamp = (source, width, height) => {
  const canvas = globalThis.apusCanvas ??= Object.assign(document.createElement('canvas'), { height: 1 });
  canvas.width = 64;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const row = Math.max(8, Math.floor(height / 30));
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, height - row / 2, width, 1, 0, 0, 64, 1);
  const pixels = context.getImageData(0, 0, 64, 1).data;
  let bits = 0n;
  for (let block = 0; block < 64; block++) bits = bits << 1n | (pixels[block * 4 + 1] >= 128 ? 1n : 0n);
  if (bits >> 56n !== 0b10101100n) return null;
  const time = bits >> 8n & 0xffffffffffffn;
  let remainder = 0;
  for (let shift = 40n; shift >= 0n; shift -= 8n) {
    remainder ^= Number(time >> shift & 255n);
    for (let bit = 0; bit < 8; bit++) remainder = (remainder & 0x80 ? remainder << 1 ^ 7 : remainder << 1) & 255;
  }
  return remainder === Number(bits & 255n) ? Number(time) : null;
};
// Looks at the picture now and then: how old it is, measured by nothing but its own stamp.
globalThis.apusWatch = () => {
  const ages = globalThis.apusAges = [];
  let last = 0;
  const look = () => {
    const video = document.querySelector('.stage video:not([hidden])');
    const canvas = document.querySelector('.stage canvas:not([hidden])');
    const source = video ?? canvas;
    const [width, height] = video ? [video.videoWidth, video.videoHeight] : [source?.width, source?.height];
    const stamp = width && height > 8 ? apusStamp(source, width, height) : null;
    if (stamp && stamp !== last) ages.push(Date.now() - stamp);
    last = stamp ?? last;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
};
"""
# How loud the film is, measured where the loudspeaker would be.
LOUDNESS = """
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaElementSource(document.querySelector('.stage video')).connect(analyser);
  const samples = new Float32Array(256);
  Object.assign(globalThis, { apusLoudest: 0, apusQuietest: 1 });
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const loudness = Math.max(...samples.map(Math.abs));
    globalThis.apusLoudest = Math.max(apusLoudest, loudness);
    globalThis.apusQuietest = Math.min(apusQuietest, loudness);
  }, 10);
"""
# Keeps what a link to a file would save, in place of saving it.
CATCH_DOWNLOAD = """(() => {
  globalThis.apusDownload = null;
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[download]');
    if (!link) return;
    event.preventDefault();
    globalThis.apusDownload = { href: link.href, name: link.download };
  }, { once: true });
})()"""
FIGURES = """(() => Object.fromEntries([...document.querySelectorAll('.figures div')]
  .map((pair) => [pair.children[0].textContent, pair.children[1].textContent])))()"""
IS_PLAYING = "document.querySelector('.transports .playing strong')?.textContent"


def number(text):
    """`123 ms` → 123; `1.5 s` → 1500."""
    value, unit = (text.split(" ") + [""])[:2]
    return float(value) * (1000 if unit == "s" else 1) if value not in ("–", "") else None


class BrowserCase(SharedSuite):
    kind = ""
    # What each browser plays; Firefox has no HLS of its own.
    transports = ()

    @classmethod
    def make_apus(cls):
        film = "[camera.film]\nsource = publish:\n"
        return Apus(config=f"[camera.cam]\nsource = pattern:?size=640x360&fps={RATE}\n{film}", streams=["cam"])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.browser = Browser(cls.kind)
            cls.browser.start()
        except BaseException:
            cls.browser.stop()
            cls.apus.destroy()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.browser.stop()
        super().tearDownClass()

    def setUp(self):
        self.browser.complaints.clear()
        self.browser.requests.clear()

    def visit(self, path="/", transport="auto", width=1280, height=800, theme="dark"):
        browser = self.browser
        browser.resize(width, height)
        # A page of the same site without anything that goes on.
        browser.open(self.apus.http("/favicon.svg"))
        browser.run(f"(localStorage.setItem('transport', '{transport}'), localStorage.setItem('theme', '{theme}'))")
        browser.open(self.apus.http(path))

    def assert_clean(self, permitted=()):
        """No errors, nothing that the policy forbids, nothing from elsewhere."""
        complaints = [text for text in self.browser.complaints if not any(part in text for part in permitted)]
        self.assertEqual(complaints, [])
        self.assertEqual(elsewhere(self.browser.requests), [])

    def picture(self, name):
        if PICTURES:
            folder = pathlib.Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            self.browser.screenshot(folder / f"{self.kind}-{name}.png")


class TransportsMixin:
    def test_each_transport_plays_and_tells_its_delay(self):
        for name, label in self.transports:
            with self.subTest(name):
                self.visit("/#/camera/cam", transport=name)
                self.browser.wait_for(f"{IS_PLAYING} === '{label}'", f"{label} plays", timeout=40)
                self.browser.run(f"(() => {{ {STAMP}; apusWatch(); }})()")
                began = time.monotonic()
                ages, differences = [], []
                while time.monotonic() < began + SECONDS:
                    time.sleep(0.5)
                    figures, new = self.browser.run(f"[{FIGURES}, apusAges.splice(0)]")
                    ages += new
                    told = number(figures["Delay"])
                    if told is not None and new:
                        differences.append(told - statistics.median(new))
                figures = self.browser.run(FIGURES)
                rate = len(ages) / (time.monotonic() - began)
                self.picture(f"play-{name}")

                print(f"      {self.kind} {label}: {rate:.1f}/s, {statistics.median(ages):.0f} ms by stamp, {figures}")
                # The machine may be slow. HLS is played three segments behind by browsers that do it by themselves.
                self.assertGreater(rate, RATE / 3)
                self.assertEqual(figures["Transport"], label)
                age = statistics.median(ages)
                self.assertLess(age, 12000 if name == "hls" else 1000)
                # Chromium does not tell which time its HLS shows.
                if name != "hls":
                    # The stamp is looked at once a screen refresh, which takes a while on a machine that has much to do.
                    self.assertAlmostEqual(statistics.median(differences), 0, delta=max(100, 0.6 * age))
                self.assert_clean()

    def test_the_best_transport_is_taken_and_the_others_are_told(self):
        self.visit("/#/camera/cam")
        self.browser.wait_for(f"{IS_PLAYING} === 'MSE'", "MSE plays")
        tried = self.browser.run(
            "[...document.querySelectorAll('.transports li')].map((entry) => [entry.className, entry.textContent])"
        )

        self.assertEqual([entry[0] for entry in tried], ["impossible", "playing", "untried", tried[3][0], "untried"])
        self.assertIn("no WebRTC", tried[0][1])
        self.assert_clean()

    def test_the_picture_comes_back_after_the_daemons_were_killed(self):
        for daemon in ["apus-video", "apus-http"]:
            with self.subTest(daemon):
                self.visit("/#/camera/cam")
                self.browser.wait_for(f"{IS_PLAYING} === 'MSE'", "MSE plays")
                self.browser.run(f"(() => {{ {STAMP}; apusWatch(); }})()")
                self.apus.kill(daemon)
                until(lambda: self.apus.is_healthy(), 20, f"{daemon} is back", interval=0.1)
                self.browser.run("void (apusAges.length = 0)")
                self.browser.wait_for("apusAges.length > 20", f"pictures come after {daemon} was killed", timeout=40)
                ages = self.browser.run("apusAges.slice(-10)")

                self.assertLess(statistics.median(ages), 1000)

    def test_sound_is_heard_once_it_is_switched_on(self):
        with publishing.ffmpeg(self.apus.rtsp("film"), "h264", "aac"):
            until(lambda: (self.apus.run_dir / "ring/film.audio.sock").exists(), 10, "the film's sound")
            self.visit("/#/camera/film")
            self.browser.wait_for(f"{IS_PLAYING} === 'MSE'", "MSE plays")
            self.browser.wait_for("!document.querySelector('.sound').hidden", "there is a switch for the sound")
            self.assertTrue(self.browser.run("document.querySelector('.stage video').muted"))
            self.browser.press("m")
            self.browser.wait_for("!document.querySelector('.stage video').muted", "the sound is on")
            if self.kind == "chromium":
                self.browser.run(f"(() => {{ {LOUDNESS} }})()")
                # The film beeps once a second.
                self.browser.wait_for("apusLoudest > 0.1", "a beep is heard")
                self.assertLess(self.browser.run("apusQuietest"), 0.01)
            else:
                # Without a loudspeaker Firefox measures nothing, but it tells whether there is sound, and plays on.
                self.assertTrue(self.browser.run("document.querySelector('.stage video').mozHasAudio"))
                before = self.browser.run("document.querySelector('.stage video').currentTime")
                self.browser.wait_for(
                    f"document.querySelector('.stage video').currentTime > {before + 2}", "it goes on with the sound on"
                )
            self.picture("sound")
        self.assert_clean()

    def test_a_snapshot_and_a_clip_can_be_saved(self):
        self.visit("/#/camera/cam")
        self.browser.wait_for(f"{IS_PLAYING}", "a transport plays")
        for key, name, kind, start in [("s", "snapshot", "image/jpeg", [0xFF, 0xD8]), ("c", "clip", "video/mp4", [0, 0])]:
            with self.subTest(name):
                # The browser would ask where to put it, or not: what the page hands to it is looked at.
                self.browser.run(CATCH_DOWNLOAD)
                self.browser.press(key)
                self.browser.wait_for("globalThis.apusDownload", "the page offers a file")
                found = self.browser.run(
                    "fetch(apusDownload.href).then(async (answer) => ({ status: answer.status, name: apusDownload.name,"
                    " kind: answer.headers.get('Content-Type'), start: [...new Uint8Array(await answer.arrayBuffer())].slice(0, 2) }))"
                )
                self.assertRegex(found.pop("name"), rf"^cam_\d{{4}}-\d\d-\d\d_\d\d-\d\d-\d\d\.{'jpg' if key == 's' else 'mp4'}$")
                self.assertEqual(found, {"status": 200, "kind": kind, "start": start})
        self.assert_clean()


class ChromiumTest(TransportsMixin, BrowserCase):
    """Chromium."""

    kind = "chromium"
    transports = (("mse", "MSE"), ("websocket", "WebSocket"), ("hls", "HLS"), ("mjpeg", "MJPEG"))

    def test_the_keyboard_does_it_all(self):
        self.visit("/#/camera/cam")
        self.browser.wait_for(f"{IS_PLAYING}", "a transport plays")
        self.browser.press("?")
        self.browser.wait_for("document.querySelector('dialog[open]')?.textContent.includes('Full screen')", "the keys are told")
        self.browser.press("\ue00c")
        # It goes with its event `close`, which comes a moment later.
        self.browser.wait_for("!document.querySelector('dialog')", "the dialog is gone")
        # It closes the list alone; without one it would lead to the other cameras.
        self.assertEqual(self.browser.run("location.hash"), "#/camera/cam")
        self.browser.press(" ")
        self.browser.wait_for("document.querySelector('.stage .veil').textContent === 'Paused'", "it pauses")
        self.browser.press(" ")
        self.browser.wait_for(f"{IS_PLAYING}", "a transport plays again")
        self.browser.press("q")
        self.browser.wait_for("document.querySelector('[data-stream=sub]').ariaPressed === 'true'", "the sub stream plays")
        self.assert_clean()

    def control(self, name):
        return f"document.querySelector('#control-{name}')"

    def of_cam(self, name):
        controls = json.loads(self.apus.get("/api/v1/cameras/cam/controls")[2])["controls"]
        return next(control.get("value") for control in controls if control["name"] == name)

    def ctl(self, name, value):
        command = [settings.PROGRAMS / "apus", "ctl", "--run-dir", self.apus.run_dir, "video.cam", "set-control"]
        subprocess.run([*command, f"name={name}", f"value={value}"], capture_output=True, timeout=15, check=True)

    def test_controls_of_each_kind_are_set_followed_and_reset(self):
        browser = self.browser
        self.visit("/#/camera/cam")
        browser.wait_for(self.control("label"), "controls are drawn")
        kinds = {"pattern": "select-one", "frame_skip": "select-one", "label": "text", "brightness": "range"}
        for name, kind in {**kinds, "brightness_automatic": "checkbox"}.items():
            self.assertEqual(browser.run(f"{self.control(name)}.type"), kind, name)
        choices = browser.run(f"[...{self.control('frame_skip')}.options].map((option) => option.text)")
        self.assertEqual(choices, ["1", "2", "5", "10"])

        for name, value in {"frame_skip": "1", "label": "'Front door'", "brightness": "20"}.items():
            browser.run(f"((field) => {{ field.value = {value}; for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind)); }})({self.control(name)})")
        self.picture("controls")
        until(lambda: [self.of_cam(name) for name in ("frame_skip", "label", "brightness")] == [1, "Front door", 20], 5, "they are set")

        self.ctl("label", "007")
        self.ctl("brightness_automatic", "true")
        browser.wait_for(f"{self.control('label')}.value === '007'", "the page follows what is set elsewhere")
        browser.wait_for(f"{self.control('brightness_automatic')}.checked", "a switch follows")
        browser.wait_for(f"{self.control('brightness')}.closest('.inactive')", "what it has taken over is shown so")
        browser.run("[...document.querySelectorAll('#panel-picture .controls > .small')].at(-1).click()")
        until(lambda: not self.of_cam("brightness_automatic") and self.of_cam("frame_skip") == 0, 5, "all are reset")
        self.assertEqual(self.of_cam("brightness"), 0)
        browser.wait_for(f"{self.control('frame_skip')}.value === '0'", "the page shows it")
        self.assertEqual(browser.run("document.querySelectorAll('#toasts .bad').length"), 0)
        self.ctl("label", "")
        self.assert_clean()

    def test_every_view_is_drawn_in_both_themes_on_desktop_and_phone(self):
        for theme in ["dark", "light"]:
            for name, width, height in [("desktop", 1440, 900), ("phone", 390, 844)]:
                for view in ["", "camera/cam", "status", "events", "logs", "config"]:
                    with self.subTest(f"{view or 'grid'} {theme} {name}"):
                        self.visit(f"/#/{view}", width=width, height=height, theme=theme)
                        self.browser.wait_for("document.querySelector('#main h1, #main .tile')", "the view is drawn")
                        if view == "camera/cam":
                            self.browser.wait_for(IS_PLAYING, "a transport plays")
                        self.browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                        if PICTURES:
                            time.sleep(1)
                        self.picture(f"{view.partition('/')[0] or 'grid'}-{name}-{theme}")
                        wide = self.browser.run("document.documentElement.scrollWidth - innerWidth")
                        self.assertLessEqual(wide, 0, "the page is wider than the screen")
        self.assert_clean()


class FirefoxTest(TransportsMixin, BrowserCase):
    """Firefox."""

    kind = "firefox"
    transports = (("mse", "MSE"), ("websocket", "WebSocket"), ("mjpeg", "MJPEG"))


# These are no tests of their own.
del BrowserCase, TransportsMixin
