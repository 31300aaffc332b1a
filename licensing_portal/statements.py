"""How long the server lets the database work on one statement."""

from django.conf import settings
from django.db import connections

IDLE_IN_TRANSACTION_SECONDS = 60  # after which a transaction that does nothing loses its locks


def limit_statements() -> None:
    """Let PostgreSQL cut what takes longer than STATEMENT_TIMEOUT_SECONDS, waiting for locks included (S35).

    For this process alone: commands, migrations and the worker take the time they need. Options of the connection, not
    a statement on it, so that none can be open without them.
    """
    database = connections.settings["default"]
    seconds = settings.STATEMENT_TIMEOUT_SECONDS
    if not seconds or not database["ENGINE"].endswith("postgresql"):
        return
    limits = {"statement_timeout": seconds, "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_SECONDS}
    options = [f"-c {name}={limit * 1000}" for name, limit in limits.items()]
    own = database["OPTIONS"].get("options", "")
    database["OPTIONS"]["options"] = " ".join([*options, own]).strip()  # what DATABASE_URL says comes last, and wins
