"""A network namespace of our own: nothing but a loopback device, and settings that harm nobody."""

import fcntl
import socket
import struct

import namespaces

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def enter_namespace():
    """This process and what it starts see no other network from now on. Before any thread is
    started."""
    namespaces.unshare(namespaces.CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def set_local_ports(first, last):
    """Those that connections may take."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write(f"{first} {last}")
