# SPDX-License-Identifier: Apache-2.0
# RTSPS and SRTP: players, old TLS, plain bytes to TLS and TLS to plain, and certificates that are no good.

import pathlib
import socket
import ssl
import subprocess
import tempfile
import time

from . import clients, settings
from .apus import Apus, free_port
from .case import SharedSuite
from .rtsp_client import RTSPClient
from .together import together

RATE = 25


def make_certificate(folder, name="server", days=10):
    """A certificate for localhost that vouches for itself, and its key; their paths."""
    program = settings.need("openssl", "openssl")
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-days", str(days), "-subj", "/CN=localhost"]
    clients.run([*command, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], 20)
    return certificate, key


def config(certificate, key, port, more=""):
    return f"""
[camera.cam]
source = pattern:?size=640x360&fps={RATE}

[tls]
certificate = {certificate}
key = {key}

[rtsp]
tls_port = {port}
{more}
"""


class EncryptedTest(SharedSuite):
    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-tls-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.certificate, cls.key = make_certificate(pathlib.Path(cls.folder.name))
        cls.port = free_port()
        return Apus(config=config(cls.certificate, cls.key, cls.port), streams=["cam"])

    def url(self, path="cam"):
        return f"rtsps://127.0.0.1:{self.port}/{path}"

    def openssl(self, *options, said="OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n"):
        """What openssl s_client prints, and its exit code."""
        program = settings.need("openssl", "openssl")
        command = [program, "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{self.port}", *options]
        done = subprocess.run([str(word) for word in command], input=said, capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr, done.returncode

    @together
    def test_ffmpeg_plays(self):
        clients.ffmpeg(self.url(), RATE, settings.SECONDS)

    @together
    def test_gstreamer_plays_inside_of_tls(self):
        options = ["tls-validation-flags=0"]
        clients.gstreamer(self.url(), "h264", RATE, settings.SECONDS, "tcp", options)

    @together
    def test_gstreamer_plays_srtp_over_udp(self):
        options = ["tls-validation-flags=0"]
        # Two at once, the second in the middle: both have the same key.
        self.each(
            [settings.SECONDS, settings.SECONDS / 2],
            lambda seconds: clients.gstreamer(self.url(), "h264", RATE, seconds, "udp", options),
        )
        log = self.apus.log(200)
        self.assertRegex(log, r"viewer joined .*transport=srtp/udp")

    def test_openssl_trusts_the_certificate_and_speaks_both_versions(self):
        for version in ["-tls1_2", "-tls1_3"]:
            with self.subTest(version):
                said, _ = self.openssl(version, "-CAfile", self.certificate, "-verify_return_error", "-ign_eof",
                                       said="OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\nnonsense\r\n\r\n")
                self.assertIn("RTSP/1.0 200 OK", said)
                self.assertIn("CSeq: 7", said)

    def test_tls_1_1_is_refused(self):
        said, code = self.openssl("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        self.assertNotEqual(code, 0)
        self.assertNotIn("RTSP/1.0", said)

    def test_plain_bytes_on_the_tls_port_end_the_connection(self):
        with socket.create_connection(("127.0.0.1", self.port), 5) as plain:
            plain.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            said = b""
            try:
                while more := plain.recv(4096):
                    said += more
            except ConnectionResetError:
                pass
            self.assertNotIn(b"RTSP/1.0", said)

    def test_tls_on_the_plain_port_ends_the_connection(self):
        context = ssl._create_unverified_context()
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.apus.rtsp_port), 5) as plain:
            with self.assertRaises((ssl.SSLError, OSError)):
                context.wrap_socket(plain)
        self.assertLess(time.monotonic() - began, 2)

    def test_udp_is_srtp_over_tls_and_plain_otherwise(self):
        def setup(client, transport):
            client.sequence += 1
            request = f"SETUP {client.url}/trackID=0 RTSP/1.0\r\nCSeq: {client.sequence}\r\nTransport: {transport}\r\n"
            client.socket.sendall((request + "\r\n").encode())
            return client.socket.recv(4096).decode()

        with RTSPClient(self.apus.rtsp("cam")) as client:
            self.assertIn("RTP/AVP 96", client.describe()[1])
            self.assertIn(" 461 ", setup(client, "RTP/SAVP;unicast;client_port=40000-40001"))
        with RTSPClient(self.url()) as client:
            sdp = client.describe()[1]
            self.assertIn("RTP/SAVP 96", sdp)
            self.assertIn("a=key-mgmt:mikey ", sdp)
            self.assertIn(" 461 ", setup(client, "RTP/AVP;unicast;client_port=40000-40001"))
            answer = setup(client, "RTP/SAVP;unicast;client_port=40000-40001")
            self.assertIn(" 200 ", answer)
            self.assertRegex(answer, r'KeyMgmt: prot=mikey;uri="[^"]*";data="[^"]+"')

    def test_a_renewed_certificate_is_shown_after_reload(self):
        def shown():
            return ssl.get_server_certificate(("127.0.0.1", self.port))

        before = shown()
        make_certificate(pathlib.Path(self.folder.name))
        self.assertEqual(shown(), before)
        clients.run([settings.PROGRAMS / "apus", "config", "reload", "--run-dir", self.apus.run_dir], 20)
        self.assertNotEqual(shown(), before)
        # Also together with a key that is another daemon's.
        before = shown()
        make_certificate(pathlib.Path(self.folder.name))
        (self.apus.directory / "apus.conf").write_text(self.apus.config + "[camera.cam.main]\nbitrate = 3M\n")
        clients.run([settings.PROGRAMS / "apus", "config", "reload", "--run-dir", self.apus.run_dir], 20)
        self.assertNotEqual(shown(), before)


class CertificateTest(SharedSuite):
    """What is wrong with the files ends the start."""

    def run(self, result=None):
        return super(SharedSuite, self).run(result)

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-tls-")
        cls.addClassCleanup(cls.folder.cleanup)
        folder = pathlib.Path(cls.folder.name)
        cls.certificate, cls.key = make_certificate(folder)
        _, cls.other = make_certificate(folder, "other")

    @classmethod
    def tearDownClass(cls):
        pass

    def start(self, certificate, key, more=""):
        """What apus says when it is started so; it must not serve."""
        apus = Apus(config=config(certificate, key, free_port(), more), streams=[])
        try:
            done = subprocess.run(apus.command(), capture_output=True, text=True, timeout=30)
            self.assertNotEqual(done.returncode, 0)
            return done.stdout + done.stderr
        finally:
            apus.remove_files()

    def test_a_bad_certificate_or_key_is_named(self):
        for certificate, key, words in [
            ("/nowhere/a.crt", self.key, "read certificate /nowhere/a.crt: No such file"),
            (self.key, self.key, f"read certificate {self.key}: "),
            (self.certificate, "/nowhere/a.key", "read key /nowhere/a.key: No such file"),
            (self.certificate, self.other, f"it does not belong to certificate {self.certificate}"),
        ]:
            with self.subTest(words):
                self.assertIn(words, self.start(certificate, key))

    def test_required_encryption_serves_no_plain_port(self):
        port = free_port()
        with Apus(config=config(self.certificate, self.key, port, "encryption = required"), streams=[]) as apus:
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", apus.rtsp_port), 5)
            clients.ffmpeg(f"rtsps://127.0.0.1:{port}/cam", RATE, 3)
