# SPDX-License-Identifier: Apache-2.0
# Multicast: three listeners of two programs in a network of their own, and every packet is sent once.

import concurrent.futures
import ctypes
import os
import pathlib
import subprocess
import time

from . import clients, settings
from .apus import Apus, until
from .case import SharedSuite

RATE = 25
GROUP = "239.7.7.7"
CLONE_NEWNET = 0x40000000


class Network:
    """A network namespace with nothing but a loopback that takes multicast; for this thread, and what it starts."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if self.libc.unshare(CLONE_NEWNET) != 0:
            os.close(self.home)
            settings.missing(f"no network namespace ({os.strerror(ctypes.get_errno())}): run the tests as root")
        for command in ["link set lo up multicast on", "route add 239.0.0.0/8 dev lo"]:
            subprocess.run([settings.need("ip", "iproute2"), *command.split()], check=True)

    def leave(self):
        if self.libc.setns(self.home, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(self.home)

    def sent(self):
        """How many multicast packets have been sent in it."""
        lines = pathlib.Path("/proc/thread-self/net/netstat").read_text().splitlines()
        names, values = (line.split()[1:] for line in lines if line.startswith("IpExt:"))
        return int(dict(zip(names, values))["OutMcastPkts"])


class MulticastTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        cls.network = Network()
        cls.addClassCleanup(cls.network.leave)
        # Between keyframes that nobody asks for lies more than the test takes.
        config = (
            f"[camera.cam]\nsource = pattern:?size=320x180&fps={RATE}\n"
            f"[camera.cam.main]\nmulticast = {GROUP}:5004/1\ngop = 30s\n"
        )
        return Apus(config=config, streams=["cam"])

    def rate(self, seconds=1.5):
        """Multicast packets a second, at the moment."""
        before, began = self.network.sent(), time.monotonic()
        time.sleep(seconds)
        return (self.network.sent() - before) / (time.monotonic() - began)

    def test_three_listeners_get_what_is_sent_once(self):
        url, watched = self.apus.rtsp("cam"), 6

        def ffmpeg():
            # The first picture may be a second old: it was encoded to learn what the stream is.
            clients.ffmpeg(url, RATE * 0.8, watched, ["-rtsp_transport", "udp_multicast"])

        def gstreamer():
            # It would take its own reports, which come back to it here, for somebody else's, and bid everybody goodbye.
            options = ["multicast-iface=lo", "do-rtcp=false"]
            clients.gstreamer(url, "h264", RATE, watched, "udp-mcast", options)

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            running = [pool.submit(ffmpeg)]
            until(lambda: self.network.sent() > RATE, 10, "the first listener's packets")
            alone = self.rate()
            # Both come in the middle of a long group of pictures.
            running += [pool.submit(ffmpeg), pool.submit(gstreamer)]
            time.sleep(1.5)
            together = self.rate()
            for listener in running:
                listener.result()
        until(lambda: self.rate(0.5) == 0, 5, "nothing is sent when nobody listens")
        print(f"      {alone:.0f} packets a second for one listener, {together:.0f} for three")
        self.assertGreater(alone, RATE * 0.8)
        self.assertLess(together, alone * 1.5)
