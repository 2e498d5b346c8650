"""openapi.yaml is sound, names exactly the routes of the binary, and its examples are true.

An example is known by its name. In an operation it may stand at parameters, at the request's body
and at one response: the test sends what there is of it, and compares. In a webhook it stands at
headers and body of what a receiver gets. PREPARE says what comes before.
"""

import json
import os
import pathlib
import re
import subprocess
import urllib.parse

import harness
from event_stream import EventStream
from harness import TOOLS, Answer, Case, Daemon, main, poll

ROOT = pathlib.Path(__file__).parents[2]
SOURCE = ROOT / "openapi.yaml"
VERBS = ("get", "put", "post", "delete", "patch")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Where the receiver of the examples listens.
HOOKS = "http://127.0.0.1:9000"
FAR = "2999-01-01T00:00:00Z"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


def behave(got):
    return Answer(status=410 if got.target.startswith("/gone") else 204)


# --- what comes before an example -----------------------------------------------------------------

def far_away(case):
    case.d.set("https://example.com/hook", at=FAR)


def two_far_away(case):
    far_away(case)
    case.d.set("https://example.com/hook", at="2999-01-01T00:00:01Z")


def in_645_seconds(case):
    case.d.set("https://example.com/hook", seconds=645)


def delivered(case):
    case.d.wait_state(case.d.set(case.r.url()), "delivered")


def dead(case):
    case.d.wait_state(case.d.set(case.r.url("/gone")), "dead")


def dead_and_another(case):
    dead(case)
    delivered(case)


def key_used(case):
    case.d.set("https://example.com/hook", [("Idempotency-Key", "order-4711")], seconds=60)


def one_target(case):
    delivered(case)
    poll(lambda: case.d.get("/targets").json()["targets"][0]["in_flight"] == 0, "idle target")


def paused_one(case):
    case.d.request("POST", "/targets/pause", {"target": "https://example.com"})


def paused_all(case):
    case.d.request("POST", "/targets/pause", {"all": True})


def fired_with_json(case):
    case.d.set(case.r.url(), json={"why": "renew"})


def fired_signed(case):
    secret = case.root / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    case.d.close()
    delivery = f"{{targets: {{allow: [loopback]}}, signing: {{secrets: [{secret}]}}}}"
    case.d = case.daemon("signed", config=f"delivery: {delivery}\n").start()
    case.d.set(case.r.url())


def ended_delivered(case):
    case.d.set(case.r.url("/first"), on_success={"url": case.r.url("/ended")})


def ended_dead(case):
    case.d.set(case.r.url("/gone"), on_failure={"url": case.r.url("/ended")})


def own_tea(case):
    case.d.request("POST", "/api/stopwatch", {"name": "tea"})


def start_stream(case, **members):
    started = case.d.request("POST", "/users/johndoe/streams", {"content": "stream_100", **members})
    case.stream = started.json()["streamId"]


def playing(case):
    start_stream(case, ttl="60s")


def ended_stream(case):
    playing(case)
    case.d.request("DELETE", f"/users/johndoe/streams/{case.stream}")


def one_of_one(case):
    case.d.request("POST", "/users", {"userId": "johndoe", "limit": 1})
    playing(case)


def two_users(case):
    case.d.request("POST", "/users", {"userId": "alice"})
    playing(case)


def lapsing(case):
    start_stream(case, ttl="1s", on_expire={"url": case.r.url("/expired")})


PREPARE = {
    ("listTimers", "deadOnes"): dead_and_another,
    ("deleteAllTimers", "allGone"): far_away,
    ("countTimers", "pendingOnes"): two_far_away,
    ("countTimers", "deadOnes"): dead_and_another,
    ("countTimers", "dueSoon"): two_far_away,
    ("setTimer", "keyReused"): key_used,
    ("retryDeadTimers", "onlyCount"): dead_and_another,
    ("retryDeadTimers", "allDead"): dead_and_another,
    ("getTimer", "timeLeft"): in_645_seconds,
    ("getTimer", "fullView"): delivered,
    ("cancelTimer", "cancelled"): far_away,
    ("cancelTimer", "tooLate"): delivered,
    ("retryTimer", "broughtBack"): dead,
    ("retryTimer", "notDead"): far_away,
    ("listTargets", "oneTarget"): one_target,
    ("resumeTarget", "resumeOne"): paused_one,
    ("resumeTarget", "resumeAll"): paused_all,
    ("startStopwatch", "startAgain"): own_tea,
    ("listStopwatches", "oneOwn"): own_tea,
    ("listOwners", "everybodys"): own_tea,
    ("watchStopwatches", "startAndReset"): own_tea,
    ("makeUser", "knownUser"): lambda case: case.d.request("POST", "/users", {"userId": "johndoe"}),
    ("listUsers", "allUsers"): two_users,
    ("listUsers", "secondPage"): two_users,
    ("getUser", "whilePlaying"): playing,
    ("getUser", "whenOver"): ended_stream,
    ("startStream", "evicting"): one_of_one,
    ("startStream", "fullHouse"): one_of_one,
    ("listStreams", "onePlays"): playing,
    ("renewStream", "heartbeat"): playing,
    ("renewStream", "afterItsEnd"): ended_stream,
    ("streamLapsed", "lapsedFilm"): lapsing,
    ("timerFired", "firedPlain"): lambda case: case.d.set(case.r.url()),
    ("timerFired", "firedWithJson"): fired_with_json,
    ("timerFired", "firedSigned"): fired_signed,
    ("timerEnded", "endedDelivered"): ended_delivered,
    ("timerEnded", "endedDead"): ended_dead,
}


# Numbers in what these answer are times that go on.
COUNTING = {"listStopwatches", "listOwners"}
# While the events of an example come.
MEANWHILE = {"startAndReset": own_tea}


# --- reading the description ----------------------------------------------------------------------

class Description:
    def __init__(self, text):
        self.api = json.loads(text)

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.api
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def operations(self, part="paths"):
        """(path or name, verb, operation, its parameters)"""
        for path, item in self.api[part].items():
            for verb in VERBS:
                if verb in item:
                    given = item.get("parameters", []) + item[verb].get("parameters", [])
                    yield path, verb, item[verb], [self.resolve(p) for p in given]

    def responses(self, operation):
        """(status, media type, content) of each."""
        for status, response in operation["responses"].items():
            for media, content in self.resolve(response).get("content", {}).items():
                yield status, media, content

    def body_examples(self, operation):
        body = self.resolve(operation.get("requestBody", {}))
        for content in body.get("content", {}).values():
            yield from content.get("examples", {}).items()

    def examples(self, operation, parameters):
        """Name -> {"parameters": {name: value}, "body": value, "answers": [(status, media, value)]}

        Parameters are shared, so only names that also stand elsewhere in the operation count.
        """
        found = {}
        for status, media, content in self.responses(operation):
            for name, example in content.get("examples", {}).items():
                found.setdefault(name, {"answers": []})["answers"].append(
                    (status, media, example["value"]))
        for name, example in self.body_examples(operation):
            found.setdefault(name, {"answers": []})["body"] = example["value"]
        for parameter in parameters:
            for name, example in parameter.get("examples", {}).items():
                if name in found:
                    found[name].setdefault("parameters", []).append((parameter, example["value"]))
        return found


def text_of(value):
    return json.dumps(value) if isinstance(value, bool) else str(value)


def same(expected, actual, key=""):
    """Equal, but for what differs from run to run: times, durations, ids of streams."""
    if isinstance(expected, dict):
        return (isinstance(actual, dict) and list(expected) == list(actual)
                and all(same(expected[k], actual[k], k) for k in expected))
    if isinstance(expected, list):
        return (isinstance(actual, list) and len(expected) == len(actual)
                and all(same(e, a, key) for e, a in zip(expected, actual)))
    if isinstance(expected, int) and (key.endswith("_ms") or key == "time_left"):
        most = expected if key == "time_left" else 60_000
        return isinstance(actual, int) and 0 <= actual <= most and (actual > 0 or expected < 60)
    for pattern in (RFC3339, UUID):
        if isinstance(expected, str) and pattern.fullmatch(expected):
            return isinstance(actual, str) and pattern.fullmatch(actual) is not None
    return expected == actual and type(expected) is type(actual)


class DescriptionCase(Case):
    def setUp(self):
        super().setUp()
        self.stream = ""  # what PREPARE started
        self.r = self.receiver(behave)
        self.d = self.daemon().start()
        self.description = Description(self.d.get("/openapi.json").body)


class Examples(DescriptionCase):
    def here(self, text):
        """As the receiver of this run is called."""
        return text.replace(HOOKS, self.r.url(""))

    def fresh(self, operation_id, name):
        self.r.clear()
        self.d.close()
        self.d = self.daemon(f"{operation_id}-{name}").start()
        PREPARE.get((operation_id, name), lambda case: None)(self)

    def send(self, path, verb, example):
        headers, query = [], []
        for parameter, value in example.get("parameters", []):
            if parameter["in"] == "path":
                text = UUID.sub(self.stream, text_of(value))
                path = path.replace("{" + parameter["name"] + "}",
                                    urllib.parse.quote(text, safe=""))
            elif parameter["in"] == "query":
                query.append((parameter["name"], text_of(value)))
            else:
                headers.append((parameter["name"], text_of(value)))
        self.assertNotIn("{", path, "an example lacks a part of the path")
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        body = json.loads(self.here(json.dumps(example["body"]))) if "body" in example else None
        return self.d.request(verb.upper(), target, body, headers)

    def check_events(self, example, text):
        """The events and comments of `text`, in their order, are those that come."""
        (query,) = [(p["name"], text_of(v)) for p, v in example["parameters"]]
        with EventStream(self.d, urllib.parse.urlencode([query])) as stream:
            self.assertEqual((stream.head.status, stream.head.header("content-type")),
                             (200, "text/event-stream"))
            for number, block in enumerate(text.strip().split("\n\n")):
                if block.startswith(":"):
                    continue
                if number == 2:
                    MEANWHILE["startAndReset"](self)
                lines = dict(line.split(": ", 1) for line in block.split("\n"))
                event = stream.next()
                self.assertEqual(event.name, lines["event"])
                self.assertTrue(same(json.loads(lines["data"]), event.data), event)
                for one in (event.id, lines["id"]):
                    self.assertRegex(one, r"\A\d+-\d+\Z")
            self.assertRegex(stream.comments[0], r"\A: server_now " + RFC3339.pattern)

    def check(self, response, status, media, value, counting=False):
        self.assertEqual((str(response.status), response.header("content-type")), (status, media),
                         response.body)
        got = json.loads(response.body.decode().replace(self.r.url(""), HOOKS))
        if counting:
            self.assertEqual([type(n) for n in got.values()], [int] * len(got))
            value, got = list(value), list(got)
        self.assertTrue(same(value, got), f"described: {json.dumps(value)}\n      got: {got}")

    def test_every_example_of_a_path_is_what_the_daemon_does(self):
        executed = 0
        for path, verb, operation, parameters in self.description.operations():
            examples = self.description.examples(operation, parameters)
            for name, example in examples.items():
                with self.subTest(f"{operation['operationId']} {name}"):
                    self.assertEqual(len(example["answers"]), 1, "one answer to each example")
                    self.fresh(operation["operationId"], name)
                    executed += 1
                    status, media, value = example["answers"][0]
                    if media == "text/event-stream":
                        self.check_events(example, value)
                        continue
                    response = self.send(path, verb, example)
                    self.check(response, status, media, value,
                               operation["operationId"] in COUNTING and status == "200")
                    described = operation["responses"][str(response.status)].get("headers", {})
                    if "Location" in described:
                        self.assertEqual(
                            UUID.sub("UUID", response.header("location")),
                            UUID.sub("UUID", described["Location"]["schema"]["example"]))
        harness.show(f"{executed} examples of paths")

    def test_every_example_of_a_webhook_is_what_a_receiver_gets(self):
        executed = 0
        for hook, verb, operation, parameters in self.description.operations("webhooks"):
            names = {n for p in parameters for n in p.get("examples", {})}
            bodies = dict(self.description.body_examples(operation))
            for name in sorted(names | set(bodies)):
                if (hook, name) not in PREPARE:
                    self.assertIn(name, names, "an example that nothing makes")
                    continue
                with self.subTest(f"{hook} {name}"):
                    self.fresh(hook, name)
                    ended = hook == "timerEnded"
                    got = self.r.wait(2 if ended else 1)[-1]
                    self.assertEqual(got.method, verb.upper())
                    for parameter in parameters:
                        self.check_header(got, parameter, name)
                    if name in bodies:
                        self.assertTrue(same(bodies[name]["value"], json.loads(got.body)), got.body)
                        self.assertEqual(got.header("content-type"), "application/json")
                    executed += 1
        harness.show(f"{executed} examples of webhooks")

    def check_header(self, got, parameter, name):
        value = got.header(parameter["name"])
        if value is None:
            self.assertFalse(parameter.get("required"), f"{parameter['name']} is missing")
            self.assertNotIn(name, parameter.get("examples", {}))
            return
        schema = parameter["schema"]
        described = [value] + [e["value"] for n, e in parameter.get("examples", {}).items()
                               if n == name]
        for one in described:
            if "pattern" in schema:
                self.assertRegex(one, schema["pattern"])
            elif schema.get("format") == "date-time":
                self.assertRegex(one, RFC3339)
            else:
                self.assertEqual(one, value)

    def test_what_answers_json_and_what_takes_it_has_an_example(self):
        known = set()
        for path, verb, operation, parameters in self.description.operations():
            examples = self.description.examples(operation, parameters)
            known |= {(operation["operationId"], name) for name in examples}
            with self.subTest(f"{verb} {path}"):
                for status, media, _ in self.description.responses(operation):
                    if status.startswith("2") and media == "application/json" and (
                            not path.startswith("/openapi")):
                        self.assertTrue([e for e in examples.values()
                                         if e["answers"] and e["answers"][0][0] == status], status)
                if "requestBody" in operation:
                    self.assertTrue(list(self.description.body_examples(operation)))
        for operation_id, name in PREPARE:
            if operation_id not in self.description.api["webhooks"]:
                self.assertIn((operation_id, name), known, "prepared for nothing")


class Routes(DescriptionCase):
    # What people's browsers load; no part of the API.
    PAGE = {"/", "/app.css", "/app.js", "/api.js", "/event_stream.js", "/stopwatches.js",
            "/docs.css", "/icon.svg"}

    def test_the_routes_of_the_binary_are_the_paths_of_the_file(self):
        d = self.daemon("log", config=(
            "log: {level: debug}\ndelivery: {targets: {allow: [loopback]}}\n")).start()
        served = set(re.findall(r'event=route serves="([A-Z]+ [^"]+)"', d.log(whole=True)))
        self.assertLessEqual({f"GET {path}" for path in self.PAGE}, served)
        served -= {f"GET {path}" for path in self.PAGE}
        described = {f"{verb.upper()} {path}"
                     for path, verb, *_ in self.description.operations()}
        self.assertGreater(len(described), 10)
        self.assertEqual(served, described)

    def test_each_path_allows_what_is_described(self):
        methods = {}
        for path, verb, *_ in self.description.operations():
            methods.setdefault(path, set()).add(verb.upper())
            if verb == "get":
                methods[path].add("HEAD")
        for path, allowed in methods.items():
            response = self.d.request("OPTIONS", re.sub(r"\{\w+\}", "1", path))
            self.assertEqual(response.status, 405, path)
            self.assertEqual(set(response.header("allow").split(", ")), allowed, path)


class Scopes(DescriptionCase):
    ALL = {"timers:read", "timers:write", "stopwatches", "streams", "admin"}

    def token(self, scopes):
        wanted = [word for scope in sorted(scopes) for word in ("--scope", scope)]
        done = subprocess.run(
            [harness.BINARY, "token", "create", "--user", "alice", "--tokens-file",
             self.tokens_file, *wanted],
            capture_output=True, text=True, check=True, timeout=20)
        return [("Authorization", f"Bearer {done.stdout.splitlines()[-1]}")]

    def test_each_operation_needs_the_scope_that_is_described(self):
        self.tokens_file = self.root / "tokens"
        with_it = {scope: self.token({scope}) for scope in self.ALL}
        without = {scope: self.token(self.ALL - {scope}) for scope in self.ALL}
        d = self.daemon("scoped", config=(
            f"auth: {{mode: token, tokens_file: {self.tokens_file}}}\n")).start()
        for path, verb, operation, _ in self.description.operations():
            target = re.sub(r"\{\w+\}", "1", path)
            with self.subTest(f"{verb} {path}"):
                if operation["security"] == []:
                    self.assertEqual(d.request(verb.upper(), target).status, 200)
                    continue
                token, nothing = operation["security"]
                self.assertEqual(nothing, {}, "with auth.mode: none")
                scope, = token["token"]
                got = d.request(verb.upper(), target)
                self.assertEqual((got.status, got.header("www-authenticate")), (401, "Bearer"))
                self.assertEqual(d.request(verb.upper(), target, None, without[scope]).status, 403)
                got = d.request(verb.upper(), target, None, with_it[scope])
                self.assertNotIn(got.status, (401, 405, 429))
                if got.status == 403:
                    self.assertEqual(got.json()["type"], "/problems/not-owned")


class Soundness(Case):
    def lint(self, path):
        cli = pathlib.Path(TOOLS["npm"], "node_modules/@redocly/cli/bin/cli.js")
        if not cli.is_file():
            raise AssertionError(f"{cli} is missing; script/setup-npm installs it")
        return subprocess.run(
            ["node", cli, "lint", "--config", ROOT / "tests/e2e/redocly.yaml", path],
            capture_output=True, text=True, check=False, timeout=200, cwd=self.root,
            env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
                 "CI": "true"})

    def test_redocly_finds_nothing(self):
        done = self.lint(SOURCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("warning", done.stdout + done.stderr)

    def test_redocly_would_find_an_example_that_breaks_its_schema(self):
        wrong = self.root / "openapi.yaml"
        text = SOURCE.read_text()
        wrong.write_text(text.replace("value: {id: 1, time_left: 645}", "value: {id: one}"))
        self.assertNotEqual(wrong.read_text(), text)
        done = self.lint(wrong)
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_version_is_that_of_the_binary(self):
        said = subprocess.run([harness.BINARY, "version"], capture_output=True, text=True,
                              check=True, timeout=20).stdout.split()[-1]
        self.assertIn(f"\n  version: {said}\n", SOURCE.read_text())

    def test_every_kind_of_problem_is_named(self):
        """`type` is part of the contract, so the list is whole and has nothing else."""
        kinds = (ROOT / "http/problem.cc").read_text()
        made = set(re.findall(r'\{ProblemKind::k\w+,\s*\d+,\s*"([a-z-]+)"', kinds))
        described = set(re.findall(r"^ +- /problems/([a-z-]+)$", SOURCE.read_text(), re.M))
        self.assertGreater(len(made), 20)
        self.assertEqual(described, made)

    def test_what_is_served_is_the_file(self):
        d = Daemon(self.root / "served")
        self.addCleanup(d.close)
        d.start()
        self.assertEqual(d.get("/openapi.yaml").body, SOURCE.read_bytes())


if __name__ == "__main__":
    main("npm")
