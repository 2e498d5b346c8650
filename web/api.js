// Requests of this page. The token is kept here and nowhere else: not in an address, not in storage.

/** The daemon answered, and it is no. `problem` is its application/problem+json, or {}. */
export class Refused extends Error {
  constructor(status, problem, retryAfterSeconds) {
    super(problem.detail ?? problem.title ?? `The daemon answered ${status}.`);
    this.status = status;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Whether the same request may be answered otherwise in a while. */
  get passes() {
    return this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

/** Nobody answered in time; what was asked for may have been done. */
export class TimedOut extends Unreachable {}

const ANSWER_MS_MAX = 10_000;

export class Api {
  #token = null;

  get hasToken() {
    return this.#token !== null;
  }

  useToken(token) {
    this.#token = token;
  }

  forgetToken() {
    this.#token = null;
  }

  /**
   * The response, which is 2xx. Throws Refused, Unreachable, or what `signal` was aborted with.
   * Without `signal` there is an answer within ANSWER_MS_MAX, or TimedOut.
   */
  async send(method, path, { body, headers = {}, signal } = {}) {
    const all = { ...headers };
    if (this.#token !== null) all.Authorization = `Bearer ${this.#token}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    // A browser lets requests wait while its few connections are all taken.
    const timeout = signal ? null : AbortSignal.timeout(ANSWER_MS_MAX);
    let response;
    try {
      response = await fetch(path, {
        method,
        headers: all,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ?? timeout,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (timeout?.aborted) {
        const seconds = ANSWER_MS_MAX / 1000;
        throw new TimedOut(
          `No answer came within ${seconds}\u00a0s; too many windows of this page may be open.`,
          { cause: error },
        );
      }
      throw new Unreachable("The daemon does not answer.", { cause: error });
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new Refused(response.status, problem ?? {}, Number(response.headers.get("Retry-After")));
  }
}
