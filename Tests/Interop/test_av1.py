# SPDX-License-Identifier: Apache-2.0
# AV1 passes through: from a publisher's ring over RTP into another Apus, which decodes it for its small stream.

import struct
import subprocess
import unittest

from . import clients, settings
from .apus import Apus, until
from .rtsp_client import RTSPClient
from .test_slate import RATE, SIZE, Publisher


def temporal_units():
    """Two seconds of AV1 as ffmpeg codes it, keyframe first."""
    program = settings.need("ffmpeg", "ffmpeg")
    source = f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate={RATE}:duration=2"
    command = [program, "-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p"]
    command += ["-c:v", "libsvtav1", "-preset", "12", "-g", str(RATE), "-f", "ivf", "-"]
    file = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    units, offset = [], struct.unpack_from("<H", file, 6)[0]
    while offset < len(file):
        length = struct.unpack_from("<I", file, offset)[0]
        units.append(file[offset + 12 : offset + 12 + length])
        offset += 12 + length
    return units


class AV1Test(unittest.TestCase):
    def test_av1_passes_through_and_is_decoded_behind_rtp(self):
        units = temporal_units()
        self.assertGreater(len(units), 40)
        with Apus(cameras={"cam": "publish:"}) as publisher, Publisher(publisher, units, "AV01"):
            self.wait_for_av1(publisher.rtsp("cam"))
            with Apus(cameras={"far": publisher.rtsp("cam")}, streams=["far", "far/sub"]) as puller:
                self.wait_for_av1(puller.rtsp("far"))
                # The small stream is decoded from AV1 and coded as H.264.
                clients.ffmpeg(puller.rtsp("far/sub"), RATE, 3, ["-rtsp_transport", "tcp"])
                picture = puller.directory / "av1.png"
                clients.picture(puller.rtsp("far/sub"), picture, ["-rtsp_transport", "tcp"])
                self.assertGreater(picture.stat().st_size, 10_000, "the decoded picture is plain")

    def wait_for_av1(self, url):
        def is_described():
            with RTSPClient(url) as client:
                return "AV1/90000" in client.describe()[1]

        until(is_described, 15, "a description of AV1", interval=0.2)
