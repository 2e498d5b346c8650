"""URLs that mean an address where no webhook may go, in every spelling that somebody might read as
that address: a URL parser, a browser, a resolver, or nobody.
"""

import dataclasses
import ipaddress
import random

# RELIABILITY: what is not the public internet. Everything outside 2000::/3 is blocked, whole.
RANGES = [ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
    "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",
    "100:0:0:1::/64", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32",
    "2002::/16", "2620:4f:8000::/48", "3fff::/20", "4000::/3", "5f00::/16", "8000::/1",
    "fc00::/7", "fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10", "fec0::/10", "ff00::/8")]

# Those that everybody tries.
KNOWN = [ipaddress.ip_address(text) for text in (
    "127.0.0.1", "10.0.0.1", "192.168.0.1", "172.17.0.1", "169.254.169.254", "169.254.170.2",
    "100.100.100.200", "192.0.0.192", "0.0.0.0", "224.0.0.251", "fe80::1", "fd00::1",
    "64:ff9b::7f00:1", "2002:7f00:1::1", "::7f00:1", "ff02::1")]

PER_RANGE = 20
SOME_TRICKS = 5  # of each address that is not among KNOWN


@dataclasses.dataclass(frozen=True)
class Spelling:
    address: object
    url: str
    by_name: bool = False  # a name that resolves to the address


def addresses():
    """About PER_RANGE of every range: its ends, those that everybody tries, and some in between."""
    draw = random.Random(4)
    for block in RANGES:
        first, last = int(block.network_address), int(block.broadcast_address)
        wanted = {first, last}
        wanted.update(int(a) for a in KNOWN if a in block)
        while len(wanted) < min(PER_RANGE, block.num_addresses):
            wanted.add(draw.randint(first, last))
        kind = ipaddress.IPv4Address if block.version == 4 else ipaddress.IPv6Address
        yield from (kind(number) for number in sorted(wanted))


def spellings(public):
    """All of them. `public` is an address that is allowed, for URLs that hide behind one."""
    draw = random.Random(4)
    for address in dict.fromkeys(addresses()):
        hosts = hosts4(address) if address.version == 4 else hosts6(address)
        for host in dict.fromkeys(hosts):
            yield Spelling(address, f"http://{host}/x")
        plain = str(address) if address.version == 4 else f"[{address}]"
        tricks = list(dict.fromkeys(around(plain, public)))
        yield from (Spelling(address, url) for url in
                    (tricks if address in KNOWN else draw.sample(tricks, SOME_TRICKS)))
        for host in names(address):
            yield Spelling(address, f"http://{host}/x", by_name=True)


def percent(text):
    return "".join(f"%{ord(c):02x}" for c in text)


def hosts4(address):
    octets = list(address.packed)
    number = int(address)
    a, b, c, d = octets
    dotted = str(address)
    yield dotted
    yield from (str(number), hex(number), "0X%X" % number, "0%o" % number, "0x%016x" % number)
    yield from (".".join(f"0{n:o}" for n in octets), ".".join(f"{n:#x}" for n in octets),
                ".".join(f"0000{n:o}" for n in octets), ".".join(f"0x{n:08X}" for n in octets))
    yield from (f"{a}.{number & 0xffffff}", f"{a}.{b}.{number & 0xffff}",
                f"{a:#x}.{number & 0xffffff:#x}", f"0{a:o}.{b:#x}.{number & 0xffff}",
                f"{a:#x}.{b}.0{c:o}.{d}", f"{a}.{b}.{c}.{d:#x}", f"0{a:o}.{b}.{c}.{d}")
    # Numbers that some parsers let wrap around.
    yield from (str(number + 2**32), hex(number + 2**32), f"{a + 256}.{b}.{c}.{d}",
                f"{a}.{b}.{c}.{d + 256}")
    yield from (dotted + ".", dotted + "..", f"{number}.", dotted + ":80", dotted + ":")
    yield from (percent(dotted), dotted.replace(".", "%2e"), dotted.replace(".", "%2E"),
                percent(str(number)), percent(percent(dotted)), f"%00{dotted}", f"{dotted}%00",
                f"{dotted}%20", f"{dotted}%0d%0a", f"{dotted}%2f.example.com")
    # What IDNA maps to digits and dots.
    wide = dotted.translate({ord(str(n)): 0xff10 + n for n in range(10)})
    bold = dotted.translate({ord(str(n)): 0x1d7ce + n for n in range(10)})
    yield from (wide, bold, dotted.replace(".", "\u3002"), dotted.replace(".", "\uff0e"),
                dotted.replace(".", "\uff61"), wide.replace(".", "\u3002"), f"\u200b{dotted}",
                f"{dotted}\u00ad", dotted.replace(".", "\u2024"), percent_utf8(wide))
    yield from hosts6_around4(address)


def percent_utf8(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def hosts6_around4(address):
    """IPv6 addresses that carry this one."""
    dotted, high, low = str(address), int(address) >> 16, int(address) & 0xffff
    inverted = int(address) ^ 0xffffffff
    for text in (f"::ffff:{dotted}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{dotted}",
                 f"0000:0000:0000:0000:0000:FFFF:{high:04X}:{low:04X}", f"::{dotted}",
                 f"::ffff:0:{dotted}", f"64:ff9b::{dotted}", f"64:ff9b::{high:x}:{low:x}",
                 f"64:ff9b:1::{dotted}", f"2002:{high:x}:{low:x}::1",
                 f"2002:{high:x}:{low:x}::{dotted}",
                 f"2001:0:102:304:0:0:{inverted >> 16:x}:{inverted & 0xffff:x}",
                 f"fe80::5efe:{dotted}", f"::ffff:{dotted}%25lo", f"::ffff:{dotted}%lo"):
        yield f"[{text}]"


def hosts6(address):
    text, whole = str(address), address.exploded
    last = int(address) & 0xffffffff
    dotted = f"{whole[:29]}:{ipaddress.IPv4Address(last)}"
    yield f"[{text}]"
    yield from (f"[{whole}]", f"[{whole.upper()}]", f"[{dotted}]", f"[{text}]:80", f"[{text}]:")
    yield from (f"[{text}%25lo]", f"[{text}%lo]", f"[{text}%251]", f"[{text}%25]",
                f"[{text}%2525lo]", f"%5B{text}%5D", f"[{percent(text)}]", text,
                f"[{text}].", f"[{text}].example.com",
                f"[v1.{text}]", f"[0{whole}]", f"[{text}", f"[[{text}]]", f"[{text}\u3002]",
                f"[ {text}]", text.replace(":", "-") + ".ipv6-literal.net")


def around(host, public):
    """Tricks of the whole URL that end at `host`, or that some parser thinks do."""
    for scheme in ("HTTP", "hTtP"):
        yield f"{scheme}://{host}/x"
    for scheme in ("ftp", "file", "gopher", "dict", "ldap", "ws", "javascript", "http+unix", "smb",
                   "telnet", "tftp", "scp", "rtsp", "mqtt", "imap", "jar:http"):
        yield f"{scheme}://{host}/x"
    for user in ("user", "user:password", public, f"{public}:80", "%61", "", ":", f"{public}%23",
                 f"http://{public}", "a@b", f"{public}\\", f"{public};", f"{public}%00"):
        yield f"http://{user}@{host}/x"
    yield from (f"http:{host}/x", f"http:/{host}/x", f"http:///{host}/x", f"//{host}/x", host,
                f"{host}/x", f"http:\\\\{host}\\x", f"http:/\\{host}/x", f"http://\\{host}/x",
                f"http://{host}\\@{public}/x", f"http://{host}\\.{public}/x",
                f"http://{host};.{public}/x", f"http://{host},{public}/x", f"http://{host}&.x/",
                f"http://{host}#@{public}/x", f"http://{host}?@{public}/x",
                f"http://{host}:80@{public}:80/x", f"http://{public}:80@{host}:80/x",
                f"http://{public} {host}/x", f"http://{public}\t@{host}/x",
                f"http://{public}:80\\@{host}/x")
    for blank in ("\t", "\r", "\n", "\r\n", " ", "\0", "\u00a0", "\u2028", "\v", "\f"):
        yield from (f"http://{blank}{host}/x", f"http://{host}{blank}/x", f"{blank}http://{host}/x",
                    f"ht{blank}tp://{host}/x", f"http://{host}/x{blank}Host:{host}")
    # These are a public address to whoever follows the standard, and are sent there.
    yield from (f"http://{public}#@{host}/x", f"http://{public}/x?u=http://{host}/",
                f"http://{public}/\\@{host}/x", f"http://{public}/..//{host}/x")


def names(address):
    digits = f"{int(address):08x}" if address.version == 4 else f"{int(address):032x}"
    yield from (f"ip-{digits}.test", f"ip-{digits}-b.test.", f"IP-{digits}-C.TEST")
