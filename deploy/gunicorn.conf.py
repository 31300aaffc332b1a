"""gunicorn as `make run` and production use it: `gunicorn --config deploy/gunicorn.conf.py`.

PORT, BIND, PROCESSES (processes) and THREADS (of each process) decide where and how wide it serves; the
database sees at most one connection for each thread. A new version of the portal is taken by restarting, not by HUP.
"""

import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))

from licensing_portal import environment as var  # noqa: E402  found only after the line above
from licensing_portal.logs import LEVELS, to_stderr  # noqa: E402

var.read_files(BASE_DIR)
try:
    host = var.words("BIND", default=["127.0.0.1"])[0]
    port = var.integer("PORT", default=8000, low=1, high=65535)
    workers = var.integer("PROCESSES", default=min(os.cpu_count() or 1, 4), low=1, high=256)
    threads = var.integer("THREADS", default=8, low=1, high=256)
    logconfig_dict = to_stderr(var.word("LOG_LEVEL", default="INFO", among=LEVELS))
except ImproperlyConfigured as error:
    raise SystemExit(str(error)) from None  # one line instead of gunicorn's traceback

wsgi_app = "licensing_portal.wsgi"
chdir = str(BASE_DIR)
bind = f"{host}:{port}"
worker_class = "gthread"

timeout = 30  # seconds without a sign of life after which a process is replaced
graceful_timeout = 20  # seconds that running requests get when the server stops
silence = 10  # seconds without a byte after which a request that has begun is given up
keepalive = 75  # seconds an idle connection stays open: longer than the 60 of common proxies, so that they close first
limit_request_line = 8190  # bytes: the most there is; API keys and license keys come in queries too
forwarder_headers = ""  # SCRIPT_NAME through a proxy is its caller's own: the portal is always at the root
umask = 0o077  # what the server writes is the owner's alone
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  a heartbeat must not wait for a disk
control_socket_disable = True  # it would write into the home folder

# The path without its query, which may hold an API key
access_log_format = '%(h)s "%(m)s %(U)s %(H)s" %(s)s %(B)s bytes %(M)s ms'


def when_ready(server: Any) -> None:
    """A client that vanished in the middle of its request gives its thread back; gunicorn itself would wait for ever.
    Connections take this over from the socket that accepts them."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", silence, 0))


def post_worker_init(worker: Any) -> None:
    """What gunicorn itself refuses is answered sealed: a process has loaded the portal by now, and gunicorn looks its
    function up each time.

    Ctrl-C finishes the running requests too. It reaches every process of a terminal at once; gunicorn's own handler
    for it, interrupted by the master's signal, waits for a lock that it holds itself, until it is killed."""
    from gunicorn import util

    from licensing_portal.unreadable import write_error

    util.write_error = write_error
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, worker.handle_exit)
