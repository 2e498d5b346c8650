// BullMQ on Redis. Usage: node bullmq.mjs accept|work|burst '{"port":6379, ...}'
import { Queue, Worker } from "bullmq";
import { closedLoop, say } from "./closed_loop.mjs";
import { webhooks } from "./webhook.mjs";

const QUEUE = "hooks";
const BATCH = 1000;
const HOUR_MS = 3_600_000;
const KEEP_NONE = { removeOnComplete: true };

const [command, text] = process.argv.slice(2);
const options = JSON.parse(text);
const connection = { host: "127.0.0.1", port: options.port, maxRetriesPerRequest: null };

async function accept() {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  const url = options.url;
  await closedLoop(options, (n) => queue.add("hook", { n, url }, { ...KEEP_NONE, delay: HOUR_MS }));
  await queue.close();
}

async function work() {
  const post = webhooks(options.origin);
  const worker = new Worker(QUEUE, (job) => post(`/hook/${job.data.n}`), {
    connection, concurrency: 64,
  });
  worker.on("error", (error) => console.error(error.message));
  await worker.waitUntilReady();
  say({ event: "ready" });
}

async function burst() {
  const queue = new Queue(QUEUE, { connection });
  for (let first = 0; first < options.count; first += BATCH) {
    const nowMs = Date.now();
    const length = Math.min(BATCH, options.count - first);
    await queue.addBulk(Array.from({ length }, (_, i) => ({
      name: "hook",
      data: { n: first + i, url: options.origin },
      opts: { ...KEEP_NONE, timestamp: nowMs, delay: options.dueMs - nowMs },
    })));
  }
  await queue.close();
}

await { accept, work, burst }[command]();
