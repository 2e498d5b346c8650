"""A network of its own: work in a child process in which there is nothing but loopback, and names
are looked up where we say."""

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from processes import BenchError, end_all

sys.path.append(str(Path(__file__).parents[2] / "tests" / "e2e"))

# pylint: disable=wrong-import-position
import namespaces


def in_own_network(name_server, work):
    """What `work()` returns, which has to go through JSON. Called while no other thread runs. It
    takes root, or user namespaces."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _be_child(write_end, name_server, work)
    os.close(write_end)
    try:
        with open(read_end, encoding="utf-8") as pipe:
            text = pipe.read()
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        raise
    finally:
        os.waitpid(child, 0)
    if not text:
        raise BenchError("the process with a network of its own died")
    result = json.loads(text)
    if "error" in result:
        raise BenchError(result["error"])
    return result["value"]


def _be_child(write_end, name_server, work):
    """Never returns."""
    try:
        with tempfile.TemporaryDirectory(prefix="belfry-bench-") as folder:
            _enter(Path(folder), name_server)
            result = {"value": work()}
    except (BenchError, AssertionError, OSError) as error:
        result = {"error": str(error)}
    except KeyboardInterrupt:
        result = {"error": "stopped"}
    except BaseException:  # pylint: disable=broad-except
        result = {"error": traceback.format_exc()}
    finally:
        end_all()
    with open(write_end, "w", encoding="utf-8") as pipe:
        json.dump(result, pipe)
    os._exit(0)  # what our parent registered for its end is not ours to do


def _enter(folder, name_server):
    namespaces.enter(namespaces.CLONE_NEWNET)
    path = folder / "resolv.conf"
    path.write_text(f"nameserver {name_server}\n", encoding="ascii")
    namespaces.bind(path, "/etc/resolv.conf")
