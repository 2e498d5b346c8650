"""nginx, one worker, that answers everything with a constant 200: the HTTP ceiling."""

import os
import shutil

from belfry import cpu_us_of
from processes import BenchError, Process, free_port
from results import cpu_text, median, median_of

CONF = """daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    default_type application/json;
    location / {{ return 200 '{{"id":1}}'; }}
  }}
}}
"""


def installed(name):
    """Its path, also where only root's PATH has it; None when it is not there."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def find(name):
    path = installed(name)
    if path is None:
        raise BenchError(f"{name} is not installed; script/setup bench installs it")
    return path


class Nginx:
    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.end()

    def start(self):
        conf = self.folder / "nginx.conf"
        conf.write_text(CONF.format(folder=self.folder, port=self.port), encoding="utf-8")
        command = [find("nginx"), "-p", self.folder, "-e", self.folder / "error.log", "-c", conf]
        self.process = Process("nginx", command, self.folder)
        self.process.wait_for_port(self.port)
        return self

    def stop(self):
        self.process.stop()

    def cpu_us(self):
        return cpu_us_of(self.process.pid)


def add_beside_nginx(bench, what, ours, theirs, least, asked):
    """A row of the table: Belfry's rounds beside nginx's, both as wrk saw them."""
    rates = [figures["per_second"] for figures in ours]
    rate, ceiling = median(rates), median_of(theirs, "per_second")
    bench.add(what, value=rate, samples=rates, beside="nginx, constant 200", beside_value=ceiling,
              ratio=rate / ceiling, asked=asked, met=rate / ceiling >= least,
              p50_ms=median_of(ours, "p50_ms"), p99_ms=median_of(ours, "p99_ms"),
              cpu=cpu_text(belfry=median_of(ours, "server_us"),
                           nginx=median_of(theirs, "server_us"),
                           wrk=median_of(ours, "client_us")))
