#!/usr/bin/env python3
"""tidy.py must find what is planted: one violation of each rule in an otherwise clean tree."""

import tempfile
import unittest
from pathlib import Path

import tidy

CLEAN = {
    "CMakeLists.txt": "add_subdirectory(base)\n",
    "README.md": "# One\n\n```\n# not a title\n```\n\n## Two\n",
    "base/CMakeLists.txt": "add_library(base a.cc clock.cc)\n",
    "base/a.cc": '#include "base/a.h"\n\n#include <string>\n',
    "base/a.h": "#pragma once\nint A();\n",
    "base/clock.cc": "#include <ctime>\nint B() { return clock_gettime(0, nullptr); }\n",
    "http/CMakeLists.txt": "add_library(http timer_routes.cc)\n",
    "http/timer_routes.cc": '#include <uv.h>\n\n#include "scheduler/timers.h"\n',
    "scheduler/timers.h": "#pragma once\n",
    "tests/CMakeLists.txt": "belfry_test(a_test base)\n",
    "tests/a_test.cc": '#include "storage/store.h"\n#include <curl/curl.h>\n',
}


def body(lines):
    return "".join(f"  F({n});\n" for n in range(lines))


class TidyTest(unittest.TestCase):
    def problems(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in {**CLEAN, **changes}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            long_lists = tidy.LONG_FILES, tidy.LONG_FUNCTIONS
            tidy.LONG_FILES, tidy.LONG_FUNCTIONS = self.long_files, self.long_functions
            try:
                return tidy.check(root)
            finally:
                tidy.LONG_FILES, tidy.LONG_FUNCTIONS = long_lists

    def setUp(self):
        self.long_files = {}
        self.long_functions = {}

    def expect(self, name, text, problem):
        self.assertEqual(self.problems({name: text}), [problem])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.problems({}), [])

    def test_include_arrows(self):
        for name, header, says in [
            ("base/a.h", "storage/store.h", "base may not include storage"),
            ("scheduler/timers.h", "storage/store.h", "scheduler may not include storage"),
            ("scheduler/timers.h", "http/message.h", "scheduler may not include http"),
            ("storage/store.h", "scheduler/timers.h", "storage may not include scheduler"),
            ("delivery/sender.h", "scheduler/timers.h", "delivery may not include scheduler"),
            ("http/message.h", "scheduler/timers.h", "http may not include scheduler"),
            ("http/timer_routes.h", "storage/store.h", "http may not include storage"),
            ("web/page.h", "base/a.h", "web may not include base"),
            ("daemon/loop.h", "tests/support/rig.h", "daemon may not include tests"),
        ]:
            self.expect(name, f'#include "{header}"\n', f"{name}:1: {says} ({header})")

    def test_include_paths_start_at_the_root(self):
        self.expect("base/a.h", '#include "b.h"\n',
                    "base/a.h:1: include paths start at the root (b.h)")

    def test_libraries_stay_in_their_folder(self):
        for name, header, says in [
            ("scheduler/timers.h", "uv.h", "libuv belongs to daemon, delivery, http"),
            ("storage/store.h", "uv.h", "libuv belongs to daemon, delivery, http"),
            ("http/message.h", "curl/curl.h", "libcurl belongs to delivery"),
            ("daemon/loop.h", "rocksdb/db.h", "rocksdb belongs to storage"),
            ("base/a.h", "xxhash.h", "xxhash belongs to storage"),
            ("daemon/loop.h", "ares.h", "c-ares belongs to delivery"),
            ("http/message.h", "openssl/ssl.h",
             "openssl belongs to delivery, http/token_hash.cc"),
            ("daemon/loop.h", "llhttp.h", "llhttp belongs to http"),
            ("daemon/loop.h", "simdjson.h", "simdjson belongs to http"),
            ("daemon/loop.h", "yaml-cpp/yaml.h", "yaml-cpp belongs to daemon/config.cc, web"),
            ("daemon/loop.h", "spdlog/spdlog.h", "spdlog belongs to daemon/log.cc"),
            ("daemon/loop.h", "CLI/CLI.hpp", "CLI11 belongs to daemon/cli.cc"),
        ]:
            self.expect(name, f"#include <{header}>\n", f"{name}:1: {says}")

    def test_only_the_clock_asks_the_system(self):
        self.expect("scheduler/timers.h", "// steady_clock::now is fine here\nx = "
                    "std::chrono::steady_clock::now();\n",
                    "scheduler/timers.h:2: only base/clock.cc asks the system (steady_clock::now)")

    def test_lines(self):
        self.expect("base/a.h", "/" * 101 + "\n", "base/a.h:1: 101 columns")
        self.expect("script/run", "#" * 101 + "\n", "script/run:1: 101 columns")
        self.expect("base/a.h", "// FIX" + "ME: later\n",
                    "base/a.h:1: a note to self; do it or leave it out")
        self.expect("README.md", "# A\nTO" + "DO\n",
                    "README.md:2: a note to self; do it or leave it out")
        self.expect("base/a.h", "using namespace std;\n",
                    "base/a.h:1: using namespace outside a function")
        self.expect("base/a.h", "int a; \n", "base/a.h:1: blanks at the end of the line")

    def test_one_title_a_document(self):
        self.expect("README.md", "# A\n\n# B\n", "README.md: 2 titles with a single #, must be 1")
        self.expect("README.md", "text\n", "README.md: 0 titles with a single #, must be 1")

    def test_everything_is_built(self):
        self.expect("tests/b_test.cc", "", "tests/b_test.cc: named in no CMakeLists.txt, so it "
                    "is not built")
        self.expect("tests/CMakeLists.txt", "# belfry_test(a_test base)\n",
                    "tests/a_test.cc: named in no CMakeLists.txt, so it is not built")
        self.expect("base/b.cc", "", "base/b.cc: named in no CMakeLists.txt, so it is not built")

    def test_function_length(self):
        edge = tidy.FUNCTION_LINES_MAX - 2
        self.assertEqual(self.problems({"base/a.h": f"void F() {{\n{body(edge)}}}\n"}), [])
        long = body(edge + 1)
        lines = tidy.FUNCTION_LINES_MAX + 1
        for text, name in [
            (f"void F() {{\n{long}}}\n", "F"),
            (f"namespace n {{\nclass C {{\n  C() {{\n{long}  }}\n}};\n}}\n", "C"),
            (f"TEST(Suite, Case) {{\n{long}}}\n", "Suite.Case"),
            (f"char c = '{{';  // {{\nauto s = \"{{\";\nint N::F(int a) {{\n{long}}}\n", "N::F"),
        ]:
            self.expect("base/a.h", text, f"base/a.h: {name}: {lines} lines, at most "
                        f"{tidy.FUNCTION_LINES_MAX}")

    def test_file_length(self):
        text = "\n" * (tidy.FILE_LINES_MAX + 1)
        self.expect("base/a.h", text, f"base/a.h: {tidy.FILE_LINES_MAX + 1} lines, at most "
                    f"{tidy.FILE_LINES_MAX}")

    def test_what_is_listed_as_long_may_shrink_but_not_grow(self):
        lines = tidy.FILE_LINES_MAX + 1
        self.long_files = {"base/a.h": lines + 5}
        self.assertEqual(self.problems({"base/a.h": "\n" * lines}), [])
        self.expect("base/a.h", "\n" * (lines + 6),
                    f"base/a.h: {lines + 6} lines, was {lines + 5}: may shrink, never grow")
        self.expect("base/a.h", "\n", "tests/tidy.py: base/a.h is short now; take it off the list")


if __name__ == "__main__":
    unittest.main()
