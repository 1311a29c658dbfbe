# SPDX-License-Identifier: Apache-2.0
# The certificate that an instance makes for itself: kept, used by HTTPS and RTSPS, told by its fingerprint.

import hashlib
import json
import ssl
import stat
import subprocess
import unittest

from . import clients, settings
from .apus import Apus, free_port


class SelfSignedTest(unittest.TestCase):
    def setUp(self):
        self.https, self.rtsps = free_port(), free_port()
        self.apus = Apus(
            config="[tls]\ncertificate = self-signed\n"
            f"[http]\ntls_port = {self.https}\n[rtsp]\ntls_port = {self.rtsps}\n"
            "[camera.cam]\nsource = pattern:?size=320x240&fps=10\n",
            streams=["cam"],
        ).start()
        self.addCleanup(self.apus.destroy)
        self.certificate = self.apus.directory / "self-signed.crt"

    def fingerprint(self):
        """As browsers show it."""
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        return hashlib.sha256(der).digest().hex(":").upper()

    def test_it_is_made_used_told_and_kept(self):
        curl = settings.need("curl", "curl")
        address = f"https://localhost:{self.https}/cam/snapshot.jpg"
        clients.run([curl, "-sSf", "--cacert", self.certificate, "-o", "/dev/null", address], 15)
        ffmpeg = settings.need("ffmpeg", "ffmpeg")
        stream = f"rtsps://localhost:{self.rtsps}/cam"
        clients.run([ffmpeg, "-v", "error", "-i", stream, "-frames:v", "5", "-f", "null", "-"], 30)
        key = self.apus.directory / "self-signed.key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)

        first = self.fingerprint()
        status = subprocess.run(
            [settings.PROGRAMS / "apus", "status", "--json", "--run-dir", self.apus.run_dir],
            check=True,
            capture_output=True,
        ).stdout
        self.assertIn(first, json.dumps(json.loads(status)))
        self.assertIn(first, self.apus.log(1000))

        self.apus.interrupt()
        self.apus.start()
        self.assertEqual(self.fingerprint(), first)
        clients.run([curl, "-sSf", "--cacert", self.certificate, "-o", "/dev/null", address], 15)
