// The tab of stopwatches: the caller's own, and everybody's of the names that are unfolded. The
// daemon tells of changes; in between the page counts by itself.
import { Refused, TimedOut, Unreachable } from "./api.js";
import { EventStream } from "./event_stream.js";

const NAMES_MAX = 64; // of one stream
// Of its address. The daemon takes 16 KiB with all headers, among them the token.
const PATH_LENGTH_MAX = 12 * 1024;
const NAME_LENGTH_MAX = 128;
const OWNERS_SHOWN = 100; // more on demand
const FRAME_MS = 100;

const byId = (id) => document.getElementById(id);
const msOf = (time) => (typeof time === "number" ? time : Date.parse(time));
// In a path browsers take them for steps, encoded or not.
const isStep = (name) => name === "." || name === "..";
const pathOf = (name) => `/api/stopwatch/${encodeURIComponent(name)}`;
const collator = new Intl.Collator(undefined, { numeric: true });
// Names that the collator takes for the same have an order, too.
const compareNames = (a, b) => collator.compare(a, b) || (a < b ? -1 : Number(a > b));

/** 754321 ms are ["12:34", ".3"]; from an hour on without tenths, from a day on with days. */
export function partsOf(elapsedMs) {
  const tenths = Math.floor(Math.max(0, elapsedMs) / 100);
  const two = (n) => String(n).padStart(2, "0");
  const seconds = Math.floor(tenths / 10);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return [`${minutes}:${two(seconds % 60)}`, `.${tenths % 10}`];
  const clock = `${two(minutes % 60)}:${two(seconds % 60)}`;
  if (hours < 24) return [`${hours}:${clock}`, ""];
  return [`${Math.floor(hours / 24)}d ${two(hours % 24)}:${clock}`, ""];
}

/** What the clock of the daemon shows, as far as its answers tell; never backwards in one stream. */
class DaemonClock {
  #aheadMs = null; // of performance.now()

  get known() {
    return this.#aheadMs !== null;
  }
  now() {
    return performance.now() + this.#aheadMs;
  }
  /** It showed `ms` a moment ago. */
  heard(ms) {
    const aheadMs = ms - performance.now();
    if (this.#aheadMs === null || aheadMs > this.#aheadMs) this.#aheadMs = aheadMs;
  }
  forget() {
    this.#aheadMs = null;
  }
}

/** A counter on the page, never backwards; touches the document only when what it shows changes. */
class Counter {
  #whole;
  #part;
  #startedAt = NaN;
  #least = 0;

  constructor(element) {
    this.#whole = element.querySelector(".time-whole");
    this.#part = element.querySelector(".time-part");
  }
  show(startedAt, now, tenths = false) {
    if (startedAt !== this.#startedAt) this.#least = 0;
    this.#startedAt = startedAt;
    this.#least = Math.max(this.#least, now - startedAt);
    const [whole, part] = partsOf(this.#least);
    if (this.#whole.textContent !== whole) this.#whole.textContent = whole;
    const shown = tenths ? part : "";
    if (this.#part.textContent !== shown) this.#part.textContent = shown;
  }
}

export class Stopwatches {
  #api;
  #page;
  #stream;
  #clock = new DaemonClock();
  #me = null; // the caller's name, once an event has told it
  #times = new Map(); // name -> Map of user -> when it was started, by the daemon's clock
  #open = new Set(); // names that are unfolded
  #rows = new Map(); // name -> row
  #whole = false; // a snapshot has come
  #told = new Set(); // names of which the stream tells everybody's
  #live = false;
  #path = "";
  #lastFrame = 0;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** page: {announce(text), failed(text), state(state), signedOut(error)} */
  constructor(api, page) {
    this.#api = api;
    this.#page = page;
    this.#stream = new EventStream(api, {
      event: (event) => this.#event(event),
      comment: (text) => this.#comment(text),
      state: (state) => this.#state(state),
    });
    byId("start-form").addEventListener("submit", (event) => this.#start(event));
    byId("name").addEventListener("input", () => this.#hint());
    byId("watches").addEventListener("click", (event) => this.#click(event));
    requestAnimationFrame((at) => this.#frame(at));
  }

  start() {
    byId("stopwatches").hidden = false;
    this.#hint();
    this.#connect();
  }
  stop() {
    this.#stream.close();
    this.#clock.forget();
    this.#me = null;
    this.#times.clear();
    this.#open.clear();
    this.#told.clear();
    this.#whole = this.#live = false;
    this.#path = "";
    for (const row of this.#rows.values()) row.element.remove();
    this.#rows.clear();
    byId("stopwatches").hidden = true;
    byId("who").hidden = true;
    byId("start-form").reset();
  }
  retryNow() {
    this.#stream.retryNow();
  }
  /** Nobody looks: the page holds no connection until wakeUp(). */
  sleep() {
    this.#stream.sleep();
  }
  wakeUp() {
    this.#stream.wakeUp();
  }

  // --- what the daemon tells ---------------------------------------------------------------------

  #eventsPath() {
    const query = new URLSearchParams({ own: "true" });
    for (const name of this.#open) query.append("name", name);
    // The daemon takes a plus for itself.
    return `/api/stopwatch/events?${query.toString().replaceAll("+", "%20")}`;
  }
  #connect() {
    const path = this.#eventsPath();
    if (path === this.#path) return;
    this.#path = path;
    this.#stream.open(path);
  }

  #state(state) {
    this.#live = state.name === "live";
    // The daemon's clock may have been set while nobody looked.
    if (state.name === "live") this.#clock.forget();
    if (state.name === "refused") {
      if (state.error.status === 401) {
        this.#page.signedOut(state.error);
        return;
      }
      if (state.error.status === 403 && this.#open.size > 0) {
        // One of the names is not ours any more; the snapshot will tell which.
        this.#open.clear();
        this.#connect();
        return;
      }
    }
    this.#page.state(state);
  }

  #event(event) {
    const data = JSON.parse(event.data);
    if (event.type === "snapshot") {
      this.#snapshot(data);
    } else if (event.type === "created" || event.type === "reset" || event.type === "deleted") {
      this.#change(event.type, data);
    }
  }

  #snapshot(entries) {
    this.#times.clear();
    this.#told = new Set(this.#open);
    for (const row of this.#rows.values()) row.users = null;
    for (const { user, name, started_at } of entries) {
      this.#timesOf(name).set(user, msOf(started_at));
      // With no name unfolded all of them are the caller's.
      if (this.#me === null && this.#open.size === 0) this.#setMe(user);
    }
    this.#whole = true;
    this.#draw();
  }

  #comment(text) {
    const time = text.match(/^server_now (\S+)$/);
    if (time) this.#clock.heard(msOf(time[1]));
  }

  #change(what, { user, name, started_at, server_now }) {
    if (this.#me === null && this.#open.size === 0) this.#setMe(user);
    this.#clock.heard(msOf(server_now));
    const had = this.#times.get(name)?.has(user) ?? false;
    if (what === "deleted") {
      this.#times.get(name)?.delete(user);
      if (user === this.#me) this.#times.delete(name);
    } else {
      this.#timesOf(name).set(user, msOf(started_at));
    }
    const row = this.#rows.get(name);
    if (had === (what !== "deleted")) {
      this.#count();
    } else if (user === this.#me) {
      this.#draw();
    } else if (row) {
      this.#changeUsers(row, user, !had);
    }
    if (user !== this.#me) return;
    if (what === "reset") {
      flash(row?.element);
      this.#page.announce(`${name} starts again from zero`);
    } else {
      this.#page.announce(what === "created" ? `${name} is running` : `${name} is deleted`);
    }
  }

  #timesOf(name) {
    if (!this.#times.has(name)) this.#times.set(name, new Map());
    return this.#times.get(name);
  }
  #own() {
    const names = [...this.#times.keys()].filter((name) => this.#times.get(name).has(this.#me));
    return names.sort(compareNames);
  }
  #setMe(user) {
    this.#me = user;
    if (!this.#api.hasToken) return;
    byId("who-name").textContent = user;
    byId("who").hidden = false;
  }

  // --- what people do ----------------------------------------------------------------------------

  #hint(error = "") {
    const name = byId("name").value.trim();
    const running = this.#times.get(name)?.has(this.#me) ?? false;
    byId("start").textContent = running ? "Start again" : "Start";
    byId("name-error").textContent = error;
    byId("name").setAttribute("aria-invalid", String(error !== ""));
    byId("name-hint").textContent = running
      ? "It is running; this sets it back to zero."
      : "Everybody who has one of that name sees it too.";
  }

  async #start(event) {
    event.preventDefault();
    const field = byId("name");
    const name = field.value.trim();
    let error = "";
    if (name === "") error = "It needs a name.";
    if (isStep(name)) error = "It is not dots alone.";
    if ([...name].length > NAME_LENGTH_MAX) error = `At most ${NAME_LENGTH_MAX} characters.`;
    if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) error = "Without control characters.";
    this.#hint(error);
    if (error !== "") {
      field.focus();
      return;
    }
    const button = byId("start");
    button.disabled = true;
    if (await this.#put(name)) field.value = "";
    button.disabled = false;
    if (error === "") this.#hint();
    field.focus();
  }

  // Creates or resets; whether that went well.
  async #put(name) {
    return this.#try(`“${name}”`, "started", async () => {
      await this.#api.send("POST", "/api/stopwatch", { body: { name } });
      // Without a stream nobody tells us.
      if (!this.#live && this.#me !== null && this.#clock.known) {
        this.#timesOf(name).set(this.#me, this.#clock.now());
        this.#draw();
      }
    });
  }

  async #click(event) {
    const button = event.target.closest("button[data-do]");
    const row = button && [...this.#rows.values()].find((one) => one.element.contains(button));
    if (!row) return;
    if (button.dataset.do === "everyone") this.#unfold(row);
    if (button.dataset.do === "more") {
      row.shown += OWNERS_SHOWN;
      this.#draw();
    }
    if (button.dataset.do === "reset") {
      button.disabled = true;
      await this.#put(row.name);
      button.disabled = false;
      button.focus();
    }
    if (button.dataset.do === "delete" && isStep(row.name)) {
      this.#page.failed(`“${row.name}” was not deleted. No browser can ask for that; curl can.`);
    } else if (button.dataset.do === "delete" && (await confirmDelete(row.name))) {
      this.#delete(row);
    }
  }

  async #delete(row) {
    const names = this.#own();
    const next = names[names.indexOf(row.name) + 1] ?? names[names.indexOf(row.name) - 1];
    const done = await this.#try(`“${row.name}”`, "deleted", () =>
      this.#api.send("DELETE", pathOf(row.name)),
    );
    if (!done) return;
    this.#times.delete(row.name);
    this.#draw();
    // The button that had the focus is gone.
    (this.#rows.get(next)?.element.querySelector("[data-do=delete]") ?? byId("name")).focus();
  }

  #unfold(row) {
    if (!this.#open.delete(row.name)) {
      this.#open.add(row.name);
      while (this.#open.size > NAMES_MAX || this.#eventsPath().length > PATH_LENGTH_MAX) {
        this.#open.delete(this.#open.values().next().value);
      }
    }
    row.shown = OWNERS_SHOWN;
    this.#draw();
    this.#connect();
  }

  // Tells why it failed, if it did.
  async #try(what, done, action) {
    try {
      this.#page.failed("");
      await action();
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        this.#page.signedOut(error);
      } else if (error instanceof TimedOut) {
        this.#page.failed(`Whether ${what} was ${done} is not known. ${error.message}`);
      } else if (error instanceof Refused || error instanceof Unreachable) {
        this.#page.failed(`${what} was not ${done}. ${sentence(error.message)}`);
      } else {
        throw error;
      }
      return false;
    }
  }

  // --- the document ------------------------------------------------------------------------------

  #draw() {
    const names = this.#own();
    for (const [name, row] of this.#rows) {
      if (this.#times.get(name)?.has(this.#me)) continue;
      row.element.remove();
      this.#rows.delete(name);
    }
    for (const name of this.#open) {
      if (!this.#rows.has(name) && !names.includes(name)) this.#open.delete(name);
    }
    const list = byId("watches");
    names.forEach((name, index) => {
      const row = this.#rows.get(name) ?? this.#makeRow(name);
      if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index]);
      this.#drawOwners(row);
    });
    list.hidden = names.length === 0;
    byId("waiting").hidden = this.#whole;
    byId("empty").hidden = !this.#whole || names.length > 0;
    if (byId("name-error").textContent === "") this.#hint();
    this.#connect();
    this.#count();
  }

  #makeRow(name) {
    const element = byId("watch-template").content.firstElementChild.cloneNode(true);
    element.querySelector(".watch-name bdi").textContent = name;
    for (const spot of element.querySelectorAll("[data-name]")) spot.textContent = name;
    // users: all owners in order, kept while they are shown; owners: of those the elements.
    const row = { name, element, users: null, owners: new Map(), shown: OWNERS_SHOWN };
    row.counter = new Counter(element.querySelector(".watch-line .time"));
    row.everyone = element.querySelector("div.everyone");
    this.#rows.set(name, row);
    return row;
  }

  // The caller first, then by name.
  #compareUsers = (a, b) => (b === this.#me) - (a === this.#me) || compareNames(a, b);

  // One came or went: there may be very many, so they are not put in order anew.
  #changeUsers(row, user, came) {
    if (row.users !== null) {
      let [at, end] = [0, row.users.length];
      while (at < end) {
        const middle = (at + end) >> 1;
        if (this.#compareUsers(row.users[middle], user) < 0) at = middle + 1;
        else end = middle;
      }
      if (came) row.users.splice(at, 0, user);
      else row.users.splice(at, 1);
    }
    this.#drawOwners(row);
    this.#count();
  }

  #drawOwners(row) {
    const open = this.#open.has(row.name);
    row.element.querySelector("button[data-do=everyone]").setAttribute("aria-expanded", open);
    row.everyone.hidden = !open;
    const told = this.#told.has(row.name);
    if (open && told) {
      row.users ??= [...this.#times.get(row.name).keys()].sort(this.#compareUsers);
    } else {
      row.users = null;
    }
    const users = row.users ?? [];
    const shown = users.slice(0, row.shown);
    const list = row.everyone.querySelector(".owners");
    const kept = new Set(shown);
    for (const [user, owner] of row.owners) {
      if (kept.has(user)) continue;
      owner.element.remove();
      row.owners.delete(user);
    }
    shown.forEach((user, index) => {
      const owner = row.owners.get(user) ?? this.#makeOwner(row, user);
      if (list.children[index] !== owner.element) {
        list.insertBefore(owner.element, list.children[index]);
      }
    });
    const count = row.everyone.querySelector(".everyone-count");
    let text = users.length > 1 ? `${users.length.toLocaleString("en")} people` : "Nobody else has one";
    if (!told) text = "Looking for others";
    if (open && count.textContent !== text) count.textContent = text;
    row.everyone.querySelector("[data-do=more]").hidden = users.length <= shown.length;
  }

  #makeOwner(row, user) {
    const element = byId("owner-template").content.firstElementChild.cloneNode(true);
    element.querySelector("bdi").textContent = user;
    element.classList.toggle("me", user === this.#me);
    const owner = { element, counter: new Counter(element.querySelector(".time")) };
    row.owners.set(user, owner);
    return owner;
  }

  #frame(at) {
    if (at - this.#lastFrame >= FRAME_MS) {
      this.#lastFrame = at;
      this.#count();
    }
    requestAnimationFrame((next) => this.#frame(next));
  }
  #count() {
    if (!this.#clock.known) return;
    const now = this.#clock.now();
    const tenths = !this.#calm.matches;
    for (const row of this.#rows.values()) {
      const times = this.#times.get(row.name);
      row.counter.show(times.get(this.#me), now, tenths);
      for (const [user, owner] of row.owners) owner.counter.show(times.get(user), now);
    }
  }
}

export function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

function flash(element) {
  if (!element) return;
  element.classList.remove("flash");
  void element.offsetWidth; // so that it starts anew
  element.classList.add("flash");
}

function confirmDelete(name) {
  const dialog = byId("delete-dialog");
  byId("delete-name").textContent = name;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), {
      once: true,
    });
  });
}
