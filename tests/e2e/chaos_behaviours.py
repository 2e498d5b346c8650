"""What the chaos receiver does to requests, by the first part of their path, and to connections, by
the port they come to. Underscores of a name are dashes in the path."""

import asyncio
import gzip

from chaos_receiver import Gone
from chaos_vectors import VECTORS

BEHAVIOURS = {}
DOORS = {}
PIECE = b"x" * 65536
BOMB_MIB = 64


def behaviour(function=None, *, reads_body=True, peeks_next=False):
    """`reads_body`: before it is called. `peeks_next`: the next request on the connection is met
    unread."""
    def add(function):
        function.reads_body = reads_body
        function.peeks_next = peeks_next
        BEHAVIOURS[function.__name__.strip("_").replace("_", "-")] = function
        return function
    return add(function) if function else add


def door(function):
    DOORS[function.__name__.removeprefix("door_").replace("_", "-")] = function
    return function


def answer(status, headers=(), body=b"", length=None):
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status_of(request):
    return int(request.argument or 204)


@behaviour
async def ok(connection, _):
    await connection.send(answer(204))


@behaviour
async def status(connection, request):
    await connection.send(answer(status_of(request)))


# --- connections that break ----------------------------------------------------------------------
@behaviour(reads_body=False)
async def reset_on_head(connection, _):
    connection.reset()


@behaviour(reads_body=False)
async def reset_in_body(connection, request):
    await connection.body(request.length // 2)
    connection.reset()


@behaviour
async def reset(connection, _):
    connection.reset()


@behaviour
async def reset_in_status(connection, _):
    await connection.send(b"HTTP/1.1 20")
    connection.reset()


@behaviour
async def close(connection, _):
    connection.close()


@behaviour
async def half_close(connection, _):
    connection.end_sending()
    await connection.until_gone()


@behaviour(peeks_next=True)
async def reset_when_asked_again(connection, request):
    if request.nth > 1:
        connection.reset()  # the second one, unread
    else:
        await connection.send(answer(204))


@behaviour
async def close_when_asked_again(connection, request):
    if request.nth > 1:
        connection.close()
    else:
        await connection.send(answer(204))


@behaviour
async def close_after(connection, request):
    """Answers as if it kept the connection. What was on its way then is read and counted, and that
    is all."""
    await connection.send(answer(status_of(request)))
    connection.end_sending()
    while await connection.head():
        await connection.body()
    raise Gone


# --- answers that stop half way, with the status said --------------------------------------------
@behaviour
async def answer_then_reset(connection, request):
    await connection.send(answer(status_of(request), body=b"half", length=100))
    connection.reset()


@behaviour
async def answer_then_close(connection, request):
    await connection.send(answer(status_of(request), body=b"half", length=100))
    connection.close()


@behaviour
async def answer_then_hang(connection, request):
    await connection.send(answer(status_of(request), body=b"half", length=100))
    await connection.until_gone()


@behaviour
async def status_line_then_reset(connection, request):
    await connection.send(f"HTTP/1.1 {status_of(request)} Word\r\nContent-Le".encode())
    connection.reset()


@behaviour
async def status_line_then_hang(connection, request):
    await connection.send(f"HTTP/1.1 {status_of(request)} Word\r\nContent-Le".encode())
    await connection.until_gone()


# --- slow ones -----------------------------------------------------------------------------------
@behaviour
async def hang(connection, _):
    await connection.until_gone()


@behaviour(reads_body=False)
async def hang_unread(connection, _):
    while True:  # not even the end of the connection is noticed
        await asyncio.sleep(3600)


@behaviour
async def trickle(connection, request):
    """A byte every so many milliseconds; it takes some 40 of them to say the status."""
    for byte in b"HTTP/1.1 200 " + b"O" * 1000 + b"\r\nContent-Length: 0\r\n\r\n":
        await connection.send(bytes([byte]))
        await asyncio.sleep(int(request.argument) / 1000)


@behaviour
async def trickle_body(connection, request):
    await connection.send(answer(200, length=10_000))
    while True:
        await connection.send(b"x")
        await asyncio.sleep(int(request.argument) / 1000)


@behaviour
async def late(connection, request):
    """Answers after so many milliseconds."""
    await asyncio.sleep(int(request.argument) / 1000)
    await connection.send(answer(204))


@behaviour
async def hold(connection, _):
    """Answers when the test says so."""
    await connection.hold()
    await connection.send(answer(204))


# --- answers before the request is read ----------------------------------------------------------
@behaviour(reads_body=False)
async def early(connection, request):
    """Reads the body behind its answer."""
    await connection.send(answer(status_of(request)))
    await connection.body()


@behaviour(reads_body=False)
async def early_then_reset(connection, request):
    await connection.send(answer(status_of(request)))
    connection.reset()


# --- answers without an end ----------------------------------------------------------------------
@behaviour
async def endless_body(connection, request):
    await connection.send(f"HTTP/1.1 {status_of(request)} Word\r\n\r\n".encode())
    while True:
        await connection.send(PIECE)


@behaviour
async def huge_body(connection, request):
    await connection.send(answer(status_of(request), length=10 << 30))
    while True:
        await connection.send(PIECE)


@behaviour
async def endless_chunks(connection, request):
    await connection.send(
        f"HTTP/1.1 {status_of(request)} Word\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    while True:
        await connection.send(b"10000\r\n" + PIECE + b"\r\n")


@behaviour
async def endless_chunk_extension(connection, request):
    """None of it is body, so what counts body bytes does not see it."""
    await connection.send(
        f"HTTP/1.1 {status_of(request)} Word\r\nTransfer-Encoding: chunked\r\n\r\n5;".encode())
    while True:
        await connection.send(PIECE)


@behaviour
async def endless_head(connection, request):
    """With the argument 100 it is a storm of interim answers, else headers of one answer."""
    storm = status_of(request) < 200
    piece = b"HTTP/1.1 100 Continue\r\n\r\n" if storm else b"X-Filler: 0123456789\r\n"
    if not storm:
        await connection.send(f"HTTP/1.1 {status_of(request)} Word\r\n".encode())
    while True:
        await connection.send(piece * 1000)


@behaviour
async def gzip_bomb(connection, request):
    """Some 64 KiB that unpack to 64 MiB. The argument is the header that announces it."""
    bomb = gzip.compress(bytes(BOMB_MIB << 20))
    if request.argument == "Content-Encoding":
        await connection.send(answer(200, [("Content-Encoding", "gzip")], bomb))
    else:
        await connection.send(b"HTTP/1.1 200 Word\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
                              + b"%x\r\n" % len(bomb) + bomb + b"\r\n0\r\n\r\n")


# --- answers that say something ------------------------------------------------------------------
@behaviour
async def redirect(connection, request):
    await connection.send(answer(status_of(request), [("Location", request.query["to"])]))


@behaviour
async def retry_after(connection, request):
    await connection.send(
        answer(status_of(request), [("Retry-After", request.query["value"])]))


@behaviour
async def vector(connection, request):
    """One of chaos_vectors.py."""
    sent = VECTORS[request.argument]
    await connection.send(sent.bytes)
    if sent.then == "reset":
        connection.reset()
    elif sent.then == "close":
        connection.close()


# --- doors ---------------------------------------------------------------------------------------
@door
async def door_reset(connection):
    connection.reset()


@door
async def door_closed(connection):
    connection.close()


@door
async def door_silent(_):
    while True:
        await asyncio.sleep(3600)


@door
async def door_half_closed(connection):
    connection.end_sending()
    while await connection.head():
        await connection.body()


@door
async def door_answers_first(connection):
    """Before anything was asked."""
    connection.request = None
    await connection.chaos.loop.sock_sendall(connection.socket, answer(204))
    while await connection.head():
        await connection.body()
