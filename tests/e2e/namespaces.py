"""Mounts and networks that only this process and its children see, and that end with them.

It takes root, or user namespaces.
"""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_libc = ctypes.CDLL(None, use_errno=True)
_entered = set()


def _call(function, *arguments):
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter(kinds=CLONE_NEWNS):
    """Before any thread is started. A failure says why there is none. CLONE_NEWNS is always among
    them; of a new network there is only `lo`."""
    kinds |= CLONE_NEWNS
    if kinds in _entered:
        return
    try:
        _enter(kinds)
    except OSError as error:
        raise AssertionError(
            f"no namespaces (it takes root, or user namespaces): {error}") from error
    _entered.add(kinds)


def _enter(kinds):
    uid, gid = os.geteuid(), os.getegid()
    try:
        _call(_libc.unshare, kinds)
    except PermissionError:  # not root, or root of a container that may not
        _call(_libc.unshare, kinds | _CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                           ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    try:
        _call(_libc.mount, b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError:
        pass  # in a chroot / is no mount point; then unmount() takes mounts away everywhere
    if kinds & CLONE_NEWNET:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            fcntl.ioctl(device, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def mount_tmpfs(path, size_mib):
    _call(_libc.mount, b"tmpfs", os.fsencode(path), b"tmpfs", 0, b"size=%dm" % size_mib)


def bind(source, path):
    """What is read at `path` is `source` from now on."""
    _call(_libc.mount, os.fsencode(source), os.fsencode(path), None, _MS_BIND, None)


def unmount(path):
    _libc.umount2(os.fsencode(path), _MNT_DETACH)


def set_local_ports(first, last):
    """Those that connections of this network may take."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write(f"{first} {last}")
