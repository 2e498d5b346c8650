"""The program as an operator calls it: commands, exit codes, configuration, what it refuses."""

import os
import subprocess

import harness
from harness import Case, free_port, main

DEFAULTS = """
listen: 127.0.0.1:8080
data: /var/lib/belfry
auth: {mode: none, tokens_file: null}
delivery:
  targets: {allow: [public], deny: []}
  max_in_flight: 1000
  per_target_in_flight: 100
  timeout: 15s
  retry: {max_attempts: 10, schedule: [5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h], jitter: 0.2}
retention: 7d
shutdown_timeout: 20s
streams: {limit: 3, default_ttl: 12h, require_user: false}
storage: {min_free: 256MiB}
memory: {budget: 512MiB, window: 64MiB, id_cache: 32MiB}
"""


class CommandLine(Case):
    def belfry(self, *args, stdin=None):
        done = subprocess.run([harness.BINARY, *args], input=stdin, capture_output=True, text=True,
                              cwd=self.root, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def check(self, text):
        path = self.root / "c.yaml"
        path.write_text(text)
        return self.belfry("check-config", str(path))

    def test_version(self):
        code, text = self.belfry("version")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"\Abelfry \d+\.\d+\.\d+\n\Z")

    def test_wrong_usage_is_2(self):
        for args in ((), ("nope",), ("serve", "--nope"), ("serve", "extra"), ("check-config",),
                     ("serve", "--listen", "nonsense"), ("serve", "--clock", "sundial")):
            with self.subTest(args):
                self.assertEqual(self.belfry(*args)[0], 2)

    def test_every_key_of_the_contract_is_known_and_its_default_accepted(self):
        self.assertEqual(self.check(DEFAULTS)[0], 0)
        self.assertEqual(self.check("")[0], 0)

    def test_what_is_wrong_is_named(self):
        for text, word in (("nope: 1", "nope"), ("delivery: {nope: 1}", "nope"),
                           ("auth: {mode: token}", "mode"),
                           ("auth: {tokens_file: x}", "tokens_file"),
                           ("retention: 7", "retention"), ("retention: -1d", "retention"),
                           ("storage: {min_free: lots}", "min_free"),
                           ("delivery: {max_in_flight: 0}", "max_in_flight"),
                           ("delivery: {targets: {allow: [everywhere]}}", "allow"),
                           ("delivery: {retry: {jitter: 2}}", "jitter"),
                           ("memory: {window: 1GiB, budget: 64MiB}", "window"),
                           ("listen: 127.0.0.1:99999", "listen"), ("data: [1]", "data"),
                           ("retention: 7d\nretention: 8d", "retention"), ("{", ""), ("- 1", "")):
            with self.subTest(text):
                code, said = self.check(text)
                self.assertEqual(code, 78, said)
                self.assertIn(word, said)

    def test_a_listener_that_others_reach_is_refused(self):
        for listen in ("0.0.0.0:1", "[::]:1", "10.1.2.3:80"):
            with self.subTest(listen):
                code, said = self.belfry("serve", "--data", str(self.root / "x"),
                                         "--listen", listen)
                self.assertEqual(code, 78, said)
                self.assertIn("listen", said)
                self.assertEqual(self.check(f'listen: "{listen}"')[0], 78)
        self.assertFalse((self.root / "x").exists())

    def test_an_address_in_use_is_an_error_that_names_it(self):
        first = self.daemon().start()
        code, said = self.belfry("serve", "--data", str(self.root / "x"), "--listen", first.listen)
        self.assertEqual(code, 1, said)
        self.assertIn(str(first.port), said)

    def test_a_unix_socket_in_use_is_one_too(self):
        path = self.root / "api.sock"
        first = self.daemon(listen=f"unix:{path}").start()
        self.assertRegex(first.log(), rf"event=listening address=\S+ pid={first.pid}\n")
        code, said = self.belfry("serve", "--data", str(self.root / "x"), "--listen",
                                 f"unix:{path}")
        self.assertEqual(code, 1, said)
        self.assertIn(str(path), said)

    def test_output_that_cannot_be_written_is_an_error(self):
        path = self.root / "c.yaml"
        path.write_text(DEFAULTS)
        for args in (["check-config", str(path)], ["version"], ["--help"]):
            with self.subTest(args), open("/dev/full", "wb") as full:
                done = subprocess.run([harness.BINARY, *args], stdout=full, timeout=30, check=False)
                self.assertEqual(done.returncode, 1)

    def serves(self, port):
        try:
            with harness.Client(("127.0.0.1", port)) as client:
                return client.request("GET", "/health").status == 200
        except OSError:
            return False

    def test_a_manager_that_cannot_be_told_is_a_warning(self):
        port = free_port()
        log = self.root / "log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [harness.BINARY, "serve", "--data", str(self.root / "data"),
                 "--listen", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stderr=out,
                env={**os.environ, "NOTIFY_SOCKET": "vsock:2:1234"})
        self.addCleanup(lambda: (process.kill(), process.wait()))
        harness.poll(lambda: self.serves(port), "it serves all the same")
        self.assertRegex(log.read_text(), r'level=warn event=notify_failed why="?NOTIFY_SOCKET=')

    def test_the_configuration_may_be_a_pipe_and_flags_win(self):
        port = free_port()
        process = subprocess.Popen(
            ["bash", "-c", 'exec "$0" serve --config <(printf "%s" "$1") --listen "$2" --data "$3"',
             harness.BINARY, "listen: 127.0.0.1:1\ndata: /nowhere\n", f"127.0.0.1:{port}",
             str(self.root / "data")], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        harness.poll(lambda: self.serves(port), "it serves where the flag says")
        self.assertTrue((self.root / "data" / "FORMAT").exists())

    def test_the_log_is_one_line_an_event(self):
        d = self.daemon().start()
        d.set(self.unused_url(), retry={"max_attempts": 1, "schedule": ["1s"]}, body="a\nb=\"c\"")
        d.end(15)
        for line in d.log(whole=True).splitlines():
            self.assertRegex(line, r"\Atime=\S+Z level=\w+ event=\w+( \w+=(\"[^\"]*\"|\S*))*\Z")


if __name__ == "__main__":
    main()
