// Drives Debian's Chromium for browser.py: one JSON command a line on stdin, one answer a line on
// stdout, in order. A command is {do, page, ...}; an answer {ok: value} or {error: text}.
"use strict";
const readline = require("readline");
const { chromium } = require("playwright-core");

const TIMEOUT_MS = 60_000;
// Our pages run no text as a script; a function they do, when a debugger brings it.
const run = (expression) => new Function(`return (${expression});`);
const pages = [];
let browser;

const commands = {
  // A window of its own: nothing is shared with the others. Or one more beside that page, with which
  // it shares what windows of one person share.
  async open({ options, beside }) {
    const context =
      beside === null ? await browser.newContext(options) : pages[beside].page.context();
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    const seen = { page, requests: [], errors: [] };
    page.on("request", (request) => seen.requests.push(request.url()));
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      // What the daemon refuses, and that it is gone, stands in the console too; tests mean it.
      if (message.type() === "error" && !text.startsWith("Failed to load resource")) {
        seen.errors.push(text);
      }
    });
    pages.push(seen);
    return pages.length - 1;
  },
  // Runs in the page before its own scripts do.
  first: ({ page }, script) => page.addInitScript({ content: script }).then(() => null),
  goto: ({ page }, url) => page.goto(url).then(() => null),
  reload: ({ page }) => page.reload().then(() => null),
  fill: ({ page }, selector, text) => page.fill(selector, text),
  click: ({ page }, selector) => page.click(selector),
  press: ({ page }, key) => page.keyboard.press(key),
  type: ({ page }, text) => page.keyboard.type(text),
  evaluate: ({ page }, expression) => page.evaluate(run(expression)),
  wait: ({ page }, expression) => page.waitForFunction(run(expression)).then(() => null),
  visible: ({ page }, selector) => page.isVisible(selector),
  // How many elements a screen reader would find so.
  role: ({ page }, role, name) => page.getByRole(role, { name, exact: true }).count(),
  screenshot: ({ page }, path) => page.screenshot({ path }).then(() => null),
  // From now on requests with this method to this path are answered so, and do not arrive.
  answer: ({ page }, method, path, status, problem, headers = {}) =>
    page.route(`**${path}`, (route) =>
      route.request().method() === method
        ? route.fulfill({ status, contentType: "application/problem+json", headers, body: problem })
        : route.continue(),
    ),
  // From now on they get no answer, and do not arrive.
  silence: ({ page }, method, path) =>
    page.route(`**${path}`, (route) =>
      route.request().method() === method ? undefined : route.continue(),
    ),
  pass_all: ({ page }) => page.unrouteAll(),
  requests: ({ requests }) => requests,
  errors: ({ errors }) => errors,
  close: ({ page }) => page.context().close(),
};

async function main() {
  // Chromium refuses its sandbox to root.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  browser = await chromium.launch({ executablePath: process.argv[2], args });
  process.stdout.write(JSON.stringify({ ok: browser.version() }) + "\n");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      const target = command.do === "open" ? command : pages[command.page];
      const value = await commands[command.do](target, ...(command.args ?? []));
      answer = { ok: value ?? null };
    } catch (error) {
      answer = { error: String(error.stack ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  await browser.close();
}

main().catch((error) => {
  process.stdout.write(JSON.stringify({ error: String(error.stack ?? error) }) + "\n");
  process.exit(1);
});
