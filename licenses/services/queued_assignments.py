"""Random assignments that are done later: a shop asks, the worker assigns, the result is posted to the shop (807).

A request is assigned in the transaction that stores the sealed result, so no crash assigns twice. A delivery is
announced in a transaction of its own before it is sent: whoever finds an announced one whose lease is over cannot know
whether it arrived, and leaves it to staff (D17), because a shop stores what it gets twice twice.
"""

import logging
import secrets
import time
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from licenses import signing
from licenses.codes import Code, Refused
from licenses.events import Kind, record
from licenses.models import Actor, Door, Product, QueuedAssignment
from licenses.services.deliveries import Delivery, deliver
from licenses.services.generators import find_generator, require_generator
from licenses.services.random_assignment import assign_from_stock_or_generate
from licenses.services.retries import retried, why_lost
from licenses.services.shapes import assigned_rows
from licenses.services.signing_keys import signer_for

logger = logging.getLogger(__name__)

State = QueuedAssignment.State

LEASE = timedelta(minutes=1)  # a delivery takes seconds; one that was announced longer ago has lost its worker
AGAIN_AFTER_CRASH = timedelta(minutes=1)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=10), timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
BEING_SENT = "It is being sent."
LOST_WORKER = "The worker ended while it was sending, so it may have arrived."


class Step(StrEnum):
    """What `work_on_next` has done."""

    ASSIGNED = "assigned"
    REFUSED = "refused"
    CRASHED = "put off after a crash"
    DELIVERED = "delivered"
    PUT_OFF = "to be delivered later"
    UNCERTAIN = "delivered perhaps"
    FAILED = "given up"


@transaction.atomic
def queue_assignment(
    *, product: Product, generate: bool, generator_id: str = "", actor: Actor, **wanted: Any
) -> QueuedAssignment:
    """Store the request for the worker; refuses 806 at once when there is nothing to generate with.

    `wanted`: quantity, owner_name, owner_email, identifier and webhook_url, which `outgoing.problem_with` has passed.
    Two requests alike are two requests: a shop sends one for each item of an order.
    """
    generator = require_generator(product, generator_id) if generate else None
    queued = QueuedAssignment.objects.create(
        product=product,
        generate=generate,
        generator_number=generator.pk if generator and generator_id else None,
        **wanted,
        requested_by=actor.name[:255],
        due_at=timezone.now(),
    )
    after = {"product": product.name, "quantity": queued.quantity, "identifier": queued.identifier}
    record(Kind.ASSIGNMENT_QUEUED, queued, actor=actor, after=after)
    return queued


@transaction.atomic
def send_again(*, queued: QueuedAssignment, actor: Actor) -> bool:
    """Deliver once more what is uncertain or was given up; False for any other."""
    held = QueuedAssignment.objects.select_for_update().get(pk=queued.pk)
    if held.state not in (State.UNCERTAIN, State.FAILED):
        return False
    before = held.state
    held.state, held.attempts, held.problem, held.due_at = State.DELIVERING, 0, "", timezone.now()
    held.save(update_fields=["state", "attempts", "problem", "due_at"])
    record(Kind.ASSIGNMENT_SENT_AGAIN, held, actor=actor, before={"state": before}, after={"state": held.state})
    return True


def work_on_next(*, actor: Actor) -> tuple[QueuedAssignment, Step] | None:
    """Assign or deliver what is due longest and nobody else works on; None when nothing is. Not for a transaction."""
    if not due().exists():  # SQLite would let nobody else write for the answer "nothing"
        return None
    queued, step = retried(partial(_begin, actor=actor))
    if queued is None or step:
        return (queued, step) if queued and step else None
    delivery = deliver(queued.webhook_url, queued.envelope)
    return queued, retried(partial(_note, queued, delivery, actor=actor))


@transaction.atomic
def _begin(*, actor: Actor) -> tuple[QueuedAssignment | None, Step | None]:
    """What is due longest and what was done with it; no step: it is announced, and to be delivered now."""
    queued = _claim()
    if queued is None:
        return None, None
    if queued.state == State.QUEUED:
        return queued, _assign(queued)
    if queued.problem == BEING_SENT:
        return queued, _close(queued, State.UNCERTAIN, LOST_WORKER, actor=actor)
    _announce(queued)
    return queued, None


def due() -> QuerySet[QueuedAssignment]:
    return QueuedAssignment.objects.filter(state__in=(State.QUEUED, State.DELIVERING), due_at__lte=timezone.now())


def _claim() -> QueuedAssignment | None:
    """The one due longest, locked; one that another worker holds is passed over."""
    skip_locked = connection.features.has_select_for_update_skip_locked
    rows = due().select_for_update(of=("self",), skip_locked=skip_locked).select_related("product")
    return rows.order_by("due_at", "pk").first()


def _assign(queued: QueuedAssignment) -> Step:
    """Assign and store the sealed result; a crash or a time-out of one request keeps no other one waiting."""
    try:
        with transaction.atomic():
            code, fields = _result(queued)
            queued.envelope = _sealed(queued, code, fields)
            queued.code, queued.state, queued.problem = int(code.value.number), State.DELIVERING, ""
            queued.due_at, queued.attempts = timezone.now(), 0
            queued.save(update_fields=["envelope", "code", "state", "problem", "due_at", "attempts"])
    except InterfaceError:  # there is no connection left to say so
        raise
    except Exception as error:
        if isinstance(error, OperationalError) and why_lost(error):  # tried again at once
            raise
        logger.exception("Queued assignment %s could not be done", queued.pk)
        queued.attempts += 1
        queued.due_at = timezone.now() + max(AGAIN_AFTER_CRASH, delay_after(queued.attempts))
        queued.problem = f"It could not be done ({type(error).__name__}): the log says why."
        queued.save(update_fields=["attempts", "due_at", "problem"])
        return Step.CRASHED
    return Step.ASSIGNED if code is Code.LICENSE_KEYS_ASSIGNED else Step.REFUSED


def _result(queued: QueuedAssignment) -> tuple[Code, dict[str, Any]]:
    """As the synchronous endpoint answers; a refusal is a result too, and leaves nothing behind."""
    product, named = queued.product, queued.generator_number
    owner = {"owner_name": queued.owner_name, "owner_email": queued.owner_email}
    if product.status == Product.Status.DELETED:
        return Code.ASSIGN_PRODUCT_NOT_FOUND, {}
    try:
        keys = assign_from_stock_or_generate(
            product=product,
            quantity=queued.quantity,
            generate=queued.generate,
            generator=find_generator(str(named), product=product) if named else None,
            **owner,
            actor=Actor(Door.API, queued.requested_by),
        )
    except Refused as refused:
        return refused.code, dict(refused.fields)
    return Code.LICENSE_KEYS_ASSIGNED, {"license_keys": assigned_rows(keys, **owner)}


def _sealed(queued: QueuedAssignment, code: Code, fields: dict[str, Any]) -> dict[str, Any]:
    number, message, *_ = code.value
    response = {"code": number, "message": message, "identifier": queued.identifier, **fields}
    signer = signer_for(None)  # these answers are all signed with the global key
    return signing.seal(response | {"timestamp": int(time.time())}, private_key=signer.private_key, label=signer.label)


def _announce(queued: QueuedAssignment) -> None:
    """From here on it may have been sent. `due_at` is the lease, and whose it is."""
    queued.attempts += 1
    queued.problem, queued.due_at = BEING_SENT, timezone.now() + LEASE
    queued.save(update_fields=["attempts", "problem", "due_at"])


@transaction.atomic
def _note(queued: QueuedAssignment, delivery: Delivery, *, actor: Actor) -> Step:
    """Store what became of the delivery."""
    held = QueuedAssignment.objects.select_for_update().filter(pk=queued.pk, due_at=queued.due_at).first()
    if held is None:  # staff have sent it again since
        return Step.UNCERTAIN
    if delivery.is_success:
        return _close(held, State.DELIVERED, "", actor=actor)
    if delivery.is_uncertain:
        return _close(held, State.UNCERTAIN, delivery.problem, actor=actor)
    if is_given_up(held.attempts):
        return _close(held, State.FAILED, delivery.problem, actor=actor)
    held.state, held.problem = State.DELIVERING, delivery.problem
    held.due_at = timezone.now() + _spread(delay_after(held.attempts))
    held.save(update_fields=["state", "problem", "due_at"])
    return Step.PUT_OFF


CLOSED = {State.DELIVERED: Step.DELIVERED, State.UNCERTAIN: Step.UNCERTAIN, State.FAILED: Step.FAILED}


def _close(held: QueuedAssignment, state: QueuedAssignment.State, problem: str, *, actor: Actor) -> Step:
    """The end of it, as far as the worker is concerned, with its audit row."""
    delivered = state == State.DELIVERED
    held.state, held.problem, held.delivered_at = state, problem, timezone.now() if delivered else None
    held.save(update_fields=["state", "problem", "delivered_at"])
    kind = Kind.ASSIGNMENT_DELIVERED if delivered else Kind.ASSIGNMENT_UNDELIVERED
    facts = {"state": state.value, "attempts": held.attempts} | ({"problem": problem} if problem else {})
    record(kind, held, actor=actor, after=facts)
    return CLOSED[state]


def delay_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: twice as long each time."""
    doublings = min(attempts - 1, 30)  # more would overflow, long after the longest delay
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def is_given_up(attempts: int) -> bool:
    """Whether these attempts, each after its delay, have filled three days; a worker that stood still loses none."""
    return sum(map(delay_after, range(1, attempts + 1)), timedelta()) > GIVE_UP_AFTER


def _spread(delay: timedelta) -> timedelta:
    """A fifth more or less: what failed together is not sent again together."""
    return delay * (80 + secrets.randbelow(41)) / 100
