"""A small tmpfs that only this process and its children see, and that ends with them."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_entered = None  # the first error, "" for none, None: not tried


def _call(function, *arguments):
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter_namespace():
    """Before any thread is started. "" or why there is none."""
    global _entered
    if _entered is None:
        try:
            _enter()
            _entered = ""
        except OSError as error:
            _entered = str(error)
    return _entered


def _enter():
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _call(_libc.unshare, _CLONE_NEWNS)
    else:
        _call(_libc.unshare, _CLONE_NEWNS | _CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                           ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    try:
        _call(_libc.mount, b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError:
        pass  # in a chroot / is no mount point; then unmount() takes the tmpfs away everywhere


def mount_tmpfs(path, size_mib):
    _call(_libc.mount, b"tmpfs", os.fsencode(path), b"tmpfs", 0, b"size=%dm" % size_mib)


def unmount(path):
    _libc.umount2(os.fsencode(path), 2)  # MNT_DETACH
