"""Who license keys belong to."""

from licenses.events import Kind, record
from licenses.models import Actor, Owner


def find_or_create_owner(*, name: str = "", email: str = "", actor: Actor) -> Owner:
    """The owner with this e-mail address, or a new one. Call it inside a transaction.

    An owner who is known keeps the name that is stored; an empty one is filled in. A text without `@` is no address:
    shops send "Not set" for many different buyers, so it makes an owner of its own each time and serves as the name.
    """
    if "@" not in email:
        return _create_owner(Owner(name=name or email), actor=actor)
    owner = Owner.objects.with_email(email).first()
    if owner is None:
        # Another transaction may create the same owner just now: the constraint decides, then both read its row
        Owner.objects.bulk_create([Owner(name=name, email=email)], ignore_conflicts=True)
        owner = Owner.objects.with_email(email).get()
        record(Kind.OWNER_CREATED, owner, actor=actor, after={"name": owner.name, "email": owner.email})
    elif name and not owner.name:
        owner.name = name
        owner.save(update_fields=["name", "updated_at"])
        record(Kind.OWNER_UPDATED, owner, actor=actor, before={"name": ""}, after={"name": name})
    return owner


def _create_owner(owner: Owner, *, actor: Actor) -> Owner:
    owner.save(force_insert=True)
    record(Kind.OWNER_CREATED, owner, actor=actor, after={"name": owner.name, "email": owner.email})
    return owner
