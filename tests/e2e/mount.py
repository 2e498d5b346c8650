"""Mounts that only this process and its children see, and that end with them."""

import os

import namespaces

_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_entered = None  # the first error, "" for none, None: not tried


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
    namespaces.unshare(namespaces.CLONE_NEWNS)
    try:
        namespaces.call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError:
        pass  # in a chroot / is no mount point; then unmount() takes them away everywhere


def mount_tmpfs(path, size_mib):
    namespaces.call("mount", b"tmpfs", os.fsencode(path), b"tmpfs", 0, b"size=%dm" % size_mib)


def unmount(path):
    try:
        namespaces.call("umount2", os.fsencode(path), 2)  # MNT_DETACH
    except OSError:
        pass  # it was not there
