"""beanstalkd with an fsync for each write. It knows no webhooks, so it is not part of the burst."""

from peer import HOUR_S, Peer, filled, payload


class Beanstalkd(Peer):
    name = "beanstalkd"
    title = "beanstalkd -f 0, put"
    packages = "beanstalkd"
    fires = False

    def start(self):
        folder = self.run.folder / "binlog"
        folder.mkdir()
        server = self.run.server("beanstalkd", [
            "beanstalkd", "-l", "127.0.0.1", "-p", self.run.port, "-b", folder, "-f", "0"])
        server.wait_for_port(self.run.port)

    def load(self):
        body = payload()
        request = f"put 0 {HOUR_S} 60 {filled(body)}\r\n{body}\r\n"
        return self.run.peer_load(self.run.port, request, "--lines", 1, "--good", "INSERTED ")
