// The frame of the dashboard: who is signed in, how the connection is, and what went wrong. Each tab
// is a module of its own.
import { Api, Refused, Unreachable } from "./api.js";
import { Stopwatches, sentence } from "./stopwatches.js";

const byId = (id) => document.getElementById(id);
const LINK_TEXT = { connecting: "Connecting", live: "Live", lost: "Offline", out: "Signed out" };
const LOST = "The connection is lost.";
const REFUSED = "The daemon refuses.";
const PROBE_WAIT_MS = 2000;
// A stream that is opened anew is not worth a word, unless it takes longer.
const CONNECTING_MS = 400;
// Who looks at another tab for a moment finds this one as it was.
const HIDDEN_MS_MAX = 30_000;

const api = new Api();
let linkState = "connecting";
let retryAt = 0;
let refusal = ""; // why there is no other attempt, while there is none
let again = () => {}; // another attempt
let slow = 0; // timer of a stream that is being opened
let probe = 0; // timer of begin()
let drowsy = 0; // timer of a window that is hidden

const stopwatches = new Stopwatches(api, {
  announce,
  failed: showFailure,
  state: showState,
  signedOut: (error) => {
    showSignIn(api.hasToken ? "This token is not valid any more." : error.message);
  },
});

// What is said twice is heard twice only if it differs.
function announce(text) {
  const spot = byId("announce");
  spot.textContent = spot.textContent === text ? `${text}\u00a0` : text;
}

function showLink(name) {
  linkState = name;
  byId("link").dataset.state = name;
  byId("link").querySelector(".link-text").textContent = LINK_TEXT[name];
}

function showState(state) {
  const was = linkState;
  clearTimeout(slow);
  // Nobody sees it, and who comes back is to find it as it was.
  if (state.name === "asleep") return;
  if (state.name === "connecting" && was === "live") {
    slow = setTimeout(showLink, CONNECTING_MS, "connecting");
    return;
  }
  // While one attempt follows the other, it stays lost until one of them succeeds.
  const stillLost = was === "lost" && state.name === "connecting";
  showLink(stillLost || state.name === "refused" ? "lost" : state.name);
  byId("lost").hidden = linkState !== "lost";
  document.body.classList.toggle("stale", linkState === "lost");
  retryAt = state.retryAt ?? 0;
  refusal = state.name === "refused" ? sentence(state.error.message) : "";
  if (!stillLost) byId("lost-title").textContent = refusal === "" ? LOST : REFUSED;
  showRetry();
  if (refusal !== "") {
    announce(`${REFUSED} ${refusal}`);
    return;
  }
  if (was === "lost" && linkState === "live") announce("Connected again");
  if (was !== "lost" && linkState === "lost") announce(LOST);
}

function showRetry() {
  if (linkState !== "lost") return;
  const seconds = Math.ceil((retryAt - performance.now()) / 1000);
  const text = refusal || (seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again.");
  if (byId("lost-when").textContent !== text) byId("lost-when").textContent = text;
}

function showFailure(text) {
  byId("failed-text").textContent = text;
  byId("failed").hidden = text === "";
}

function showSignIn(error = "") {
  clearTimeout(slow);
  stopwatches.stop();
  api.forgetToken();
  showFailure("");
  showLink("out");
  byId("lost").hidden = true;
  document.body.classList.remove("stale");
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  showTokenError(error);
  byId("token").focus();
}

function showTokenError(text) {
  byId("token-error").textContent = text;
  byId("token").setAttribute("aria-invalid", String(text !== ""));
}

function showDashboard() {
  again = () => stopwatches.retryNow();
  byId("sign-in").hidden = true;
  byId("lost").hidden = true;
  document.body.classList.remove("stale");
  byId("sign-out").hidden = !api.hasToken;
  showLink("connecting");
  stopwatches.start();
}

async function signIn(event) {
  event.preventDefault();
  const field = byId("token");
  const token = field.value.trim();
  if (!/^[\x21-\x7e]+$/.test(token)) {
    showTokenError(token === "" ? "It needs a token." : "A token has no blanks or accents.");
    field.focus();
    return;
  }
  const button = byId("sign-in-form").querySelector("button");
  button.disabled = true;
  api.useToken(token);
  try {
    await knock();
    field.value = "";
    showTokenError("");
    showDashboard();
    byId("name").focus();
  } catch (error) {
    api.forgetToken();
    showTokenError(whyNot(error));
    field.focus();
    field.select();
  } finally {
    button.disabled = false;
  }
}

function whyNot(error) {
  if (error instanceof Unreachable) return "The daemon does not answer. Try again in a moment.";
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) return "This token is not valid.";
  if (error.status === 403) return "This token may not use stopwatches.";
  if (error.status === 429) {
    const seconds = error.retryAfterSeconds || 10;
    return `Too many wrong tokens came from this address. Try again in ${seconds} s.`;
  }
  return error.message;
}

// Whether we may come in. The list may be very long, and nobody wants it.
async function knock() {
  const response = await api.send("GET", "/api/stopwatch");
  response.body?.cancel().catch(() => {});
}

function retryNow() {
  if (linkState === "lost") again();
}

// A browser has six connections for all windows of one origin, and each stream takes one. So a
// window that nobody sees gives its own up.
function sleepWhileHidden() {
  clearTimeout(drowsy);
  if (document.hidden) {
    drowsy = setTimeout(() => stopwatches.sleep(), HIDDEN_MS_MAX);
  } else {
    stopwatches.wakeUp();
    retryNow();
  }
}

// Without tokens the daemon lets us in as we are.
async function begin() {
  clearTimeout(probe);
  again = () => {};
  showState({ name: "connecting" });
  try {
    await knock();
    showDashboard();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      showSignIn();
      return;
    }
    again = begin;
    if (error instanceof Refused && !error.passes) {
      showState({ name: "refused", error });
      return;
    }
    showState({ name: "lost", retryAt: performance.now() + PROBE_WAIT_MS });
    probe = setTimeout(begin, PROBE_WAIT_MS);
  }
}

byId("sign-in-form").addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", () => showSignIn());
byId("failed-close").addEventListener("click", () => {
  showFailure("");
  byId("main").focus();
});
byId("retry").addEventListener("click", retryNow);
addEventListener("online", retryNow);
document.addEventListener("visibilitychange", sleepWhileHidden);
setInterval(showRetry, 500);
sleepWhileHidden();
begin();
