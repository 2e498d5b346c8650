"""Stream slots: the contract line by line, the limit under load and through crashes, and lapses."""

import concurrent.futures
import datetime
import json
import re
import threading
import time
import urllib.parse
import uuid

from harness import Answer, Case, Client, Closed, SharedCase, main, poll, show

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def path_of(user, *rest):
    return "/".join(["/users", urllib.parse.quote(user, safe=""), *rest])


def start(daemon, user, **members):
    return daemon.request("POST", path_of(user, "streams"), members)


def started(daemon, user, **members):
    answer = start(daemon, user, **members)
    assert answer.status == 201, answer
    return answer.json()["streamId"]


def streams(daemon, user):
    answer = daemon.get(path_of(user, "streams"))
    assert answer.status == 200, answer
    return answer.json()


def renew(daemon, user, stream):
    return daemon.request("PUT", path_of(user, "streams", stream))


def end(daemon, user, stream):
    return daemon.request("DELETE", path_of(user, "streams", stream))


def seconds_between(first, second):
    first, second = (datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))
                     for t in (first, second))
    return (second - first).total_seconds()


def lapsed(daemon, user):
    """Waits until nothing of the user's is alive."""
    poll(lambda: streams(daemon, user)["count"] == 0, f"the streams of {user} to lapse")


def calls(receiver, stream):
    return [got for got in receiver.requests if json.loads(got.body)["streamId"] == stream]


class Contract(SharedCase):
    def problem(self, answer, status, slug):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.header("content-type"), "application/problem+json")
        self.assertEqual(answer.json()["type"], f"/problems/{slug}")
        return answer.json()

    def test_a_user_is_made_listed_shown_and_deleted(self):
        made = self.d.request("POST", "/users", {"userId": "johndoe", "limit": 3})
        self.assertEqual(made.status, 201)
        self.assertEqual(made.header("location"), "/users/johndoe")
        self.problem(self.d.request("POST", "/users", {"userId": "johndoe"}), 409, "user-exists")
        shown = self.d.get("/users/johndoe")
        self.assertEqual(
            shown.body,
            b'{"userId":"johndoe","limit":3,"active":0,"watching":[],"lastOnline":null}')
        self.assertIn(shown.json(), self.d.get("/users").json())
        self.assertEqual(self.d.request("DELETE", "/users/johndoe").status, 204)
        for method in ("GET", "DELETE"):
            self.problem(self.d.request(method, "/users/johndoe"), 404, "not-found")

    def test_a_user_has_the_common_limit_or_their_own(self):
        made = self.d.request("POST", "/users", {"userId": "lim"})
        self.assertEqual((made.status, made.json()["limit"]), (201, 3))
        self.assertEqual(made.json(), self.d.get("/users/lim").json())
        made = self.d.request("POST", "/users", {"userId": "one", "limit": 1})
        self.assertEqual((made.status, made.json()["limit"]), (201, 1))
        started(self.d, "one")
        full = self.problem(start(self.d, "one", policy="reject"), 409, "stream-limit")
        self.assertEqual((full["limit"], full["active"]), (1, 1))

    def test_names_of_users_are_percent_encoded_utf_8(self):
        for name in ("a b", "a/b", "\u00e9", "\U0001f375" * 128, "100%", "?#", "..", "+", '"\\'):
            made = self.d.request("POST", "/users", {"userId": name})
            self.assertEqual(made.status, 201, name)
            self.assertEqual(self.d.get(made.header("location")).json()["userId"], name)
            stream = started(self.d, name)
            self.assertEqual(streams(self.d, name)["streams"][0]["streamId"], stream)
            self.assertEqual(renew(self.d, name, stream).status, 200)
            self.assertEqual(self.d.request("DELETE", path_of(name)).status, 204)

    def test_what_cannot_be_a_user_is_400(self):
        for name in ("", "x" * 129, "\U0001f375" * 129, "\0", "a\0b", "\n", "\x7f", "\x9f"):
            refused = self.problem(self.d.request("POST", "/users", {"userId": name}), 400,
                                   "invalid-body")
            self.assertEqual(refused["errors"][0]["pointer"], "/userId")
            if name:
                self.problem(self.d.get(path_of(name)), 400, "invalid-name")
                self.problem(start(self.d, name), 400, "invalid-name")
        for body in (b"{}", b'{"userId":1}', b'{"userId":"a","x":1}', b'{"userId":"a","limit":0}',
                     b'{"userId":"a","limit":257}', b'{"userId":"a","limit":"3"}',
                     b'{"userId":"a","limit":2.5}', b'{"userId":"a","userId":"a"}', b"[]", b"x"):
            self.assertEqual(self.d.request("POST", "/users", body).status, 400, body)
        for target in ("/users?limit=0", "/users?limit=1001", "/users?x=1", "/users?after=",
                       "/users/%ff", "/users/joe?x=1", "/users/joe/streams?limit=1"):
            self.assertEqual(self.d.get(target).status, 400, target)
        text = self.d.request("POST", "/users", b'{"userId":"a"}', [("Content-Type", "text/plain")])
        self.problem(text, 415, "unsupported-media-type")
        self.problem(self.d.get("/users/a"), 404, "not-found")

    def test_head_works_where_get_does(self):
        started(self.d, "hed")
        for target in ("/users", "/users/hed", "/users/hed/streams"):
            self.assertEqual(self.d.request("HEAD", target).status, 200, target)
        self.assertEqual(self.d.request("HEAD", "/users/nobody").status, 404)

    def test_an_unknown_user_is_404_everywhere(self):
        stream = str(uuid.uuid4())
        for method, rest in (("GET", ()), ("DELETE", ()), ("GET", ("streams",)),
                             ("PUT", ("streams", stream)), ("DELETE", ("streams", stream))):
            self.problem(self.d.request(method, path_of("nobody", *rest)), 404, "not-found")

    def test_a_stream_without_a_body_has_the_defaults(self):
        answer = self.d.request("POST", "/users/def/streams")
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.header("location"),
                         "/users/def/streams/" + answer.json()["streamId"])
        stream, = streams(self.d, "def")["streams"]
        self.assertIsNone(stream["content"])
        self.assertEqual(seconds_between(stream["startedAt"], stream["expiresAt"]), 12 * 3600)
        self.assertEqual(self.d.get("/users/def").json()["watching"], [])

    def test_a_ttl_lasts_from_the_start_and_from_each_heartbeat(self):
        for text, seconds in (("60s", 60), ("PT1H", 3600), ("1m30s", 90), ("30d", 30 * 86400)):
            stream = started(self.d, "ttl", ttl=text)
            shown, = streams(self.d, "ttl")["streams"]
            self.assertEqual(seconds_between(shown["startedAt"], shown["expiresAt"]), seconds)
            renewed = renew(self.d, "ttl", stream).json()["expiresAt"]
            self.assertGreaterEqual(seconds_between(shown["expiresAt"], renewed), 0)
            self.assertEqual(streams(self.d, "ttl")["streams"][0]["expiresAt"], renewed)
            end(self.d, "ttl", stream)

    def test_users_come_in_pages(self):
        for name in ("page/1", "page/2", "page/3"):
            self.d.request("POST", "/users", {"userId": name})
        seen, target = [], "/users?limit=2"
        while target:
            page = self.d.get(target)
            self.assertLessEqual(len(page.json()), 2)
            seen += [user["userId"] for user in page.json()]
            link = page.header("link")
            target = link[link.index("<") + 1:link.index(">")] if link else None
        self.assertEqual(seen, sorted(set(seen)))
        self.assertLessEqual({"page/1", "page/2", "page/3"}, set(seen))

    def test_a_start_says_what_the_contract_says(self):
        answer = start(self.d, "ann", content="stream_100", ttl="60s",
                       on_expire={"url": "http://127.0.0.1:1/x"})
        self.assertEqual(answer.status, 201)
        stream = answer.json()["streamId"]
        self.assertEqual(uuid.UUID(stream).version, 4)
        self.assertEqual(answer.body,
                         b'{"streamId":"%s","active":1,"limit":3}' % stream.encode())
        listed = streams(self.d, "ann")
        self.assertEqual(list(listed), ["count", "limit", "streams"])
        self.assertEqual((listed["count"], listed["limit"]), (1, 3))
        self.assertEqual(list(listed["streams"][0]),
                         ["streamId", "content", "startedAt", "expiresAt"])
        self.assertEqual(listed["streams"][0]["streamId"], stream)
        self.assertEqual(listed["streams"][0]["content"], "stream_100")
        for member in ("startedAt", "expiresAt"):
            self.assertRegex(listed["streams"][0][member], TIME)
        user = self.d.get("/users/ann").json()
        self.assertEqual(user, {"userId": "ann", "limit": 3, "active": 1,
                                "watching": ["stream_100"], "lastOnline": None})
        self.assertEqual(end(self.d, "ann", stream).status, 204)
        self.assertRegex(self.d.get("/users/ann").json()["lastOnline"], TIME)

    def test_at_the_limit_a_start_is_refused_or_evicts(self):
        first = [started(self.d, "bob", content=str(n)) for n in range(3)]
        full = self.problem(start(self.d, "bob"), 409, "stream-limit")
        self.assertEqual((full["limit"], full["active"]), (3, 3))
        self.assertEqual([s["streamId"] for s in full["streams"]], first)
        answer = start(self.d, "bob", policy="evict_oldest")
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.json()["evicted"], [first[0]])
        self.assertEqual(answer.json()["active"], 3)
        self.problem(renew(self.d, "bob", first[0]), 404, "not-found")

    def test_a_heartbeat_renews_and_never_revives(self):
        stream = started(self.d, "eve", ttl="4s")
        answer = renew(self.d, "eve", stream)
        self.assertEqual(answer.status, 200)
        self.assertEqual(list(answer.json()), ["expiresAt"])
        self.assertRegex(answer.json()["expiresAt"], TIME)
        poll(lambda: renew_after_silence(self.d, "eve", stream) == 404, "the lease to lapse")
        self.problem(renew(self.d, "eve", stream), 404, "not-found")
        for never in (str(uuid.uuid4()), "nonsense", "%00"):
            self.problem(renew(self.d, "eve", never), 404, "not-found")
        self.assertEqual(streams(self.d, "eve")["count"], 0)

    def test_an_end_is_204_also_when_it_is_gone(self):
        stream = started(self.d, "fay")
        for _ in range(3):
            answer = end(self.d, "fay", stream)
            self.assertEqual((answer.status, answer.body), (204, b""))
        for never in (str(uuid.uuid4()), "nonsense", "%00"):
            self.assertEqual(end(self.d, "fay", never).status, 204)
        self.problem(end(self.d, "nobody", stream), 404, "not-found")
        self.problem(self.d.get("/users/nobody/streams"), 404, "not-found")

    def test_an_end_repeated_on_many_connections_frees_one_slot(self):
        mine = [started(self.d, "dbl") for _ in range(3)]
        statuses = in_parallel(self.d.port, 20, lambda c, n: c.request(
            "DELETE", f"/users/dbl/streams/{mine[1]}").status)
        self.assertEqual(set(statuses), {204})
        self.assertEqual([start(self.d, "dbl").status for _ in range(3)], [201, 409, 409])

    def test_an_end_after_the_lapse_frees_nothing_and_silences_nobody(self):
        receiver = self.receiver()
        late = started(self.d, "lat", ttl="1s", on_expire={"url": receiver.url("/gone")})
        lapsed(self.d, "lat")
        kept = [started(self.d, "lat") for _ in range(3)]
        for _ in range(2):
            self.assertEqual(end(self.d, "lat", late).status, 204)
        self.problem(renew(self.d, "lat", late), 404, "not-found")
        self.problem(start(self.d, "lat"), 409, "stream-limit")
        self.assertEqual([s["streamId"] for s in streams(self.d, "lat")["streams"]], kept)
        poll(lambda: calls(receiver, late), "the call of the lapse")
        last = started(self.d, "later", ttl="1s", on_expire={"url": receiver.url("/gone")})
        poll(lambda: calls(receiver, last), "a later lapse")
        self.assertEqual(len(calls(receiver, late)), 1)

    def test_a_heartbeat_whose_answer_is_lost_is_sent_again(self):
        stream = started(self.d, "los", ttl="60s")
        for _ in range(5):
            with self.d.client() as client:
                client.send(client.encode("PUT", f"/users/los/streams/{stream}"))
        before = streams(self.d, "los")["streams"][0]["expiresAt"]
        renewed = renew(self.d, "los", stream)
        self.assertEqual(renewed.status, 200)
        self.assertGreaterEqual(seconds_between(before, renewed.json()["expiresAt"]), 0)
        self.assertEqual(streams(self.d, "los")["count"], 1)

    def test_what_is_renewed_in_time_lives_on_and_what_is_not_lapses(self):
        receiver = self.receiver()
        on_expire = {"url": receiver.url("/gone")}
        kept = started(self.d, "two", ttl="5s", on_expire=on_expire)
        lost = started(self.d, "two", ttl="7s", on_expire=on_expire)

        def beat():
            self.assertEqual(renew(self.d, "two", kept).status, 200)
            return calls(receiver, lost)

        poll(beat, "the lapse of the one that is silent", every_s=0.2)
        self.assertEqual([s["streamId"] for s in streams(self.d, "two")["streams"]], [kept])
        self.assertFalse(calls(receiver, kept))
        self.assertEqual(end(self.d, "two", kept).status, 204)

    def test_deleting_all_timers_ends_no_stream(self):
        receiver = self.receiver()
        stream = started(self.d, "tim", ttl="1s", on_expire={"url": receiver.url("/gone")})
        self.assertEqual(self.d.request("DELETE", "/timers").body, b"{}")
        poll(lambda: calls(receiver, stream), "the call of the lapse")

    def test_what_is_wrong_is_named(self):
        for body, pointer in (({"ttl": "0s"}, "/ttl"), ({"ttl": 5}, "/ttl"),
                              ({"policy": "x"}, "/policy"), ({"content": ""}, "/content"),
                              ({"on_expire": {"url": "nonsense"}}, "/on_expire/url"),
                              ({"ttl": "30d1s"}, "/ttl"), ({"content": "c" * 257}, "/content"),
                              ({"on_expire": {}}, "/on_expire/url"),
                              ({"on_expire": "http://x"}, "/on_expire"),
                              ({"limit": 4}, "/limit")):
            problem = self.problem(start(self.d, "gus", **body), 400, "invalid-body")
            self.assertEqual(problem["errors"][0]["pointer"], pointer)
        for body in (b"[]", b"x", b'{"ttl":"5s","ttl":"5s"}'):
            self.assertEqual(self.d.request("POST", "/users/gus/streams", body).status, 400, body)
        text = self.d.request("POST", "/users/gus/streams", b"{}", [("Content-Type", "text/plain")])
        self.problem(text, 415, "unsupported-media-type")
        self.problem(self.d.get("/users/gus"), 404, "not-found")
        self.problem(self.d.get("/users/%00"), 400, "invalid-name")

    def test_a_lapse_frees_the_slot_and_calls_once(self):
        receiver = self.receiver()
        stream = started(self.d, "hal", content="film", ttl="1s",
                         on_expire={"url": receiver.url("/gone?x=1")})
        poll(lambda: receiver.requests, "the call of the lapse")
        got = receiver.requests[0]
        self.assertEqual(got.method, "POST")
        self.assertEqual(got.target, f"/gone/{got.id}?x=1")
        self.assertEqual(got.header("content-type"), "application/json")
        body = json.loads(got.body)
        self.assertEqual(list(body), ["userId", "streamId", "content", "expiredAt"])
        self.assertEqual((body["userId"], body["streamId"], body["content"]),
                         ("hal", stream, "film"))
        self.assertRegex(body["expiredAt"], TIME)
        self.assertEqual(self.d.wait_state(got.id, "delivered")["attempts"][0]["status"], 200)
        self.assertEqual(streams(self.d, "hal")["count"], 0)
        # Whatever else is due by now has been: one more is later than any repeat would be.
        other = started(self.d, "hal", ttl="1s", on_expire={"url": receiver.url("/gone")})
        poll(lambda: calls(receiver, other), "the call of another lapse")
        self.assertEqual(len(calls(receiver, stream)), 1)

    def test_what_is_ended_or_evicted_or_deleted_calls_nobody(self):
        receiver = self.receiver()
        members = {"ttl": "5s", "on_expire": {"url": receiver.url("/gone")}}
        ended = started(self.d, "ida", **members)
        self.assertEqual(end(self.d, "ida", ended).status, 204)
        for _ in range(3):
            started(self.d, "ida", policy="evict_oldest", **members)
        kept = started(self.d, "ida", policy="evict_oldest", **members)
        deleted = started(self.d, "ivo", **members)
        self.assertEqual(self.d.request("DELETE", "/users/ivo").status, 204)
        # Later than all the others would be.
        last = started(self.d, "ian", **{**members, "ttl": "6s"})
        poll(lambda: calls(receiver, last), "the last lapse")
        self.assertEqual(len(receiver.requests), 4)
        self.assertTrue(calls(receiver, kept))
        self.assertFalse(calls(receiver, ended) + calls(receiver, deleted))

    def test_200_parallel_starts_admit_exactly_the_limit(self):
        self.d.request("POST", "/users", {"userId": "crowd", "limit": 7})
        statuses = in_parallel(self.d.port, 200, lambda c, n: c.request(
            "POST", "/users/crowd/streams", {"content": str(n)}).status)
        self.assertEqual(sorted(statuses), [201] * 7 + [409] * 193)
        self.assertEqual(streams(self.d, "crowd")["count"], 7)

    def test_a_user_deleted_under_load_leaves_nothing_behind(self):
        receiver = self.receiver()

        def one(client, n):
            if n % 10 == 9:
                return client.request("DELETE", "/users/busy").status
            body = {"ttl": "5s", "policy": "evict_oldest",
                    "on_expire": {"url": receiver.url("/gone")}}
            return client.request("POST", "/users/busy/streams", body).status

        statuses = in_parallel(self.d.port, 200, one)
        self.assertLessEqual(set(statuses), {201, 204, 404})
        self.d.request("DELETE", "/users/busy")
        self.assertEqual(self.d.get("/users/busy").status, 404)
        last = started(self.d, "busy", ttl="6s", on_expire={"url": receiver.url("/gone")})
        poll(lambda: receiver.requests, "the lapse of the one that was not deleted")
        self.assertEqual([json.loads(got.body)["streamId"] for got in receiver.requests], [last])


def renew_after_silence(daemon, user, stream):
    """The status of a heartbeat once the lease, by its own expiresAt, is over."""
    listed = streams(daemon, user)["streams"]
    return 0 if listed else renew(daemon, user, stream).status


def in_parallel(port, count, ask):
    """`ask(client, n)` on `count` connections at once; what they returned."""
    ready = threading.Barrier(count)

    def run(n):
        with Client(("127.0.0.1", port)) as client:
            ready.wait(60)
            return ask(client, n)

    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


class Configured(Case):
    def test_limit_ttl_and_required_users_are_settings(self):
        d = self.daemon(config="streams: {limit: 2, default_ttl: 1h, require_user: true}\n").start()
        self.assertEqual(start(d, "ann").status, 404)
        self.assertEqual(d.request("POST", "/users", {"userId": "ann"}).json()["limit"], 2)
        self.assertEqual([start(d, "ann").status for _ in range(3)], [201, 201, 409])
        shown = streams(d, "ann")["streams"][0]
        self.assertEqual(seconds_between(shown["startedAt"], shown["expiresAt"]), 3600)

    def test_the_call_of_a_lapse_is_retried_like_any_other(self):
        answers = iter((500, 503))
        receiver = self.receiver(lambda got: Answer(next(answers, 204)))
        d = self.daemon(config="delivery: {targets: {allow: [loopback]}, "
                               "retry: {max_attempts: 5, schedule: [50ms]}}\n").start()
        stream = started(d, "ann", ttl="1s", on_expire={"url": receiver.url("/gone")})
        got = receiver.wait(3)
        self.assertEqual([g.header("webhook-attempt") for g in got], ["1", "2", "3"])
        self.assertEqual(len({g.header("webhook-id") for g in got}), 1)
        self.assertEqual(len({g.body for g in got}), 1)
        self.assertEqual(calls(receiver, stream), got)
        view = d.wait_state(got[0].id, "delivered")
        self.assertEqual([a["status"] for a in view["attempts"]], [500, 503, 204])

    def test_the_call_of_a_lapse_goes_only_where_targets_allow(self):
        d = self.daemon(config="delivery: {targets: {allow: [public]}}\n").start()
        receiver = self.receiver()
        before = d.get("/timers/count").json()["count"]
        stream = started(d, "ann", ttl="1s", on_expire={"url": receiver.url("/gone")})
        poll(lambda: d.get("/timers/count?state=dead").json()["count"] == before + 1,
             "the call to end")
        view, = d.get("/timers?state=dead").json()
        self.assertEqual(view["attempts"][0]["error"], "policy")
        self.assertEqual(renew(d, "ann", stream).status, 404)
        self.assertEqual(receiver.snapshot(), [])

    def test_while_deliveries_are_paused_slots_are_free_and_calls_wait(self):
        receiver = self.receiver()
        d = self.daemon().start()
        d.pause()
        members = {"ttl": "1s", "on_expire": {"url": receiver.url("/gone")}}
        waiting = [started(d, "ann", **members) for _ in range(3)]
        lapsed(d, "ann")
        self.assertEqual([start(d, "ann", ttl="1h").status for _ in range(4)], [201] * 3 + [409])
        self.assertEqual(receiver.snapshot(), [])
        d.restart()
        self.assertEqual(streams(d, "ann")["count"], 3)
        d.resume()
        receiver.wait(3)
        self.assertEqual(sorted(json.loads(g.body)["streamId"] for g in receiver.snapshot()),
                         sorted(waiting))


class Player:
    """Starts, renews and ends streams of a user until the daemon is gone, and knows what was
    acknowledged: `alive` and `ended`, and what was under way: `ending`, `starting`."""

    def __init__(self, port, user):
        self.port = port
        self.user = user
        self.alive, self.ended, self.ending = set(), set(), set()
        self.starting = False

    def play(self):
        try:
            with Client(("127.0.0.1", self.port)) as client:
                for n in range(100_000):
                    self.step(client, n)
        except (OSError, Closed):
            return
        raise AssertionError("the daemon was not killed")

    def step(self, client, n):
        target = path_of(self.user, "streams")
        if not self.alive or n % 3 == 0:
            self.starting = True
            answer = client.request("POST", target, {"ttl": "1h"})
            self.starting = False
            assert answer.status in (201, 409), answer
            if answer.status == 201:
                self.alive.add(answer.json()["streamId"])
            return
        stream = next(iter(self.alive))
        if n % 3 == 1:
            answer = client.request("PUT", f"{target}/{stream}")
            assert answer.status == 200, answer
            return
        self.alive.remove(stream)
        self.ending.add(stream)
        answer = client.request("DELETE", f"{target}/{stream}")
        assert answer.status == 204, answer
        self.ending.remove(stream)
        self.ended.add(stream)


class Crashes(Case):
    def test_the_limit_holds_through_kill_9(self):
        """A few users on many connections that start, renew and end, and kill -9 in the middle."""
        d = self.daemon().start()
        users = [f"u{n}" for n in range(5)]
        total = 0
        for _ in range(5):
            players = [Player(d.port, users[n % len(users)]) for n in range(20)]
            with concurrent.futures.ThreadPoolExecutor(len(players)) as threads:
                playing = [threads.submit(player.play) for player in players]
                poll(lambda: all(streams(d, user)["count"] == 3 for user in users), "full slots")
                d.forget_client()
                d.kill()
            for done in playing:
                done.result()
            d.start()
            for user in users:
                mine = [player for player in players if player.user == user]
                listed = streams(d, user)
                total += listed["count"]
                self.check_after_kill(listed, mine)
                statuses = [start(d, user, ttl="1h").status for _ in range(4)]
                self.assertEqual(statuses.count(201), 3 - listed["count"])
                for s in streams(d, user)["streams"]:
                    self.assertEqual(end(d, user, s["streamId"]).status, 204)
        show(f"{total} streams were there after 5 times kill -9")

    def check_after_kill(self, listed, players):
        found = {s["streamId"] for s in listed["streams"]}
        alive, ended, ending = (set().union(*(getattr(player, name) for player in players))
                                for name in ("alive", "ended", "ending"))
        self.assertLessEqual(len(found), 3)
        self.assertLessEqual(alive, found, "an acknowledged stream is lost")
        self.assertFalse(ended & found, "an acknowledged end is lost")
        unknown = found - alive - ending
        self.assertLessEqual(len(unknown), sum(player.starting for player in players))

    def test_200_parallel_starts_of_one_user_and_kill_9_in_the_middle(self):
        d = self.daemon().start()
        for cycle in range(5):
            user = f"crowd{cycle}"
            d.request("POST", "/users", {"userId": user, "limit": 7})
            acknowledged, first = [], threading.Event()

            def one(client, n, user=user, acknowledged=acknowledged, first=first):
                try:
                    for _ in range(50):
                        answer = client.request("POST", f"/users/{user}/streams", {"ttl": "1h"})
                        if answer.status == 201:
                            acknowledged.append(answer.json()["streamId"])
                        first.set()
                except (OSError, Closed):
                    pass

            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                crowd = threads.submit(in_parallel, d.port, 200, one)
                self.assertTrue(first.wait(60))
                d.forget_client()
                d.kill()
            crowd.result()
            d.start()
            found = [s["streamId"] for s in streams(d, user)["streams"]]
            self.assertLessEqual(len(found), 7)
            self.assertLessEqual(set(acknowledged), set(found), "an acknowledged stream is lost")
            statuses = in_parallel(d.port, 50, lambda c, n, u=user: c.request(
                "POST", f"/users/{u}/streams", {"ttl": "1h"}).status)
            self.assertEqual(statuses.count(201), 7 - len(found))
            self.assertEqual(streams(d, user)["count"], 7)

    def test_what_was_ended_stays_ended_and_who_was_deleted_stays_deleted(self):
        receiver = self.receiver()
        d = self.daemon().start()
        members = {"ttl": "10s", "on_expire": {"url": receiver.url("/gone")}}
        ended, silent = started(d, "ann", **members), started(d, "ann", **members)
        started(d, "bob", **members)
        self.assertEqual(end(d, "ann", ended).status, 204)
        self.assertEqual(d.request("DELETE", "/users/bob").status, 204)
        d.restart()
        self.assertEqual([s["streamId"] for s in streams(d, "ann")["streams"]], [silent])
        self.assertEqual(renew(d, "ann", ended).status, 404)
        self.assertEqual(d.get("/users/bob").status, 404)
        last = started(d, "ann", **members)
        poll(lambda: calls(receiver, last), "a lapse later than all others")
        self.assertEqual(len(calls(receiver, silent)), 1)
        self.assertEqual(len(receiver.snapshot()), 2)

    def test_an_acknowledged_heartbeat_survives_kill_9(self):
        d = self.daemon().start()
        stream = started(d, "ann", ttl="20s")
        for _ in range(5):
            promised = renew(d, "ann", stream).json()["expiresAt"]
            d.restart()
            self.assertEqual(streams(d, "ann")["streams"][0]["expiresAt"], promised)

    def test_leases_that_expired_while_it_was_down_call_once(self):
        """Thousands of them; kill -9 while they lapse as well."""
        receiver = self.receiver()
        d = self.daemon().start()
        gone = {"url": receiver.url("/gone")}
        ended = started(d, "ended", ttl="8s", on_expire=gone)
        self.assertEqual(end(d, "ended", ended).status, 204)
        with d.client() as client:
            client.send(b"".join(client.encode("POST", f"/users/u{n}/streams",
                                               {"ttl": "8s", "on_expire": gone})
                                 for n in range(1500)))
            answers = [client.response() for _ in range(1500)]
        self.assertEqual({answer.status for answer in answers}, {201})
        lapsing = sorted(answer.json()["streamId"] for answer in answers)
        over = time.time() + 8
        d.kill()
        poll(lambda: time.time() > over, "expiry")
        d.start()
        receiver.wait(100)
        d.restart()
        poll(lambda: len({got.id for got in receiver.snapshot()}) >= 1500, "the calls")
        poll(lambda: d.get("/timers/count?state=delivered").json()["count"] == 1500, "the outcomes")
        d.restart()
        self.assertEqual(d.get("/timers/count").json()["count"], 1500)
        called = {}
        for got in receiver.snapshot():
            called.setdefault(json.loads(got.body)["streamId"], set()).add(got.id)
        self.assertEqual(sorted(called), lapsing)
        self.assertEqual({len(ids) for ids in called.values()}, {1})


if __name__ == "__main__":
    main()
