"""What tests of the live page share: a daemon, windows with the page, and what stands in it."""

import json
import subprocess

import harness
from browser import Browser
from harness import TOOLS, Case

DESKTOP = {"width": 1180, "height": 760}
PHONE = {"width": 390, "height": 844}
STORAGES = "localStorage.length + sessionStorage.length + document.cookie.length"
# What a browser does with a tab that goes behind another, and comes back.
HIDDEN = "Object.defineProperty(document, 'hidden', {configurable: true, value: true})"
HIDE = f"void ({HIDDEN}, document.dispatchEvent(new Event('visibilitychange')))"
SHOW = "void (delete document.hidden, document.dispatchEvent(new Event('visibilitychange')))"
# A window that is hidden gives its stream up at once; see PageCase.hide.
SLEEPY = """((later) => {
    window.setTimeout = (what, ms, ...more) => later(what, ms === 30000 ? 0 : ms, ...more);
})(window.setTimeout);
"""
# window.pending has the timers after which a connection that takes long gets a word; see wait_said.
PENDING = """((later, clear) => {
    window.pending = new Set();
    window.setTimeout = (what, ms, ...more) => {
        const id = later(() => { window.pending.delete(id); what(...more); }, ms);
        if (ms === 400) window.pending.add(id);
        return id;
    };
    window.clearTimeout = (id) => { window.pending.delete(id); clear(id); };
})(window.setTimeout, window.clearTimeout);
"""
# Time-outs of requests are a hundred times as short; window.waits has what they were to be.
IMPATIENT = """((timeout) => {
    window.waits = [];
    AbortSignal.timeout = (ms) => {
        window.waits.push(ms);
        return timeout.call(AbortSignal, ms / 100);
    };
})(AbortSignal.timeout)"""
# The list of the caller's stopwatches never ends; window.dropped says how many of those answers
# were dropped, as their connections are then.
ENDLESS = """((real) => {
    window.dropped = 0;
    window.fetch = async (path, options) => {
        const response = await real(path, options);
        if (path !== "/api/stopwatch" || options.method !== "GET" || !response.ok) return response;
        response.body.cancel();
        return new Response(new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(1)),
            cancel: () => void (window.dropped += 1),
        }));
    };
})(window.fetch)"""
ROW = """[...document.querySelectorAll(".watch")].find((row) =>
    row.querySelector(".watch-name").textContent === {})"""
# Of a row or an owner: what its counter shows, in seconds.
SECONDS = """((element) => {{
    const text = element?.querySelector(".time-whole").textContent ?? "";
    const [days, clock] = text.includes("d ") ? text.split("d ") : ["0", text];
    if (!clock) return NaN;
    return clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) + days * 86400;
}})({})"""


def row(name):
    return ROW.format(json.dumps(name))


def owner(name, user):
    return (f"[...{row(name)}?.querySelectorAll('.owner') ?? []]"
            f".find((one) => one.querySelector('bdi').textContent === {json.dumps(user)})")


def seconds(element):
    return SECONDS.format(element)


class PageCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser(TOOLS["npm"])
        cls.addClassCleanup(cls.browser.close)

    def with_tokens(self, *users):
        """A daemon that asks for tokens; self.tokens has one of each user."""
        self.tokens_file = self.root / "tokens"
        self.tokens = {user: self.new_token(user) for user in users}
        self.d = self.daemon(
            config=f"auth: {{mode: token, tokens_file: {self.tokens_file}}}\n").start()
        return self.d

    def new_token(self, user):
        done = subprocess.run(
            [harness.BINARY, "token", "create", "--user", user, "--scope", "stopwatches",
             "--tokens-file", self.tokens_file],
            capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.split()[-1]

    def base(self):
        return f"http://127.0.0.1:{self.d.port}/"

    def blank_window(self, beside=None, **options):
        page = self.browser.page(beside, **{"viewport": DESKTOP, **options})
        self.addCleanup(page.close)
        self.addCleanup(self.check_page, page)
        return page

    def window(self, user=None, first="", **options):
        """A window with the page; signed in, when there is a user. `first` runs before its own
        scripts."""
        page = self.blank_window(**options)
        if first:
            page.first(first)
        page.goto(self.base())
        if user:
            page.wait("!document.querySelector('#sign-in').hidden")
            page.fill("#token", self.tokens[user])
            page.press("Enter")
            self.wait_live(page)
        return page

    def wait_live(self, page):
        page.wait("document.querySelector('#link').dataset.state === 'live' &&"
                  " document.querySelector('#waiting').hidden")

    def wait_said(self, page):
        """Until all that was to be said of the connection is said, or is not to be any more."""
        page.wait("window.pending.size === 0")

    def hide(self, page):
        """As a tab behind another is, for long enough; headless Chromium shows all of them."""
        page.evaluate(HIDE)
        page.evaluate("new Promise((resolve) => setTimeout(resolve, 30000))")

    def show(self, page):
        page.evaluate(SHOW)

    def start(self, page, name):
        page.fill("#name", name)
        page.press("Enter")
        page.wait(f"{seconds(row(name))} >= 0")

    def click_in_row(self, page, name, what):
        page.evaluate(f"{row(name)}.querySelector('[data-do={what}]').click()")

    def api(self, user, method, path, body=None):
        headers = [("Authorization", f"Bearer {self.tokens[user]}")]
        return self.d.request(method, path, body, headers)

    def wait_text(self, page, selector, text):
        page.wait(f"document.querySelector({json.dumps(selector)}).textContent"
                  f".includes({json.dumps(text)})")

    def check_page(self, page):
        """Whatever a test did: nothing came from elsewhere, and no rule of ours was broken."""
        self.assertEqual([u for u in page.requests() if not u.startswith(self.base())], [])
        self.assertEqual(page.errors(), [])
