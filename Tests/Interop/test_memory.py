# SPDX-License-Identifier: Apache-2.0
# The private memory of the fan-out daemons at 1080p30.

import time
import unittest

from .apus import Apus
from .mjpeg_client import MJPEGClient
from .rtsp_client import RTSPClient

LIMIT = 6 << 20


class MemoryTest(unittest.TestCase):
    """What a daemon has for itself; the rings are shared and counted once, elsewhere."""

    def test_one_viewer_at_1080p30(self):
        with (
            Apus(cameras={"cam": "pattern:?size=1920x1080&fps=30"}) as apus,
            RTSPClient(apus.rtsp("cam")) as rtsp,
            MJPEGClient(apus.http_port, "/cam/mjpeg") as mjpeg,
        ):
            rtsp.play()
            time.sleep(4)

            self.assertGreater(len(rtsp.frames()), 60)
            self.assertGreater(len(mjpeg.pictures), 60)
            for daemon in ["apus-rtsp", "apus-http"]:
                with self.subTest(daemon):
                    memory = apus.anonymous_memory(daemon)
                    print(f"      {daemon}: {memory / 1e6:.1f} MB private")
                    self.assertLessEqual(memory, LIMIT)
