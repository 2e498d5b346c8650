"""Gets what the peers need: Debian packages, and npm packages into the build directory."""

import contextlib
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = HERE / "packages"
# Debian starts these with the package; we want the programs alone. Name of the service with
# systemd, and how it is stopped without.
SERVICES = {
    "beanstalkd": ("beanstalkd", ["service", "beanstalkd", "stop"]),
    "redis-server": ("redis-server", ["service", "redis-server", "stop"]),
    "postgresql-15": ("postgresql@15-main", ["pg_ctlcluster", "15", "main", "stop"]),
}
LIMIT_S = 900


class Unavailable(Exception):
    """Why a peer cannot be had here."""


def packages_of(text, part):
    """The names of one part of a package list: "" is the first, unnamed one."""
    names = []
    current = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1]
        elif line and not line.startswith("#") and current == part:
            names.append(line)
    return names


def is_installed(name):
    try:
        said = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", name],
                              capture_output=True, text=True, check=False)
    except OSError:
        return False
    return said.stdout == "installed"


def run(command, env=None, cwd=None):
    """None, or what went wrong in a line."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", env={**os.environ, **(env or {})}, cwd=cwd,
                              timeout=LIMIT_S, check=False)
    except OSError as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return f"{command[0]} is not done after {LIMIT_S} s"
    if done.returncode == 0:
        return None
    words = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in words if "error" in line.lower() or line.startswith("E:")]
    return " | ".join((errors or words)[:3])[:400] or f"exit code {done.returncode}"


def install_debian(part, say):
    """Installs what is missing of a part of bench/peers/packages."""
    missing = [name for name in packages_of(PACKAGES.read_text(encoding="utf-8"), part)
               if not is_installed(name)]
    if not missing:
        return
    names = " ".join(missing)
    if shutil.which("apt-get") is None:
        raise Unavailable(f"please install {names}: there is no apt here")
    as_root = []
    if os.getuid() != 0:
        if shutil.which("sudo") is None:
            raise Unavailable(f"there is no sudo here; run as root: apt-get install {names}")
        as_root = ["sudo"]
    say(f"installing {names}")
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq",
           "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]
    install = [*apt, "install", "-y", "--no-install-recommends", *missing]
    # The package index may be absent or out of date; it is fetched only then.
    if run(install) is not None:
        run([*apt, "update"])
        why = run(install)
        if why is not None:
            raise Unavailable(f"could not install {names}: {why}")
    with_systemd = Path("/run/systemd/system").is_dir()
    for name in set(missing) & set(SERVICES):
        service, stop = SERVICES[name]
        command = ["systemctl", "disable", "--now", service] if with_systemd else stop
        with contextlib.suppress(OSError):
            subprocess.run([*as_root, *command], stdin=subprocess.DEVNULL, capture_output=True,
                           check=False)


def install_node(say):
    """Debian's Node and npm, unless there are others already."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        install_debian("node", say)
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            raise Unavailable(f"there is no {name} here")


def install_npm(folder, say):
    """The packages of package-lock.json and our drivers beside them, in `folder`."""
    install_node(say)
    lock = (HERE / "package-lock.json").read_bytes()
    state = hashlib.sha256(lock).hexdigest()
    mark = folder / "installed"
    folder.mkdir(parents=True, exist_ok=True)
    if not mark.is_file() or mark.read_text(encoding="utf-8") != state:
        mark.unlink(missing_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder / name)
        say("installing the npm packages of bench/peers/package-lock.json")
        # No package has to run a script to work here.
        why = run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
        if why is not None:
            raise Unavailable(f"npm ci failed (is there a network?): {why}")
        mark.write_text(state, encoding="utf-8")
    # A module looks for packages beside itself.
    for module in HERE.glob("*.mjs"):
        shutil.copy(module, folder / module.name)
