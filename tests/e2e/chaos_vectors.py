"""Answers as bytes that no sane receiver gives, and what each has to count as.

What is no status line is no answer. Behind a final status line nothing matters any more.
"""

import dataclasses
import gzip


@dataclasses.dataclass
class Vector:
    bytes: bytes
    status: int          # that the attempt records; None: it failed without one
    then: str = "close"  # close, reset or keep


# Without a final status line, so no answer.
NO_ANSWERS = {
    "empty": b"",
    "line-end": b"\r\n",
    "line-ends": b"\r\n" * 20,
    "spaces": b" " * 1000,
    "nul": b"\0" * 100,
    "high-bytes": bytes(range(128, 256)) * 4,
    "word": b"garbage\r\n\r\n",
    "http09": b"<html>200 OK</html>\r\n",
    "http09-long": b"y" * 100_000,
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "smtp": b"220 mail.example ESMTP\r\n",
    "ftp": b"200 OK\r\n\r\n",
    "tls-alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "http2-settings": b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64" + bytes(9),
    "request": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "json": b'{"status":200}\r\n\r\n',
    "rtsp": b"RTSP/1.0 200 OK\r\n\r\n",
    "icy": b"ICY 200 OK\r\n\r\n",
    "header-first": b"X: y\r\nHTTP/1.1 200 OK\r\n\r\n",
    "prefix": b"xHTTP/1.1 200 OK\r\n\r\n",
    "version-9": b"HTTP/9.9 200 OK\r\n\r\n",
    "version-none": b"HTTP 200 OK\r\n\r\n",
    "version-long": b"HTTP/1.111111 200 OK\r\n\r\n",
    "no-code": b"HTTP/1.1 OK\r\n\r\n",
    "code-only-spaces": b"HTTP/1.1    \r\n\r\n",
    "code-1-digit": b"HTTP/1.1 2 OK\r\n\r\n",
    "code-2-digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "code-negative": b"HTTP/1.1 -200 OK\r\n\r\n",
    "code-hex": b"HTTP/1.1 0x1 OK\r\n\r\n",
    "code-zero": b"HTTP/1.1 000 OK\r\n\r\n",
    "code-99": b"HTTP/1.1 099 OK\r\n\r\n",
    "half-line": b"HTTP/1.1 20",
    "no-line-end": b"HTTP/1.1 200 OK",
    "only-interim": b"HTTP/1.1 100 Continue\r\n\r\n",
    "only-interims": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50,
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "endless-reason": b"HTTP/1.1 200 " + b"O" * 200_000,
    "interim-then-garbage": b"HTTP/1.1 100 Continue\r\n\r\ngarbage\r\n\r\n",
}

HEAD_64K = b"X-Long: " + b"v" * (60 * 1024) + b"\r\nX-More: " + b"w" * (8 * 1024) + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

# What follows a status line. Sent behind a 200 and behind a 503.
TAILS = {
    "nothing": b"",
    "no-headers": b"\r\n",
    "headers-100": b"".join(b"X-H%d: v\r\n" % n for n in range(100)) + b"\r\n",
    "headers-1000": b"".join(b"X-H%d: v\r\n" % n for n in range(1000)) + b"\r\n",
    "header-64k": HEAD_64K + b"\r\n",
    "header-200k": b"X-Long: " + b"v" * 200_000 + b"\r\n\r\n",
    "header-no-colon": b"no colon here\r\nContent-Length: 0\r\n\r\n",
    "header-no-name": b": value\r\nContent-Length: 0\r\n\r\n",
    "header-nul": b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "header-high-bytes": b"X: " + bytes(range(128, 256)) + b"\r\nContent-Length: 0\r\n\r\n",
    "header-folded": b"X: a\r\n b\r\n\tc\r\nContent-Length: 0\r\n\r\n",
    "header-bare-lf": b"X: a\nContent-Length: 0\n\n",
    "header-bare-cr": b"X: a\rY: b\r\nContent-Length: 0\r\n\r\n",
    "header-half": b"Content-Len",
    "length-too-long": b"Content-Length: 1000\r\n\r\nshort",
    "length-too-short": b"Content-Length: 2\r\n\r\nmuch longer than that",
    "length-too-short-by-an-answer":
        b"Content-Length: 2\r\n\r\nokHTTP/1.1 299 Smuggled\r\nContent-Length: 0\r\n\r\n",
    "length-none": b"\r\nuntil the end",
    "length-negative": b"Content-Length: -5\r\n\r\nhello",
    "length-plus": b"Content-Length: +5\r\n\r\nhello",
    "length-junk": b"Content-Length: five\r\n\r\nhello",
    "length-hex": b"Content-Length: 0x5\r\n\r\nhello",
    "length-empty": b"Content-Length: \r\n\r\n",
    "length-overflow": b"Content-Length: 99999999999999999999999999\r\n\r\nhello",
    "length-10-gib": b"Content-Length: 10737418240\r\n\r\nhello",
    "length-twice": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "length-twice-different": b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
    "length-list": b"Content-Length: 5, 5\r\n\r\nhello",
    "length-and-chunked": b"Content-Length: 5\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked-and-length": CHUNKED + b"Content-Length: 500\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked-twice": CHUNKED * 2 + b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "coding-unknown": b"Transfer-Encoding: xchunked\r\n\r\nhello",
    "coding-identity": b"Transfer-Encoding: identity\r\n\r\nhello",
    "coding-gzip-garbage": b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunk-no-hex": CHUNKED + b"\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "chunk-negative": CHUNKED + b"\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk-overflow": CHUNKED + b"\r\n" + b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n",
    "chunk-zeros": CHUNKED + b"\r\n" + b"0" * 100 + b"5\r\nhello\r\n0\r\n\r\n",
    "chunk-too-long": CHUNKED + b"\r\nff\r\nhello\r\n0\r\n\r\n",
    "chunk-too-short": CHUNKED + b"\r\n2\r\nhello\r\n0\r\n\r\n",
    "chunk-bare-lf": CHUNKED + b"\r\n5\nhello\n0\n\n",
    "chunk-extension": CHUNKED + b"\r\n5;x=\"" + b"y" * 5000 + b"\"\r\nhello\r\n0\r\n\r\n",
    "chunk-no-end": CHUNKED + b"\r\n5\r\nhello\r\n",
    "chunk-empty-line": CHUNKED + b"\r\n\r\n\r\n\r\n",
    "chunk-trailers": CHUNKED + b"\r\n0\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    "chunk-long-trailer": CHUNKED + b"\r\n0\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "encoding-gzip-garbage": b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    "encoding-gzip-cut":
        b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n" + gzip.compress(b"hello")[:10],
    "encoding-unknown": b"Content-Encoding: magic\r\nContent-Length: 5\r\n\r\nhello",
    "encoding-10-layers":
        b"Content-Encoding: " + b", ".join([b"gzip"] * 10) + b"\r\nContent-Length: 5\r\n\r\nhello",
    "cookies": b"Set-Cookie: a=b; Domain=.\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
    "alt-svc": b"Alt-Svc: h2=\"127.0.0.1:9\"; ma=9999\r\nContent-Length: 0\r\n\r\n",
    "location": b"Location: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n",
    "upgrade": b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
    "authenticate":
        b"WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\nContent-Length: 0\r\n\r\n",
}

# What stands before a status line and takes nothing away from it.
INTERIMS = {
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "processing": b"HTTP/1.1 102 Processing\r\n\r\n" * 5,
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" * 30,
    "interim-with-length": b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
    "interim-with-retry-after": b"HTTP/1.1 103 Early Hints\r\nRetry-After: 5\r\n\r\n",
}


def status_line(status, version=b"1.1"):
    return b"HTTP/%s %d Word\r\n" % (version, status)


def _make():
    vectors = {f"none-{name}": Vector(data, None) for name, data in NO_ANSWERS.items()}
    for status in (200, 503):
        for name, tail in TAILS.items():
            vectors[f"{status}-{name}"] = Vector(status_line(status) + tail, status)
        for name, before in INTERIMS.items():
            vectors[f"{status}-{name}"] = Vector(
                before + status_line(status) + b"Content-Length: 0\r\n\r\n", status)
        vectors[f"{status}-http10"] = Vector(status_line(status, b"1.0") + b"\r\nbody", status)
        for name in ("length-too-long", "chunk-too-long", "nothing"):
            vectors[f"{status}-{name}-reset"] = Vector(
                status_line(status) + TAILS[name], status, "reset")
        for name in ("no-headers", "length-too-short", "length-too-short-by-an-answer",
                     "chunk-no-end", "chunk-too-short"):
            vectors[f"{status}-{name}-kept"] = Vector(
                status_line(status) + TAILS[name], status, "keep")
    for status in (201, 204, 205, 226, 299, 300, 304, 400, 404, 418, 451, 500, 599, 600, 999):
        vectors[f"{status}-with-body"] = Vector(
            status_line(status) + b"Content-Length: 5\r\n\r\nhello", status, "keep")
    vectors["200-no-reason"] = Vector(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "keep")
    vectors["200-bare-lf"] = Vector(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 200, "keep")
    return vectors


VECTORS = _make()
