"""TLS to receivers: whom the daemon trusts, what it shows, and how its files are read again."""

import base64
import hashlib
import hmac
import json
import signal

from harness import Case, main, poll
from tls_receiver import Certificate, TlsReceiver

ONCE = {"max_attempts": 1, "schedule": ["1s"]}


class TlsCase(Case):
    def certificate(self, name):
        return Certificate(self.root, name)

    def tls_receiver(self, certificate, clients=()):
        receiver = TlsReceiver(certificate, clients)
        self.addCleanup(receiver.stop)
        return receiver

    def with_tls(self, tls, name="d", secrets=(), **options):
        """A daemon with these members of delivery.tls; JSON is YAML too."""
        config = {"delivery": {"targets": {"allow": ["loopback"]}, "tls": tls,
                               "signing": {"secrets": [str(path) for path in secrets]}}}
        return self.daemon(name, config=json.dumps(config, default=str), **options)

    def error(self, d, url):
        """Of the only attempt."""
        return d.wait_state(d.set(url, retry=ONCE), "dead")["attempts"][0]["error"]

    def deliver(self, d, url):
        return d.wait_state(d.set(url, retry=ONCE), "delivered")

    def reload(self, d, event):
        before = d.log(whole=True).count(f"event={event}")
        d.signal(signal.SIGHUP)
        poll(lambda: d.log(whole=True).count(f"event={event}") > before, event)


class Trust(TlsCase):
    def test_an_unknown_issuer_fails_and_an_extra_one_is_trusted(self):
        ours = self.certificate("ours")
        r = self.tls_receiver(ours)
        self.assertEqual(self.error(self.with_tls({}).start(), r.url()), "tls")
        self.assertEqual(r.requests, [])
        self.deliver(self.with_tls({"ca": ours.cert}, "trusting").start(), r.url())
        self.assertEqual(r.clients(), [None])

    def test_the_profile_of_one_host_is_not_anothers(self):
        ours, one, two = map(self.certificate, ("ours", "one", "two"))
        r = self.tls_receiver(ours, (one, two))
        profile = {"ca": ours.cert, "cert": one.cert, "key": one.key}
        d = self.with_tls({"profiles": [
            {"target": r.url("a.localhost").removesuffix("/hook"), **profile},
            {"target": "*.localhost", **profile, "cert": two.cert, "key": two.key}]}).start()
        for _ in range(3):
            self.deliver(d, r.url("a.localhost"))
            self.assertEqual(self.error(d, r.url()), "tls")
        self.assertEqual(r.clients(), ["one"] * 3)

    def test_keys_of_connections_are_not_logged(self):
        ours = self.certificate("ours")
        r = self.tls_receiver(ours)
        keys = self.root / "keys.log"
        d = self.with_tls({"ca": ours.cert}, env={"SSLKEYLOGFILE": str(keys)}).start()
        self.deliver(d, r.url())
        self.assertFalse(keys.exists())


class Reload(TlsCase):
    def test_another_certificate_holds_from_the_next_attempt_on(self):
        ours, own, renewed = map(self.certificate, ("ours", "own", "renewed"))
        r = self.tls_receiver(ours, (own, renewed))
        d = self.with_tls({"ca": ours.cert, "cert": own.cert, "key": own.key}).start()
        self.deliver(d, r.url())
        self.reload(d, "reload")
        self.deliver(d, r.url())
        own.become(renewed)
        self.reload(d, "reload")
        self.deliver(d, r.url())
        self.assertEqual(r.clients(), ["own", "own", "renewed"])

    def test_a_broken_file_leaves_everything_as_it_was(self):
        ours, own, renewed = map(self.certificate, ("ours", "own", "renewed"))
        secret = self.root / "secret"
        secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
        secret.chmod(0o600)
        r = self.tls_receiver(ours, (own, renewed))
        d = self.with_tls({"ca": ours.cert, "cert": own.cert, "key": own.key},
                          secrets=[secret]).start()
        # Half of a renewal: the key does not belong to the certificate. And another secret, which
        # waits for the rest.
        old_key = own.key.read_bytes()
        own.become(renewed)
        new_key = own.key.read_bytes()
        own.key.write_bytes(old_key)
        secret.unlink()
        self.reload(d, "reload_failed")
        self.assertIn(f"delivery.signing.secrets: {secret} cannot be read", d.log())
        secret.write_text("whsec_" + base64.b64encode(bytes(range(32))).decode())
        secret.chmod(0o600)
        self.reload(d, "reload_failed")
        self.assertIn(f"delivery.tls.key: {own.key} is not the key of the certificate", d.log())
        self.assertIn("what was read before", d.log())
        self.deliver(d, r.url())
        own.key.write_bytes(new_key)
        self.reload(d, "reload")
        self.deliver(d, r.url())
        self.assertEqual(r.clients(), ["own", "renewed"])
        for key, (headers, _) in zip((bytes(32), bytes(range(32))), r.wait(2)):
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
            mac = hmac.new(key, signed, hashlib.sha256).digest()
            self.assertEqual(headers["webhook-signature"], f"v1,{base64.b64encode(mac).decode()}")
        self.assertNotIn("PRIVATE", d.log(whole=True))


class Start(TlsCase):
    def refused(self, tls):
        d = self.with_tls(tls)
        self.assertEqual(d.spawn().wait(), 78, d.log())
        self.assertFalse(d.data.exists())
        return d.log()

    def test_a_broken_file_is_named_with_its_key(self):
        own, other, locked, open_key = map(self.certificate, ("own", "other", "locked", "open"))
        locked.encrypt_key()
        open_key.key.chmod(0o644)
        rubbish = self.root / "rubbish"
        rubbish.write_text("rubbish")
        none = self.root / "none"
        cases = (({"ca": none}, "ca", none, "cannot be read: No such file or directory"),
                 ({"ca": rubbish}, "ca", rubbish, "holds no certificate in PEM"),
                 ({"cert": rubbish, "key": own.key}, "cert", rubbish, "holds no certificate"),
                 ({"cert": own.cert, "key": rubbish}, "key", rubbish, "may be read or changed"),
                 ({"cert": own.cert, "key": other.key}, "key", other.key, "is not the key of"),
                 ({"cert": locked.cert, "key": locked.key}, "key", locked.key,
                  "is encrypted; passphrases are not supported"),
                 ({"cert": open_key.cert, "key": open_key.key}, "key", open_key.key,
                  "may be read or changed by others"))
        for tls, key, path, why in cases:
            with self.subTest(why):
                self.assertIn(f"delivery.tls.{key}: {path} {why}", self.refused(tls))
                said = self.refused({"profiles": [{"target": "*.a.example"},
                                                  {"target": "*.b.example", **tls}]})
                self.assertIn(f"delivery.tls.profiles[1].{key}: {path} {why}", said)
                self.assertNotIn("PRIVATE", said)

    def test_what_does_not_fit_together_is_refused(self):
        own = self.certificate("own")
        for tls, why in (({"cert": own.cert}, "delivery.tls.key: is missing"),
                         ({"key": own.key}, "delivery.tls.cert: is missing"),
                         ({"profiles": [{"ca": own.cert}]},
                          "delivery.tls.profiles[0].target: is missing"),
                         ({"verify": False}, "delivery.tls.verify: unknown key"),
                         ({"min_version": "1.1"}, "delivery.tls.min_version: 1.1: must be 1.2")):
            with self.subTest(why):
                self.assertIn(why, self.refused(tls))


if __name__ == "__main__":
    main()
