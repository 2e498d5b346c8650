"""Filled stores: made once, then copied for each look at them; and how long they take to start."""

import http.client
import json
import os
import shutil
import time

from clients import seconds
from processes import BenchError, free_port
from webhook import WebhookReceiver

WEBHOOK_LIMIT_S = 120


def clone(source, target):
    """A store of its own. Tables are never changed in place, so they are linked, not copied."""
    for folder, _, names in os.walk(source):
        here = target / os.path.relpath(folder, source)
        here.mkdir(parents=True)
        for name in names:
            copy = os.link if name.endswith(".sst") else shutil.copy2
            copy(os.path.join(folder, name), here / name)
    return target


def set_timer(belfry, url, delay_s):
    body = json.dumps({"delay": seconds(delay_s), "url": url})
    connection = http.client.HTTPConnection("127.0.0.1", belfry.port, timeout=30)
    try:
        connection.request("POST", "/timers", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except OSError as error:
        raise BenchError(f"belfry does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status != 201:
        raise BenchError(f"belfry answered {answer.status} to a set: {text}")


def end_with_overdue(belfry, url, kill):
    """Sets a timer and ends the daemon before it is due; waits until it is overdue."""
    lead_s = 0.5 if kill else 1.0
    for _ in range(6):
        set_timer(belfry, url, lead_s)
        due = time.monotonic() + lead_s
        if kill:
            belfry.kill()
        else:
            belfry.stop()
        if time.monotonic() < due:
            time.sleep(due - time.monotonic() + 0.05)
            return
        # It may have been tried already: with nobody there, so that it waits for its second time.
        belfry.start()
        lead_s *= 2
    raise BenchError(f"belfry takes more than {lead_s / 2:.0f} s to stop")


def restart(belfry, kill):
    """Ends and starts a running daemon. Seconds from exec to READY=1, and to the first webhook of a
    timer that became overdue meanwhile."""
    receiver = WebhookReceiver(free_port())
    end_with_overdue(belfry, receiver.url, kill)
    with receiver:
        belfry.start()
        if not receiver.wait(WEBHOOK_LIMIT_S):
            raise BenchError(f"the overdue webhook did not come within {WEBHOOK_LIMIT_S} s")
    return belfry.ready_s, (receiver.first_ns - belfry.started_ns) / 1e9
