// graphile-worker on PostgreSQL. Usage: node graphile.mjs accept|work|burst '{"port":5432, ...}'
// The password is in PGPASSWORD.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { closedLoop, say } from "./closed_loop.mjs";
import { webhooks } from "./webhook.mjs";

const BATCH = 1000;
const CONNECTIONS = 64;
const HOUR_MS = 3_600_000;
// By default it writes two lines for each job.
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});

const [command, text] = process.argv.slice(2);
const options = JSON.parse(text);
const pgPool = new pg.Pool({
  host: "127.0.0.1", port: options.port, user: "bench", database: "postgres", max: CONNECTIONS,
});

async function accept() {
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  const url = options.url;
  await closedLoop(options, (n) =>
    utils.addJob("hook", { n, url }, { runAt: new Date(Date.now() + HOUR_MS) }));
  await utils.release();
  await pgPool.end();
}

async function work() {
  const post = webhooks(options.origin);
  await run({
    pgPool, logger, concurrency: 64, pollInterval: 500, noHandleSignals: true,
    preset: { worker: { localQueue: { size: 500 } } },
    taskList: { hook: (payload) => post(`/hook/${payload.n}`) },
  });
  say({ event: "ready" });
}

async function burst() {
  const utils = await makeWorkerUtils({ pgPool, logger });
  const runAt = new Date(options.dueMs);
  for (let first = 0; first < options.count; first += BATCH) {
    const length = Math.min(BATCH, options.count - first);
    await utils.addJobs(Array.from({ length }, (_, i) => ({
      identifier: "hook", payload: { n: first + i, url: options.origin }, runAt,
    })));
  }
  await utils.release();
  await pgPool.end();
}

await { accept, work, burst }[command]();
