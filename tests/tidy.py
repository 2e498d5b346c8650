#!/usr/bin/env python3
"""Holds the tree to its written rules. Usage: tidy.py [ROOT]; prints what is wrong and exits 1.

The rules: who may include whom, which folder owns which library, 100 columns, no notes to self,
every source and test built, one title a document, short functions and files.
tests/tidy_test.py plants one violation of each and expects it to be found.
"""

import re
import sys
from pathlib import Path

# Folder -> folders of ours that it may include. Those files of http that speak
# with the scheduler include it, too.
ARROWS = {
    "base": {"base"},
    "scheduler": {"base", "scheduler"},
    "storage": {"base", "storage"},
    "delivery": {"base", "delivery"},
    "http": {"base", "web", "http"},
    "web": {"web"},
    "daemon": {"base", "storage", "scheduler", "delivery", "http", "web", "daemon"},
}
FOLDERS = set(ARROWS)

# Library -> (pattern of its headers, where it may be included: a folder or a file).
LIBRARIES = {
    "rocksdb": (r"rocksdb/", {"storage"}),
    "xxhash": (r"xxhash\.h|xxh3\.h", {"storage"}),
    "libuv": (r"uv\.h|uv/", {"delivery", "http", "daemon"}),
    "libcurl": (r"curl/", {"delivery"}),
    "c-ares": (r"ares", {"delivery"}),
    "openssl": (r"openssl/", {"delivery", "http/token_hash.cc"}),
    "llhttp": (r"llhttp", {"http"}),
    "simdjson": (r"simdjson", {"http"}),
    "yaml-cpp": (r"yaml-cpp/", {"daemon/config.cc", "web"}),
    "spdlog": (r"spdlog/|fmt/", {"daemon/log.cc"}),
    "CLI11": (r"CLI/", {"daemon/cli.cc"}),
}

CLOCK_CALLS = re.compile(
    r"\b(clock_gettime|gettimeofday|(system|steady|high_resolution)_clock::now|std::time)\b")
CLOCK_OWNER = "base/clock.cc"

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
# What is longer than the rule, and how long it is: it may shrink, never grow.
LONG_FUNCTIONS = {
    # A table of wrong requests.
    "tests/http_parser_test.cc: RequestParser.FramingInDoubtIsRefused": 139,
}
LONG_FILES = {}

CODE = {".h", ".cc"}
WIDE_CHECKED = CODE | {".py", ".cmake"}
NOTES = re.compile(r"\b(FIX" + r"ME|TO" + r"DO|XX" + r"X)\b")
SKIPPED_FOLDERS = {".git", "data", "node_modules", "CMakeFiles", "__pycache__"}


class Source:
    """One text file: its path from the root and its lines."""

    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        self.folder = self.name.split("/")[0] if "/" in self.name else ""
        self.suffix = path.suffix
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.splitlines()


def sources_of(root):
    found = []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(p in SKIPPED_FOLDERS or p.startswith("build") for p in parts[:-1]):
            continue
        if not path.is_file() or path.is_symlink():
            continue
        if path.suffix in WIDE_CHECKED | {".md", ".txt", ".yaml", ".sh", ".service"} or (
                parts[0] in {"script", ".ci"} or parts[-1] == "Makefile"):
            found.append(Source(root, path))
    return found


def is_routes_file(name):
    return re.fullmatch(r"http/(\w+_(routes|lists|streams)|reply_table)\.(h|cc)", name) is not None


def check_includes(source):
    if source.suffix not in CODE or source.folder not in FOLDERS:
        return
    allowed = set(ARROWS[source.folder])
    if is_routes_file(source.name):
        allowed.add("scheduler")
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        header = match.group(2)
        folder = header.split("/")[0]
        where = f"{source.name}:{number}"
        if match.group(1) == '"':
            if folder in FOLDERS | {"tests", "bench"} and folder not in allowed:
                yield f"{where}: {source.folder} may not include {folder} ({header})"
            elif "/" not in header:
                yield f"{where}: include paths start at the root ({header})"
        for library, (pattern, owners) in LIBRARIES.items():
            if re.match(pattern, header) and not {source.folder, source.name} & owners:
                yield f"{where}: {library} belongs to {', '.join(sorted(owners))}"


def check_clock(source):
    if source.suffix not in CODE or source.folder not in FOLDERS or source.name == CLOCK_OWNER:
        return
    for number, line in enumerate(source.lines, 1):
        match = CLOCK_CALLS.search(line.split("//")[0])
        if match:
            yield f"{source.name}:{number}: only {CLOCK_OWNER} asks the system ({match.group()})"


def check_lines(source):
    for number, line in enumerate(source.lines, 1):
        where = f"{source.name}:{number}"
        wide = source.suffix in WIDE_CHECKED or source.folder in {"script", ".ci"}
        if wide and len(line) > COLUMNS_MAX:
            yield f"{where}: {len(line)} columns"
        if NOTES.search(line):
            yield f"{where}: a note to self; do it or leave it out"
        if line != line.rstrip() and source.suffix != ".md":
            yield f"{where}: blanks at the end of the line"
        if source.suffix in CODE and line.startswith("using namespace"):
            yield f"{where}: using namespace outside a function"


def check_title(source):
    if source.suffix != ".md":
        return
    fenced = False
    titles = 0
    for line in source.lines:
        if line.startswith("```"):
            fenced = not fenced
        titles += not fenced and line.startswith("# ")
    if titles != 1:
        yield f"{source.name}: {titles} titles with a single #, must be 1"


def blanked(text):
    """`text` with comments, literals and preprocessor lines blanked; line breaks stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    literals = re.compile(
        r'R"(?P<mark>\w*)\(.*?\)(?P=mark)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
        r"|(?<![\w])'(?:\\.|[^'\\\n])+'", re.S)
    text = literals.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


CONTAINER = re.compile(
    r"(?:inline\s+)?namespace\b|extern\b|(?:template\s*<[^{;]*>\s*)?(?:class|struct|union|enum)\b")
CONTROL = re.compile(r"(if|for|while|switch|else|do|return|case|catch|try)\b")


def functions_of(text):
    """(first line, number of lines, head) of each outermost function body."""
    text = blanked(text)
    found = []
    blocks = []  # (is a function, first line, head)
    head_start = 0
    line = 1
    inside = 0
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == "{":
            head = text[head_start:at].strip()
            is_function = (inside == 0 and ")" in head and not CONTAINER.match(head)
                           and not CONTROL.match(head))
            inside += is_function
            blocks.append((is_function, line - head.count("\n"), head))
            head_start = at + 1
        elif char == "}":
            head_start = at + 1
            if not blocks:
                continue
            is_function, first, head = blocks.pop()
            if is_function:
                inside -= 1
                found.append((first, line - first + 1, head))
        elif char == ";":
            head_start = at + 1
    return found


def name_of(head):
    match = re.match(r"TEST(?:_[FP])?\((\w+),\s*(\w+)\)", head)
    if match:
        return f"{match.group(1)}.{match.group(2)}"
    match = re.search(r"([\w:~]+)\s*\(", head)
    return match.group(1) if match else head[:40]


def ratchet(what, lines, rule, exceptions, used):
    if lines <= rule:
        return None
    used.add(what)
    if what not in exceptions:
        return f"{what}: {lines} lines, at most {rule}"
    if lines > exceptions[what]:
        return f"{what}: {lines} lines, was {exceptions[what]}: may shrink, never grow"
    return None


def check_lengths(sources):
    used = set()
    for source in sources:
        if source.suffix not in CODE | {".py"}:
            continue
        yield ratchet(source.name, len(source.lines), FILE_LINES_MAX, LONG_FILES, used)
        if source.suffix not in CODE:
            continue
        for _, lines, head in functions_of(source.text):
            what = f"{source.name}: {name_of(head)}"
            yield ratchet(what, lines, FUNCTION_LINES_MAX, LONG_FUNCTIONS, used)
    for what in sorted((set(LONG_FILES) | set(LONG_FUNCTIONS)) - used):
        yield f"tests/tidy.py: {what} is short now; take it off the list"


def check_built(sources):
    """Every .cc is named in a CMakeLists.txt of its folder or above: nothing rots unbuilt."""
    lists = {s.name: s.text for s in sources if s.name.endswith("CMakeLists.txt")}
    for source in sources:
        if source.suffix != ".cc":
            continue
        parts = source.name.split("/")
        for depth in range(len(parts) - 1, -1, -1):
            listing = lists.get("/".join(parts[:depth] + ["CMakeLists.txt"]), "")
            rest = "/".join(parts[depth:])
            names = {rest, rest.removesuffix(".cc")}
            if names & set(re.findall(r"[\w./-]+", re.sub(r"#[^\n]*", "", listing))):
                break
        else:
            yield f"{source.name}: named in no CMakeLists.txt, so it is not built"


def check(root):
    sources = sources_of(root)
    found = []
    for source in sources:
        for rule in (check_includes, check_clock, check_lines, check_title):
            found += rule(source)
    found += [problem for problem in check_lengths(sources) if problem]
    found += check_built(sources)
    return found


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"tidy: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
