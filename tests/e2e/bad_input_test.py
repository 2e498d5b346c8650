"""What a client gets that asks wrongly: a clear 4xx each, nothing stored, still serving."""

import json

from harness import SharedCase, main

URL = "http://127.0.0.1:9/x"
OK = {"hours": 1, "url": URL}


class Bad(SharedCase):
    def setUp(self):
        self.before = self.d.count()

    def check(self, got, status, type_=None, pointer=None):
        """`got` is a problem of `status`, nothing was stored, and the daemon serves."""
        self.assertEqual(got.status, status, got.body)
        self.assertEqual(got.header("content-type"), "application/problem+json")
        problem = got.json()
        self.assertLessEqual({"type", "title", "status", "detail"}, set(problem))
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["type"].startswith("/problems/"))
        self.assertTrue(problem["detail"])
        if type_:
            self.assertEqual(problem["type"], "/problems/" + type_)
        if pointer:
            self.assertIn(pointer, [error["pointer"] for error in problem["errors"]], problem)
            self.assertTrue(all(error["detail"] for error in problem["errors"]))
        self.assertEqual(self.d.get("/health").body, b'{"status":"ok"}')
        self.assertEqual(self.d.count(), self.before)


class Json(Bad):
    def test_what_is_not_json_is_400(self):
        for body in (b"{", b"not json", b"{'seconds':1}", b'{"seconds":1,}', b"\xff\xfe{}", b'"',
                     b" ",
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x"} x',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x"}{}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/\xff"}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/\xed\xa0\x80"}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/\\ud800"}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/\n"}',
                     b'{"seconds":01,"url":"http://127.0.0.1:9/x"}',
                     b'{"seconds":NaN,"url":"http://127.0.0.1:9/x"}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x"}\x00',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x","json":' + b"[" * 17 + b"]" * 17
                     + b"}",
                     b"[" * 100000, b'{"a":' * 20000):
            with self.subTest(body[:60]):
                self.check(self.d.request("POST", "/timers", body), 400)

    def test_what_is_not_an_object_of_known_members_is_400(self):
        for body in (b"[]", b"1", b"null", b'"x"', b"{}", b"[" + json.dumps(OK).encode() + b"]",
                     b'{"seconds":1,"seconds":2,"url":"http://127.0.0.1:9/x"}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x","url":"http://127.0.0.1:9/x"}',
                     b'{"seconds":1,"second\\u0073":2,"url":"http://127.0.0.1:9/x"}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x","json":{"a":1,"a":2}}',
                     b'{"seconds":1,"url":"http://127.0.0.1:9/x","headers":{"a":"1","a":"2"}}'):
            with self.subTest(body[:60]):
                self.check(self.d.request("POST", "/timers", body), 400)

    def test_an_absent_body_is_an_empty_object(self):
        self.check(self.d.request("POST", "/timers"), 400, pointer="/url")


# (members, pointer named in `errors` or None). Each is put over {"url": URL}; "-url" leaves it out.
TIMES = [({}, None)] + [({name: value}, "/" + name)
    for name in ("hours", "minutes", "seconds")
    for value in (-1, 1.5, "1", None, True, [], {}, 2**63, 1e300)] + [
    ({"hours": 2**64}, "/hours"), ({"seconds": 10**30}, "/seconds"),
    ({"seconds": 2**63 - 1}, None), ({"hours": 2**62}, None), ({"hours": 70_000_000_0}, None),
    ({"hours": 2**40, "minutes": 2**40, "seconds": 2**40}, None),
    ({"seconds": 1, "delay": "1s"}, None), ({"delay": "1s", "at": "2999-01-01T00:00:00Z"}, None),
    ({"seconds": 1, "at": "2999-01-01T00:00:00Z"}, None),
] + [({"delay": value}, "/delay") for value in (
    "", "1", "s", "-1s", "1x", "1s1h", "1s 1s", " 1s", "PT", "P", "P1Y", "P1M", "PT1.0001S",
    "-PT1S", "pt1s5", "9" * 30 + "s", 1, None, True, "1h1h")] + [
    ({"at": value}, "/at") for value in (
    "", "now", "2999-01-01", "2999-01-01T00:00:00", "2999-02-30T00:00:00Z", "10000-01-01T00:00:00Z",
    "2999-01-01T25:00:00Z", "2999-01-01T00:00:00+99:00", "2999-01-01T00:00:00Zx", 5, None,
    "9999-12-31T23:59:59-01:00")]

URLS = [({"url": value}, "/url") for value in (
    "", " ", "x", "/x", "127.0.0.1/x", "example.com/x", "//example.com/x", "ftp://example.com/",
    "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:1", "http:/example.com", "http://",
    "http:///x", "http://user@example.com/", "http://user:pw@example.com/",
    "http://:pw@example.com/",
    "http://example.com:99999/", "http://example.com:x/", "http://exa mple.com/",
    "http://example.com/a b", "http://example.com/\r\nX: y", "http://example.com/\u0000",
    "http://example.com/\t", "http://[::1/", "http://" + "a" * 9000 + "/",
    5, None, True, [], {})] + [({"-url": 1}, "/url")]

OTHERS = [
    ({"method": "TRACE"}, "/method"), ({"method": "CONNECT"}, "/method"),
    ({"method": ""}, "/method"),
    ({"method": 1}, "/method"), ({"body": 1}, "/body"), ({"body": None}, "/body"),
    ({"body": "a", "json": 1}, None), ({"append_id": "yes"}, "/append_id"),
    ({"append_id": 1}, "/append_id"), ({"timeout": "0s"}, "/timeout"),
    ({"timeout": "2h"}, "/timeout"),
    ({"timeout": 5}, "/timeout"), ({"headers": []}, "/headers"),
    ({"headers": {"a": 1}}, "/headers/a"),
    ({"headers": {"": "x"}}, None), ({"headers": {"a b": "x"}}, None),
    ({"headers": {"a": "x\r\nb: y"}}, "/headers/a"), ({"headers": {"a": "\u0000"}}, "/headers/a"),
    ({"headers": {"a\r\nb": "x"}}, None), ({"headers": {"Host": "x"}}, "/headers/Host"),
    ({"headers": {"content-length": "5"}}, "/headers/content-length"),
    ({"headers": {"Transfer-Encoding": "chunked"}}, "/headers/Transfer-Encoding"),
    ({"headers": {"webhook-id": "x"}}, "/headers/webhook-id"),
    ({"headers": {"a": "x" * 9000}}, None), ({"headers": {f"h{n}": "x" for n in range(100)}}, None),
    ({"retry": 1}, "/retry"), ({"retry": {"max_attempts": 0}}, "/retry/max_attempts"),
    ({"retry": {"max_attempts": 51}}, "/retry/max_attempts"),
    ({"retry": {"max_attempts": 1.5}}, "/retry/max_attempts"),
    ({"retry": {"nope": 1}}, "/retry/nope"), ({"retry": {"schedule": []}}, "/retry/schedule"),
    ({"retry": {"schedule": "1s"}}, "/retry/schedule"), ({"retry": {"schedule": ["x"]}}, None),
    ({"retry": {"schedule": ["1s"] * 51}}, "/retry/schedule"),
    ({"retry": {"schedule": ["30d"]}}, None),
    ({"retry": {"schedule": ["1s"], "min": "1s"}}, None),
    ({"retry": {"jitter": 2}}, "/retry/jitter"),
    ({"retry": {"jitter": -0.1}}, "/retry/jitter"), ({"retry": {"jitter": "x"}}, "/retry/jitter"),
    ({"retry": {"min": "5s", "max": "1s"}}, None), ({"retry": {"min": "1s", "factor": 0}}, None),
    ({"second": 1}, "/second"), ({"URL": URL}, "/URL"), ({"a/b~c": 1}, "/a~1b~0c"),
]
# Members of features that are not built: refused, never accepted and ignored.
LATER = [({name: value}, "/" + name) for name, value in (
    ("at_local", "2999-01-01T00:00:00"), ("timezone", "Europe/Berlin"), ("labels", {}),
    ("key", "k"), ("key_mode", "reject"), ("debounce", "1s"), ("max_wait", "1s"),
    ("repeat", {"every": "1h"}))]


class Members(Bad):
    def refuse_all(self, cases, base):
        for members, pointer in cases:
            body = {**base, **members}
            if body.pop("-url", None):
                del body["url"]
            with self.subTest(str(members)[:80]):
                self.check(self.d.request("POST", "/timers", body), 400, pointer=pointer)

    def test_bad_times(self):
        self.refuse_all(TIMES, {"url": URL})

    def test_bad_urls(self):
        self.refuse_all(URLS, OK)

    def test_bad_other_members(self):
        self.refuse_all(OTHERS, OK)

    def test_members_of_what_is_not_built_are_refused(self):
        self.refuse_all(LATER, OK)

    def test_several_errors_are_named_at_once(self):
        got = self.d.request("POST", "/timers", {"seconds": -1, "url": "x", "nope": 1})
        self.check(got, 400)
        self.assertEqual({error["pointer"] for error in got.json()["errors"]},
                         {"/seconds", "/url", "/nope"})


BAD_TARGETS = """
/timers?x=1 /timers?limit=1&limit=1 /timers?limit=0 /timers?limit=1001 /timers?limit=x
/timers?limit=-1 /timers?limit= /timers?limit /timers?limit=%zz /timers?limit=% /timers?state=nope
/timers?state= /timers?state=pending&state=dead /timers?due_after=x
/timers?due_before=2999-01-01T00:00:00 /timers?%00=1 /timers?=1 /timers?state=%ff
/timers/count?limit=1 /timers/count?state=nope /timers/count?x /timers/1?view=short
/timers/1?view=full&view=full /timers/1?x=1 /timers?label=a:b /timers?key=a /timers?target=a
/health?x=1 /ready?x=1
"""


class Queries(Bad):
    def test_unknown_repeated_and_malformed_parameters_are_400(self):
        cases = [("GET", target) for target in BAD_TARGETS.split()] + [
            ("POST", "/timers?x=1"), ("POST", "/timers?url=x"), ("DELETE", "/timers/1?x=1"),
            ("DELETE", "/timers?x=1"), ("DELETE", "/timers?dry_run=true"),
            ("DELETE", "/timers?state=dead")]
        for method, target in cases:
            with self.subTest(f"{method} {target}"):
                body = OK if method == "POST" else None
                self.check(self.d.request(method, target, body), 400, "invalid-query")


class Media(Bad):
    def test_a_body_of_another_type_is_415(self):
        raw = json.dumps(OK).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "",
                     "application/json+x", "text/json"):
            with self.subTest(kind):
                self.check(self.d.request("POST", "/timers", raw, [("Content-Type", kind)]), 415)
        with self.d.client() as client:
            client.send(b"POST /timers HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(raw), raw))
            self.check(client.response(), 415, "unsupported-media-type")

    def test_an_unknown_expectation_is_417(self):
        got = self.d.request("POST", "/timers", OK, [("Expect", "a-miracle")])
        self.check(got, 417)


class TooLarge(Bad):
    """The early error can be read although the client goes on sending."""

    def send_and_read(self, *pieces):
        with self.d.client() as client:
            for piece in pieces:
                client.send(piece)
            return client.response(), client.is_closed()

    def test_a_body_of_300_kib_is_413(self):
        body = json.dumps({**OK, "body": "x" * 300 * 1024}).encode()
        head = b"POST /timers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        got, closed = self.send_and_read(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.check(got, 413, "body-too-large")
        self.assertTrue(closed)
        got, closed = self.send_and_read(head + b"Transfer-Encoding: chunked\r\n\r\n", *(
            b"%x\r\n%s\r\n" % (len(part), part)
            for part in (body[n:n + 8192] for n in range(0, len(body), 8192))), b"0\r\n\r\n")
        self.check(got, 413, "body-too-large")
        self.assertTrue(closed)
        self.check(self.send_and_read(head + b"Content-Length: 99999999999\r\n\r\n")[0], 413)

    def test_a_body_of_256_kib_is_taken(self):
        filler = 256 * 1024 - len(json.dumps({**OK, "body": ""}))
        got = self.d.request("POST", "/timers", {**OK, "body": "x" * filler})
        self.assertEqual(got.status, 201)
        self.assertEqual(self.d.request("DELETE", f"/timers/{got.json()['id']}").status, 200)

    def test_headers_of_20_kib_are_431_and_such_a_line_414(self):
        start = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
        for name, raw, status in (
                ("one", start + b"X: " + b"y" * 20480 + b"\r\n\r\n", 431),
                ("many", start + b"X-A: 1234567890\r\n" * 1300 + b"\r\n", 431),
                ("endless", start + b"X: " + b"y" * 200000, 431),
                ("line", b"GET /" + b"a" * 20480 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
                ("endless line", b"GET /" + b"a" * 200000, 414)):
            with self.subTest(name):
                got, closed = self.send_and_read(raw)
                self.check(got, status)
                self.assertTrue(closed)


HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
BODY = json.dumps(OK).encode()
POST = b"POST /timers HTTP/1.1\r\n" + HOST + JSON
SIZED = POST + b"Content-Length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

# Framing in doubt: one 400, then closed. A second request behind each must not be served.
DOUBTFUL = {
    "no host": SIZED.replace(HOST, b"") + b"\r\n" + BODY,
    "two hosts": SIZED + HOST + b"\r\n" + BODY,
    "empty host": SIZED.replace(HOST, b"Host:\r\n") + b"\r\n" + BODY,
    "CL and TE": SIZED + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "TE and CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
    "two CL": SIZED + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 1) + BODY,
    "CL list": POST + b"Content-Length: %d, 7\r\n\r\n" % len(BODY) + BODY,
    "CL plus": POST + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "CL minus": POST + b"Content-Length: -1\r\n\r\n" + BODY,
    "CL hex": POST + b"Content-Length: 0x20\r\n\r\n" + BODY,
    "CL empty": POST + b"Content-Length: \r\n\r\n" + BODY,
    "CL huge": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
    "CL with space before colon": POST + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "TE unknown": POST + b"Transfer-Encoding: gzip\r\n\r\n" + BODY,
    "TE identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + BODY,
    "TE twice chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + CHUNKS,
    "TE chunked not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS,
    "TE vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "bare LF": SIZED.replace(b"\r\n", b"\n") + b"\n" + BODY,
    "one bare LF": SIZED + b"X: y\n\r\n" + BODY,
    "bare CR": SIZED + b"X: a\rb\r\n\r\n" + BODY,
    "obs-fold": SIZED + b"X: a\r\n b\r\n\r\n" + BODY,
    "obs-fold tab": SIZED + b"X: a\r\n\tb\r\n\r\n" + BODY,
    "fold first": SIZED.replace(HOST, b" " + HOST) + b"\r\n" + BODY,
    "NUL in a header": SIZED + b"X: a\0b\r\n\r\n" + BODY,
    "NUL in a name": SIZED + b"X\0: a\r\n\r\n" + BODY,
    "NUL in the line": SIZED.replace(b"/timers", b"/ti\0mers") + b"\r\n" + BODY,
    "NULs": b"\0" * 64,
    "no colon": SIZED + b"nonsense\r\n\r\n" + BODY,
    "empty name": SIZED + b": x\r\n\r\n" + BODY,
    "chunk size not hex": POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "chunk size negative": POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
    "chunk size huge": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    "chunk without its CRLF": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "chunk bare LF": POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS.replace(b"\r\n", b"\n"),
    "no version": b"GET /health\r\n\r\n",
    "version 0.9": b"GET /health HTTP/0.9\r\n" + HOST + b"\r\n",
    "version 2": b"GET /health HTTP/2.0\r\n" + HOST + b"\r\n",
    "not HTTP": b"HELO there\r\n\r\n",
    "TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\x55" * 64 + b"\r\n\r\n",
    "two spaces": SIZED.replace(b"POST /", b"POST  /") + b"\r\n" + BODY,
    "space in target": SIZED.replace(b"/timers", b"/tim ers") + b"\r\n" + BODY,
    "fragment": SIZED.replace(b"/timers", b"/timers#x") + b"\r\n" + BODY,
    "host with a path": SIZED.replace(b"localhost", b"localhost/x") + b"\r\n" + BODY,
}


class Framing(Bad):
    def test_doubtful_framing_is_one_400_then_closed(self):
        for name, raw in DOUBTFUL.items():
            with self.subTest(name), self.d.client() as client:
                client.send(raw + b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
                got = client.response()
                self.check(got, 400, "malformed-request")
                self.assertEqual(got.header("connection"), "close")
                self.assertTrue(client.is_closed(), client.buffer)

    def test_it_is_the_same_in_single_bytes(self):
        for name, raw in DOUBTFUL.items():
            with self.subTest(name), self.d.client() as client:
                try:
                    for byte in raw + b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n":
                        client.send(bytes([byte]))
                except OSError:
                    pass  # it may have been closed by now
                self.check(client.response(), 400, "malformed-request")
                self.assertTrue(client.is_closed(), client.buffer)

    def test_answers_before_the_doubt_are_sent(self):
        with self.d.client() as client:
            client.send(client.encode("GET", "/health") + DOUBTFUL["two CL"])
            self.assertEqual(client.response().status, 200)
            self.check(client.response(), 400)
            self.assertTrue(client.is_closed())

    def test_equal_content_lengths_are_never_a_second_request(self):
        with self.d.client() as client:
            client.send(SIZED + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
            got = client.response()
            self.assertIn(got.status, (400, 201))
            if got.status == 201:
                self.d.request("DELETE", f"/timers/{got.json()['id']}")

    def test_a_body_that_ends_early_stores_nothing(self):
        with self.d.client() as client:
            client.send(SIZED + b"\r\n" + BODY[:-1])
        self.assertEqual(self.d.count(), self.before)


if __name__ == "__main__":
    main()
