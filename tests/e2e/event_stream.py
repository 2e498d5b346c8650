"""Reads server-sent events off a connection, as a browser does."""

import dataclasses
import json


@dataclasses.dataclass
class Event:
    name: str
    data: object     # parsed
    id: str


class EventStream:
    """One connection to /api/stopwatch/events. Use it in a `with`."""

    def __init__(self, daemon, query, last_event_id=None, headers=(), timeout_s=20):
        self.client = daemon.client(timeout_s)
        headers = list(headers)
        if last_event_id is not None:
            headers.append(("Last-Event-ID", last_event_id))
        self.client.send(self.client.encode("GET", "/api/stopwatch/events?" + query,
                                            headers=headers))
        self.head = self.client.head()
        self.comments = []
        self.last_id = None
        self._chunks = self.client.chunks()
        self._text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def next(self):
        """The next event; None when the server has ended the stream in order."""
        name, data, event_id = None, [], ""
        while True:
            line = self._line()
            if line is None:
                return None
            if line.startswith(":"):
                self.comments.append(line)
            elif line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif line.startswith("id: "):
                event_id = line[4:]
            elif line == "" and name is not None:
                self.last_id = event_id or self.last_id
                return Event(name, json.loads("\n".join(data)), event_id)

    def comment(self):
        """The next comment, with no event before it."""
        while True:
            line = self._line()
            if line is None or line not in ("",) and not line.startswith(":"):
                raise AssertionError(f"not a comment: {line}")
            if line:
                self.comments.append(line)
                return line

    def _line(self):
        while b"\n" not in self._text:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._text += chunk
        line, self._text = self._text.split(b"\n", 1)
        return line.decode()
