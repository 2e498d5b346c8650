-- What wrk does: the first argument says which requests, the rest is its own.
--   post         durable sets, the same again and again
--   get N SEED   reads of random ids of 1..N
--   hook         webhooks: POSTs without a body
-- $BELFRY_TOKEN, if it is set, goes along as a bearer token.
init = function(args)
  local token = os.getenv("BELFRY_TOKEN")
  if token then
    wrk.headers["Authorization"] = "Bearer " .. token
  end
  if args[1] == "post" then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = '{"delay":"1h","url":"http://127.0.0.1:9000/hook"}'
  elseif args[1] == "hook" then
    wrk.method = "POST"
    wrk.headers["Content-Length"] = "0"
  else
    local last = tonumber(args[2])
    math.randomseed(tonumber(args[3]))
    -- wrk.format takes as long as the daemon does, and longer the more headers there are.
    local before, behind = wrk.format("GET", "/timers/@"):match("^(.-)@(.*)$")
    request = function()
      return before .. math.random(last) .. behind
    end
  end
end

done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"per_second":%.1f,"answered":%d,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, summary.requests, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.status + e.connect + e.read + e.write + e.timeout))
end
