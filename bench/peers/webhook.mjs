// The POST that a worker does for a timer: empty body, at most 64 at a time, connections kept.
import { Pool } from "undici";

const CONNECTIONS = 64;

export function webhooks(origin) {
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
  return async (path) => {
    const { statusCode, body } = await pool.request({ path, method: "POST" });
    await body.dump();
    if (statusCode < 200 || statusCode > 299) throw new Error(`answered ${statusCode}`);
  };
}
