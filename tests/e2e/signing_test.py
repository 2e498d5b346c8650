"""Webhooks are signed as Standard Webhooks says; secrets change while the daemon runs."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import signal
import subprocess

import harness
from harness import TOOLS, Answer, Case, main, poll

LOCAL = "delivery: {{targets: {{allow: [loopback]}}, signing: {{secrets: [{}]}}}}\n"
OLD, NEW = bytes(range(24)), bytes(range(100, 164))
# The seed of Standard Webhooks' own tests, and the public key that belongs to it.
SEED = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
PUBLIC = "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
VERIFY = pathlib.Path(__file__).with_name("verify_webhooks.cjs")


def secret_text(key):
    return "whsec_" + base64.b64encode(key).decode()


def expected(key, got):
    """What the receiver computes from the bytes that it got."""
    message = b".".join([got.header("webhook-id").encode(),
                         got.header("webhook-timestamp").encode(), got.body])
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def verify(*webhooks):
    """What receivers say to each (key, headers, body): "ok", or why it is not genuine."""
    given = [{"key": key, "headers": headers, "body": base64.b64encode(body).decode()}
             for key, headers, body in webhooks]
    modules = pathlib.Path(TOOLS["npm"], "node_modules")
    if not modules.is_dir():
        raise AssertionError(f"{modules} is missing; script/setup-npm installs it")
    done = subprocess.run(["node", VERIFY], input=json.dumps(given), capture_output=True, text=True,
                          check=False, timeout=60, env={**os.environ, "NODE_PATH": str(modules)})
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def headers_of(got):
    return {name.lower(): value for name, value in got.headers}


class SigningCase(Case):
    def secret(self, name, text, mode=0o600):
        path = self.root / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def signed(self, *paths):
        return self.daemon(config=LOCAL.format(", ".join(map(str, paths))))

    def signature(self, d, r, **members):
        """The signature of one webhook, and the webhook."""
        timer = d.set(r.url(), **members)
        got = next(g for g in r.wait(lambda all_: any(g.id == timer for g in all_))
                   if g.id == timer)
        return got.header("webhook-signature"), got


class Signing(SigningCase):
    def test_body_id_and_time_are_signed(self):
        r = self.receiver()
        d = self.signed(self.secret("a", secret_text(OLD) + "\n")).start()
        for members in ({}, {"body": "x" * 1000}, {"json": {"a": "ü"}}, {"method": "GET"}):
            signature, got = self.signature(d, r, **members)
            self.assertEqual(signature, expected(OLD, got))

    def test_each_attempt_is_signed_for_its_own_time(self):
        answers = iter([503, 200])
        r = self.receiver(lambda got: Answer(status=next(answers)))
        d = self.signed(self.secret("a", secret_text(OLD))).start()
        d.set(r.url(), retry={"schedule": ["1100ms"], "jitter": 0})
        first, second = r.wait(2)
        self.assertEqual(first.header("webhook-id"), second.header("webhook-id"))
        self.assertLess(int(first.header("webhook-timestamp")),
                        int(second.header("webhook-timestamp")))
        for got in (first, second):
            self.assertEqual(got.header("webhook-signature"), expected(OLD, got))

    def test_without_a_secret_nothing_is_signed(self):
        r = self.receiver()
        d = self.signed().start()
        self.assertIsNone(self.signature(d, r)[0])

    def test_secrets_rotate_without_a_restart(self):
        r = self.receiver()
        old, new = self.secret("old", secret_text(OLD)), self.secret("new", secret_text(OLD))
        d = self.signed(new, old).start()
        signature, got = self.signature(d, r)
        self.assertEqual(signature, " ".join([expected(OLD, got)] * 2))
        self.secret("new", secret_text(NEW))
        d.signal(signal.SIGHUP)
        poll(lambda: "event=reload" in d.log(), "it was heard")
        signature, got = self.signature(d, r)
        self.assertEqual(signature, f"{expected(NEW, got)} {expected(OLD, got)}")

    def test_a_bad_secret_does_not_replace_a_good_one(self):
        r = self.receiver()
        d = self.signed(self.secret("a", secret_text(OLD))).start()
        self.secret("a", "whsec_" + base64.b64encode(b"short of bytes").decode())
        d.signal(signal.SIGHUP)
        poll(lambda: "event=reload_failed" in d.log(), "it was refused")
        self.assertIn(f"delivery.signing.secrets: {self.root / 'a'} must have 24", d.log())
        self.assertNotIn("whsec_", d.log())
        signature, got = self.signature(d, r)
        self.assertEqual(signature, expected(OLD, got))

    def test_it_does_not_start_without_its_secret_and_says_which(self):
        for path, why in ((self.root / "none", "No such file"),
                          (self.secret("open", secret_text(OLD), 0o644), "read or changed"),
                          (self.secret("bad", "whsec_AAAA"), "24 to 64 bytes")):
            with self.subTest(path.name):
                d = self.signed(path)
                self.assertEqual(d.spawn().wait(), 78)
                self.assertIn(f"delivery.signing.secrets: {path} ", d.log())
                self.assertIn(why, d.log())
                self.assertNotIn("whsec_", d.log())
                self.assertFalse(d.data.exists())

    def test_a_credential_of_systemd(self):
        r = self.receiver()
        self.secret("webhook", secret_text(OLD))
        d = self.daemon(config=LOCAL.format("webhook"),
                        env={"CREDENTIALS_DIRECTORY": str(self.root)}).start()
        signature, got = self.signature(d, r)
        self.assertEqual(signature, expected(OLD, got))

    def test_secrets_never_reach_the_log(self):
        r = self.receiver()
        d = self.daemon(config=LOCAL.format(self.secret("a", secret_text(OLD)))
                        + "log: {level: debug}\n").start()
        self.signature(d, r)
        d.signal(signal.SIGHUP)
        poll(lambda: "event=reload" in d.log(), "it was heard")
        log = d.log(whole=True)
        self.assertNotIn(secret_text(OLD)[6:], log)
        self.assertNotIn("v1,", log)

    def test_check_config_names_the_files_only(self):
        path = self.root / "c.yaml"
        path.write_text(LOCAL.format(self.secret("a", secret_text(OLD))))
        done = subprocess.run([harness.BINARY, "check-config", path], capture_output=True,
                              text=True, check=False, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(self.root / "a"), done.stdout)
        self.assertNotIn(secret_text(OLD)[6:], done.stdout + done.stderr)


class ReceiversVerify(SigningCase):
    """By the reference library; see verify_webhooks.cjs."""

    def deliver(self, d, r, **members):
        return self.signature(d, r, **members)[1]

    def test_empty_json_and_other_bodies(self):
        r = self.receiver()
        d = self.signed(self.secret("a", secret_text(OLD))).start()
        bodies = ({}, {"json": {"a": ["ü", 1.5, None]}}, {"body": "h\u00e9llo\n\u0000"},
                  {"body": "x" * 200_000}, {"method": "GET"}, {"method": "DELETE", "body": "y"})
        got = [self.deliver(d, r, **members) for members in bodies]
        self.assertEqual(got[0].body, b"")
        self.assertEqual(verify(*[(secret_text(OLD), headers_of(g), g.body) for g in got]),
                         ["ok"] * len(got))

    def test_either_secret_during_a_rotation(self):
        r = self.receiver()
        d = self.signed(self.secret("new", secret_text(NEW)),
                        self.secret("old", secret_text(OLD))).start()
        got = self.deliver(d, r, body="b")
        self.assertEqual(got.header("webhook-signature").count("v1,"), 2)
        self.assertEqual(
            verify(*[(secret_text(key), headers_of(got), got.body)
                     for key in (NEW, OLD, bytes(32))]),
            ["ok", "ok", "No matching signature found"])

    def test_each_retry_is_signed_anew(self):
        answers = iter([503, 500, 200])
        r = self.receiver(lambda got: Answer(status=next(answers)))
        d = self.signed(self.secret("a", secret_text(OLD))).start()
        d.set(r.url(), body="b", retry={"schedule": ["1100ms"], "jitter": 0})
        got = r.wait(3)
        self.assertEqual(len({g.header("webhook-timestamp") for g in got}), 3)
        self.assertEqual(len({g.header("webhook-signature") for g in got}), 3)
        self.assertEqual(len({g.header("webhook-id") for g in got}), 1)
        mixed = {**headers_of(got[1]), "webhook-signature": got[0].header("webhook-signature")}
        key = secret_text(OLD)
        self.assertEqual(verify(*[(key, headers_of(g), g.body) for g in got], (key, mixed, b"b")),
                         ["ok", "ok", "ok", "No matching signature found"])

    def test_what_was_tampered_with_is_refused(self):
        r = self.receiver()
        d = self.signed(self.secret("a", secret_text(OLD)), self.secret("s", SEED)).start()
        got = self.deliver(d, r, json={"amount": 1})
        headers = headers_of(got)
        later = str(int(headers["webhook-timestamp"]) + 1)
        long_ago = str(int(headers["webhook-timestamp"]) - 3600)
        for key in (secret_text(OLD), PUBLIC):
            with self.subTest(key[:5]):
                said = verify((key, headers, got.body),
                              (key, headers, got.body.replace(b"1", b"9")),
                              (key, headers, got.body + b" "), (key, headers, b""),
                              (key, {**headers, "webhook-id": "x-1"}, got.body),
                              (key, {**headers, "webhook-timestamp": later}, got.body),
                              (key, {**headers, "webhook-timestamp": long_ago}, got.body))
                self.assertEqual(said[0], "ok")
                self.assertNotIn("ok", said[1:])
        for missing in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            rest = {name: value for name, value in headers.items() if name != missing}
            self.assertEqual(verify((secret_text(OLD), rest, got.body)),
                             ["Missing required headers"])

    def test_ed25519_alone_and_beside_hmac(self):
        r = self.receiver()
        alone = self.signed(self.secret("s", SEED)).start()
        got = [self.deliver(alone, r, **members) for members in ({}, {"body": "ü"})]
        for g in got:
            self.assertRegex(g.header("webhook-signature"), r"\Av1a,[A-Za-z0-9+/]{86}==\Z")
        self.assertEqual(verify(*[(PUBLIC, headers_of(g), g.body) for g in got]), ["ok", "ok"])
        both = self.daemon("both", config=LOCAL.format(
            f"{self.root / 's'}, {self.secret('a', secret_text(OLD))}")).start()
        got = self.deliver(both, self.receiver(), body="b")
        self.assertEqual(verify((PUBLIC, headers_of(got), got.body),
                                (secret_text(OLD), headers_of(got), got.body),
                                (secret_text(NEW), headers_of(got), got.body)),
                         ["ok", "ok", "No matching signature found"])


if __name__ == "__main__":
    main("npm")
