# SPDX-License-Identifier: Apache-2.0
# What dies comes back, who is connected stays connected, and the end leaves nothing behind.

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from . import settings
from .apus import Apus, until
from .case import longest_gap
from .mjpeg_client import MJPEGClient
from .rtsp_client import RTSPClient, RTSPError
from .together import together

SOURCE = "pattern:?size=640x360&fps=30"
SECOND_SOURCE = "pattern:?size=320x240&fps=30"
ONE_CAMERA = f"[camera.cam]\nsource = {SOURCE}\n"
SECOND_CAMERA = f"[camera.two]\nsource = {SECOND_SOURCE}\n"


def reload(apus, config):
    """Puts another configuration in force; returns the moment before."""
    (apus.directory / "apus.conf").write_text(config)
    began = time.monotonic()
    subprocess.run(
        [settings.PROGRAMS / "apus", "config", "reload", "--run-dir", apus.run_dir], check=True, capture_output=True
    )
    return began


def ask(apus, *words):
    """What apus ctl tells, and the seconds that it took."""
    began = time.monotonic()
    command = [settings.PROGRAMS / "apus", "ctl", *words, "--json", "--run-dir", apus.run_dir]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    return json.loads(answer), time.monotonic() - began


def daemons(apus):
    """The daemons as the supervisor has them, by name."""
    return {daemon["name"]: daemon for daemon in ask(apus, "supervisor", "status")[0]["daemons"]}


def fill(pipe):
    """Writes into a pipe until it takes nothing any more."""
    os.set_blocking(pipe, False)
    try:
        while os.write(pipe, b"." * 4096):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(pipe, True)


def drain(pipe):
    """What a pipe holds now."""
    os.set_blocking(pipe, False)
    text = b""
    try:
        while piece := os.read(pipe, 65536):
            text += piece
    except BlockingIOError:
        pass
    return text.decode(errors="replace")


def alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


class LifecycleTest(unittest.TestCase):
    """Each test has a suite of its own, since it breaks it."""

    def test_apus_rtsp_killed_is_back_within_a_second_and_http_does_not_notice(self):
        with Apus(cameras={"cam": SOURCE}) as apus, MJPEGClient(apus.http_port, "/cam/mjpeg") as viewer:
            time.sleep(1)
            killed = apus.kill("apus-rtsp")
            began = time.monotonic()
            until(lambda: apus.describes("cam"), 5, "RTSP answers again", interval=0.01)
            back = time.monotonic() - began
            time.sleep(1.5)

            self.assertLess(back, 1)
            self.assertNotEqual(apus.pid("apus-rtsp"), killed)
            self.assertIsNone(viewer.ended)
            self.assertLess(longest_gap(viewer.arrivals(since=began - 0.5)), 0.3)

    def test_apus_http_killed_is_back_and_rtsp_does_not_notice(self):
        with Apus(cameras={"cam": SOURCE}) as apus, RTSPClient(apus.rtsp("cam")) as viewer:
            viewer.play()
            time.sleep(1)
            apus.kill("apus-http")
            began = time.monotonic()
            until(apus.is_healthy, 5, "HTTP answers again", interval=0.01)
            back = time.monotonic() - began
            time.sleep(1.5)

            self.assertLess(back, 1)
            self.assertIsNone(viewer.ended)
            self.assertLess(longest_gap([frame.arrived for frame in viewer.frames(since=began - 0.5)]), 0.3)

    def test_a_daemon_that_crashes_is_back_within_two_seconds(self):
        with Apus(cameras={"cam": SOURCE}) as apus:
            for crash in (signal.SIGSEGV, signal.SIGILL, signal.SIGABRT):
                with self.subTest(crash.name):
                    crashed = apus.pid("apus-rtsp")
                    os.kill(crashed, crash)
                    began = time.monotonic()
                    until(lambda: apus.pid("apus-rtsp") not in (None, crashed), 5, "another apus-rtsp", interval=0.01)
                    until(lambda: apus.describes("cam"), 5, "RTSP answers again", interval=0.01)

                    self.assertLess(time.monotonic() - began, 2)

    def test_a_daemon_stopped_by_a_signal_is_replaced_within_two_seconds(self):
        with (
            Apus(cameras={"cam": SOURCE}) as apus,
            RTSPClient(apus.rtsp("cam")) as rtsp,
            MJPEGClient(apus.http_port, "/cam/mjpeg") as mjpeg,
        ):
            rtsp.play()
            time.sleep(1)
            stopped = apus.pid("apus-video")
            os.kill(stopped, signal.SIGSTOP)
            began = time.monotonic()
            until(lambda: apus.pid("apus-video") not in (None, stopped), 5, "another apus-video", interval=0.01)
            time.sleep(2)

            self.assertLess(longest_gap([frame.arrived for frame in rtsp.frames(since=began - 0.5)]), 2)
            self.assertLess(longest_gap(mjpeg.arrivals(since=began - 0.5)), 2)

    def test_apus_video_killed_and_viewers_go_on_over_the_same_connection(self):
        with (
            Apus(cameras={"cam": SOURCE}) as apus,
            RTSPClient(apus.rtsp("cam")) as rtsp,
            MJPEGClient(apus.http_port, "/cam/mjpeg") as mjpeg,
        ):
            rtsp.play()
            time.sleep(2)
            apus.kill("apus-video")
            killed = time.monotonic()
            # What was already on its way may still arrive.
            until(lambda: rtsp.frames(since=killed + 0.2), 5, "RTSP frames again")
            until(lambda: mjpeg.arrivals(since=killed + 0.2), 5, "MJPEG pictures again")
            time.sleep(2)

            self.assertLess(rtsp.frames(since=killed + 0.2)[0].arrived - killed, 2)
            self.assertLess(mjpeg.arrivals(since=killed + 0.2)[0] - killed, 2)
            self.assertIsNone(rtsp.ended)
            self.assertIsNone(mjpeg.ended)
            self.assertGreater(len(rtsp.frames(since=killed)), 30)
            self.check_timestamps(rtsp.frames())

    def check_timestamps(self, frames):
        """RTP timestamps increase, and run with the clock across the gap."""
        for before, after in zip(frames, frames[1:]):
            self.assertGreater(after.timestamp, before.timestamp)
        media = (frames[-1].timestamp - frames[0].timestamp) / 90_000
        clock = frames[-1].arrived - frames[0].arrived
        self.assertAlmostEqual(media, clock, delta=0.3)

    def test_apus_video_killed_five_times_in_a_row_still_comes_back(self):
        with Apus(cameras={"cam": SOURCE}) as apus:
            for _ in range(5):
                killed = apus.kill("apus-video")
                until(lambda: apus.pid("apus-video") not in (None, killed), 20, "apus-video runs again")
            until(lambda: apus.get("/cam/snapshot.jpg")[0] == 200, 20, "a snapshot")

    def test_a_reload_that_adds_and_removes_a_camera_leaves_the_viewers_of_another_alone(self):
        with (
            Apus(config=ONE_CAMERA, streams=["cam"]) as apus,
            RTSPClient(apus.rtsp("cam")) as rtsp,
            MJPEGClient(apus.http_port, "/cam/mjpeg") as mjpeg,
        ):
            rtsp.play()
            daemons = apus.processes()
            until(lambda: rtsp.frames() and mjpeg.arrivals(), 5, "the first pictures")
            time.sleep(1)

            # The new one is the first.
            began = reload(apus, SECOND_CAMERA + ONE_CAMERA)
            until(lambda: apus.describes("two"), 5, "the new camera by RTSP")
            until(lambda: apus.get("/two/snapshot.jpg")[0] == 200, 5, "the new camera by HTTP")
            self.assertEqual(daemons.items() - apus.processes().items(), set())
            with RTSPClient(apus.rtsp("")) as first:
                self.assertIn("s=two/main", first.describe()[1])

            with (
                RTSPClient(apus.rtsp("two")) as rtsp_two,
                RTSPClient(apus.rtsp("two/sub")) as rtsp_two_sub,
                MJPEGClient(apus.http_port, "/mjpeg") as mjpeg_two,
            ):
                rtsp_two.play()
                until(lambda: rtsp_two.frames() and mjpeg_two.arrivals(), 5, "pictures of the new camera")
                rtsp_two_sub.describe()
                reload(apus, ONE_CAMERA)
                until(lambda: rtsp_two.ended and mjpeg_two.ended, 2, "the viewers of the camera that is gone leave")
                with self.assertRaisesRegex(RTSPError, "404"):
                    rtsp_two_sub.describe()
            self.assertEqual(apus.get("/two/snapshot.jpg")[0], 404)
            with RTSPClient(apus.rtsp("")) as first:
                self.assertIn("s=cam/main", first.describe()[1])

            time.sleep(1)
            self.assertEqual(apus.processes(), daemons)
            self.assertIsNone(rtsp.ended)
            self.assertIsNone(mjpeg.ended)
            self.assertLess(longest_gap([frame.arrived for frame in rtsp.frames(since=began - 0.5)]), 0.5)
            self.assertLess(longest_gap(mjpeg.arrivals(since=began - 0.5)), 0.5)
            self.assertLess(time.monotonic() - rtsp.frames()[-1].arrived, 0.5)
            self.assertLess(time.monotonic() - mjpeg.arrivals()[-1], 0.5)

    def test_a_reload_that_takes_one_stream_away_ends_its_viewers_alone(self):
        with (
            Apus(config=ONE_CAMERA, streams=["cam", "cam/sub"]) as apus,
            RTSPClient(apus.rtsp("cam")) as rtsp,
            RTSPClient(apus.rtsp("cam/sub")) as sub,
            MJPEGClient(apus.http_port, "/cam/mjpeg") as mjpeg,
        ):
            rtsp.play()
            sub.play()
            servers = apus.pid("apus-rtsp"), apus.pid("apus-http")
            until(lambda: rtsp.frames() and sub.frames() and mjpeg.arrivals(), 5, "the first pictures")

            began = reload(apus, ONE_CAMERA + "[camera.cam.sub]\nenabled = no\n")
            until(lambda: sub.ended, 2, "the viewer of the stream that is gone leaves")
            # The camera's process starts again, for it has another set of streams.
            until(lambda: rtsp.frames(since=began + 1) and mjpeg.arrivals(since=began + 1), 5, "pictures again")
            self.assertIsNone(rtsp.ended)
            self.assertIsNone(mjpeg.ended)
            self.assertEqual((apus.pid("apus-rtsp"), apus.pid("apus-http")), servers)

    def test_control_c_ends_everything_within_two_seconds(self):
        with (
            Apus(cameras={"cam": SOURCE}) as apus,
            RTSPClient(apus.rtsp("cam")) as viewer,
            MJPEGClient(apus.http_port, "/cam/mjpeg"),
        ):
            viewer.play()
            time.sleep(1)
            daemons = apus.processes()
            seconds = apus.interrupt()

            self.assertEqual(sorted(daemons.values()), ["apus-http", "apus-rtsp", "apus-video"])
            self.assertLess(seconds, 2)
            self.assertEqual(apus.process.returncode, 0)
            self.assertEqual([name for pid, name in daemons.items() if alive(pid)], [])
            self.assertEqual(self.left_in(apus.run_dir), [])

    def test_the_supervisor_killed_takes_its_daemons_along_and_can_be_started_again(self):
        with Apus(cameras={"cam": SOURCE}) as apus:
            daemons = apus.processes()
            os.kill(apus.process.pid, signal.SIGKILL)
            apus.process.wait()
            until(lambda: not any(map(alive, daemons)), 2, "the daemons end")

            apus.start()
            self.assertEqual(apus.get("/cam/snapshot.jpg")[0], 200)

    def test_a_daemon_that_cannot_be_stopped_politely_is_killed_and_nothing_is_left(self):
        with Apus(cameras={"cam": SOURCE, "two": SECOND_SOURCE}) as apus:
            daemons = apus.processes()
            # Who is stopped takes no SIGTERM.
            for pid in daemons:
                os.kill(pid, signal.SIGSTOP)
            self.assertLess(apus.interrupt(), 5)
            self.assertEqual(apus.process.returncode, 0)
            self.assertEqual([name for pid, name in daemons.items() if alive(pid)], [])
            self.assertEqual(self.left_in(apus.run_dir), [])

    def test_ends_of_daemons_leave_no_zombie(self):
        with Apus(cameras={"cam": SOURCE}) as apus:
            for _ in range(3):
                for daemon in ("apus-http", "apus-rtsp", "apus-video"):
                    killed = apus.kill(daemon)
                    until(lambda: apus.pid(daemon) not in (None, killed), 20, f"{daemon} runs again")
            until(lambda: apus.is_healthy(), 5, "HTTP answers again")
            self.assertEqual(self.zombies_of(apus.process.pid), [])

    def zombies_of(self, parent):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] == "Z" and int(fields[1]) == parent:
                found.append(path.parent.name)
        return found

    def test_sighup_reads_the_configuration_again(self):
        with Apus(config=ONE_CAMERA, streams=["cam"]) as apus:
            daemons = apus.processes()
            (apus.directory / "apus.conf").write_text(ONE_CAMERA + SECOND_CAMERA)
            apus.process.send_signal(signal.SIGHUP)
            until(lambda: apus.describes("two"), 10, "the new camera")
            self.assertEqual(daemons.items() - apus.processes().items(), set())

            # What is wrong changes nothing, and is said.
            (apus.directory / "apus.conf").write_text(ONE_CAMERA + "[camera.two]\nsource = nonsense:\n")
            apus.process.send_signal(signal.SIGHUP)
            until(lambda: "the configuration is not reloaded" in apus.log(), 5, "the complaint")
            self.assertTrue(apus.describes("two"))

    def test_a_daemon_that_keeps_ending_is_told_of_with_its_reason(self):
        with Apus(config=ONE_CAMERA, streams=["cam"]) as apus:
            reload(apus, ONE_CAMERA + "[camera.two]\nsource = file:/nonexistent/film.mp4\n")

            def status(*words):
                command = [settings.PROGRAMS / "apus", "status", "--run-dir", apus.run_dir, *words]
                return subprocess.run(command, check=True, capture_output=True, text=True).stdout

            def two():
                daemons = json.loads(status("--json"))["daemons"]
                return next(daemon for daemon in daemons if daemon["name"] == "video.two")

            until(lambda: two()["state"] == "failing", 30, "it is given up on, but for a try now and then")
            daemon = two()
            self.assertRegex(daemon["reason"], r"^ended with exit code \d+; it has ended \d+ times in a row soon after")
            self.assertIn("/nonexistent/film.mp4", " ".join(daemon["last_words"]))
            text = status()
            self.assertRegex(text, r"(?m)^video\.two: ended with exit code \d+; it has ended")
            self.assertRegex(text, r"(?m)^  it said last\n    .*/nonexistent/film\.mp4")
            # The others are well, and say nothing of the kind.
            answer = json.loads(apus.get("/api/v1/daemons")[2])
            reasons = {daemon["name"]: daemon["reason"] for daemon in answer["daemons"] if daemon.get("reason")}
            self.assertEqual(list(reasons), ["video.two"])

    @together
    def test_that_nobody_reads_the_log_holds_up_nothing(self):
        reader, writer = os.pipe()
        fill(writer)
        apus = Apus(cameras={"cam": SOURCE})
        apus.output = writer
        with apus:
            killed = apus.kill("apus-http")
            until(lambda: apus.pid("apus-http") not in (None, killed), 5, "another apus-http")
            until(apus.is_healthy, 5, "HTTP answers again")
            self.assertLess(ask(apus, "supervisor", "status")[1], 2)
            # Who shares the pipe would be hit.
            self.assertTrue(os.get_blocking(writer))

            text = []

            def flows():
                text.append(drain(reader))
                return "ended; restarting child=http" in "".join(text)

            until(flows, 5, "the log is written once it is read")
            self.assertIn("Ready.", "".join(text))

            fill(writer)
            apus.kill("apus-http")
            self.assertLess(apus.interrupt(), 5)
            self.assertEqual(apus.process.returncode, 0)
            self.assertEqual(self.left_in(apus.run_dir), [])
        os.close(reader)
        os.close(writer)

    @together
    def test_a_supervisor_that_was_stopped_itself_leaves_its_daemons_alone(self):
        with Apus(cameras={"cam": SOURCE}) as apus:
            before = apus.processes()
            apus.process.send_signal(signal.SIGSTOP)
            # Longer than a daemon may be without a sign of life.
            time.sleep(14)
            apus.process.send_signal(signal.SIGCONT)
            until(lambda: "was held up itself" in apus.log(), 5, "it notices")
            # By then all daemons have been held to their deadlines again.
            ask(apus, "supervisor", "status")
            self.assertEqual(apus.processes(), before)
            self.assertNotIn("no sign of life", apus.log())
            self.assertEqual([daemon["restarts"] for daemon in daemons(apus).values()], [0, 0, 0])

    @together
    def test_a_run_directory_that_is_removed_is_made_again_with_all_in_it(self):
        with Apus(config=ONE_CAMERA, streams=["cam"]) as apus:
            before = apus.processes()
            shutil.rmtree(apus.run_dir)
            until(lambda: "somebody has removed the run directory" in apus.log(), 5, "it is noticed")
            until(lambda: len(apus.processes()) == 3 and not before.keys() & apus.processes().keys(), 10, "other daemons")
            until(lambda: apus.describes("cam") and apus.get("/cam/snapshot.jpg")[0] == 200, 10, "the camera is served")
            self.assertEqual({daemon["restarts"] for daemon in daemons(apus).values()}, {0})

            # Of single files, only what stands on them.
            now = apus.processes()
            (apus.run_dir / "apus.conf").unlink()
            (apus.run_dir / "supervisor.sock").unlink()
            until(lambda: (apus.run_dir / "apus.conf").exists(), 5, "the configuration is there again")
            until(lambda: (apus.run_dir / "supervisor.sock").exists(), 5, "the supervisor listens again")
            self.assertEqual(apus.processes(), now)
            (apus.run_dir / "control" / "http.sock").unlink()
            until(lambda: "a daemon's socket was removed" in apus.log(), 5, "it is noticed")
            until(lambda: daemons(apus)["http"]["state"] == "running" and apus.is_healthy(), 10, "HTTP answers again")
            self.assertEqual(len(now.items() & apus.processes().items()), 2)
            self.assertNotIn("no sign of life", apus.log())

            apus.interrupt()
            self.assertEqual(self.left_in(apus.run_dir), [])

    @together
    def test_a_reload_does_not_wait_for_daemons_that_are_stopped(self):
        cameras = "".join(f"[camera.c{number}]\nsource = {SECOND_SOURCE}\n" for number in range(4))
        with Apus(config=cameras, streams=["c0", "c3"]) as apus:
            (apus.directory / "apus.conf").write_text(cameras + "[log]\nlevel = debug\n")
            for pid, name in apus.processes().items():
                if name == "apus-video":
                    os.kill(pid, signal.SIGSTOP)
            apus.process.send_signal(signal.SIGHUP)
            self.assertLess(ask(apus, "supervisor", "status")[1], 1.5)
            until(lambda: apus.get("/c3/snapshot.jpg")[0] == 200, 10, "the cameras are back")

    def left_in(self, run_dir):
        return [str(path.relative_to(run_dir)) for path in run_dir.rglob("*")] if run_dir.exists() else []

    def test_a_relative_run_directory_works_like_an_absolute_one(self):
        apus = Apus(cameras={"cam": SOURCE})
        apus.run_dir = os.path.relpath(apus.run_dir)
        with apus:
            # Ready within the patience of a daemon that tells the supervisor so, not after its time-out.
            until(lambda: "Ready." in apus.log(), 5, "the table of addresses")
