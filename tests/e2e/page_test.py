"""The live page in Chromium: what people see, in one window and in several."""

import json
import os
import signal
import statistics

from harness import main, poll, show
from page_case import (
    DESKTOP, ENDLESS, HIDDEN, HIDE, IMPATIENT, PENDING, PHONE, SLEEPY, STORAGES, PageCase, owner,
    row, seconds)


class Windows(PageCase):
    def test_a_reset_in_one_window_restarts_the_other_within_200_ms(self):
        self.with_tokens("alice", "bob")
        first, second, bob = (self.window(user) for user in ("alice", "alice", "bob"))
        self.start(first, "tea")
        self.start(bob, "tea")
        second.wait(f"{seconds(row('tea'))} >= 0")
        self.click_in_row(bob, "tea", "everyone")
        bob.wait(f"{seconds(owner('tea', 'alice'))} >= 0")
        took_ms = []
        for _ in range(5):
            for page, counter in ((second, row("tea")), (bob, owner("tea", "alice"))):
                page.wait(f"{seconds(counter)} >= 1")
                page.evaluate(f"""void (window.restarted = new Promise((resolve) => {{
                    const look = () => {seconds(counter)} < 1 ? resolve(Date.now())
                        : requestAnimationFrame(look);
                    look();
                }}))""")
            at = first.evaluate(
                f"(() => {{ const at = Date.now(); {row('tea')}"
                ".querySelector('[data-do=reset]').click(); return at; })()")
            took_ms.append(max(page.evaluate("window.restarted") - at for page in (second, bob)))
        show(f"a reset shows in the slower of two other windows after {sorted(took_ms)} ms")
        # The machine may be busy; the page is not what makes it late.
        self.assertLess(statistics.median(took_ms), 200)

    def test_what_others_do_shows_among_everyone(self):
        self.with_tokens("alice", "bob", "carol")
        page = self.window("alice")
        self.start(page, "tea")
        self.click_in_row(page, "tea", "everyone")
        self.wait_text(page, ".everyone-count", "Nobody else has one")
        # There may be very many: what one of them does puts nobody in order anew.
        page.evaluate("""void ((sort) => {
            window.sorts = 0;
            Array.prototype.sort = function (...args) {
                window.sorts += 1;
                return sort.apply(this, args);
            };
        })(Array.prototype.sort)""")
        for user in ("carol", "bob", "carol"):
            self.api(user, "POST", "/api/stopwatch", {"name": "tea"})
            page.wait(f"{seconds(owner('tea', user))} >= 0")
        self.wait_text(page, ".everyone-count", "3 people")
        users = "[...document.querySelectorAll('.owner bdi')].map((e) => e.textContent)"
        self.assertEqual(page.evaluate(users), ["alice", "bob", "carol"])
        self.api("carol", "POST", "/api/stopwatch", {"name": "teapot"})
        self.api("carol", "DELETE", "/api/stopwatch/tea")
        self.wait_text(page, ".everyone-count", "2 people")
        self.assertEqual(page.evaluate(users), ["alice", "bob"])
        self.assertEqual(page.evaluate("window.sorts"), 0)
        self.assertEqual(page.evaluate("document.querySelectorAll('.watch').length"), 1)

    def test_several_names_unfolded_at_once_leave_it_live(self):
        self.with_tokens("alice")
        page = self.window("alice", first=PENDING)
        for name in ("tea", "run", "rye"):
            self.start(page, name)
        page.evaluate("document.querySelectorAll('[data-do=everyone]').forEach((b) => b.click())")
        for name in ("tea", "run", "rye"):
            page.wait(f"{seconds(owner(name, 'alice'))} >= 0")
        self.wait_said(page)
        self.wait_live(page)
        self.assertEqual(page.evaluate("document.querySelector('#link').textContent.trim()"),
                         "Live")

    def test_deleting_asks_first_and_shows_everywhere(self):
        self.with_tokens("alice")
        first, second = self.window("alice"), self.window("alice")
        self.start(first, "tea")
        self.start(first, "run")
        self.click_in_row(first, "tea", "everyone")
        self.click_in_row(first, "tea", "delete")
        first.wait("document.querySelector('dialog').open")
        self.assertEqual(first.evaluate("document.activeElement.value"), "keep")
        first.press("Escape")
        first.wait("!document.querySelector('dialog').open")
        self.assertTrue(first.evaluate(f"!!{row('tea')}"))
        self.click_in_row(first, "tea", "delete")
        first.click("dialog [value=delete]")
        for page in (first, second):
            page.wait(f"!{row('tea')} && !!{row('run')}")
        # The focus stays near.
        first.wait("document.activeElement.dataset.do === 'delete'")
        self.click_in_row(first, "run", "delete")
        first.click("dialog [value=delete]")
        for page in (first, second):
            page.wait("!document.querySelector('#empty').hidden")
        self.assertEqual(self.api("alice", "GET", "/api/stopwatch").json(), {})

    def test_windows_behind_others_hold_no_connection_and_are_right_when_shown(self):
        self.d = self.daemon().start()
        first = self.window(first=SLEEPY)
        self.wait_live(first)
        self.start(first, "tea")
        windows = [first]
        # A browser has six connections for all of them.
        for _ in range(7):
            self.hide(windows[-1])
            windows.append(self.window(beside=first, first=SLEEPY))
            self.wait_live(windows[-1])
        last = windows.pop()
        last.wait(f"{seconds(row('tea'))} >= 1")
        self.click_in_row(last, "tea", "reset")
        last.wait(f"{seconds(row('tea'))} < 1")
        self.start(last, "run")
        self.assertFalse(first.evaluate(f"!!{row('run')}"))
        for page in windows[:3]:
            before = len(page.requests())
            self.show(page)
            page.wait(f"{seconds(row('run'))} >= 0")
            elapsed_s = self.d.get("/api/stopwatch").json()["tea"] / 1000
            self.assertLessEqual(abs(page.evaluate(seconds(row("tea"))) - elapsed_s), 1.5)
            # It went on behind what it had: the changes came, not a list.
            self.wait_text(page, "#announce", "run is running")
            self.assertEqual(len(page.requests()) - before, 1)
            self.wait_live(page)

    def test_windows_beside_each_other_are_all_live(self):
        self.d = self.daemon().start()
        first = self.window()
        windows = [first] + [self.window(beside=first) for _ in range(3)]
        for page in windows:
            self.wait_live(page)
        self.start(first, "tea")
        for page in windows:
            page.wait(f"{seconds(row('tea'))} >= 0")
        self.start(windows[2], "run")
        for page in windows:
            page.wait(f"{seconds(row('run'))} >= 0")

    def test_a_window_that_opens_behind_another_waits_to_be_shown(self):
        self.d = self.daemon().start()
        page = self.window(first=SLEEPY + HIDDEN)
        page.wait("!document.querySelector('#stopwatches').hidden")
        page.fill("#name", "tea")
        page.press("Enter")
        page.wait("document.querySelector('#name').value === ''")
        self.assertEqual([url for url in page.requests() if "/events" in url], [])
        self.show(page)
        page.wait(f"{seconds(row('tea'))} >= 0")

    def test_a_window_that_is_hidden_for_a_moment_goes_on(self):
        self.d = self.daemon().start()
        page = self.window()
        self.wait_live(page)
        page.evaluate(HIDE)
        self.d.request("POST", "/api/stopwatch", {"name": "tea"})
        page.wait(f"{seconds(row('tea'))} >= 0")
        self.show(page)
        self.d.request("POST", "/api/stopwatch", {"name": "run"})
        page.wait(f"{seconds(row('run'))} >= 0")
        self.assertEqual(len([url for url in page.requests() if "/events" in url]), 1)

    def test_a_window_that_is_shown_again_does_not_flicker(self):
        self.d = self.daemon().start()
        page = self.window(first=SLEEPY)
        self.wait_live(page)
        page.evaluate("""void (window.words = [], new MutationObserver(() =>
            window.words.push(document.querySelector('#link').textContent)).observe(
                document.querySelector('#link'), {childList: true, subtree: true}))""")
        # However slow the machine is, it is not so slow that a word is said of it.
        page.evaluate("""void ((later) => {
            window.setTimeout = (what, ms, ...more) =>
                later(what, ms === 30000 ? ms : 100 * ms, ...more);
        })(window.setTimeout)""")
        self.hide(page)
        self.d.request("POST", "/api/stopwatch", {"name": "tea"})
        self.show(page)
        page.wait(f"{seconds(row('tea'))} >= 0")
        self.assertNotIn("Connecting", page.evaluate("window.words"))
        self.assertNotIn("Offline", page.evaluate("window.words"))

    def test_names_that_are_too_long_together_fold_the_oldest(self):
        self.d = self.daemon().start()
        names = [chr(ord("a") + number) + "\U0001fad6" * 127 for number in range(12)]
        for name in names:
            self.d.request("POST", "/api/stopwatch", {"name": name})
        page = self.window()
        self.wait_live(page)
        page.evaluate("document.querySelectorAll('[data-do=everyone]').forEach((b) => b.click())")
        page.wait(f"{seconds(owner(names[-1], 'local'))} >= 0")
        self.wait_live(page)
        folded = [page.evaluate(f"{row(name)}.querySelector('.everyone').hidden")
                  for name in names]
        self.assertEqual(folded, [True] * 4 + [False] * 8)
        for url in page.requests():
            self.assertLess(len(url), 13 * 1024)


class Connection(PageCase):
    def test_a_killed_daemon_is_said_and_a_new_one_is_found(self):
        self.with_tokens("alice")
        page = self.window("alice")
        self.start(page, "tea")
        page.wait(f"{seconds(row('tea'))} >= 1")
        self.d.kill()
        page.wait("!document.querySelector('#lost').hidden")
        self.assertEqual(page.evaluate("document.querySelector('#link').textContent"), "Offline")
        self.wait_text(page, "#lost-when", "Trying again")
        # It counts on, and what cannot be done says so.
        before = page.evaluate(seconds(row("tea")))
        page.wait(f"{seconds(row('tea'))} > {before}")
        self.click_in_row(page, "tea", "reset")
        self.wait_text(page, "#failed-text", "does not answer")
        page.click("#failed-close")
        self.d.start()
        self.wait_live(page)
        self.assertFalse(page.visible("#lost"))
        # What it counts is what is stored: it was not started again in between.
        elapsed_ms = self.api("alice", "GET", "/api/stopwatch").json()["tea"]
        self.assertLessEqual(abs(page.evaluate(seconds(row("tea"))) - elapsed_ms / 1000), 1.5)
        self.click_in_row(page, "tea", "reset")
        page.wait(f"{seconds(row('tea'))} < 1")

    def test_what_happened_meanwhile_is_caught_up(self):
        self.with_tokens("alice")
        page = self.window("alice")
        for name in ("tea", "run"):
            self.start(page, name)
        page.wait(f"{seconds(row('tea'))} >= 2")
        self.d.kill()
        page.wait("!document.querySelector('#lost').hidden")
        # The daemon is there before the page looks again.
        page.answer("GET", "/api/stopwatch/events**", 503, "{}")
        self.d.start()
        self.api("alice", "POST", "/api/stopwatch", {"name": "tea"})
        self.api("alice", "POST", "/api/stopwatch", {"name": "swim"})
        self.api("alice", "DELETE", "/api/stopwatch/run")
        page.pass_all()
        page.evaluate("document.querySelector('#retry').click()")
        self.wait_live(page)
        page.wait(f"!{row('run')} && {seconds(row('swim'))} >= 0")
        shown = page.evaluate(seconds(row("tea")))
        elapsed_ms = self.api("alice", "GET", "/api/stopwatch").json()["tea"]
        self.assertLessEqual(abs(shown - elapsed_ms / 1000), 1.5)

    def test_a_daemon_that_asks_for_time_gets_it(self):
        self.with_tokens("alice")
        page = self.window("alice")
        self.start(page, "tea")
        page.answer("GET", "/api/stopwatch/events**", 503, "{}", {"Retry-After": "300"})
        self.click_in_row(page, "tea", "everyone")
        page.wait("!document.querySelector('#lost').hidden")
        self.assertRegex(page.evaluate("document.querySelector('#lost-when').textContent"),
                         r"\ATrying again in (29\d|30\d) s\.\Z")
        page.pass_all()
        page.click("#retry")
        self.wait_live(page)

    def test_a_failure_is_told_and_goes_with_the_next_success(self):
        self.with_tokens("alice")
        page = self.window("alice")
        page.answer("POST", "/api/stopwatch", 507,
                    json.dumps({"detail": "less than 256 MiB is left on the disk"}))
        page.fill("#name", "tea")
        page.press("Enter")
        self.wait_text(page, "#failed-text",
                       "“tea” was not started. Less than 256 MiB is left on the disk.")
        self.assertEqual(page.evaluate("document.querySelector('#name').value"), "tea")
        self.assertEqual(page.role("alert", ""), 1)
        page.pass_all()
        page.press("Enter")
        page.wait(f"{seconds(row('tea'))} >= 0")
        self.assertFalse(page.visible("#failed"))

    def test_what_gets_no_answer_ends_and_leaves_the_buttons(self):
        self.d = self.daemon().start()
        page = self.window()
        self.wait_live(page)
        self.start(page, "tea")
        page.evaluate(f"void {IMPATIENT}")
        page.silence("POST", "/api/stopwatch")
        page.silence("DELETE", "/api/stopwatch/tea")
        page.fill("#name", "run")
        page.press("Enter")
        self.wait_text(page, "#failed-text", "Whether “run” was started is not known."
                       " No answer came within 10\u00a0s; too many windows")
        page.wait("!document.querySelector('#start').disabled")
        self.assertEqual(page.evaluate("document.querySelector('#name').value"), "run")
        self.click_in_row(page, "tea", "reset")
        self.wait_text(page, "#failed-text", "Whether “tea” was started is not known.")
        page.wait(f"!{row('tea')}.querySelector('[data-do=reset]').disabled")
        self.click_in_row(page, "tea", "delete")
        page.click("dialog [value=delete]")
        self.wait_text(page, "#failed-text", "Whether “tea” was deleted is not known.")
        self.assertEqual(page.evaluate("window.waits"), [10000] * 3)
        # The stream has no such end, and the next request goes well.
        self.wait_live(page)
        page.pass_all()
        self.start(page, "run")
        self.assertFalse(page.visible("#failed"))

    def test_a_scope_that_is_taken_away_is_said_and_asked_for_again(self):
        self.with_tokens("alice")
        page = self.window("alice", first=PENDING)
        self.start(page, "tea")
        with_scope = self.tokens_file.read_text()
        self.tokens_file.write_text(with_scope.replace(" stopwatches ", " streams "))
        self.d.signal(signal.SIGHUP)
        self.wait_text(page, "#lost-title", "The daemon refuses.")
        self.wait_text(page, "#lost-when", "scope")
        self.wait_said(page)
        self.assertEqual(page.evaluate("document.querySelector('#link').textContent"), "Offline")
        self.assertTrue(page.visible("#retry"))
        page.click("#retry")
        self.wait_text(page, "#lost-when", "scope")
        self.tokens_file.write_text(with_scope)
        self.d.signal(signal.SIGHUP)
        poll(lambda: self.api("alice", "GET", "/api/stopwatch").status == 200, "the scope is back")
        self.api("alice", "POST", "/api/stopwatch", {"name": "run"})
        page.click("#retry")
        self.wait_live(page)
        page.wait(f"{seconds(row('run'))} >= 0")
        self.assertFalse(page.visible("#lost"))

    def test_a_page_that_is_refused_at_first_asks_again(self):
        self.d = self.daemon().start()
        page = self.blank_window()
        page.answer("GET", "/api/stopwatch", 403, json.dumps({"detail": "not from here"}))
        page.goto(self.base())
        self.wait_text(page, "#lost-when", "Not from here.")
        page.pass_all()
        page.click("#retry")
        self.wait_live(page)
        self.assertFalse(page.visible("#lost"))

    def test_a_long_list_that_nobody_wants_is_let_go(self):
        self.d = self.daemon().start()
        self.window(first=ENDLESS).wait("window.dropped === 1")

    def test_nor_is_it_kept_by_signing_in(self):
        self.with_tokens("alice")
        self.window("alice", first=ENDLESS).wait("window.dropped === 1")


class SigningIn(PageCase):
    def test_a_wrong_token_is_refused(self):
        self.with_tokens("alice")
        page = self.window()
        page.wait("document.activeElement.id === 'token'")
        for wrong, why in (("", "It needs a token"), ("two words", "no blanks"),
                           ("nobody's", "not valid")):
            page.fill("#token", wrong)
            page.press("Enter")
            self.wait_text(page, "#token-error", why)
            self.assertEqual(page.evaluate("document.activeElement.id"), "token")
            self.assertTrue(page.visible("#sign-in"))
            self.assertFalse(page.visible("#stopwatches"))
        page.fill("#token", self.tokens["alice"])
        page.press("Enter")
        self.wait_live(page)
        self.assertFalse(page.visible("#sign-in"))

    def test_the_token_is_in_memory_alone(self):
        self.with_tokens("alice")
        page = self.window("alice")
        self.start(page, "tea")
        self.assertEqual(page.evaluate(STORAGES), 0)
        # Nor does the browser offer to keep it.
        self.assertEqual(page.evaluate("document.querySelector('#token').autocomplete"), "off")
        self.assertNotIn(self.tokens["alice"], page.evaluate("document.documentElement.outerHTML"))
        self.assertEqual(page.evaluate("document.querySelector('#token').value"), "")
        for url in page.requests():
            self.assertNotIn(self.tokens["alice"], url)
        page.reload()
        page.wait("!document.querySelector('#sign-in').hidden")

    def test_signing_out_leaves_nothing(self):
        self.with_tokens("alice", "bob")
        page = self.window("alice")
        self.start(page, "tea")
        self.wait_text(page, "#who-name", "alice")
        page.click("#sign-out")
        page.wait("!document.querySelector('#sign-in').hidden")
        self.assertNotIn("tea", page.evaluate("document.querySelector('#watches').textContent"))
        page.fill("#token", self.tokens["bob"])
        page.press("Enter")
        page.wait("!document.querySelector('#empty').hidden")
        self.start(page, "coffee")
        self.wait_text(page, "#who-name", "bob")

    def test_a_revoked_token_signs_out(self):
        self.with_tokens("alice")
        page = self.window("alice")
        self.start(page, "tea")
        os.unlink(self.tokens_file)
        self.new_token("bob")
        self.d.signal(signal.SIGHUP)
        page.wait("!document.querySelector('#sign-in').hidden")
        self.wait_text(page, "#token-error", "not valid any more")

    def test_without_tokens_nobody_signs_in(self):
        self.d = self.daemon().start()
        page = self.window()
        self.wait_live(page)
        self.assertFalse(page.visible("#sign-in"))
        self.assertFalse(page.visible("#sign-out"))
        page.wait("!document.querySelector('#empty').hidden")
        self.start(page, "tea")
        self.assertFalse(page.visible("#who"))
        page.reload()
        page.wait(f"{seconds(row('tea'))} >= 0")


class Everybody(PageCase):
    def test_all_of_it_works_by_keyboard(self):
        self.with_tokens("alice")
        page = self.window()
        page.wait("document.activeElement.id === 'token'")
        page.type(self.tokens["alice"])
        page.press("Enter")
        page.wait("document.activeElement.id === 'name'")
        page.type("tea")
        page.press("Enter")
        page.wait(f"{seconds(row('tea'))} >= 1")
        # Button, then the row's three.
        for what in ("start", "reset", "everyone"):
            page.press("Tab")
            page.wait("(document.activeElement.dataset.do ?? document.activeElement.id)"
                      f" === '{what}'")
            if what == "reset":
                page.press("Enter")
                page.wait(f"{seconds(row('tea'))} < 1")
                page.wait("document.activeElement.dataset.do === 'reset'")
        page.press("Space")
        page.wait(f"{seconds(owner('tea', 'alice'))} >= 0")
        page.press("Tab")
        page.press("Enter")
        page.wait("document.querySelector('dialog').open")
        page.press("Tab")
        page.press("Enter")
        page.wait("!document.querySelector('#empty').hidden")
        page.wait("document.activeElement.id === 'name'")

    def test_a_screen_reader_finds_its_way(self):
        self.with_tokens("alice")
        page = self.window("alice")
        self.start(page, "tea")
        for role, name in (("banner", ""), ("navigation", "Dashboard"), ("main", ""),
                           ("region", "Stopwatches"), ("textbox", "Name"), ("button", "Start"),
                           ("list", "Your stopwatches"), ("heading", "tea"), ("timer", ""),
                           ("button", "Reset tea"), ("button", "Everyone with tea"),
                           ("button", "Delete tea")):
            self.assertEqual(page.role(role, name), 1, f"{role} {name}")
        self.wait_text(page, "#announce", "tea is running")
        self.click_in_row(page, "tea", "reset")
        self.wait_text(page, "#announce", "tea starts again from zero")

    def test_names_are_text_whatever_is_in_them(self):
        self.d = self.daemon().start()
        page = self.window()
        self.wait_live(page)
        names = ("<img src=x onerror=alert(1)>", "a/b?c#d%20&e+f", "Ärger 🫖", "events",
                 "\u202eright to left", "x" * 128)
        for name in names:
            self.start(page, name)
            self.click_in_row(page, name, "everyone")
            page.wait(f"{seconds(owner(name, 'local'))} >= 0")
        self.assertEqual(set(self.d.get("/api/stopwatch").json()), set(names))
        self.assertEqual(page.evaluate("document.querySelectorAll('main img').length"), 0)
        for name in names:
            self.click_in_row(page, name, "delete")
            page.click("dialog [value=delete]")
            page.wait(f"!{row(name)}")
        self.assertEqual(self.d.get("/api/stopwatch").json(), {})
        for wrong, why in (("", "needs a name"), ("x" * 129, "At most 128"),
                           ("..", "not dots alone")):
            page.fill("#name", wrong)
            page.press("Enter")
            self.wait_text(page, "#name-error", why)

    def test_a_name_that_no_browser_can_delete_says_so(self):
        self.with_tokens("alice")
        page = self.window("alice")
        self.api("alice", "POST", "/api/stopwatch", {"name": ".."})
        page.wait(f"{seconds(row('..'))} >= 0")
        self.click_in_row(page, "..", "everyone")
        page.wait(f"{seconds(owner('..', 'alice'))} >= 0")
        self.click_in_row(page, "..", "delete")
        self.wait_text(page, "#failed-text", "“..” was not deleted.")
        self.assertFalse(page.evaluate("document.querySelector('dialog').open"))
        self.assertTrue(page.evaluate(f"!!{row('..')}"))

    def test_it_fits_a_phone_and_nothing_jumps(self):
        self.with_tokens("alice")
        for scheme in ("light", "dark"):
            page = self.window("alice", viewport=PHONE, colorScheme=scheme)
            for name in ("tea", "a name that is rather long " + "x" * 60):
                self.start(page, name)
            # The rows themselves are on the screen: what moved for them is not told any more.
            page.evaluate("new Promise((done) => requestAnimationFrame("
                          "() => requestAnimationFrame(done)))")
            page.evaluate("""void (window.moved = 0, new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) window.moved += entry.value;
            }).observe({type: "layout-shift"}))""")
            page.wait(f"{seconds(row('tea'))} >= 1")
            self.click_in_row(page, "tea", "reset")
            page.wait(f"{seconds(row('tea'))} < 1")
            page.wait(f"{seconds(row('tea'))} >= 2")
            self.assertEqual(page.evaluate("window.moved"), 0)
            wide = "document.documentElement.scrollWidth - innerWidth"
            self.assertLessEqual(page.evaluate(wide), 0)
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
            self.assertEqual(dark == "rgb(17, 22, 23)", scheme == "dark")

    def test_who_wants_calm_gets_no_tenths_and_no_animation(self):
        self.d = self.daemon().start()
        lively, calm = self.window(), self.window(reducedMotion="reduce")
        part = "document.querySelector('.time-part').textContent"
        self.start(lively, "tea")
        calm.wait(f"{seconds(row('tea'))} >= 0")
        self.assertRegex(lively.evaluate(part), r"\A\.\d\Z")
        self.assertEqual(calm.evaluate(part), "")
        self.click_in_row(calm, "tea", "reset")
        calm.wait(f"{row('tea')}.classList.contains('flash')")
        self.assertEqual(
            calm.evaluate(f"getComputedStyle({row('tea')}).animationDuration"), "0s")

    def test_the_docs_are_a_page_of_their_own(self):
        self.d = self.daemon().start()
        for viewport in (DESKTOP, PHONE):
            page = self.window(viewport=viewport)
            page.goto(self.base() + "docs#setTimer")
            self.assertEqual(page.role("heading", "Set a timer"), 1)
            wide = "document.documentElement.scrollWidth - innerWidth"
            self.assertLessEqual(page.evaluate(wide), 0)


if __name__ == "__main__":
    main("npm")
