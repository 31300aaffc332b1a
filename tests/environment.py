"""The suite's variables, set before Django reads its settings (pytest loads this with `-p`).

DATABASE_URL decides the database: nothing for SQLite, a postgres:// URL for PostgreSQL. `make test` runs both.
"""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

if not os.environ.get("TEST_WORK_DIR"):  # `make test` gives one and removes it
    os.environ["TEST_WORK_DIR"] = tempfile.mkdtemp(prefix="portal-tests-")
    atexit.register(shutil.rmtree, os.environ["TEST_WORK_DIR"], ignore_errors=True)
WORK_DIR = Path(os.environ["TEST_WORK_DIR"])
(WORK_DIR / "staticfiles").mkdir(parents=True, exist_ok=True)  # WhiteNoise asks for it
os.environ["DATA_DIR"] = str(WORK_DIR)
os.environ["SECRET_KEY"] = "for-tests-only-" + "abcdefghij" * 4
os.environ.setdefault("VAULT_KEYS", Fernet.generate_key().decode())
os.environ["ALLOWED_HOSTS"] = "localhost,127.0.0.1,testserver"
# Every test comes from 127.0.0.1; those about throttles set their own limits
for limit in ("ADDRESS_REQUESTS", "LICENSE_KEY_REQUESTS", "WRONG_KEYS"):
    os.environ[f"{limit}_PER_MINUTE"] = "0"
os.environ["SETTINGS_REQUESTS_PER_MINUTE"] = "1000000"
os.environ["SECOND_FACTOR_REQUIRED"] = "nobody"  # tests/test_second_factor.py says otherwise
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the browser's driver runs an event loop
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background; tests send Ctrl-C to processes
    signal.signal(signal.SIGINT, signal.default_int_handler)
worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_URL"] = f"sqlite:///{WORK_DIR / 'unused.sqlite3'}"
    os.environ.setdefault("TEST_SQLITE_FILE", str(WORK_DIR / f"{worker}.sqlite3"))  # server processes open it too
