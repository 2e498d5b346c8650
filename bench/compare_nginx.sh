#!/usr/bin/env bash
# Durable `POST /timers` beside nginx that answers the same POSTs with a constant 200: the same
# client, the same connections, one after the other, which of them is first changing each round.
# Every round of Belfry starts on an empty store. Prints each round, the medians and their ratio.
#
#   --rounds N       5
#   --duration N     seconds measured each time, 10
#   --warmup N       seconds before it that are not measured, 2
#   --connections N  keep-alive connections, 64
#   --client NAME    wrk (one thread) or belfry-bench
#   --build DIR      where belfry and belfry-bench are, build
#   --dir DIR        where the store is made, on the disk to be measured; the build directory
#
# Both servers listen on loopback, keep their files in a temporary directory and are stopped by PID.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

rounds=5 duration=10 warmup=2 connections=64 client=wrk build=$root/build dir=
die() { echo "compare_nginx.sh: $1" >&2; exit "${2:-1}"; }
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --rounds | --duration | --warmup | --connections)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number of at least 1" 2
      printf -v "${1#--}" %s "$2"; shift 2 ;;
    --client | --build | --dir)
      [[ -n ${2:-} ]] || die "$1 needs a value" 2
      printf -v "${1#--}" %s "$2"; shift 2 ;;
    *) die "unknown option $1; --help shows them" 2 ;;
  esac
done
[[ $client == wrk || $client == belfry-bench ]] || die "--client is wrk or belfry-bench" 2
[[ -x $build/belfry ]] || die "there is no $build/belfry: run make, or give --build"
[[ -x $build/belfry-bench ]] || die "there is no $build/belfry-bench: run make, or give --build"

# Installs what is missing of bench/packages.
install_missing() {
  local name missing=() as_root=()
  while read -r name; do
    [[ $name != "["* ]] || break  # what other comparisons need
    [[ -z $name || $name == "#"* ]] && continue
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
      missing+=("$name")
  done <"$root/bench/packages"
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null || die "please install ${missing[*]}: there is no apt here"
  [[ $(id -u) == 0 ]] || as_root=(sudo)
  echo "installing ${missing[*]}" >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null >&2 ||
    die "could not install ${missing[*]}; try apt-get update first"
  # Debian starts a service with the package; we want the program alone.
  if [[ " ${missing[*]} " == *" nginx-light "* ]]; then
    if [[ -d /run/systemd/system ]]; then
      "${as_root[@]}" systemctl disable --now nginx >&2 || true
    else
      "${as_root[@]}" service nginx stop >&2 || true
    fi
  fi
}
install_missing
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || die "nginx is not installed"

work=$(mktemp -d "${dir:-$build}/compare.XXXXXX")
server=
stop_server() {
  [[ -n $server ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap 'stop_server; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

free_port() {
  local port
  for port in $(seq "$1" $(($1 + 200))); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port from $1 on"
}
belfry_port=$(free_port 18080)
nginx_port=$(free_port 18380)

mkdir "$work/nginx"
cat >"$work/nginx.conf" <<CONF
daemon off;
master_process off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $work/nginx/body;
  proxy_temp_path $work/nginx/proxy;
  fastcgi_temp_path $work/nginx/fastcgi;
  uwsgi_temp_path $work/nginx/uwsgi;
  scgi_temp_path $work/nginx/scgi;
  server {
    listen 127.0.0.1:$nginx_port backlog=4096;
    default_type application/json;
    location / { return 200 '{"id":1}'; }
  }
}
CONF

cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"delay":"1h","url":"http://127.0.0.1:9000/hook"}'
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %.0f %.3f %.3f %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.status + e.connect + e.read + e.write + e.timeout))
end
LUA

# start NAME PORT COMMAND...: runs the server and returns when it answers.
start() {
  local name=$1 port=$2 tries
  shift 2
  "$@" >"$work/$name.log" 2>&1 &
  server=$!
  for tries in $(seq 200); do
    kill -0 "$server" 2>/dev/null || die "$name did not start: $(tail -n 3 "$work/$name.log")"
    curl -fsS -o "$work/ready" "http://127.0.0.1:$port/ready" 2>/dev/null && return
    sleep 0.05
  done
  die "$name does not answer within 10 s"
}

# measure PORT: prints "requests/s p50_ms p99_ms errors".
measure() {
  local url=http://127.0.0.1:$1
  if [[ $client == wrk ]]; then
    local wrk=(wrk -t1 -c"$connections" -s "$work/post.lua")
    "${wrk[@]}" -d"${warmup}s" "$url/timers" >"$work/warmup"
    "${wrk[@]}" -d"${duration}s" "$url/timers" | sed -n 's/^RESULT //p'
  else
    # It exits 1 when there were errors; they are in the figures, and looked at by the caller.
    { "$build/belfry-bench" set --url "$url" --connections "$connections" --warmup "${warmup}s" \
      --duration "${duration}s" 2>"$work/client" || true; } |
      awk '$1 == "requests" { sub("/s", "", $3); rate = $3 }
           $1 == "latency" { p50 = $3; p99 = $6 }
           $1 == "errors" { errors = $2 }
           END { if (rate) print rate, p50, p99, errors }'
  fi
}

cpu_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

# run NAME ROUND: starts the server, measures it, adds a line to $work/NAME.
run() {
  local name=$1 port figures before after cpu
  case $name in
    belfry)
      port=$belfry_port
      start belfry "$port" "$build/belfry" serve --data "$work/data.$2" \
        --listen "127.0.0.1:$port" ;;
    nginx)
      port=$nginx_port
      start nginx "$port" "$nginx" -p "$work/nginx" -e "$work/nginx/error.log" \
        -c "$work/nginx.conf" ;;
  esac
  before=$(cpu_ticks "$server")
  figures=$(measure "$port")
  after=$(cpu_ticks "$server")
  stop_server
  rm -rf "$work/data.$2"
  [[ $(wc -w <<<"$figures") == 4 ]] || die "$client gave no figures for $name"
  [[ ${figures##* } == 0 ]] || die "$name: ${figures##* } errors in round $2"
  # The server's processor time includes the warm-up, so its requests are counted in as well.
  cpu=$(awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v rate="${figures%% *}" \
    -v seconds=$((duration + warmup)) 'BEGIN { printf "%.1f", ticks / hz * 1e6 / rate / seconds }')
  echo "${figures% *} $cpu" >>"$work/$name.rounds"
  printf '%-6s %-7s %9s %9s %9s %12s\n' "$2" "$name" $(tail -n 1 "$work/$name.rounds")
}

# median NAME COLUMN
median() {
  awk -v column="$2" '{ print $column }' "$work/$1.rounds" | sort -g |
    awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

echo "$connections connections, $duration s a round, client $client"
printf '%-6s %-7s %9s %9s %9s %12s\n' round server req/s p50_ms p99_ms cpu_us/req
for round in $(seq "$rounds"); do
  if ((round % 2)); then order="belfry nginx"; else order="nginx belfry"; fi
  for name in $order; do run "$name" "$round"; done
done
for name in belfry nginx; do
  printf '%-6s %-7s %9s %9s %9s %12s\n' median "$name" "$(median "$name" 1)" \
    "$(median "$name" 2)" "$(median "$name" 3)" "$(median "$name" 4)"
done
awk -v a="$(median belfry 1)" -v b="$(median nginx 1)" \
  'BEGIN { printf "belfry / nginx: %.2f of the requests per second\n", a / b }'
