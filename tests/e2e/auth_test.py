"""Users and their tokens, over raw HTTP: who is let in, to do what, and what they never see."""

import base64
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess

import harness
from harness import Answer, Case, Client, main, poll

FAR = "http://127.0.0.1:9/later"
CONFIG = """
auth: {{mode: token, tokens_file: {}}}
delivery: {{targets: {{allow: [loopback]}}, retry: {{max_attempts: 1}}}}
log: {{level: debug}}
"""
TIMER = {"url": FAR, "seconds": 3600}
STREAM_ID = "0a4ad361-9bd0-4a4c-9b0e-0e6b2b2a6f1e"
STREAM = f"/users/joe/streams/{STREAM_ID}"
# Every route with data, and the scope that it needs.
ROUTES = (("POST", "/timers", TIMER, "timers:write"), ("GET", "/timers", None, "timers:read"),
          ("HEAD", "/timers", None, "timers:read"), ("DELETE", "/timers", None, "timers:write"),
          ("GET", "/timers/count", None, "timers:read"), ("GET", "/timers/1", None, "timers:read"),
          ("GET", "/timers/1?view=full", None, "timers:read"),
          ("HEAD", "/timers/1", None, "timers:read"),
          ("DELETE", "/timers/1", None, "timers:write"),
          ("POST", "/timers/1/retry", None, "timers:write"),
          ("POST", "/timers/retry", None, "timers:write"), ("GET", "/targets", None, "admin"),
          ("POST", "/targets/pause", {"all": True}, "admin"),
          ("POST", "/targets/resume", {"all": True}, "admin"),
          ("POST", "/api/stopwatch", {"name": "tea"}, "stopwatches"),
          ("GET", "/api/stopwatch", None, "stopwatches"),
          ("GET", "/api/stopwatch/tea", None, "stopwatches"),
          ("DELETE", "/api/stopwatch/tea", None, "stopwatches"),
          ("HEAD", "/api/stopwatch/events?own=true", None, "stopwatches"),
          ("DELETE", "/api/stopwatch/events", None, "stopwatches"),
          ("POST", "/users", {"userId": "joe"}, "streams"), ("GET", "/users", None, "streams"),
          ("HEAD", "/users", None, "streams"), ("GET", "/users/joe", None, "streams"),
          ("HEAD", "/users/joe", None, "streams"),
          ("POST", "/users/joe/streams", None, "streams"),
          ("GET", "/users/joe/streams", None, "streams"), ("PUT", STREAM, None, "streams"),
          ("DELETE", STREAM, None, "streams"), ("DELETE", "/users/joe", None, "streams"))
SCOPES = ("timers:read", "timers:write", "stopwatches", "streams", "admin")
# What is for everybody is made for browsers and supervisors: it begins with one of these, or is /.
PUBLIC = ("/health", "/ready", "/openapi.", "/docs")


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


class FromAddress(Client):
    """A client that calls from another address of this machine."""

    def __init__(self, source, port):  # pylint: disable=super-init-not-called
        self.host = f"127.0.0.1:{port}"
        self.socket = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
        self.buffer = b""


class AuthCase(Case):
    def setUp(self):
        super().setUp()
        self.tokens_file = self.root / "tokens"
        self.made = []

    def belfry(self, *args):
        return subprocess.run([harness.BINARY, *args], capture_output=True, text=True, timeout=30,
                              cwd=self.root, check=False)

    def token(self, user, *args):
        done = self.belfry("token", "create", "--user", user, "--tokens-file",
                           str(self.tokens_file), *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        token = done.stdout.splitlines()[-1]
        self.made.append(token)
        return token

    def token_id(self, user):
        done = self.belfry("token", "list", "--tokens-file", str(self.tokens_file))
        rows = [line.split() for line in done.stdout.splitlines()]
        return next(row[0] for row in rows if row[1] == user)

    def revoke(self, *args):
        done = self.belfry("token", "revoke", "--tokens-file", str(self.tokens_file), *args)
        self.assertEqual(done.returncode, 0, done.stderr)

    def serve(self, **options):
        return self.daemon(config=CONFIG.format(self.tokens_file), **options).start()

    def reload(self, d):
        """SIGHUP, until the daemon has said that it took it, or not."""
        before = d.log(whole=True).count("event=reload")
        d.signal(signal.SIGHUP)
        poll(lambda: d.log(whole=True).count("event=reload") > before, "reload")

    def expect_401(self, got):
        self.assertEqual(got.status, 401, got.body)
        self.assertEqual(got.header("www-authenticate"), "Bearer")
        self.assertEqual(got.header("content-type"), "application/problem+json")

    def assert_no_token_in(self, text):
        for token in self.made:
            self.assertNotIn(token, text)
            self.assertNotIn(token[4:20], text)


class LetIn(AuthCase):
    def test_every_route_with_data_is_401_without_a_token(self):
        token = self.token("alice", "--scope", "timers:read", "--scope", "timers:write",
                           "--scope", "admin", "--scope", "stopwatches", "--scope", "streams")
        d = self.serve()
        wrong = ([], bearer("wrong"), [("Authorization", f"Basic {token}")],
                 [("Authorization", token)], bearer(""), bearer(token[:-1]), bearer(token + "a"),
                 bearer(token) + bearer(token), [("Cookie", f"Authorization=Bearer {token}")])
        for method, target, body, _ in ROUTES:
            for headers in wrong[:2]:
                with self.subTest(f"{method} {target} {headers}"):
                    self.expect_401(d.request(method, target, body, headers))
        for headers in wrong:
            with self.subTest(headers):
                self.expect_401(d.get("/timers", headers))
        for method, target, body, _ in ROUTES:
            with self.subTest(f"{method} {target}"):
                got = d.request(method, target, body, bearer(token))
                self.assertNotIn(got.status, (401, 403, 429))
        self.assert_no_token_in(d.log(whole=True))

    def test_a_token_in_the_query_is_not_taken(self):
        token = self.token("alice")
        d = self.serve()
        for name in ("access_token", "token", "authorization", "bearer"):
            self.expect_401(d.get(f"/timers?{name}={token}"))
            got = d.get(f"/timers?{name}={token}", bearer(token))
            self.assertEqual(got.status, 400)
            self.assert_no_token_in(got.body.decode())
        self.assert_no_token_in(d.log(whole=True))

    def test_what_needs_no_token(self):
        self.token("alice")
        d = self.serve()
        self.assertEqual(d.get("/health").body, b'{"status":"ok"}')
        self.assertEqual(d.get("/ready").status, 200)
        self.assertEqual(d.get("/ready", bearer("wrong")).status, 200)
        self.assertEqual(d.get("/nowhere").status, 404)
        got = d.request("PUT", "/timers")
        self.assertEqual((got.status, got.header("allow")), (405, "POST, GET, HEAD, DELETE"))

    def test_who_may_not_call_is_not_told_what_else_is_wrong(self):
        self.token("alice")
        d = self.serve()
        self.expect_401(d.request("POST", "/timers", b"not json"))
        self.expect_401(d.get("/timers?nope=1"))
        self.expect_401(d.get("/timers/7?view=none"))

    def test_any_host_is_fine_with_a_token(self):
        token = self.token("alice")
        d = self.serve()
        client = d.client()
        self.addCleanup(client.close)
        client.host = "timers.example.com"
        self.assertEqual(client.request("GET", "/timers", headers=bearer(token)).status, 200)

    def test_a_token_expires_while_the_daemon_runs(self):
        token = self.token("alice", "--expires", "2s")
        lasting = self.token("alice", "--expires", "1d")
        d = self.serve()
        client = d.client()
        self.addCleanup(client.close)
        self.assertEqual(client.request("GET", "/timers", headers=bearer(lasting)).status, 200)
        poll(lambda: client.request("GET", "/timers", headers=bearer(token)).status == 401,
             "expiry", every_s=0.1)
        self.assertEqual(client.request("GET", "/timers", headers=bearer(lasting)).status, 200)

    def test_each_request_of_a_connection_is_judged_by_itself(self):
        alice, bob = self.token("alice"), self.token("bob")
        d = self.serve()
        client = d.client()
        self.addCleanup(client.close)
        heads = [client.encode("GET", "/timers/count", None, bearer(alice)),
                 client.encode("GET", "/timers/count", None, []),
                 client.encode("GET", "/timers/count", None, bearer("wrong")),
                 client.encode("GET", "/timers/count", None, bearer(bob))]
        client.send(b"".join(heads))
        self.assertEqual([client.response().status for _ in heads], [200, 401, 401, 200])

    def test_scopes(self):
        tokens = {scope: self.token("alice", "--scope", scope) for scope in SCOPES}
        default = self.token("alice")
        d = self.serve()
        for method, target, body, scope in ROUTES:
            for name, token in tokens.items():
                with self.subTest(f"{method} {target} {name}"):
                    got = d.request(method, target, body, bearer(token))
                    self.assertEqual(got.status == 403, name != scope, got.body)
                    if name != scope and method != "HEAD":
                        self.assertEqual(got.json()["type"], "/problems/forbidden")
                        self.assertIn(scope, got.json()["detail"])
            got = d.request(method, target, body, bearer(default))
            self.assertEqual(got.status == 403, scope == "admin")

    def test_every_route_of_the_binary_needs_a_token_or_is_known_to_be_for_everybody(self):
        token = self.token("alice")
        d = self.serve()
        served = re.findall(r'event=route serves="([A-Z]+) ([^"]+)"', d.log(whole=True))
        self.assertGreater(len(served), 25)
        filled = {"{id}": "1", "{name}": "tea", "{userId}": "joe", "{streamId}": STREAM_ID}
        guarded = {("GET" if method == "HEAD" else method, target.partition("?")[0])
                   for method, target, *_ in ROUTES}
        for method, path in served:
            with self.subTest(f"{method} {path}"):
                target = "/".join(filled.get(segment, segment) for segment in path.split("/"))
                got = d.request(method, target)
                if got.status == 401:
                    self.assertIn((method, target), guarded)
                    continue
                asset = re.fullmatch(r"/[a-z_]*(\.(css|js|svg))?", path)
                self.assertTrue(path.startswith(PUBLIC) or asset, path)
                self.assertEqual((method, got.status), ("GET", 200))
                for headers in (bearer("wrong"), bearer(token)):
                    self.assertEqual(d.get(path, headers).body, got.body)


class WrongTokens(AuthCase):
    def test_more_than_a_hundred_from_one_address_are_429_and_others_go_on(self):
        token, unseen = self.token("alice"), self.token("bob")
        d = self.serve()
        with FromAddress("127.0.0.2", d.port) as guesser:
            for i in range(150):
                self.expect_401(guesser.request("GET", "/timers"))
            answers = [guesser.request("GET", "/timers", headers=bearer(f"wrong{i}")).status
                       for i in range(100)]
            self.assertEqual(answers, [401] * 100)
            got = guesser.request("GET", "/timers", headers=bearer("wrong"))
            self.assertEqual(got.status, 429)
            self.assertIn(int(got.header("retry-after")), range(1, 12))
            self.assertEqual(got.header("content-type"), "application/problem+json")
            for good in (token, unseen):
                self.assertEqual(guesser.request("GET", "/timers", headers=bearer(good)).status,
                                 200, "neighbours are not locked out")
            self.expect_401(guesser.request("GET", "/timers"))
            self.assertEqual(guesser.request("GET", "/health").status, 200)
        self.assertEqual(d.get("/timers", bearer(token)).status, 200)
        with FromAddress("127.0.0.3", d.port) as other:
            self.assertEqual(other.request("GET", "/timers", headers=bearer(token)).status, 200)
        self.assertNotIn("wrong", d.log(whole=True))


class Changes(AuthCase):
    def test_a_revoked_token_ends_with_the_next_request_of_its_connection(self):
        alice, bob = self.token("alice"), self.token("bob")
        d = self.serve()
        client, other = d.client(), d.client()
        self.addCleanup(client.close)
        self.addCleanup(other.close)
        for connection, token in ((client, alice), (other, bob)):
            self.assertEqual(connection.request("GET", "/timers", headers=bearer(token)).status,
                             200)
        self.revoke(self.token_id("alice"))
        self.assertEqual(client.request("GET", "/timers", headers=bearer(alice)).status, 200)
        self.reload(d)
        self.expect_401(client.request("GET", "/timers", headers=bearer(alice)))
        self.assertEqual(client.request("GET", "/timers", headers=bearer(bob)).status, 200)
        self.assertEqual(other.request("GET", "/timers", headers=bearer(bob)).status, 200)
        self.assert_no_token_in(d.log(whole=True))

    def test_a_reload_drops_no_connection_and_no_request_that_is_half_here(self):
        alice = self.token("alice")
        d = self.serve()
        idle, half, body = d.client(), d.client(), d.client()
        for client in (idle, half, body):
            self.addCleanup(client.close)
            self.assertEqual(client.request("GET", "/timers", headers=bearer(alice)).status, 200)
        request = half.encode("POST", "/timers", TIMER, bearer(alice))
        half.send(request[:30])
        body.send(request[:-5])
        self.token("bob")
        for _ in range(3):
            self.reload(d)
        half.send(request[30:])
        body.send(request[-5:])
        self.assertEqual([half.response().status, body.response().status], [201, 201])
        self.assertEqual(idle.request("GET", "/timers/count", headers=bearer(alice)).json(),
                         {"count": 2})

    def test_a_user_who_is_new_at_a_reload(self):
        alice = self.token("alice")
        d = self.serve()
        timer = d.set(FAR, bearer(alice), seconds=3600)
        carol = self.token("carol")
        self.expect_401(d.get("/timers", bearer(carol)))
        d.signal(signal.SIGHUP)
        poll(lambda: d.get("/timers", bearer(carol)).status == 200, "carol")
        self.assertEqual(d.get("/timers", bearer(carol)).json(), [])
        self.assertEqual(d.get(f"/timers/{timer}", bearer(carol)).status, 404)
        self.assertEqual(d.get(f"/timers/{timer}", bearer(alice)).status, 200)

    def test_a_file_that_is_wrong_changes_nothing(self):
        alice = self.token("alice")
        d = self.serve()
        good = self.tokens_file.read_text()
        for text, mode, why in ((good + "blf_pasted here\n", 0o600, "tokens:5: must have six"),
                                (good + good.splitlines()[-1], 0o600, "tokens:5: an id"),
                                (good, 0o666, "may be changed by others")):
            self.tokens_file.write_text(text)
            self.tokens_file.chmod(mode)
            self.reload(d)
            self.assertIn(why, d.log())
            self.assertNotIn("pasted", d.log())
            self.assertEqual(d.get("/timers", bearer(alice)).status, 200)
        self.tokens_file.unlink()
        self.reload(d)
        self.assertEqual(d.get("/timers", bearer(alice)).status, 200)
        self.tokens_file.touch(0o600)
        self.reload(d)
        self.expect_401(d.get("/timers", bearer(alice)))

    def test_a_file_that_is_wrong_holds_back_no_other(self):
        alice, bob = self.token("alice"), self.token("bob")
        secret = self.root / "webhook"
        good = "whsec_" + base64.b64encode(bytes(32)).decode()
        secret.write_text(good)
        secret.chmod(0o600)
        config = CONFIG.format(self.tokens_file).replace(
            "delivery: {", f"delivery: {{signing: {{secrets: [{secret}]}}, ")
        d = self.daemon(config=config).start()
        secret.write_text("whsec_short")
        self.revoke(self.token_id("alice"))
        self.reload(d)
        self.assertIn("event=reload_failed", d.log())
        self.assertIn("delivery.signing.secrets", d.log())
        self.expect_401(d.get("/timers", bearer(alice)))
        self.assertEqual(d.get("/timers", bearer(bob)).status, 200)
        self.tokens_file.write_text("nonsense\n")
        self.reload(d)
        failed = [line for line in d.log().splitlines() if "reload_failed" in line]
        self.assertRegex(failed[-1], "delivery.signing.secrets: .*; auth.tokens_file: ")
        self.assertEqual(d.get("/timers", bearer(bob)).status, 200)
        secret.write_text(good)
        self.reload(d)
        failed = [line for line in d.log().splitlines() if "reload_failed" in line]
        self.assertNotIn("signing", failed[-1])

    def test_users_keep_what_is_theirs_over_kills_and_new_tokens(self):
        alice, bob = self.token("alice"), self.token("bob")
        d = self.serve()
        mine = d.set(FAR, bearer(alice), seconds=3600)
        theirs = d.set(FAR, bearer(bob), seconds=3600)
        d.kill()
        self.revoke("--user", "alice")
        self.token("aaron")
        carol, alice = self.token("carol"), self.token("alice")
        d.start()
        ids = {name: [t["id"] for t in d.get("/timers", bearer(token)).json()]
               for name, token in (("alice", alice), ("bob", bob), ("carol", carol))}
        self.assertEqual(ids, {"alice": [mine], "bob": [theirs], "carol": []})

    def test_the_user_local_has_what_was_set_without_tokens(self):
        d = self.daemon(config="").start()
        timer = d.set("http://192.0.2.1/", seconds=3600)
        d.end(signal.SIGTERM)
        local, alice = self.token("local"), self.token("alice")
        d.config = CONFIG.format(self.tokens_file)
        d.start()
        self.assertEqual(d.get(f"/timers/{timer}", bearer(local)).status, 200)
        self.assertEqual(d.get(f"/timers/{timer}", bearer(alice)).status, 404)


class Strangers(AuthCase):
    def setUp(self):
        super().setUp()
        self.alice, self.bob = bearer(self.token("alice")), bearer(self.token("bob"))
        self.d = self.serve()

    def test_another_users_timer_is_404_on_every_verb(self):
        timer = self.d.set(FAR, self.alice, seconds=3600)
        for method, suffix in (("GET", ""), ("GET", "?view=full"), ("HEAD", ""), ("DELETE", ""),
                               ("POST", "/retry")):
            with self.subTest(f"{method} {suffix}"):
                got = self.d.request(method, f"/timers/{timer}{suffix}", headers=self.bob)
                nothing = self.d.request(method, f"/timers/999999{suffix}", headers=self.bob)
                self.assertEqual((got.status, got.body), (404, nothing.body))
        self.assertEqual(self.d.get(f"/timers/{timer}", self.alice).status, 200)

    def test_another_users_streams_are_404_on_every_verb_and_names_do_not_meet(self):
        made = self.d.request("POST", "/users/joe/streams", {}, self.alice)
        stream = f"/users/joe/streams/{made.json()['streamId']}"
        matrix = (("GET", "/users/joe"), ("HEAD", "/users/joe"), ("GET", "/users/joe/streams"),
                  ("PUT", stream), ("DELETE", stream), ("DELETE", "/users/joe"))
        for method, target in matrix:
            with self.subTest(f"{method} {target}"):
                got = self.d.request(method, target, headers=self.bob)
                nothing = self.d.request(method, target.replace("joe", "nobody"), headers=self.bob)
                self.assertEqual((got.status, got.body), (404, nothing.body))
        self.assertEqual(self.d.get("/users", self.bob).json(), [])
        # Bob's joe is another one, with slots of his own.
        for _ in range(3):
            got = self.d.request("POST", "/users/joe/streams", {}, self.bob)
            self.assertEqual(got.status, 201)
        self.assertEqual(self.d.request("PUT", stream, None, self.bob).status, 404)
        self.assertEqual(self.d.request("DELETE", stream, None, self.bob).status, 204)
        self.assertEqual(self.d.request("DELETE", "/users/joe", None, self.bob).status, 204)
        self.assertEqual(self.d.request("PUT", stream, None, self.alice).status, 200)
        self.assertEqual(self.d.get("/users/joe", self.alice).json()["active"], 1)

    def test_a_lapse_is_told_by_a_timer_of_its_owner(self):
        hook = self.receiver()
        self.d.request("POST", "/users/joe/streams",
                       {"ttl": "1s", "on_expire": {"url": hook.url()}}, self.alice)
        timer = hook.wait(1)[0].id
        self.assertEqual(self.d.get(f"/timers/{timer}", self.alice).status, 200)
        self.assertEqual(self.d.get(f"/timers/{timer}", self.bob).status, 404)
        self.assertEqual(self.d.get("/timers", self.bob).json(), [])

    def test_a_timer_that_fired_or_died_is_404_too(self):
        hook = self.receiver(lambda got: Answer(200 if got.target.startswith("/good") else 500))
        good = self.d.set(hook.url("/good"), self.alice)
        bad = self.d.set(hook.url("/bad"), self.alice)
        for timer, state in ((good, "delivered"), (bad, "dead")):
            poll(lambda t=timer, s=state: self.d.get(f"/timers/{t}?view=full", self.alice)
                 .json()["state"] == s, state)
            for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
                got = self.d.request(method, f"/timers/{timer}{suffix}", headers=self.bob)
                self.assertEqual(got.status, 404, (method, state))
        got = self.d.request("POST", "/timers/retry", headers=self.bob)
        self.assertEqual((got.status, got.json()), (202, {"count": 0}))
        view = self.d.get(f"/timers/{bad}?view=full", self.alice).json()
        self.assertEqual(view["state"], "dead")

    def test_lists_and_counts_are_ones_own(self):
        for _ in range(5):
            self.d.set(FAR, self.alice, seconds=3600)
        mine = self.d.set(FAR, self.bob, seconds=3600)
        self.assertEqual([t["id"] for t in self.d.get("/timers", self.bob).json()], [mine])
        for query in ("", "?state=pending", "?due_after=2020-01-01T00:00:00Z"):
            self.assertEqual(self.d.get("/timers/count" + query, self.bob).json(), {"count": 1})
            self.assertEqual(self.d.get("/timers/count" + query, self.alice).json(), {"count": 5})
        pages, target = [], "/timers?limit=2"
        while target:
            got = self.d.get(target, self.alice)
            pages.append(len(got.json()))
            link = got.header("link")
            target = link[link.index("<") + 1:link.index(">")] if link else None
        self.assertEqual(sum(pages), 5)

    def test_idempotency_keys_do_not_meet(self):
        key = [("Idempotency-Key", "k1")]
        mine = self.d.set(FAR, self.alice + key, seconds=3600)
        theirs = self.d.set(FAR + "/other", self.bob + key, seconds=60)
        self.assertNotEqual(mine, theirs)
        self.assertEqual(self.d.set(FAR, self.alice + key, seconds=3600), mine)
        got = self.d.request("POST", "/timers", TIMER, self.bob + key)
        self.assertEqual(got.status, 422)

    def test_delete_all_is_only_ones_own(self):
        mine = [self.d.set(FAR, self.alice, seconds=3600) for _ in range(3)]
        theirs = [self.d.set(FAR, self.bob, seconds=3600) for _ in range(3)]
        self.assertEqual(self.d.request("DELETE", "/timers", headers=self.bob).body, b"{}")
        self.assertEqual([self.d.get(f"/timers/{t}", self.alice).status for t in mine], [200] * 3)
        self.assertEqual([self.d.get(f"/timers/{t}", self.bob).status for t in theirs], [404] * 3)
        self.d.restart()
        self.assertEqual([self.d.get(f"/timers/{t}", self.alice).status for t in mine], [200] * 3)
        self.assertEqual(self.d.get("/timers", self.bob).json(), [])


class Start(AuthCase):
    def refused(self, config, listen="127.0.0.1:1"):
        path = self.root / "c.yaml"
        path.write_text(config)
        done = self.belfry("serve", "--config", str(path), "--data", str(self.root / "x"),
                           "--listen", listen)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertFalse((self.root / "x").exists())
        return done.stderr

    def test_without_tokens_a_listener_that_others_reach_is_refused_and_told_how_to_go_on(self):
        for listen in ("0.0.0.0:1", "[::]:1", "192.0.2.1:1"):
            said = self.refused("auth: {mode: none}", listen)
            for words in (listen, "auth.mode is none", "belfry token create", "mode: token",
                          "unix:"):
                self.assertIn(words, said)

    def test_with_tokens_it_is_not(self):
        token = self.token("alice")
        d = self.daemon(config=CONFIG.format(self.tokens_file))
        d.listen = f"0.0.0.0:{d.port}"
        d.start()
        self.assertEqual(d.get("/timers", bearer(token)).status, 200)
        self.expect_401(d.get("/timers"))

    def test_a_tokens_file_that_cannot_be_used_is_refused(self):
        config = CONFIG.format(self.tokens_file)
        self.assertIn("cannot be read", self.refused(config))
        self.token("alice")
        self.tokens_file.chmod(0o620)
        self.assertIn("may be changed by others", self.refused(config))
        self.tokens_file.chmod(0o600)
        self.tokens_file.write_text("# fine\nblf_mine\n")
        said = self.refused(config)
        self.assertIn(f"{self.tokens_file}:2: ", said)
        self.assertNotIn("blf_mine", said)
        self.assertIn("tokens_file", self.refused("auth: {mode: token}"))
        self.assertIn("auth.mode", self.refused(f"auth: {{tokens_file: {self.tokens_file}}}"))
        self.assertIn("jwt", self.refused("auth: {mode: none, jwt: {issuer: https://a}}"))

    def test_the_commands(self):
        token = self.token("alice", "--scope", "timers:read", "--expires", "90d")
        self.assertRegex(token, r"\Ablf_[A-Za-z0-9_-]{43}\Z")
        self.assertEqual(stat.S_IMODE(self.tokens_file.stat().st_mode), 0o600)
        self.token("bob")
        done = self.belfry("token", "list", "--tokens-file", str(self.tokens_file))
        self.assertRegex(done.stdout, r"\A.*\n\S+ alice timers:read \S+Z \S+Z\n"
                         r"\S+ bob timers:read,timers:write,stopwatches,streams \S+Z never\n\Z")
        self.assert_no_token_in(done.stdout + self.tokens_file.read_text())
        self.revoke("--user", "alice")
        done = self.belfry("token", "revoke", "--tokens-file", str(self.tokens_file), "nope")
        self.assertEqual(done.returncode, 1)
        for args in ((), ("create",), ("create", "--user", "a"), ("nope",), ("revoke",)):
            self.assertEqual(self.belfry("token", *args).returncode, 2, args)
        self.revoke("--expired")

    def test_a_token_is_printed_wherever_its_file_is(self):
        for name in ("bare", "./here", str(self.root / "whole")):
            done = self.belfry("token", "create", "--user", "ann", "--tokens-file", name)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            self.assertRegex(done.stdout.splitlines()[-1], r"\Ablf_")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([harness.BINARY, "token", "list", "--tokens-file", "bare"],
                                  stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
                                  cwd=self.root, check=False)
        self.assertEqual((done.returncode, "not be printed" in done.stderr), (1, True))


class UnixSocket(AuthCase):
    def test_its_mode_is_the_configured_one_whatever_the_umask(self):
        for config, mode in (("", 0o660), ("http: {socket_mode: 0600}", 0o600),
                             ("http: {socket_mode: 0666}", 0o666)):
            path = self.root / f"{mode:o}.sock"
            d = self.daemon(f"d{mode:o}", config=config, listen=f"unix:{path}")
            before = os.umask(0o077)
            self.addCleanup(os.umask, before)
            d.start()
            os.umask(before)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode)
            self.assertTrue(stat.S_ISSOCK(path.stat().st_mode))
            d.end(signal.SIGTERM)
            self.assertFalse(path.exists())

    def test_nobody_needs_a_token_there_unless_configured(self):
        path = self.root / "api.sock"
        d = self.daemon(config="", listen=f"unix:{path}").start()
        timer = d.set("http://192.0.2.1/", seconds=3600)
        d.kill()
        self.assertTrue(path.exists(), "a kill leaves it behind")
        token = self.token("local")
        d.config = CONFIG.format(self.tokens_file)
        d.start()
        self.expect_401(d.get(f"/timers/{timer}"))
        self.assertEqual(d.get(f"/timers/{timer}", bearer(token)).status, 200)

    def test_only_a_socket_that_nobody_listens_on_is_removed(self):
        path = self.root / "other.sock"
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind(str(path))
        other.listen()
        inode = path.stat().st_ino
        args = ("serve", "--data", str(self.root / "x"), "--listen", f"unix:{path}")
        self.assertEqual(self.belfry(*args).returncode, 1)
        self.assertEqual(path.stat().st_ino, inode)
        file = self.root / "file.sock"
        file.write_text("mine")
        self.assertEqual(self.belfry(*args[:-1], f"unix:{file}").returncode, 1)
        self.assertEqual(file.read_text(), "mine")
        other.close()
        d = self.daemon(listen=f"unix:{path}").start()
        self.assertEqual(d.get("/timers").status, 200)

    def test_what_took_its_place_is_left_alone_at_the_end(self):
        path = pathlib.Path(self.root / "api.sock")
        d = self.daemon(listen=f"unix:{path}").start()
        path.unlink()
        path.write_text("mine")
        d.end(signal.SIGTERM)
        self.assertEqual(path.read_text(), "mine")

    def test_wrong_tokens_are_not_counted_where_there_is_no_address(self):
        token = self.token("alice")
        d = self.serve(listen=f"unix:{self.root}/api.sock")
        for i in range(150):
            self.expect_401(d.get("/timers", bearer(f"wrong{i}")))
        self.assertEqual(d.get("/timers", bearer(token)).status, 200)


if __name__ == "__main__":
    main()
