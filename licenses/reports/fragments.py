"""Finding a piece of text anywhere in a column, in any case: by trigram index where there is one, and bounded.

PostgreSQL answers from the indexes of models/search_indexes.py. Without them, and on SQLite, it reads the table until
it has enough; PostgreSQL is stopped when that takes too long.
"""

import re
from time import monotonic
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.models import Model, Q, QuerySet, Value
from django.db.models.functions import Concat, Lower

MATCH_CAP = 500  # a search looks at this many matches of each kind
SHORTEST = 3  # characters of a piece that an index can find
SECONDS = 3  # for all of a search that finds no index to use; afterwards it compares beginnings, which has indexes
LEAST_SECONDS = 0.05
CUT = "57014"  # PostgreSQL's code for a statement that took longer than its time
LAST_CHARACTER = "\U0010ffff"
# pg_trgm takes three characters at a time of each word, with two blanks before a word and one after it. The two blanks
# and one letter do not count: every third name may have a word that begins with it
TRIGRAM = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_]|[\W_][^\W_].")
_BLANK = r"[\s\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
INVISIBLE = re.compile(rf"^{_BLANK}+|{_BLANK}+$")  # marks of direction and of no width, too
LONGEST = 255  # no column that is searched holds more


class TooSlow(Exception):
    """The database was stopped before it had read everything."""


class Matches(NamedTuple):
    """What a search found. `cut` says that there are more than these."""

    pks: set[int]
    cut: bool


def cleaned(text: str) -> str:
    """What staff typed, without what comes along when they paste from e-mails and spreadsheets."""
    return INVISIBLE.sub("", text[: 10 * LONGEST].replace("\0", ""))[:LONGEST]


def has_trigrams(text: str) -> bool:
    """Whether an index can find this text in the middle of another one; on SQLite the rule is the same."""
    return len(text) >= SHORTEST and TRIGRAM.search(text) is not None


class Deadline:
    """How long a search may still read."""

    def __init__(self) -> None:
        self.at = monotonic() + SECONDS

    @property
    def milliseconds(self) -> int:
        return int(max(self.at - monotonic(), LEAST_SECONDS) * 1000)


def pks_with(text: str, model: type[Model], column: str, deadline: Deadline) -> list[int]:
    """Up to MATCH_CAP + 1 rows that have the text anywhere in this column; TooSlow when PostgreSQL had no time left."""
    select = f"SELECT id FROM {model._meta.db_table} WHERE {column}"  # noqa: S608  names from the code
    if connection.vendor == "sqlite":
        return _fetch(f"{select} GLOB %s LIMIT {MATCH_CAP + 1}", f"*{glob(text)}*")
    # PostgreSQL plans what it materializes as if all of it was wanted, and so from the index: for a LIMIT alone it
    # would hope to come across enough matches soon, and read the whole table when there are few
    operator = "LIKE" if text.lower() == text.upper() else "ILIKE"  # which reads twice as fast where there is no case
    sql = f"WITH found AS MATERIALIZED ({select} {operator} %s) SELECT id FROM found LIMIT {MATCH_CAP + 1}"  # noqa: S608
    return _fetch_until(deadline, sql, f"%{like(text)}%")


def _fetch(sql: str, pattern: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [pattern])
        return [row[0] for row in cursor.fetchall()]


def _fetch_until(deadline: Deadline, sql: str, pattern: str) -> list[int]:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                # Compiling the query takes longer than running it, and large tables would have it compiled
                cursor.execute(f"SET LOCAL statement_timeout = {deadline.milliseconds}; SET LOCAL jit = off")
            found = _fetch(sql, pattern)
            transaction.set_rollback(True)  # nothing was written, and the limit was for this statement alone
            return found
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == CUT:
            raise TooSlow from error
        raise


def like(text: str) -> str:
    """The text for LIKE, where % and _ stand for anything."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def glob(text: str) -> str:
    """The text for SQLite's GLOB in any case. Its LIKE knows the two cases of A to Z only."""
    return "".join(map(_either_case, text))


def _either_case(character: str) -> str:
    cases = {character, character.lower(), character.upper()}
    cases = {case for case in cases if len(case) == 1}
    return f"[{''.join(sorted(cases))}]" if len(cases) > 1 or character in "*?[" else character


def first_matches(*searches: QuerySet[Any]) -> Matches:
    """All that these find, up to MATCH_CAP each."""
    return joined(*(list(_pks(rows)[: MATCH_CAP + 1]) for rows in searches))


def union(*found: Matches) -> Matches:
    return Matches(set().union(*(matches.pks for matches in found)), any(matches.cut for matches in found))


def joined(*found: list[int]) -> Matches:
    return Matches({pk for pks in found for pk in pks[:MATCH_CAP]}, any(len(pks) > MATCH_CAP for pks in found))


def _pks(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The primary keys, unless the search says which column it is after.

    The models' own order is dropped: for it a database would rather read the table from its end than the index.
    """
    rows = rows if rows.query.order_by else rows.order_by()
    return rows if rows.query.values_select else rows.values_list("pk", flat=True)


def starts_with(field: str, text: str | Lower) -> Q:
    """Rows whose `field` begins with `text`, by index: LIKE on PostgreSQL; on SQLite, whose LIKE reads all, a range."""
    if connection.vendor == "sqlite":
        prefix = Value(text) if isinstance(text, str) else text
        return Q((f"{field}__gte", text), (f"{field}__lt", Concat(prefix, Value(LAST_CHARACTER))))
    return Q((f"{field}__startswith", text))


def starts_in_any_case(field: str, text: str) -> Q:
    """As `starts_with`, also where somebody wrote it in small or in capital letters throughout."""
    found = Q()
    for case in {text, text.upper(), text.lower()}:
        found |= starts_with(field, case)
    return found
