// Keeps `inFlight` calls under way for a time, and says on stdout what bench/peers/driver.py reads.

export const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cpuMicros = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

// `call(n)` resolves when its timer is durable. Numbers have twelve digits, as in every driver.
export async function closedLoop({ inFlight, warmupMs, durationMs }, call) {
  const latencies = [];
  let next = 1;
  let measuring = false;
  let over = false;
  const one = async () => {
    while (!over) {
      const sentMs = performance.now();
      await call(String(next++).padStart(12, "0"));
      if (measuring) latencies.push(performance.now() - sentMs);
    }
  };
  const calls = Promise.all(Array.from({ length: inFlight }, one));
  const clock = (async () => {
    await sleep(warmupMs);
    measuring = true;
    say({ event: "begin" });
    const began = { ms: performance.now(), cpu: cpuMicros() };
    await sleep(durationMs);
    measuring = false;
    over = true;
    return { seconds: (performance.now() - began.ms) / 1000, cpu: cpuMicros() - began.cpu };
  })();
  // A call that fails ends the run: nothing is measured of a peer that refuses.
  const { seconds, cpu } = await Promise.race([clock, calls.then(() => clock)]);
  const requests = latencies.length;
  const sorted = Float64Array.from(latencies).sort();
  const quantile = (share) => sorted[Math.max(0, Math.ceil(share * requests) - 1)] ?? 0;
  say({
    event: "end", requests, seconds, p50_ms: quantile(0.5), p99_ms: quantile(0.99),
    client_cpu_us: cpu,
  });
  await calls;
}
