# SPDX-License-Identifier: Apache-2.0
# Browsers and programs at the HTTP server: who may what, sessions, tokens, share links, other sites' pages.

import base64
import json
import os
import re
import signal
import socket
import time
import unittest
import urllib.parse

from . import clients, settings
from .apus import until
from .web_site import PASSWORDS, Browser, Site, basic, ended


class OpenTest(unittest.TestCase):
    """Without users everybody on the machine is served, but no other site's page."""

    def test_other_sites_pages_change_nothing_and_other_names_are_refused(self):
        with Site(streams=["cam"]) as apus:
            (apus.directory / "users").write_text("")
            apus.reload()
            browser = Browser(apus)
            until(lambda: browser.get("/api/v1/session").json["users"] is False, 5, "users are asked for no more")
            share = {"camera": "cam"}
            self.assertEqual(browser.get("/cam/snapshot.jpg").status, 200)
            self.assertEqual(browser.get("/cam/snapshot.jpg", Host="evil.example").status, 421)
            self.assertEqual(browser.post("/api/v1/shares", share, Origin="http://evil.example").status, 403)
            self.assertEqual(browser.post("/api/v1/shares", share, Content_Type="text/plain").status, 415)
            self.assertEqual(browser.post("/api/v1/shares", share).status, 201)


class HTTPAccessTest(unittest.TestCase):
    """One suite for all tests; those that lock the address out wait until it is free again."""

    @classmethod
    def setUpClass(cls):
        cls.apus = Site(streams=[]).start()
        until(lambda: Browser(cls.apus).get("/cam/snapshot.jpg", **basic("anna")).status == 200, 15, "there is a picture")
        until(lambda: Browser(cls.apus).get("/yard/snapshot.jpg", **basic("anna")).status == 200, 15, "and another")

    @classmethod
    def tearDownClass(cls):
        cls.apus.destroy()

    def browser(self, name=None):
        browser = Browser(self.apus)
        if name:
            self.assertEqual(browser.login(name).status, 200)
        return browser

    def token(self, name, *options):
        output = self.apus.apus("user", "token", name, "--json", *options)
        return json.loads(output)

    # Who may what

    def test_every_role_may_what_the_table_says(self):
        proofs = {
            "cookie": lambda name: self.browser(name).jar and {"Cookie": self.cookie(name)},
            "token": lambda name: {"Authorization": f"Bearer {self.token(name)['token']}"},
            "Basic": basic,
        }
        #            path, method:            nobody, viewer, publisher, operator, admin
        table = {
            ("GET", "/"): (200, 200, 200, 200, 200),
            ("GET", "/healthz"): (200, 200, 200, 200, 200),
            ("GET", "/api/v1/session"): (200, 200, 200, 200, 200),
            ("GET", "/cam/snapshot.jpg"): (401, 200, 403, 200, 200),
            ("GET", "/yard/snapshot.jpg"): (401, 403, 403, 403, 200),
            ("GET", "/api/v1/cameras"): (401, 200, 403, 200, 200),
            ("GET", "/api/v1/shares"): (401, 403, 403, 403, 200),
            ("POST", "/api/v1/shares"): (401, 403, 403, 403, 201),
            ("DELETE", "/api/v1/shares/none"): (401, 403, 403, 403, 404),
        }
        visitors = [None, "bob", "eve", "olga", "anna"]
        for proof, make in proofs.items():
            for column, name in enumerate(visitors):
                fields = make(name) if name else {}
                for (method, path), statuses in table.items():
                    with self.subTest(proof=proof, user=name, request=f"{method} {path}"):
                        body = {"camera": "cam"} if method == "POST" else None
                        answer = Browser(self.apus).ask(method, path, body, **fields)
                        self.assertEqual(answer.status, statuses[column], answer.body)

    def test_every_operation_is_refused_to_whom_it_is_not_for(self):
        # What a role may do with its camera cam; the administrator has all cameras.
        permissions = {
            "bob": {"view"}, "eve": {"publish"}, "olga": {"view", "publish", "talk", "control"},
            "anna": {"view", "publish", "talk", "control", "configure"}, None: set(),
        }
        document = self.browser().get("/api/v1/openapi.json", **self.bearer("anna")).json
        values = {"camera": "cam", "daemon": "none", "verb": "none", "id": "none", "name": "cam"}
        for name, may in permissions.items():
            fields = self.bearer(name) if name else {}
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    if operation["operationId"] in ["logIn", "logOut", "listEvents"]:
                        continue
                    with self.subTest(user=name, operation=operation["operationId"]):
                        body = {} if "requestBody" in operation else None
                        answer = Browser(self.apus).ask(method.upper(), path.format(**values), body, **fields)
                        permission = operation.get("x-permission")
                        is_refused = answer.status in (401, 403)
                        self.assertEqual(is_refused, bool(permission) and permission not in may, answer.body)

    def test_who_has_one_camera_is_told_of_it_alone(self):
        for name in ["bob", "olga"]:
            fields = self.bearer(name)
            for path in ["/api/v1/cameras", "/v3/paths/list", "/api/streams", "/api/channels", "/api/v1/session"]:
                answer = self.browser().get(path, **fields)
                self.assertIn(b"cam", answer.body, path)
                self.assertNotIn(b"yard", answer.body, path)
            self.assertEqual(self.browser().get("/api/frame.jpeg", **fields).status, 200)
            self.assertEqual(self.browser().get("/api/frame.jpeg?src=yard", **fields).status, 404)
            self.assertEqual(self.browser().get("/v3/paths/get/yard", **fields).status, 404)
        self.assertNotIn(b"cam", self.browser().get("/readyz").body.replace(b'"waiting"', b""))

    def test_an_operator_sees_and_ends_his_cameras_clients_alone(self):
        anna, bob, olga = (self.bearer(name) for name in ["anna", "bob", "olga"])
        streams = {camera: self.browser().watch(f"/{camera}/mjpeg", **anna)[1] for camera in ["cam", "yard"]}
        try:
            listed = self.browser().get("/api/v1/clients", **anna).json["clients"]
            ids = {client["camera"]: client["id"] for client in listed if client["transport"] == "mjpeg"}
            seen = self.browser().get("/api/v1/clients", **olga).json["clients"]
            self.assertEqual({client["camera"] for client in seen}, {"cam"})
            kick = lambda who, id: self.browser().ask("DELETE", f"/api/v1/clients/http/{id}", **who).status
            self.assertEqual(kick(olga, ids["yard"]), 403)
            self.assertEqual(kick(bob, ids["cam"]), 403)
            self.assertEqual(kick(olga, ids["cam"]), 204)
            until(lambda: ended(streams["cam"]), 5, "the stream ends")
            self.assertFalse(ended(streams["yard"]))
            self.assertEqual(kick(olga, 999_999), 404)
        finally:
            for stream in streams.values():
                stream.close()

    def bearer(self, name):
        """A token's proof: addresses that are locked out do not matter to it."""
        return {"Authorization": f"Bearer {self.token(name)['token']}"}

    def cookie(self, name):
        browser = self.browser(name)
        return f"apus-session={browser.jar['apus-session']}"

    def test_a_session_says_who_one_is_and_what_he_may(self):
        self.assertEqual(self.browser().get("/api/v1/session").json["authenticated"], False)
        for name, permissions, cameras in [
            ("bob", {"view"}, ["cam"]), ("olga", {"view", "publish", "talk", "control"}, ["cam"]),
            ("anna", {"view", "publish", "talk", "control", "configure"}, ["cam", "yard"]),
        ]:
            said = self.browser(name).get("/api/v1/session").json
            self.assertEqual((said["user"], said["proof"], said["cameras"]), (name, "session", cameras))
            self.assertEqual(set(said["permissions"]), permissions)
        said = self.browser().get("/api/v1/session", **basic("bob")).json
        self.assertEqual((said["user"], said["proof"]), ("bob", "password"))

    # Logging in and out

    def test_the_cookie_is_kept_from_scripts_and_other_sites_and_is_always_new(self):
        browser = self.browser()
        browser.jar["apus-session"] = "a" * 43
        value, attributes = browser.login("bob").cookies["apus-session"]
        self.assertEqual(set(attributes), {"Path=/", "Max-Age=604800", "HttpOnly", "SameSite=Strict"})
        self.assertNotEqual(value, "a" * 43)
        self.assertEqual(self.browser().get("/cam/snapshot.jpg", Cookie="apus-session=" + "a" * 43).status, 401)
        again, _ = browser.login("bob").cookies["apus-session"]
        self.assertNotEqual(again, value)
        self.assertEqual(self.browser().get("/cam/snapshot.jpg", Cookie=f"apus-session={value}").status, 401)
        self.assertEqual(self.browser().get("/cam/snapshot.jpg", Cookie=f"a=b; apus-session={again}").status, 200)

    def test_a_form_logs_in_too(self):
        browser = self.browser()
        body = urllib.parse.urlencode({"user": "bob", "password": "kennwort"})
        answer = browser.post("/api/v1/login", body, Content_Type="application/x-www-form-urlencoded")
        self.assertEqual((answer.status, answer.fields["Location"]), (303, "/"))
        self.assertEqual(browser.get("/cam/snapshot.jpg").status, 200)

    def test_bodies_that_are_no_login_are_refused(self):
        for body, kind in [
            ("", "application/json"), ("{}", "application/json"), ('{"user":"bob"}', "application/json"),
            ("[" * 100, "application/json"), ("x" * 5000, "application/json"),
            ("user=bob&password=%zz", "application/x-www-form-urlencoded"), ("user=bob", "multipart/form-data"),
        ]:
            with self.subTest(body[:20]):
                answer = self.browser().post("/api/v1/login", body, Content_Type=kind)
                self.assertIn(answer.status, (400, 413, 415))
                self.assertFalse(answer.cookies)
        for method in ["GET", "HEAD", "PUT"]:
            for path in ["/api/v1/login", "/api/v1/logout"]:
                self.assertEqual(self.browser().ask(method, path).status, 405)

    def test_logging_out_ends_the_session_and_what_it_watches(self):
        browser, other = self.browser("bob"), self.browser("bob")
        cookie = f"apus-session={browser.jar['apus-session']}"
        status, stream = browser.watch()
        self.assertEqual(status, 200)
        self.assertEqual(browser.post("/api/v1/logout", {}).status, 204)
        self.assertFalse(browser.jar)
        until(lambda: ended(stream), 5, "the stream ends")
        self.assertEqual(self.browser().get("/cam/snapshot.jpg", Cookie=cookie).status, 401)
        self.assertEqual(other.get("/cam/snapshot.jpg").status, 200)
        third = self.browser("bob")
        self.assertEqual(third.post("/api/v1/logout", {"everywhere": True}).status, 204)
        self.assertEqual(other.get("/cam/snapshot.jpg").status, 401)

    def test_a_session_survives_a_reload_but_not_another_password(self):
        bob, olga = self.browser("bob"), self.browser("olga")
        _, stream = olga.watch()
        self.apus.user("another one\n", "passwd", "olga")
        try:
            self.apus.reload()
            until(lambda: ended(stream), 5, "the stream ends")
            self.assertEqual(bob.get("/cam/snapshot.jpg").status, 200)
            self.assertEqual(olga.get("/cam/snapshot.jpg").status, 401)
        finally:
            self.apus.user("bedienung\n", "passwd", "olga")
            self.apus.reload()

    def test_failed_logins_are_slowed_then_locked_out_and_a_session_goes_on(self):
        inside = self.browser("bob")
        browser = self.browser()
        statuses = [browser.login("bob", "wrong").status for _ in range(3)]
        last = browser.login("nobody", "wrong")
        self.assertEqual((statuses, last.status), ([401] * 3, 429))
        try:
            self.assertIn(int(last.fields["Retry-After"]), (1, 2))
            self.assertEqual(browser.login("bob").status, 429)
            self.assertEqual(inside.get("/cam/snapshot.jpg").status, 200)
        finally:
            until(lambda: self.browser().login("bob").status == 200, 6, "the lock ends", interval=0.3)
        log = self.apus.log(400)
        self.assertRegex(log, r"login failed user=bob peer=127.0.0.1")
        self.assertRegex(log, r"locked out peer=127.0.0.1:\d+ seconds=2")
        self.assertRegex(log, r"login user=bob peer=127.0.0.1")

    def test_passwords_are_looked_at_without_standing_still(self):
        watcher = self.browser("bob")
        began = time.monotonic()
        crowd = [socket.create_connection(("127.0.0.1", self.apus.http_port)) for _ in range(10)]
        for index, connection in enumerate(crowd):
            credentials = base64.b64encode(f"anna:geheimnis{index}".encode() if index else b"anna:geheimnis").decode()
            connection.sendall(
                f"GET /cam/snapshot.jpg HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {credentials}\r\n\r\n".encode()
            )
        slowest = 0
        for _ in range(20):
            start = time.monotonic()
            self.assertEqual(watcher.get("/healthz").status, 200)
            slowest = max(slowest, time.monotonic() - start)
        for connection in crowd:
            connection.close()
        self.assertLess(slowest, 0.5, f"after {time.monotonic() - began:.1f} s")
        until(lambda: self.browser().login("bob").status == 200, 8, "the address is free again", interval=0.5)

    # Other sites' pages

    def test_what_changes_something_has_to_come_from_our_own_page(self):
        anna = self.browser("anna")
        share = {"camera": "cam"}
        for fields in [
            {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"}, {"Content_Type": "text/plain"},
            {"Content_Type": "application/x-www-form-urlencoded"}, {"Content_Type": "multipart/form-data; boundary=x"},
            {"Origin": f"http://127.0.0.1:{self.apus.http_port + 1}"},
        ]:
            with self.subTest(fields):
                refusal = 415 if "Content_Type" in fields else 403
                self.assertEqual(anna.post("/api/v1/shares", share, **fields).status, refusal)
                if "Content_Type" not in fields:
                    self.assertEqual(anna.ask("DELETE", "/api/v1/shares/x", **fields).status, 403)
                    self.assertEqual(anna.post("/api/v1/login", {"user": "bob", "password": "kennwort"}, **fields).status, 403)
        for fields in [{}, {"Origin": None}, {"Sec_Fetch_Site": "same-origin", "Origin": "https://outer.example"}]:
            self.assertEqual(anna.post("/api/v1/shares", share, **fields).status, 201)
        token = self.token("anna")["token"]
        answer = self.browser().post(
            "/api/v1/shares", share, Origin="http://evil.example", Authorization=f"Bearer {token}"
        )
        self.assertEqual(answer.status, 201)
        self.assertIsNone(answer.fields["Access-Control-Allow-Origin"])

    def test_names_that_are_not_ours_are_answered_with_the_key(self):
        for path in ["/", "/healthz", "/api/v1/session", "/cam/snapshot.jpg"]:
            answer = self.browser().get(path, Host="evil.example:80")
            self.assertEqual(answer.status, 421)
            self.assertIn(b"hosts", answer.body)
        for host in ["localhost", "127.0.0.1:1", "[::1]:8080", "192.168.7.7", socket.gethostname(), "cam"]:
            self.assertEqual(self.browser().get("/healthz", Host=host).status, 200, host)

    def test_names_and_sites_that_are_configured_are_let_in(self):
        config = self.apus.config
        path = self.apus.directory / "apus.conf"
        path.write_text(config + "\n[http]\nhosts = *.home.example\nallow_origin = https://panel.example\n")
        try:
            self.apus.reload()
            self.assertEqual(self.browser().get("/", Host="a.home.example").status, 200)
            fields = {"Origin": "https://panel.example", "Access_Control_Request_Method": "POST"}
            answer = self.browser().ask("OPTIONS", "/api/v1/shares", **fields)
            self.assertEqual(answer.fields["Access-Control-Allow-Origin"], "https://panel.example")
            self.assertIn("POST", answer.fields["Access-Control-Allow-Methods"])
            self.assertIsNone(answer.fields["Access-Control-Allow-Credentials"])
            answer = self.browser().ask("OPTIONS", "/api/v1/shares", Origin="https://evil.example")
            self.assertIsNone(answer.fields["Access-Control-Allow-Origin"])
            page = self.browser().get("/")
            self.assertIn("frame-ancestors https://panel.example", page.fields["Content-Security-Policy"])
        finally:
            path.write_text(config)
            self.apus.reload()

    def test_a_page_is_challenged_without_a_dialog_and_programs_with_one(self):
        for fields in [
            {"Sec_Fetch_Mode": "cors"}, {"Sec_Fetch_Mode": "no-cors"}, {"X_Requested_With": "XMLHttpRequest"},
            {"Accept": "application/json"}, {"Cookie": "apus-session=old"},
        ]:
            answer = self.browser().get("/cam/snapshot.jpg", **fields)
            self.assertEqual(answer.fields.get_all("WWW-Authenticate"), ['Bearer realm="Apus"'], fields)
        for fields in [{}, {"Accept": "*/*"}, {"Sec_Fetch_Mode": "navigate", "Accept": "text/html"}]:
            schemes = self.browser().get("/cam/snapshot.jpg", **fields).fields.get_all("WWW-Authenticate")
            self.assertEqual([scheme.split()[0] for scheme in schemes], ["Digest", "Digest", "Basic"], fields)

    def test_the_page_runs_nothing_but_what_is_sent(self):
        page = self.browser().get("/")
        policy = page.fields["Content-Security-Policy"]
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]:
            self.assertIn(part, policy)
        self.assertNotIn("unsafe", policy)
        self.assertIn(f"ws://127.0.0.1:{self.apus.http_port}", policy)
        self.assertIsNone(re.search(rb"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=", page.body))
        for name, value in [
            ("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
        ]:
            self.assertEqual(page.fields[name], value)
        self.assertIn("geolocation=()", page.fields["Permissions-Policy"])
        self.assertEqual(self.browser().get("/api/v1/session").fields["Cache-Control"], "no-store")

    def test_paths_that_lead_elsewhere_are_refused(self):
        anna = self.browser("anna")
        for path in [
            "/../users", "/%2e%2e/users", "/..%2fusers", "/s/..%2f..%2fusers", "/cam/..", "/%2e%2e%5cusers",
            "//../users", "/cam/%00", "/./users",
        ]:
            self.assertIn(anna.get(path).status, (400, 404), path)

    def test_a_socket_is_opened_from_our_own_page_alone(self):
        bob = self.browser("bob")
        upgrade = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        own = f"http://{bob.host}"
        token = self.token("bob")["token"]
        for browser, path, origin, expected in [
            (bob, "/cam/ws", own, 101), (bob, "/cam/ws", "http://evil.example", 403), (bob, "/yard/ws", own, 403),
            (bob, "/cam/ws", f"{own}.evil.example", 403), (bob, "/cam/ws", "http://127.0.0.1:1", 403),
            (self.browser(), "/cam/ws", own, 401), (self.browser(), f"/cam/ws?token={token}", own, 101),
            (self.browser(), "/cam/ws?token=x", own, 401),
        ]:
            with self.subTest(path=path, origin=origin):
                status, connection = browser.watch(path, Origin=origin, **upgrade)
                connection.close()
                self.assertEqual(status, expected)

    # Tokens

    def test_a_token_is_good_until_it_is_revoked_or_expires(self):
        made = self.token("bob", "--name", "wall")
        fields = {"Authorization": f"Bearer {made['token']}"}
        _, stream = self.browser().watch(**fields)
        self.assertEqual(self.browser().get(f"/cam/snapshot.jpg?token={made['token']}").status, 200)
        self.assertEqual(self.browser().get(f"/api/v1/cameras?token={made['token']}").status, 401)
        self.assertIn("wall", self.apus.apus("user", "token", "bob", "--list"))
        self.apus.apus("user", "token", "bob", "--revoke", "wall")
        self.assertEqual(self.browser().get("/cam/snapshot.jpg", **fields).status, 401)
        until(lambda: ended(stream), 5, "the stream ends")
        short = self.token("bob", "--expires", "1s")["token"]
        until(
            lambda: self.browser().get("/cam/snapshot.jpg", Authorization=f"Bearer {short}").status == 401, 5, "it is over"
        )
        users = (self.apus.directory / "users").read_text()
        self.assertNotIn(short, users)
        self.assertEqual((self.apus.directory / "users").stat().st_mode & 0o777, 0o600)

    # Share links

    def share(self, **values):
        answer = self.browser("anna").post("/api/v1/shares", {"camera": "cam", **values})
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json

    def visitor(self, share):
        browser = self.browser()
        answer = browser.get(share["path"])
        self.assertEqual(answer.status, 200)
        value, attributes = answer.cookies["apus-share"]
        self.assertLessEqual({"HttpOnly", "SameSite=Strict", "Path=/"}, set(attributes))
        self.assertEqual(answer.fields["Cache-Control"], "no-store")
        return browser

    def test_a_link_shows_one_camera_and_nothing_else(self):
        visitor = self.visitor(self.share(label="for the neighbours"))
        said = visitor.get("/api/v1/session").json
        self.assertEqual((said["proof"], said["permissions"], said["cameras"]), ("share", ["view"], ["cam"]))
        self.assertEqual(said["share"]["camera"], "cam")
        for path, status in [
            ("/cam/snapshot.jpg", 200), ("/yard/snapshot.jpg", 403), ("/api/v1/cameras", 403), ("/api/v1/shares", 403),
            ("/yard/mjpeg", 403),
        ]:
            self.assertEqual(visitor.get(path).status, status, path)
        self.assertEqual(visitor.post("/api/v1/shares", {"camera": "cam"}).status, 403)

    def test_so_many_watch_with_a_link_and_no_more(self):
        share = self.share(viewers=2)
        visitors = [self.visitor(share) for _ in range(3)]
        watching = [visitor.watch() for visitor in visitors]
        self.assertEqual([status for status, _ in watching], [200, 200, 429])
        self.assertEqual(visitors[0].watch()[0], 200)
        listed = self.browser("anna").get("/api/v1/shares").json["shares"]
        self.assertEqual(next(one["watching"] for one in listed if one["id"] == share["id"]), 2)
        for _, connection in watching:
            connection.close()

    def test_a_link_that_is_revoked_or_over_ends_what_it_shows(self):
        anna = self.browser("anna")
        for end in [lambda share: anna.ask("DELETE", f"/api/v1/shares/{share['id']}").status, lambda share: 204]:
            share = self.share(lifetime=2)
            visitor = self.visitor(share)
            _, stream = visitor.watch()
            self.assertEqual(end(share), 204)
            until(lambda: ended(stream), 6, "the stream ends")
            self.assertEqual(visitor.get("/cam/snapshot.jpg").status, 401)
            self.assertEqual(self.browser().get(share["path"]).status, 404)

    def test_links_are_made_and_revoked_on_the_command_line_and_survive_a_restart(self):
        made = json.loads(self.apus.apus("share", "add", "cam", "--expires", "1h", "--label", "a b", "--json"))
        url = self.apus.apus("share", "add", "cam", "--expires", "never").strip()
        self.assertTrue(url.startswith(f"http://127.0.0.1:{self.apus.http_port}/s/"), url)
        os.kill(self.apus.pid("apus-http"), signal.SIGKILL)
        until(self.apus.is_healthy, 10, "the server is back")
        self.visitor(made)
        self.assertIn("a b", self.apus.apus("share", "list"))
        self.apus.apus("share", "revoke", made["id"])
        self.assertEqual(self.browser().get(made["path"]).status, 404)
        shares = self.apus.directory / "shares"
        self.assertEqual(shares.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(url.rsplit("/", 1)[1], shares.read_text())

    def test_bad_wishes_for_links_are_refused(self):
        anna = self.browser("anna")
        for wish in [
            {}, {"camera": "none"}, {"camera": "cam", "viewers": 0}, {"camera": "cam", "lifetime": 0},
            {"camera": "cam", "lifetime": "1h"}, {"camera": "cam", "label": "\n"}, {"camera": "cam", "x": 1}, [],
        ]:
            self.assertEqual(anna.post("/api/v1/shares", wish).status, 400, wish)

    def test_curl_logs_in_and_stays_in(self):
        jar = self.apus.directory / "jar"
        curl = [settings.need("curl", "curl"), "-s", "-b", jar, "-c", jar, "-o", os.devnull, "-w", "%{http_code}"]
        login = ["-H", "Content-Type: application/json", "-d", '{"user":"bob","password":"kennwort"}']
        self.assertEqual(clients.run([*curl, *login, self.apus.http("/api/v1/login")], 10)[0], "200")
        self.assertEqual(clients.run([*curl, self.apus.http("/cam/snapshot.jpg")], 10)[0], "200")
        plain = [curl[0], "-s", "-o", os.devnull, "-w", "%{http_code}"]
        for kind in ["--digest", "--basic"]:
            command = [*plain, kind, "-u", "bob:kennwort", self.apus.http("/cam/snapshot.jpg")]
            self.assertEqual(clients.run(command, 10)[0], "200")

    def test_no_secret_gets_into_the_log(self):
        made = self.token("bob")
        share = self.share()
        visitor = self.visitor(share)
        browser = self.browser("bob")
        self.browser().get(f"/cam/snapshot.jpg?token={made['token']}")
        log = self.apus.log_path.read_text()
        secrets = [made["token"], share["path"].removeprefix("/s/"), *visitor.jar.values(), *browser.jar.values()]
        for secret in secrets + list(PASSWORDS.values()):
            self.assertNotIn(secret, log)
