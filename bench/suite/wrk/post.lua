-- Durable sets: the same POST again and again.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"delay":"1h","url":"http://127.0.0.1:9000/hook"}'

done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"per_second":%.1f,"answered":%d,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, summary.requests, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.status + e.connect + e.read + e.write + e.timeout))
end
