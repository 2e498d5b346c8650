-- Reads by random id of 1..N; N is the first argument.
local last = 1

init = function(args)
  last = tonumber(args[1])
  math.randomseed(tonumber(args[2]))
end

request = function()
  return wrk.format("GET", "/timers/" .. math.random(last))
end

done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"per_second":%.1f,"answered":%d,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, summary.requests, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.status + e.connect + e.read + e.write + e.timeout))
end
