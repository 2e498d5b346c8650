"""Stopwatches: the contract line by line, crashes, and the stream of events."""

import datetime
import hashlib
import json
import resource
import signal
import threading
import time
import urllib.parse

from auth_test import AuthCase, bearer
from event_stream import EventStream
from harness import Case, Client, Closed, SharedCase, main, poll, show

PATH = "/api/stopwatch"


def start(daemon, name):
    return daemon.request("POST", PATH, {"name": name})


def of_name(daemon, name):
    return daemon.get(f"{PATH}/{urllib.parse.quote(name, safe='')}")


def delete(daemon, name):
    return daemon.request("DELETE", f"{PATH}/{urllib.parse.quote(name, safe='')}")


def own(daemon):
    answer = daemon.get(PATH)
    assert answer.status == 200, answer
    return answer.json()


class Contract(SharedCase):
    def tearDown(self):
        for name in own(self.d):
            self.assertEqual(delete(self.d, name).status, 204)

    def test_post_creates_then_resets(self):
        for status in (201, 200, 200):
            answer = start(self.d, "tea")
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.body, b'{"name":"tea","elapsed":0}')
            self.assertEqual(answer.header("content-type"), "application/json")

    def test_elapsed_counts_up_in_integers(self):
        start(self.d, "tea")
        seen = [own(self.d)["tea"]]
        poll(lambda: seen.append(own(self.d)["tea"]) or seen[-1] >= 50, "50 ms on the stopwatch")
        self.assertEqual(seen, sorted(seen))
        self.assertTrue(all(isinstance(value, int) and value >= 0 for value in seen))
        start(self.d, "tea")
        self.assertLess(own(self.d)["tea"], seen[-1])

    def test_nobody_without_stopwatches_gets_an_empty_object(self):
        self.assertEqual(self.d.get(PATH).body, b"{}")

    def test_lists_the_callers_own_and_everybodys_of_a_name(self):
        for name in ("tea", "run"):
            start(self.d, name)
        self.assertEqual(set(own(self.d)), {"tea", "run"})
        answer = of_name(self.d, "tea")
        self.assertEqual(answer.status, 200)
        self.assertEqual(list(answer.json()), ["local"])

    def test_a_name_that_is_not_owned_is_403(self):
        answer = of_name(self.d, "tea")
        self.assertEqual(answer.status, 403)
        self.assertEqual(answer.json()["type"], "/problems/not-owned")
        self.assertEqual(answer.header("content-type"), "application/problem+json")

    def test_delete_is_204_also_when_there_was_none(self):
        start(self.d, "tea")
        for _ in range(3):
            answer = delete(self.d, "tea")
            self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(own(self.d), {})

    def test_names_begin_alike_and_are_others(self):
        start(self.d, "teapot")
        self.assertEqual(of_name(self.d, "tea").status, 403)
        start(self.d, "tea")
        delete(self.d, "tea")
        self.assertEqual(set(own(self.d)), {"teapot"})

    def test_names_are_percent_encoded_utf_8(self):
        for name in ("a b", "a/b", "\u00e9", "\U0001f375" * 128, "100%", "?#", "..", "+", '"\\'):
            self.assertEqual(start(self.d, name).status, 201, name)
            self.assertEqual(list(of_name(self.d, name).json()), ["local"], name)
            self.assertEqual(set(own(self.d)), {name})
            self.assertEqual(delete(self.d, name).status, 204)

    def test_what_cannot_be_a_name_is_400(self):
        for name in ("", "x" * 129, "\U0001f375" * 129, "\0", "a\0b", "\n", "\x1f", "\x7f", "\x9f"):
            answer = start(self.d, name)
            self.assertEqual(answer.status, 400, repr(name))
            self.assertEqual(answer.json()["errors"][0]["pointer"], "/name")
            if name:
                self.assertEqual(of_name(self.d, name).status, 400, repr(name))
                self.assertEqual(delete(self.d, name).status, 400, repr(name))
        for segment in ("%ff", "%c0%80", "%ed%a0%80", "%e2%82", "%zz", "%4"):
            self.assertEqual(self.d.get(f"{PATH}/{segment}").status, 400, segment)
            self.assertEqual(self.d.get(f"{PATH}/events?name={segment}").status, 400, segment)

    def test_bodies_are_read_strictly(self):
        for body in (b"{}", b'{"name":1}', b'{"name":"a","b":1}', b'{"name":"a","name":"a"}', b"x"):
            self.assertEqual(self.d.request("POST", PATH, body).status, 400, body)
        answer = self.d.request("POST", PATH, b'{"name":"a"}', [("Content-Type", "text/plain")])
        self.assertEqual(answer.status, 415)

    def test_events_is_a_name_like_any_other(self):
        self.assertEqual(self.d.get(PATH + "/events").status, 403)
        self.assertEqual(start(self.d, "events").status, 201)
        self.assertEqual(list(self.d.get(PATH + "/events").json()), ["local"])
        self.assertEqual(self.d.request("DELETE", PATH + "/events").status, 204)
        self.assertEqual(own(self.d), {})

    def test_methods_and_parameters_are_known_or_refused(self):
        for method, target in (("PUT", PATH), ("DELETE", PATH), ("PATCH", PATH + "/tea"),
                               ("POST", PATH + "/tea")):
            self.assertEqual(self.d.request(method, target).status, 405, target)
        for target in (PATH + "?a=b", PATH + "/tea?a=b", PATH + "/events?a=b"):
            self.assertEqual(self.d.get(target).status, 400, target)

    def test_head_works_where_get_does(self):
        start(self.d, "tea")
        for target in (PATH, PATH + "/tea", PATH + "/events?own=true"):
            self.assertEqual(self.d.request("HEAD", target).status, 200, target)

    def test_a_list_longer_than_a_page_comes_whole(self):
        with self.d.client() as client:
            for n in range(1200):
                client.send(client.encode("POST", PATH, {"name": f"n{n:04}"}))
                if n % 50 == 49:
                    for _ in range(50):
                        self.assertEqual(client.response().status, 201)
        answer = self.d.get(PATH)
        self.assertEqual(answer.header("transfer-encoding"), "chunked")
        self.assertEqual(list(answer.json()), [f"n{n:04}" for n in range(1200)])


class Events(SharedCase):
    def setUp(self):
        for name in own(self.d):
            delete(self.d, name)

    def stream(self, query, last_event_id=None):
        stream = EventStream(self.d, query, last_event_id)
        self.addCleanup(stream.client.close)
        return stream

    def test_a_snapshot_then_each_change(self):
        start(self.d, "tea")
        stream = self.stream("name=tea")
        self.assertEqual(stream.head.status, 200)
        self.assertEqual(stream.head.header("content-type"), "text/event-stream")
        self.assertEqual(stream.head.header("cache-control"), "no-cache")
        self.assertEqual(stream.head.header("x-accel-buffering"), "no")
        first = stream.next()
        self.assertEqual(first.name, "snapshot")
        self.assertEqual([(row["user"], row["name"]) for row in first.data], [("local", "tea")])
        self.assertEqual(set(first.data[0]), {"user", "name", "started_at"})
        self.assertTrue(stream.comments)
        start(self.d, "tea")
        start(self.d, "run")
        changed = stream.next()
        self.assertEqual((changed.name, changed.data["name"]), ("reset", "tea"))
        self.assertEqual(set(changed.data), {"user", "name", "started_at", "server_now"})
        self.assertLessEqual(changed.data["started_at"], changed.data["server_now"])
        self.assertRegex(changed.data["server_now"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_own_covers_created_and_deleted(self):
        stream = self.stream("own=true")
        self.assertEqual(stream.next().data, [])
        start(self.d, "tea")
        delete(self.d, "tea")
        self.assertEqual([stream.next().name for _ in range(2)], ["created", "deleted"])

    def test_wrong_wishes_are_refused(self):
        start(self.d, "tea")
        many = "&".join(f"name=n{n}" for n in range(65))
        for query in ("own=false", "own=1", "name=", "name=tea&name=tea", "name=tea&x=1", many):
            self.assertEqual(self.d.get(f"{PATH}/events?{query}").status, 400, query)
        for query in ("name=run", "name=tea&name=run", "name=run&own=true"):
            self.assertEqual(self.d.get(f"{PATH}/events?{query}").status, 403, query)

    def test_sixty_four_names_in_one_stream(self):
        names = [f"n{n}" for n in range(64)]
        for name in names:
            start(self.d, name)
        stream = self.stream("&".join(f"name={name}" for name in names))
        self.assertEqual([row["name"] for row in stream.next().data], names)
        start(self.d, "n63")
        self.assertEqual(stream.next().data["name"], "n63")

    def test_resumes_behind_the_last_event(self):
        for name in ("tea", "run"):
            start(self.d, name)
        stream = self.stream("name=tea&name=run")
        stream.next()
        start(self.d, "tea")
        last = stream.next().id
        stream.client.close()
        for name in ("tea", "run"):
            start(self.d, name)
        again = self.stream("name=tea&name=run", last)
        missed = [again.next(), again.next()]
        self.assertEqual([(event.name, event.data["name"]) for event in missed],
                         [("reset", "tea"), ("reset", "run")])
        self.assertEqual(len({last} | {event.id for event in missed}), 3)

    def test_what_is_too_old_or_of_another_run_begins_anew(self):
        start(self.d, "tea")
        for last in ("1-1", "x", "1795248000000-18446744073709551615"):
            stream = self.stream("name=tea", last)
            self.assertEqual([stream.next().name for _ in range(2)], ["resync", "snapshot"])

    def test_ends_when_no_name_is_owned_any_more(self):
        for name in ("tea", "run"):
            start(self.d, name)
        stream = self.stream("name=tea&name=run")
        stream.next()
        delete(self.d, "tea")
        start(self.d, "tea")
        start(self.d, "run")
        self.assertEqual([(e.name, e.data["name"]) for e in (stream.next(), stream.next())],
                         [("deleted", "tea"), ("reset", "run")])
        delete(self.d, "run")
        self.assertEqual(stream.next().name, "deleted")
        self.assertIsNone(stream.next())

    def test_the_connection_serves_on_behind_a_stream_that_ended(self):
        start(self.d, "tea")
        stream = self.stream("name=tea")
        stream.next()
        delete(self.d, "tea")
        stream.next()
        self.assertIsNone(stream.next())
        self.assertEqual(stream.client.request("GET", PATH).body, b"{}")

    def test_a_slow_reader_is_cut_off_and_resumes(self):
        name = "x" * 128
        slow = self.stream("own=true")
        slow.next()
        changes = 0
        with self.d.client() as client:
            # Of resets the last would stand for all of them.
            request = (client.encode("POST", PATH, {"name": name}) +
                       client.encode("DELETE", f"{PATH}/{name}")) * 250
            quick = self.stream("own=true")
            quick.next()
            for _ in range(200):
                client.send(request)
                for _ in range(250):
                    self.assertEqual(client.response().status, 201)
                    self.assertEqual(client.response().status, 204)
                for _ in range(500):
                    quick.next()
                changes += 500
                if changes > 60_000:
                    break
        seen = 0
        with self.assertRaises(Closed):
            while True:
                slow.next()
                seen += 1
        show(f"cut off after {seen} of {changes} events")
        self.assertLess(seen, changes)
        again = self.stream("own=true", slow.last_id)
        self.assertEqual([again.next().name for _ in range(2)], ["resync", "snapshot"])

    def test_many_streams_hear_of_one_reset(self):
        start(self.d, "tea")
        streams = [self.stream("name=tea") for _ in range(200)]
        for stream in streams:
            stream.next()
        start(self.d, "tea")
        self.assertEqual(len({stream.next().id for stream in streams}), 1)


class Users(AuthCase):
    def test_users_share_names_and_nothing_else(self):
        alice, bob = bearer(self.token("alice")), bearer(self.token("bob"))
        d = self.serve()
        for user in (alice, bob):
            self.assertEqual(d.get(PATH, user).body, b"{}")
        self.assertEqual(d.request("POST", PATH, {"name": "tea"}, alice).status, 201)
        for form in ("{}", "events?name={}", "events?name={}&own=true"):
            refused = [d.get(f"{PATH}/{form.format(name)}", bob) for name in ("tea", "nobodys")]
            self.assertEqual([answer.status for answer in refused], [403, 403])
            self.assertEqual(refused[0].body, refused[1].body)
            self.assertEqual(refused[0].json()["type"], "/problems/not-owned")
        self.assertEqual(d.request("DELETE", f"{PATH}/tea", headers=bob).status, 204)
        self.assertEqual(list(d.get(PATH, alice).json()), ["tea"])
        self.assertEqual(d.request("POST", PATH, {"name": "tea"}, bob).status, 201)
        self.assertEqual(set(d.get(f"{PATH}/tea", alice).json()), {"alice", "bob"})

    def test_a_stream_tells_of_others_and_ends_with_its_token(self):
        alice, bob = bearer(self.token("alice")), bearer(self.token("bob"))
        d = self.serve()
        for user in (alice, bob):
            d.request("POST", PATH, {"name": "tea"}, user)
        with EventStream(d, "name=tea", headers=alice) as stream, \
                EventStream(d, "own=true", headers=bob) as bobs:
            self.assertEqual([row["user"] for row in stream.next().data], ["alice", "bob"])
            self.assertEqual([row["user"] for row in bobs.next().data], ["bob"])
            d.request("POST", PATH, {"name": "tea"}, bob)
            self.assertEqual(stream.next().data["user"], "bob")
            self.revoke("--user", "alice")
            self.reload(d)
            self.assertIsNone(stream.next())
            self.expect_401(d.get(PATH, alice))
            d.request("POST", PATH, {"name": "run"}, bob)
            heard = [bobs.next().data, bobs.next().data]
            self.assertEqual([(e["user"], e["name"]) for e in heard],
                             [("bob", "tea"), ("bob", "run")])

    def test_more_owners_than_a_page_come_whole_to_each_of_them(self):
        users = [f"user{n:04}" for n in range(1200)]
        rows = [f"t{n} {user} stopwatches 2026-11-21T08:00:00.000Z never "
                f"{hashlib.sha256(user.encode()).hexdigest()}\n" for n, user in enumerate(users)]
        self.tokens_file.write_text("".join(rows))
        self.tokens_file.chmod(0o600)
        d = self.serve()
        with d.client() as client:
            for some in (users[:600], users[600:]):
                client.send(b"".join(client.encode("POST", PATH, {"name": "tea"}, bearer(user))
                                     for user in some))
                self.assertEqual({client.response().status for _ in some}, {201})
        answer = d.get(f"{PATH}/tea", bearer(users[7]))
        self.assertEqual(answer.header("transfer-encoding"), "chunked")
        self.assertEqual(sorted(answer.json()), users)
        with EventStream(d, "name=tea", headers=bearer(users[7])) as stream:
            self.assertEqual(sorted(row["user"] for row in stream.next().data), users)


class Readers(Case):
    def test_a_long_list_waits_for_its_reader_and_is_not_kept_meanwhile(self):
        d = self.daemon(config="http: {write_timeout: 10m}\n").start()
        names = [f"{n:05}" + "\U0001f375" * 120 for n in range(8000)]
        with d.client() as client:
            for first in range(0, len(names), 50):
                some = names[first:first + 50]
                client.send(b"".join(client.encode("POST", PATH, {"name": name}) for name in some))
                self.assertEqual({client.response().status for _ in some}, {201})
        whole = len(d.get(PATH).body)
        before = resident_bytes(d.pid)
        readers = []
        for _ in range(30):
            readers.append(d.client(timeout_s=60))
            self.addCleanup(readers[-1].close)
            readers[-1].send(readers[-1].encode("GET", PATH))
        for reader in readers:
            self.assertEqual(reader.head().status, 200)
        self.assertEqual(d.get("/health").status, 200)
        grown = resident_bytes(d.pid) - before
        show(f"{len(readers)} readers of {whole} bytes each: {grown} bytes more")
        self.assertLess(grown, len(readers) * whole / 3)
        for reader in readers[:3]:
            self.assertEqual(list(json.loads(b"".join(reader.chunks()))), names)

    def test_a_comment_comes_every_15_seconds(self):
        d = self.daemon().start()
        with EventStream(d, "own=true", timeout_s=60) as stream:
            stream.next()
            times = [stream.comments[0], stream.comment(), stream.comment()]
        seconds = [datetime.datetime.strptime(line, ": server_now %Y-%m-%dT%H:%M:%S.%fZ")
                   for line in times]
        for earlier, later in zip(seconds, seconds[1:]):
            self.assertGreaterEqual((later - earlier).total_seconds(), 14)


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


class Crashes(Case):
    def test_what_was_acknowledged_is_there_after_kill_9(self):
        d = self.daemon().start()
        for cycle in range(4):
            acknowledged, maybe = {}, set()
            before = set(own(d))

            def load(number):
                try:
                    with Client(("127.0.0.1", d.port)) as client:
                        for n in range(100_000):
                            name = f"{cycle}-{number}-{n % 40}"
                            gone = n % 3 == 2
                            maybe.add(name)
                            if gone:
                                answer = client.request("DELETE", f"{PATH}/{name}")
                            else:
                                answer = client.request("POST", PATH, {"name": name})
                            if answer.status in (200, 201, 204):
                                acknowledged[name] = not gone
                                maybe.discard(name)
                except (OSError, Closed):
                    pass  # the last request of each may have been done or not

            threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            poll(lambda: len(acknowledged) > 100, "some are acknowledged")
            d.kill()
            for thread in threads:
                thread.join(30)
            d.start()
            found = set(own(d))
            known = {name: there for name, there in acknowledged.items() if name not in maybe}
            self.assertEqual({name for name, there in known.items() if there} - found, set())
            self.assertEqual({name for name, there in known.items() if not there} & found, set())
            self.assertEqual(before - found, set())
            show(f"{len(known)} acknowledged, {len(found)} there")

    def test_elapsed_goes_on_over_a_crash(self):
        d = self.daemon().start()
        start(d, "tea")
        before = poll(lambda: own(d)["tea"] >= 30 and own(d)["tea"], "30 ms on the stopwatch")
        d.restart()
        self.assertGreaterEqual(own(d)["tea"], before)

    def test_a_stream_is_resumed_with_a_resync_after_a_crash(self):
        d = self.daemon().start()
        start(d, "tea")
        with EventStream(d, "name=tea") as stream:
            last = stream.next().id
            d.kill()
            with self.assertRaises(Closed):
                stream.next()
        d.start()
        with EventStream(d, "name=tea", last) as again:
            self.assertEqual([again.next().name for _ in range(2)], ["resync", "snapshot"])

    def test_a_stop_ends_streams_in_order_and_at_once(self):
        d = self.daemon().start()
        start(d, "tea")
        with EventStream(d, "own=true") as stream:
            stream.next()
            began = time.monotonic()
            d.signal(signal.SIGTERM)
            self.assertIsNone(stream.next())
            self.assertEqual(d.wait(), 0)
            show(f"stopped in {(time.monotonic() - began) * 1000:.0f} ms")
        d.start()
        self.assertEqual(list(json.loads(d.get(PATH).body)), ["tea"])


if __name__ == "__main__":
    main()
