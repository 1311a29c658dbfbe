# SPDX-License-Identifier: Apache-2.0
# The ring between processes: under stress with kills, and read by the examples from a live camera.

import re
import subprocess
import sys
import unittest

from . import settings
from .apus import Apus


class StressTest(unittest.TestCase):
    FRAMES = 100_000

    def test_no_torn_frame_is_accepted_whoever_is_killed(self):
        program = settings.PROGRAMS / "apus-bench"
        done = subprocess.run([program, "stress", str(self.FRAMES)], capture_output=True, text=True, timeout=240)

        print("      " + done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        found = re.match(r"accepted (\d+), refused as overtaken (\d+) .*, torn (\d+), processes killed (\d+)", done.stdout)
        accepted, overtaken, torn, killed = map(int, found.groups())
        self.assertGreaterEqual(accepted, self.FRAMES)
        self.assertGreater(overtaken, 0)
        self.assertEqual(torn, 0)
        self.assertGreaterEqual(killed, 14)


class ExampleTest(unittest.TestCase):
    def test_the_python_example_follows_a_camera(self):
        with Apus(cameras={"cam": "pattern:?size=640x360&fps=30"}) as apus:
            example = settings.ROOT / "examples/python/follow.py"
            ring = apus.run_dir / "ring/cam.main.sock"
            done = subprocess.run([sys.executable, example, ring, "60"], capture_output=True, text=True, timeout=30)

        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "H264 640x360 at 30 fps")
        self.assertEqual(len(lines), 61)
        self.assertIn("keyframe", lines[1])
        numbers = [int(line.split()[1]) for line in lines[1:]]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 60)))
