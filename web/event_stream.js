// Server-sent events over fetch, so that the token travels in a header. Keeps one stream open: after
// a break it comes back by itself and goes on behind the last event that it got.
import { Refused } from "./api.js";

const FIRST_WAIT_MS = 250;
const WAIT_MS_MAX = 10_000;
// A comment comes every 15 s; without a byte for so long the connection is dead.
const QUIET_MS_MAX = 40_000;
const ASLEEP = "asleep"; // why an attempt was stopped

/**
 * What comes in `body`: events as {type, data, id}, comments as {comment}. `heard` is called for
 * every piece.
 */
export async function* readEvents(body, heard = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { type: "message", data: [], id: undefined };
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      rest += value;
      // A CR at the end may be the first half of a CRLF.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length > 0) yield { ...event, data: event.data.join("\n") };
          event = { type: "message", data: [], id: undefined };
          continue;
        }
        const colon = line.indexOf(":");
        if (colon === 0) {
          yield { comment: line.slice(1).trim() };
          continue;
        }
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event.type = text;
        if (field === "data") event.data.push(text);
        if (field === "id" && !text.includes("\0")) event.id = text;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

export class EventStream {
  #api;
  #on;
  #current = null; // the abort controller of the stream that is wanted
  #attempt = null; // that of the request under way
  #asleep = false;
  #wake = () => {};

  /**
   * on.event({type, data, id}) and on.comment(text), in order; on.state is told, in this order,
   *   {name: "connecting"}, {name: "live"} once it is open, {name: "lost", retryAt} between two
   *   attempts (retryAt as of performance.now()), {name: "refused", error} when there is no other
   *   before retryNow(), and {name: "asleep"} between sleep() and wakeUp().
   */
  constructor(api, on) {
    this.#api = api;
    this.#on = on;
  }

  /** From now on this address; the stream before it ends. */
  open(path) {
    this.close();
    const wanted = new AbortController();
    this.#current = wanted;
    this.#run(path, wanted);
  }

  close() {
    this.#current?.abort();
    this.#current = null;
    this.#wake();
  }

  retryNow() {
    this.#wake();
  }

  /** Until wakeUp() there is no connection; what happens meanwhile comes behind it. */
  sleep() {
    this.#asleep = true;
    this.#attempt?.abort(ASLEEP);
    this.#wake();
  }

  wakeUp() {
    this.#asleep = false;
    this.#wake();
  }

  async #run(path, wanted) {
    let lastId;
    let failures = 0;
    while (!wanted.signal.aborted) {
      if (this.#asleep) {
        this.#on.state({ name: "asleep" });
        await this.#woken();
        continue;
      }
      this.#on.state({ name: "connecting" });
      const attempt = new AbortController();
      this.#attempt = attempt;
      const stop = () => attempt.abort();
      wanted.signal.addEventListener("abort", stop);
      let leastMs = 0;
      let refusal = null;
      let quiet = setTimeout(stop, QUIET_MS_MAX);
      const heard = () => {
        clearTimeout(quiet);
        quiet = setTimeout(stop, QUIET_MS_MAX);
      };
      try {
        const headers = { Accept: "text/event-stream" };
        if (lastId !== undefined) headers["Last-Event-ID"] = lastId;
        const response = await this.#api.send("GET", path, { headers, signal: attempt.signal });
        heard();
        this.#on.state({ name: "live" });
        failures = 0;
        for await (const event of readEvents(response.body, heard)) {
          if (wanted.signal.aborted) return;
          if (event.comment !== undefined) {
            this.#on.comment(event.comment);
            continue;
          }
          // What was missed is not known any more. A snapshot follows; there is no going on behind
          // anything before it.
          lastId = event.type === "resync" ? undefined : (event.id ?? lastId);
          this.#on.event(event);
        }
      } catch (error) {
        if (wanted.signal.aborted) return;
        if (error instanceof Refused && !error.passes) refusal = error;
        if (error instanceof Refused) leastMs = 1000 * (error.retryAfterSeconds || 0);
      } finally {
        clearTimeout(quiet);
        wanted.signal.removeEventListener("abort", stop);
        attempt.abort();
      }
      if (wanted.signal.aborted) return;
      if (refusal !== null) {
        this.#on.state({ name: "refused", error: refusal });
        if (!wanted.signal.aborted) await this.#woken();
      } else if (attempt.signal.reason !== ASLEEP) {
        await this.#pause(failures++, leastMs);
      }
    }
  }

  // Longer each time, not the same for all pages that lost the same daemon, and never shorter than
  // the daemon asks for.
  async #pause(failures, leastMs) {
    const most = Math.min(FIRST_WAIT_MS * 2 ** failures, WAIT_MS_MAX);
    const waitMs = leastMs + most * (0.75 + Math.random() / 4);
    if (failures === 0 && leastMs === 0) {
      this.#on.state({ name: "connecting" });
    } else {
      this.#on.state({ name: "lost", retryAt: performance.now() + waitMs });
    }
    await this.#woken(waitMs);
  }

  // By whoever calls #wake, or by the time.
  #woken(waitMs) {
    return new Promise((resolve) => {
      const timer = waitMs === undefined ? 0 : setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
