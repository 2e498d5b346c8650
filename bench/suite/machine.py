"""What the figures were taken on. No names of hosts, users or folders."""

import datetime
import os
import platform
import re
import subprocess

PACKAGES = ("librocksdb-dev", "libuv1-dev", "libcurl4-openssl-dev", "g++", "nginx-light", "wrk")


def first_match(path, pattern):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(pattern, file.read(), re.M)
    except OSError:
        found = None
    return found.group(1).strip() if found else "?"


def mount_of(folder, mounts):
    """(device, file system, options) of the mount that holds the folder, from /proc/mounts."""
    best = ("?", "", "?", "")
    for line in mounts.splitlines():
        device, point, kind, options = line.split()[:4]
        inside = point == "/" or folder == point or folder.startswith(point + "/")
        if inside and len(point) >= len(best[1]):
            best = (device, point, kind, options)
    return best[0], best[2], best[3]


def disk(folder):
    with open("/proc/mounts", encoding="utf-8", errors="replace") as file:
        device, kind, options = mount_of(os.path.realpath(folder), file.read())
    name = os.path.basename(device)
    sort = "virtual disk" if name.startswith(("vd", "xvd")) else (
        "NVMe" if name.startswith("nvme") else "disk")
    unsafe = [option for option in options.split(",")
              if option in ("nobarrier", "barrier=0") or option.startswith("data=")]
    return ", ".join([sort, kind, *unsafe])


def package_version(name):
    try:
        found = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True,
                               text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def describe(folder, belfry_version, build_type):
    memory_kib = first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)")
    memory = f"{int(memory_kib) / 2**20:.0f} GiB" if memory_kib.isdigit() else "?"
    versions = [f"{name.removesuffix('-dev')} {version}" for name in PACKAGES
                if (version := package_version(name))]
    return [
        ("Date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")),
        ("Processor", first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")
         + f", {len(os.sched_getaffinity(0))} cores; load and server share them"),
        ("Memory", memory),
        ("Disk", disk(folder)),
        ("System", first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
         + f", kernel {platform.release().split('-')[0]}"),
        ("Versions", ", ".join([belfry_version, *versions])),
        ("Build", build_type),
    ]
