"""Redis with an fsync before each answer: the record as a hash and the due time in a sorted set, in
one transaction. A store only: it sends nothing, so it is not part of the burst."""

import json
import time

from peer import HOUR_S, TARGET, NUMBER, Peer, filled


def resp(*words):
    """A command as Redis reads it."""
    return f"*{len(words)}\r\n" + "".join(f"${filled(word)}\r\n{word}\r\n" for word in words)


def start_redis(run):
    folder = run.folder / "redis"
    folder.mkdir()
    server = run.server("redis", [
        "redis-server", "--bind", "127.0.0.1", "--port", run.port, "--dir", folder,
        "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no"])
    server.wait_for_port(run.port)


class Redis(Peer):
    name = "redis"
    title = "Redis, appendfsync always: MULTI, HSET, ZADD, EXEC"
    packages = "redis"
    fires = False

    def start(self):
        start_redis(self.run)

    def load(self):
        due_ms = str(int((time.time() + HOUR_S) * 1000))
        request = (resp("MULTI") +
                   resp("HSET", f"timer:{NUMBER}", "url", TARGET, "due", due_ms) +
                   resp("ZADD", "due", due_ms, NUMBER) + resp("EXEC"))
        # OK, two times QUEUED, then an array of two numbers.
        return self.run.peer_load(self.run.port, request, "--lines", 6, "--good", "\r\n*2\r\n:")


class BullMq(Peer):
    name = "bullmq"
    title = "BullMQ on that Redis, add()"
    packages = "redis"
    needs_npm = True

    def start(self):
        start_redis(self.run)

    def load(self):
        return self.run.node("bullmq.mjs", "accept", self.run.loop_options(port=self.run.port))

    def start_worker(self, origin):
        self.run.node_worker("bullmq.mjs", "work", json.dumps(
            {"port": self.run.port, "origin": origin}))

    def burst(self, count, due_ms, origin):
        return self.run.node("bullmq.mjs", "burst", json.dumps(
            {"port": self.run.port, "origin": origin, "count": count, "dueMs": due_ms}))
