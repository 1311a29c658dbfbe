# SPDX-License-Identifier: Apache-2.0
# HTTPS, ranges and conditions, with curl and openssl; certificates renewed under viewers.

import contextlib
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time

from . import clients, settings
from .apus import Apus, free_port, until
from .case import SharedSuite
from .test_tls import make_certificate


def config(certificate, key, port):
    return f"""
[camera.cam]
source = pattern:?size=320x240&fps=25

[tls]
certificate = {certificate}
key = {key}

[rtsp]
enabled = no

[http]
tls_port = {port}
hsts = 60s
"""


class TransportTest(SharedSuite):
    """One camera over HTTP and HTTPS."""

    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-https-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.certificate, cls.key = make_certificate(pathlib.Path(cls.folder.name))
        cls.port = free_port()
        return Apus(config=config(cls.certificate, cls.key, cls.port))

    def url(self, path):
        return f"https://localhost:{self.port}{path}"

    def curl(self, url, *options):
        """The answer's status, its head's lines, and its body."""
        command = [settings.need("curl", "curl"), "-sS", "-i", "--cacert", str(self.certificate), "-m", "10"]
        done = subprocess.run([*command, *options, url], capture_output=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), [line.lower() for line in lines[1:]], body

    def openssl(self, *options):
        program = settings.need("openssl", "openssl")
        command = [program, "s_client", "-connect", f"127.0.0.1:{self.port}", *options]
        done = subprocess.run([str(word) for word in command], input="", capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr, done.returncode

    def context(self):
        return ssl.create_default_context(cafile=str(self.certificate))

    def shown(self):
        return ssl.get_server_certificate(("127.0.0.1", self.port))

    def test_curl_trusts_the_certificate_and_gets_the_page_and_a_snapshot(self):
        status, lines, body = self.curl(self.url("/"))
        picture = self.curl(self.url("/cam/snapshot.jpg"))

        self.assertEqual(status, 200)
        self.assertIn(b"<html", body)
        self.assertIn("strict-transport-security: max-age=60", lines)
        self.assertEqual((picture[0], picture[2][:2]), (200, b"\xff\xd8"))

    def test_no_hsts_over_plain_http(self):
        _, lines, _ = self.curl(self.apus.http("/"))

        self.assertFalse([line for line in lines if line.startswith("strict-transport")])

    def test_both_versions_of_tls_are_spoken_and_1_1_is_refused(self):
        for version, name in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")]:
            said, code = self.openssl(version)
            self.assertEqual(code, 0, said)
            self.assertIn(name, said)
        said, code = self.openssl("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        self.assertNotEqual(code, 0, said)

    def test_alpn_chooses_http_2_before_http_1_1(self):
        for offered, chosen in [("http/1.1,h2", "h2"), ("http/1.1", "http/1.1")]:
            said, _ = self.openssl("-alpn", offered)
            self.assertIn(f"ALPN protocol: {chosen}", said)

    def test_a_plain_request_on_the_tls_port_is_told(self):
        status, _, body = self.curl(f"http://127.0.0.1:{self.port}/")

        self.assertEqual(status, 400)
        self.assertIn(b"https://", body)

    def test_mjpeg_over_tls_goes_on_while_the_certificate_is_renewed(self):
        before = self.shown()
        with socket.create_connection(("127.0.0.1", self.port), 5) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as viewer:
                viewer.settimeout(5)
                viewer.sendall(b"GET /cam/mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.pictures(viewer, 10)
                make_certificate(pathlib.Path(self.folder.name))
                self.assertEqual(self.shown(), before)
                clients.run([settings.PROGRAMS / "apus", "config", "reload", "--run-dir", self.apus.run_dir], 20)
                self.assertNotEqual(self.shown(), before)
                self.pictures(viewer, 10)

    def test_ranges_of_a_file(self):
        url = self.apus.http("/web/app.js")
        whole = self.curl(url)[2]

        for wanted, expected in [("0-9", whole[:10]), ("-7", whole[-7:]), ("5-", whole[5:])]:
            status, _, body = self.curl(url, "-r", wanted)
            self.assertEqual((status, body), (206, expected), wanted)
        status, lines, body = self.curl(url, "-r", "0-3,10-13")
        self.assertEqual(status, 206)
        self.assertTrue([line for line in lines if line.startswith("content-type: multipart/byteranges")], lines)
        self.assertEqual(body.count(b"Content-Range: bytes "), 2)
        status, lines, _ = self.curl(url, "-r", f"{len(whole)}-")
        self.assertEqual(status, 416)
        self.assertIn(f"content-range: bytes */{len(whole)}", lines)

    def test_conditions(self):
        url = self.apus.http("/web/app.js")
        tag = next(line for line in self.curl(url)[1] if line.startswith("etag: ")).split(" ", 1)[1]

        self.assertEqual(self.curl(url, "-H", f"If-None-Match: {tag}")[0], 304)
        self.assertEqual(self.curl(url, "-H", 'If-None-Match: "other"')[0], 200)
        self.assertEqual(self.curl(url, "-H", 'If-Match: "other"')[0], 412)
        self.assertEqual(self.curl(url, "-r", "0-1", "-H", f"If-Range: {tag}")[0], 206)
        self.assertEqual(self.curl(url, "-r", "0-1", "-H", 'If-Range: "other"')[0], 200)

    def test_a_client_that_shuts_its_side_gets_its_whole_answer(self):
        request = b"GET /web/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        whole = self.curl(self.apus.http("/web/app.js"))[2]
        with socket.create_connection(("127.0.0.1", self.apus.http_port), 5) as plain:
            # More than one, whose answers the socket's buffer does not hold.
            plain.sendall(request * 20)
            plain.shutdown(socket.SHUT_WR)
            answers = self.everything(plain)
        self.assertEqual(answers.count(whole), 20)

        with socket.create_connection(("127.0.0.1", self.port), 5) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(request)
                # Not the method of SSLSocket, which ends TLS in both directions.
                socket.socket.shutdown(secure, socket.SHUT_WR)
                self.assertTrue(self.everything(secure).endswith(whole))

    def test_a_goodbye_of_tls_leaves_the_answer_whole(self):
        whole = self.curl(self.apus.http("/web/app.js"))[2]
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = self.context().wrap_bio(received, sent, server_hostname="localhost")
        data = b""
        with socket.create_connection(("127.0.0.1", self.port), 5) as plain:
            def exchange(work):
                while True:
                    try:
                        return work()
                    except ssl.SSLWantReadError:
                        plain.sendall(sent.read())
                        received.write(plain.recv(65536))

            exchange(engine.do_handshake)
            engine.write(b"GET /web/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                engine.unwrap()
            except ssl.SSLWantReadError:
                pass
            while not data.endswith(whole):
                piece = exchange(lambda: engine.read(65536))
                self.assertTrue(piece, "the answer is cut off")
                data += piece

    def test_a_viewer_that_sends_no_more_has_gone(self):
        with socket.create_connection(("127.0.0.1", self.apus.http_port), 5) as viewer:
            viewer.sendall(b"GET /cam/mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.pictures(viewer, 1)
            viewer.shutdown(socket.SHUT_WR)
            self.everything(viewer)

    def test_who_does_not_shake_hands_has_to_go(self):
        with socket.create_connection(("127.0.0.1", self.port), 5) as silent:
            silent.settimeout(14)
            begin = time.monotonic()
            self.everything(silent)
            self.assertGreater(time.monotonic() - begin, 8)

    def everything(self, peer):
        """What comes until the other side closes."""
        data = b""
        try:
            while piece := peer.recv(65536):
                data += piece
        except (ssl.SSLEOFError, ConnectionResetError):
            pass
        return data

    def pictures(self, viewer, count):
        """Reads until so many pictures have begun."""
        data = b""
        while data.count(b"X-Timestamp") < count:
            piece = viewer.recv(65536)
            self.assertTrue(piece, "the viewer was disconnected")
            data += piece


class FamiliesTest(SharedSuite):
    """All addresses of both families, HTTPS required of other machines."""

    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-families-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.certificate, cls.key = make_certificate(pathlib.Path(cls.folder.name))
        cls.port = free_port()
        text = config(cls.certificate, cls.key, cls.port)
        return Apus(config=f"{text}encryption = required\nlisten = *\n\n[apus]\nauth = off\n")

    def curl(self, url, *options):
        """The answer's status, and where it leads."""
        command = [settings.need("curl", "curl"), "-sS", "-k", "-g", "-m", "10", "-o", "/dev/null",
                   "-w", "%{http_code} %{redirect_url}", *options, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        status, _, target = done.stdout.partition(" ")
        return int(status), target

    def test_both_families_are_served_with_and_without_tls(self):
        for family, host in [("-4", "127.0.0.1"), ("-6", "[::1]")]:
            with self.subTest(family):
                self.assertEqual(self.curl(f"http://{host}:{self.apus.http_port}/healthz", family)[0], 200)
                self.assertEqual(self.curl(f"https://{host}:{self.port}/healthz", family)[0], 200)

    def test_other_machines_are_sent_to_https(self):
        # This machine's own address is not the loopback's, so it counts as another's.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            host = probe.getsockname()[0]
        status, target = self.curl(f"http://{host}:{self.apus.http_port}/cam/snapshot.jpg?width=160")

        self.assertEqual((status, target), (308, f"https://{host}:{self.port}/cam/snapshot.jpg?width=160"))
        self.assertEqual(self.curl(target)[0], 200)
        self.assertEqual(self.curl(f"http://{host}:{self.apus.http_port}/api/v1/shares", "-d", "{}")[0], 308)

    def test_this_machine_is_answered_as_it_asks(self):
        self.assertEqual(self.curl(f"http://127.0.0.1:{self.apus.http_port}/cam/snapshot.jpg")[0], 200)


class FullTest(SharedSuite):
    """As many clients as there may be."""

    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-full-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.certificate, cls.key = make_certificate(pathlib.Path(cls.folder.name))
        cls.port = free_port()
        return Apus(config=config(cls.certificate, cls.key, cls.port) + "max_clients = 2\n")

    def test_clients_of_https_beyond_the_limit_are_told(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                plain = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), 5))
                secure = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
                # Who asks for nothing makes room for others.
                secure.sendall(b"GET /cam/mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertIn(b" 200 ", secure.recv(1000))
            for version in ["--http1.1", "--http2"]:
                command = [settings.need("curl", "curl"), "-sSi", version, "--cacert", str(self.certificate), "-m", "10"]
                done = subprocess.run([*command, f"https://localhost:{self.port}/healthz"],
                                      capture_output=True, text=True, timeout=20)
                self.assertIn(" 503", done.stdout.split("\r\n")[0], done.stderr)
                self.assertIn("retry-after: 10", done.stdout.lower())

    def test_a_port_that_is_taken_is_named_by_its_key(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            text = config(self.certificate, self.key, taken.getsockname()[1])
            with self.assertRaisesRegex(AssertionError, "set another tls_port in \\[http\\]"):
                try:
                    (apus := Apus(config=text)).start()
                finally:
                    apus.destroy()


class UnixSocketTest(SharedSuite):
    """The server on a Unix socket."""

    @classmethod
    def make_apus(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="apus-unix-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name) / "http.sock"
        # What an instance leaves behind that was killed.
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(cls.path))
        return Apus(config=cls.config(cls.path))

    @staticmethod
    def config(path):
        return f"""
[camera.cam]
source = pattern:?size=320x240&fps=25

[rtsp]
enabled = no

[http]
unix_socket = {path}
unix_socket_mode = 600
"""

    def curl(self, address, *options):
        command = [settings.need("curl", "curl"), "-sS", "-m", "10", "--unix-socket", str(self.path)]
        return subprocess.run([*command, *options, address], capture_output=True, timeout=20)

    def test_a_snapshot_by_whatever_name(self):
        for name in ["localhost", "cams.example.com"]:
            done = self.curl(f"http://{name}/cam/snapshot.jpg", "-f")
            self.assertEqual((done.returncode, done.stdout[:2]), (0, b"\xff\xd8"), done.stderr)

    def test_pictures_go_on(self):
        done = self.curl("http://localhost/cam/mjpeg", "-m", "2")
        self.assertEqual(done.returncode, 28, done.stderr)
        self.assertGreater(done.stdout.count(b"\xff\xd8\xff"), 10)

    def test_the_mode_is_as_configured(self):
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_status_and_the_table_of_addresses_tell_it(self):
        until(lambda: "Ready. Ctrl-C" in self.apus.log(200), 10, "the table of addresses")
        command = [settings.PROGRAMS / "apus", "status", "--json", "--run-dir", self.apus.run_dir]
        status = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=10)

        self.assertRegex(self.apus.log(200), f"Unix socket +{self.path}\n")
        self.assertIn(f'"path":"{self.path}"', status.stdout.replace("\\/", "/").replace(": ", ":"))

    def test_a_second_instance_is_refused_and_the_first_goes_on(self):
        with self.assertRaisesRegex(AssertionError, "set another unix_socket in \\[http\\]"):
            try:
                (apus := Apus(config=self.config(self.path))).start()
            finally:
                apus.destroy()
        self.assertEqual(self.curl("http://localhost/healthz", "-f").returncode, 0)

    def test_it_is_removed_on_stop(self):
        path = self.path.with_name("other.sock")
        with Apus(config=self.config(path)) as apus:
            self.assertTrue(path.is_socket())
            apus.interrupt()
            self.assertFalse(path.exists())
