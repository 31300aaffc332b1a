"""Who license keys belong to."""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction

from licenses.events import Kind, event, record, record_many
from licenses.models import Actor, Owner


def find_or_create_owner(*, name: str = "", email: str = "", actor: Actor) -> Owner:
    """The owner with this e-mail address, or a new one. Call it inside a transaction.

    An owner who is known keeps the name that is stored; an empty one is filled in. A text without `@` is no address:
    shops send "Not set" for many different buyers, so it makes an owner of its own each time and serves as the name.
    """
    if "@" not in email:
        return _create_owner(Owner(name=name or email), actor=actor)
    owner = Owner.objects.with_email(email).first() or _create_or_find(name, email, actor=actor)
    if not owner.name:
        _fill_in_names({owner.pk: name}, actor=actor)
    return owner


def _create_or_find(name: str, email: str, *, actor: Actor) -> Owner:
    """A new owner, or the one that another transaction has created just now: the constraint decides."""
    try:
        with transaction.atomic():
            return _create_owner(Owner(name=name, email=email), actor=actor)
    except IntegrityError:
        return Owner.objects.with_email(email).get()


def find_or_create_owners(wanted: Sequence[tuple[str, str]], *, actor: Actor) -> list[Owner]:
    """As `find_or_create_owner` for many pairs of (name, e-mail address), in few statements; owners in their order."""
    names: dict[str, str] = {}
    for name, email in wanted:
        if _is_plain(email):
            names[email.lower()] = names.get(email.lower()) or name
    known = _owners_by_email(names)
    spelling = {email.lower(): email for _, email in reversed(wanted)}
    missing = [Owner(name=names[folded], email=spelling[folded]) for folded in sorted(names.keys() - known.keys())]
    known |= _create_missing(missing, actor=actor)
    _fill_in_names({owner.pk: names[folded] for folded, owner in known.items() if not owner.name}, actor=actor)
    return _in_order(wanted, known, actor=actor)


def _is_plain(email: str) -> bool:
    """Only ASCII is folded alike by Python and every database; other addresses are looked up one by one."""
    return "@" in email and email.isascii()


def _owners_by_email(folded: Iterable[str]) -> dict[str, Owner]:
    return {owner.email.lower(): owner for owner in Owner.objects.with_emails(list(folded))}


def _create_missing(owners: list[Owner], *, actor: Actor) -> dict[str, Owner]:
    """Create these owners at once; one by one where another transaction has just created some of them."""
    try:
        with transaction.atomic():
            Owner.objects.bulk_create(owners)
    except IntegrityError:
        found = [find_or_create_owner(name=owner.name, email=owner.email, actor=actor) for owner in owners]
        return {owner.email.lower(): created for owner, created in zip(owners, found, strict=True)}
    _record_created(owners, actor=actor)
    return {owner.email.lower(): owner for owner in owners}


def _fill_in_names(names: dict[int, str], *, actor: Actor) -> None:
    """Name the owners with these numbers who have no name. Locked in order: two bulk runs never wait for each other.

    `no_key` lets others refer to them meanwhile.
    """
    numbers = [number for number, name in names.items() if name]
    nameless = Owner.objects.select_for_update(no_key=True).filter(pk__in=numbers, name="").order_by("pk")
    for owner in nameless if numbers else ():
        _fill_in_name(owner, names[owner.pk], actor=actor)


def _in_order(wanted: Sequence[tuple[str, str]], known: dict[str, Owner], *, actor: Actor) -> list[Owner]:
    without_email = [Owner(name=name or email) for name, email in wanted if "@" not in email]
    Owner.objects.bulk_create(without_email)
    _record_created(without_email, actor=actor)
    fresh, others = iter(without_email), _others(wanted, actor=actor)
    return [next(fresh) if "@" not in email else known.get(email.lower()) or others[email] for _, email in wanted]


def _others(wanted: Sequence[tuple[str, str]], *, actor: Actor) -> dict[str, Owner]:
    """Owners with addresses beyond ASCII, one by one in the order of these: no two runs wait for each other."""
    names: dict[str, str] = {}
    for name, email in wanted:
        if "@" in email and not email.isascii():
            names[email] = names.get(email) or name
    return {
        email: find_or_create_owner(name=names[email], email=email, actor=actor)
        for email in sorted(names, key=str.lower)
    }


def _fill_in_name(owner: Owner, name: str, *, actor: Actor) -> None:
    owner.name = name
    owner.save(update_fields=["name", "updated_at"])
    record(Kind.OWNER_UPDATED, owner, actor=actor, before={"name": ""}, after={"name": name})


def _create_owner(owner: Owner, *, actor: Actor) -> Owner:
    owner.save(force_insert=True)
    _record_created([owner], actor=actor)
    return owner


def _record_created(owners: Iterable[Owner], *, actor: Actor) -> None:
    record_many(
        event(Kind.OWNER_CREATED, owner, actor=actor, after={"name": owner.name, "email": owner.email})
        for owner in owners
    )
