"""What tests do to a data directory, and what they read from it: logs, witness, every byte."""

import hashlib
import struct

from harness import poll


def fingerprint(directory):
    """Every file with its bytes and times: equal before and after, nothing was touched."""
    found = {}
    for path in sorted(directory.rglob("*")):
        stat = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        found[str(path.relative_to(directory))] = (content, stat.st_mtime_ns, stat.st_mode)
    return found


def logs(data):
    """The write-ahead logs that hold anything, oldest first."""
    return [path for path in sorted((data / "db").glob("*.log")) if path.stat().st_size]


def find_in_logs(data, text):
    """(file, offset) of the last place where `text` stands."""
    for path in reversed(logs(data)):
        offset = path.read_bytes().rfind(text)
        if offset >= 0:
            return path, offset
    raise AssertionError(f"{text!r} is in no log of {data}")


def witnessed_id(data):
    """The greatest id in DURABLE (durable_file.cc says how it is laid out)."""
    raw = (data / "DURABLE").read_bytes()
    newest = (-1, 0)
    for slot in (raw[:4096], raw[4096:8192]):
        if slot[:8] != b"BELFRYDP":
            continue
        turn, _, _, last_id = struct.unpack(">Q10sQQ", slot[9:43])
        newest = max(newest, (turn, last_id))
    return newest[1]


def wait_witnessed(data, timer_id):
    poll(lambda: witnessed_id(data) >= timer_id, f"DURABLE covers timer {timer_id}", every_s=0.02)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x40]))


def cut(path, offset):
    with open(path, "r+b") as file:
        file.truncate(offset)
