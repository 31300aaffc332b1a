"""Running a verb over rows: for the preview in transactions that are undone, then for good. The services do both.

Rows are done in chunks of one transaction each. A chunk that loses against other transactions is done row by row, so
that one busy row does not cost the others theirs.
"""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import Error, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from licenses.admin.display import Change, change_url, described, kind_title, list_link
from licenses.codes import Refused
from licenses.events import Kind
from licenses.models import Actor, AuditEvent, Door
from licenses.services.retries import retried, why_lost

if TYPE_CHECKING:
    from licenses.admin.verbs import Verb, VerbsMixin

logger = logging.getLogger(__name__)

AT_ONCE = 5_000  # rows of one action
CHUNK = 50  # rows of one transaction: customers' calls about them wait for its end
SECONDS = 20  # after which no further chunk begins: somebody waits for the page, and the server gives up at 30
PREVIEW_CHUNK, PREVIEW_SECONDS = 25, 4
SHOWN = 5  # rows whose changes a preview shows
NAMED = 10  # rows a message or a page names before it says how many more
LINKED = 200  # refused rows that a link leads to: addresses have an end
BUSY = "the database was busy with other changes; try it again"
COUNTED = {  # what is told by how often it happens, of one and of many
    Kind.ACTIVATION_DEACTIVATED: ("1 activation ends", "{:,} activations end"),
    Kind.LICENSE_KEY_BLOCKED: ("1 license key is blocked", "{:,} license keys are blocked"),
    Kind.OWNER_CREATED: ("A new owner is made", "{:,} new owners are made"),
    Kind.SIGNING_KEY_RETIRED: ("The active one retires", "{:,} active ones retire"),
}


@dataclass
class Outcome:
    """What became of the rows of one action, or would become of them. `left`: how many it did not come to, and why."""

    done: list[Any] = field(default_factory=list)
    unchanged: list[Any] = field(default_factory=list)
    refused: list[tuple[Any, str]] = field(default_factory=list)  # with the reason, without a full stop
    left: int = 0
    why: str = ""

    def add(self, other: "Outcome") -> None:
        self.done += other.done
        self.unchanged += other.unchanged
        self.refused += other.refused


@dataclass(frozen=True)
class Shown:
    """One row of a preview: what would change, in fields and in sentences, or why nothing would."""

    row: Any
    url: str
    changes: Sequence[Change]
    sentences: Sequence[str]
    refused: str = ""


@dataclass(frozen=True)
class Preview:
    shown: Sequence[Shown]
    change: str  # "310 license keys"
    done: int
    more: int  # rows after those that are shown
    unchanged: str
    refused: Sequence[tuple[str, str]]  # how many, why
    left: str  # rows that there was no time to look at


# Doing it


def do(verb: "Verb", model_admin: "VerbsMixin", rows: Sequence[Model], fields: dict[str, Any], actor: Actor) -> Outcome:
    """Every row, each chunk committed before the next begins; stops after SECONDS and says how many are left."""
    outcome, until = Outcome(), time.monotonic() + SECONDS
    for begin, chunk in _chunks(rows, CHUNK):
        if begin and time.monotonic() > until:
            outcome.left, outcome.why = len(rows) - begin, f"it took longer than {SECONDS} seconds"
            break
        try:
            outcome.add(_do_chunk(verb, model_admin, chunk, fields, actor))
        except Error:
            if not outcome.done:
                raise
            logger.exception("An action stopped after %s rows", begin)
            outcome.left, outcome.why = len(rows) - begin, "the database did not answer"
            break
    return outcome


def _chunks(rows: Sequence[Model], size: int) -> Iterator[tuple[int, Sequence[Model]]]:
    return ((begin, rows[begin : begin + size]) for begin in range(0, len(rows), size))


def _do_chunk(
    verb: "Verb", model_admin: "VerbsMixin", rows: Sequence[Model], fields: dict[str, Any], actor: Actor
) -> Outcome:
    try:
        return retried(partial(_together, verb, model_admin, rows, fields, actor))
    except Error as error:
        if not why_lost(error):
            raise
    if len(rows) == 1:
        return Outcome(refused=[(rows[0], BUSY)])
    outcome = Outcome()
    for row in rows:
        outcome.add(_do_chunk(verb, model_admin, [row], fields, actor))
    return outcome


@transaction.atomic
def _together(
    verb: "Verb", model_admin: "VerbsMixin", rows: Sequence[Model], fields: dict[str, Any], actor: Actor
) -> Outcome:
    outcome = Outcome()
    for row in rows:
        outcome.add(_one(verb, model_admin, row, fields, actor))
    return outcome


def _one(verb: "Verb", model_admin: "VerbsMixin", row: Any, fields: dict[str, Any], actor: Actor) -> Outcome:
    """The service's own transaction is a savepoint here: what it refuses it undoes alone."""
    try:
        changed = verb.service(**model_admin.arguments_for(row), **fields, actor=actor)
    except Refused as refused:
        return Outcome(refused=[(row, refused.code.value.message.rstrip("."))])
    except ValidationError as error:
        return Outcome(refused=[(row, " ".join(error.messages).rstrip("."))])
    except ObjectDoesNotExist:
        return Outcome(refused=[(row, "it was deleted in the meantime")])
    return Outcome(done=[row]) if changed else Outcome(unchanged=[row])


# Showing what it would do


def preview(verb: "Verb", model_admin: "VerbsMixin", rows: Sequence[Model], fields: dict[str, Any]) -> Preview:
    """The service on every row, undone again. Nothing of it is committed: no audit, no mail, no number counted."""
    outcome, until, shown = Outcome(), time.monotonic() + PREVIEW_SECONDS, []
    for begin, chunk in _chunks(rows, PREVIEW_CHUNK):
        if begin and time.monotonic() > until:
            outcome.left = len(rows) - begin
            break
        try:
            tried, seen = _try_chunk(verb, model_admin, chunk, fields, show=0 if begin else SHOWN)
        except Error as error:
            if not why_lost(error):
                raise
            outcome.left = len(rows) - begin
            break
        outcome.add(tried)
        shown += seen
    return _summed_up(verb, model_admin, outcome, shown, len(rows))


def _try_chunk(
    verb: "Verb", model_admin: "VerbsMixin", rows: Sequence[Model], fields: dict[str, Any], *, show: int
) -> tuple[Outcome, list[Shown]]:
    outcome, shown, token = Outcome(), [], secrets.token_hex(16)
    with transaction.atomic():
        for number, row in enumerate(rows):
            actor = Actor(Door.ADMIN, f"preview {token} {number}", None)  # by which its own audit events are found
            one = _one(verb, model_admin, row, fields, actor)
            outcome.add(one)
            if number < show:
                shown.append(_shown(verb, row, one, actor))
        transaction.set_rollback(True)
    return outcome, shown


def _shown(verb: "Verb", row: Any, outcome: Outcome, actor: Actor) -> Shown:
    if not outcome.done:
        why = outcome.refused[0][1] if outcome.refused else ""
        words = [] if why else [f"Stays as it is ({verb.unchanged})"]
        return Shown(row, change_url(row), [], words, why)
    lines = described(AuditEvent.objects.filter(actor=actor.name).order_by("pk"))
    often = Counter(line.event.kind for line in lines)
    of_row = [line for line in lines if often[line.event.kind] == 1 and _is_about(line.event, row)]
    counted = {kind: count for kind, count in often.items() if kind not in {line.event.kind for line in of_row}}
    changes = [change for line in of_row for change in line.changes if change.before != change.after]
    return Shown(row, change_url(row), changes, [_sentence(kind, count) for kind, count in counted.items()])


def _is_about(event: AuditEvent, row: Model) -> bool:
    is_row = (event.object_type, event.object_id) == (row._meta.model_name, row.pk)
    return is_row and event.kind != Kind.ACTIVATION_DEACTIVATED  # which is recorded of the license key


def _sentence(kind: str, count: int) -> str:
    one, many = COUNTED.get(Kind(kind), (kind_title(kind), f"{kind_title(kind)}, {{:,}} times"))
    return one if count == 1 else many.format(count)


def _summed_up(verb: "Verb", model_admin: "VerbsMixin", outcome: Outcome, shown: Sequence[Shown], rows: int) -> Preview:
    reasons = Counter(why for _, why in outcome.refused)
    unchanged, left = len(outcome.unchanged), outcome.left
    return Preview(
        shown=shown,
        change=how_many(len(outcome.done), model_admin),
        done=len(outcome.done),
        more=rows - len(shown),
        unchanged=how_many(unchanged, model_admin) if unchanged else "",
        refused=[(how_many(count, model_admin), why) for why, count in reasons.most_common(NAMED)],
        left=how_many(left, model_admin) if left else "",
    )


# Saying what was done


def report(
    verb: "Verb", model_admin: "VerbsMixin", request: HttpRequest, outcome: Outcome, fields: dict[str, Any]
) -> None:
    """A message for each of: done, left as before, refused, not come to; each with how many."""
    if outcome.done:
        words = verb.done if isinstance(verb.done, str) else verb.done(fields)
        text = f"{how_many(len(outcome.done), model_admin)} {agreeing(words, len(outcome.done))}."
        more = verb.outcome(outcome.done, fields)
        model_admin.message_user(request, format_html("{} {}", text, more) if more else text, messages.SUCCESS)
    if outcome.unchanged:
        count = how_many(len(outcome.unchanged), model_admin)
        words = agreeing("was left as before", len(outcome.unchanged))
        text = f"{count} {words}, {verb.unchanged}: {_named([str(row) for row in outcome.unchanged])}."
        model_admin.message_user(request, text, messages.WARNING)
    if outcome.refused:
        model_admin.message_user(request, _refusals(outcome, model_admin), messages.ERROR)
    if outcome.left:
        words = agreeing("was not changed", outcome.left)
        text = f"{how_many(outcome.left, model_admin)} {words}, because {outcome.why}. Do it again for those."
        model_admin.message_user(request, text, messages.ERROR)


def _refusals(outcome: Outcome, model_admin: "VerbsMixin") -> SafeString:
    """Which were refused and why, with a link to the list of them where there is more than one."""
    count = len(outcome.refused)
    names = _named([f"{row}: {why}" for row, why in outcome.refused], "; ")
    text = f"{how_many(count, model_admin)} {agreeing('was refused', count)}. {names}."
    if count == 1:
        return format_html("{}", text)
    pks = ",".join(str(row.pk) for row, _ in outcome.refused[:LINKED])
    words = "Show them" if count <= LINKED else f"Show the first {LINKED}"
    return format_html("{} {}", text, list_link(words, model_admin.model, id__in=pks))


def agreeing(words: str, count: int) -> str:
    """ "was blocked" of many rows: were blocked."""
    verb, _, rest = words.partition(" ")
    plural = {"was": "were", "is": "are", "has": "have"}.get(verb, verb)
    return words if count == 1 else f"{plural} {rest}"


def how_many(count: int, model_admin: "VerbsMixin") -> str:
    name = model_admin.opts.verbose_name if count == 1 else model_admin.opts.verbose_name_plural
    return f"{count:,} {name}"


def _named(rows: Sequence[str], separator: str = ", ") -> str:
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return separator.join(rows[:NAMED]) + more
