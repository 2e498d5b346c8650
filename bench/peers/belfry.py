"""Belfry itself: loaded by belfry-bench, on an empty store each time."""

import datetime
import json

from driver import figures_of_set
from figures import parse_figures
from peer import Peer, http_request
from processes import run_to_end


class Belfry(Peer):
    name = "belfry"
    title = "Belfry, POST /timers"

    def start(self):
        port = self.run.port
        server = self.run.server("belfry", [
            self.run.build / "belfry", "serve", "--data", self.run.folder / "data",
            "--listen", f"127.0.0.1:{port}"])
        server.wait_for_words("event=ready")

    def measure(self):
        run = self.run
        said = run_to_end("belfry-bench set", [
            run.build / "belfry-bench", "set", "--url", f"http://127.0.0.1:{run.port}",
            "--connections", run.connections, "--warmup", f"{run.warmup_ms}ms",
            "--duration", f"{run.duration_ms}ms", "--pid", run.processes[0].pid, "--json"],
            limit_s=(run.warmup_ms + run.duration_ms) / 1000 + 60)
        return figures_of_set(parse_figures("belfry-bench set", said))

    def burst(self, count, due_ms, origin):
        due = datetime.datetime.fromtimestamp(due_ms / 1000, datetime.timezone.utc)
        # The id is appended to the URL, so each has a path of its own.
        body = json.dumps({"at": due.strftime("%Y-%m-%dT%H:%M:%S.") + f"{due_ms % 1000:03d}Z",
                           "url": f"{origin}/hook"}, separators=(",", ":"))
        request = http_request(self.run.port, "/timers", body)
        return self.run.peer_load_burst(self.run.port, request, count, due_ms)
