"""Chromium for tests: windows that are driven through browser.cjs."""

import json
import os
import pathlib
import subprocess

CHROMIUM = "/usr/bin/chromium"
DRIVER = pathlib.Path(__file__).with_name("browser.cjs")


class Browser:
    """One Chromium; `npm` is where script/setup-npm installed playwright-core."""

    def __init__(self, npm):
        modules = pathlib.Path(npm, "node_modules")
        if not (modules / "playwright-core").is_dir():
            raise AssertionError(f"{modules} lacks playwright-core; script/setup-npm installs it")
        if not os.access(CHROMIUM, os.X_OK):
            raise AssertionError(f"{CHROMIUM} is missing; script/setup browser installs it")
        self._process = subprocess.Popen(
            ["node", DRIVER, CHROMIUM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "NODE_PATH": str(modules)})
        self.version = self._answer()

    def page(self, beside=None, **options):
        """A new window; `options` are those of Playwright's newContext. One `beside` another shares
        what windows of one person share, and has its options."""
        number = None if beside is None else beside.number
        return Page(self, self.command("open", options=options, beside=number))

    def command(self, what, **more):
        self._process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the browser ended with {self._process.wait(60)}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["ok"]


class Page:
    """One window. Commands are those of browser.cjs: page.click("#start")."""

    def __init__(self, browser, number):
        self._browser = browser
        self.number = number

    def __getattr__(self, what):
        if what.startswith("_"):
            raise AttributeError(what)
        return lambda *args: self._browser.command(what, page=self.number, args=args)
