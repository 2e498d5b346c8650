"""Sets through the storage library beside bare RocksDB, batches of 1,024 with a sync each."""

import json

from processes import BenchError, Process
from results import cpu_text, median

TITLE = "bulk sets beside bare RocksDB"
OURS = "Groups/RocksSets/sets:1024/manual_time"
BARE = "BareRocksSets/sets:1024/manual_time"
LEAST_PER_S = 200_000


def estimate_s(plan):
    return 3 * 2 * plan.rounds * plan.bulk_seconds


def rates_of(text):
    """{benchmark: [items a second of each repetition]} of Google Benchmark's JSON."""
    rates = {}
    for run in json.loads(text)["benchmarks"]:
        if run.get("error_occurred"):
            raise BenchError(f"{run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            rates.setdefault(run["run_name"], []).append(run["items_per_second"])
    return rates


def cpu_of(text, name):
    """Microseconds of processor time a timer, of the writing thread."""
    runs = [run for run in json.loads(text)["benchmarks"]
            if run["run_type"] == "iteration" and run["run_name"] == name]
    scale = {"ns": 1e-3, "us": 1.0, "ms": 1e3}
    return median(run["cpu_time"] * scale[run["time_unit"]] / 1024 for run in runs)


def run(bench):
    program = bench.build / "commit_bench"
    if not program.exists():
        raise BenchError(f"there is no {program.name} in the build directory: build everything")
    with bench.work() as folder:
        command = [program, f"--benchmark_filter=^({OURS}|{BARE})$", "--benchmark_format=json",
                   f"--benchmark_repetitions={bench.plan.rounds}",
                   f"--benchmark_min_time={bench.plan.bulk_seconds}",
                   "--benchmark_enable_random_interleaving=true"]
        process = Process("commit_bench", command, folder, env={"TMPDIR": str(folder)})
        code = process.wait(120 + 20 * estimate_s(bench.plan))
        if code != 0:
            raise BenchError(f"commit_bench ended with {code}:\n{process.log_end()}")
        output = process.output()
    rates = rates_of(output)
    rate, bare = median(rates[OURS]), median(rates[BARE])
    bench.add("bulk set through the storage library", value=rate, samples=rates[OURS],
              beside="bare RocksDB, 1,024 a batch", beside_value=bare, ratio=rate / bare,
              asked="at least 0.80x and 200,000/s",
              met=rate / bare >= 0.80 and rate >= LEAST_PER_S,
              cpu=cpu_text(belfry=cpu_of(output, OURS), bare=cpu_of(output, BARE)))
