"""graphile-worker on a PostgreSQL cluster of its own, in the folder of the run."""

import json
import os
import pwd
import secrets
import shutil
import signal
from pathlib import Path

from peer import Peer
from processes import BenchError, run_to_end

# PostgreSQL does not run as root; then it is given to this user, who owns nothing.
UNPRIVILEGED = "nobody"
PROGRAMS = Path("/usr/lib/postgresql/15/bin")


class Graphile(Peer):
    name = "graphile-worker"
    title = "graphile-worker on PostgreSQL 15, addJob()"
    packages = "postgresql"
    needs_npm = True

    def __init__(self, run):
        super().__init__(run)
        self.password = secrets.token_hex(16)

    def start(self):
        folder = self.run.folder / "postgresql"
        folder.mkdir(mode=0o700)
        password = folder / "password"
        password.write_text(self.password, encoding="utf-8")
        password.chmod(0o600)
        user = None
        if os.getuid() == 0:
            user = UNPRIVILEGED
            owner = pwd.getpwnam(user)
            for path in (folder, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        cluster = folder / "cluster"
        try:
            run_to_end("initdb", [
                PROGRAMS / "initdb", "--pgdata", cluster, "--username", "bench",
                "--auth", "scram-sha-256", "--pwfile", password, "--locale", "C",
                "--encoding", "UTF8"], user=user, env={"HOME": str(folder)})
        except BenchError as error:
            if user and "ermission denied" in str(error):
                raise BenchError(f"{error}; root's PostgreSQL runs as {user}, who must be able "
                                 "to enter --dir and all folders above it") from error
            raise
        # More than the defaults give: a cache and a log that need no checkpoint during the run.
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                    "max_connections": "200", "shared_buffers": "512MB", "max_wal_size": "4GB"}
        command = [PROGRAMS / "postgres", "-D", cluster, "-p", str(self.run.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        # SIGINT: a fast shutdown, which does not wait for clients.
        server = self.run.server("postgresql", command, user=user, cwd=folder,
                                 env={"HOME": str(folder)}, stop_signal=signal.SIGINT)
        server.wait_for_words("ready to accept connections")

    def stop(self):
        super().stop()
        shutil.rmtree(self.run.folder / "postgresql", ignore_errors=True)

    def environment(self):
        return {"PGPASSWORD": self.password}

    def load(self):
        return self.run.node("graphile.mjs", "accept", self.run.loop_options(port=self.run.port))

    def start_worker(self, origin):
        self.run.node_worker(
            "graphile.mjs", "work", json.dumps({"port": self.run.port, "origin": origin}),
            env=self.environment())

    def burst(self, count, due_ms, origin):
        return self.run.node("graphile.mjs", "burst", json.dumps(
            {"port": self.run.port, "origin": origin, "count": count, "dueMs": due_ms}))
