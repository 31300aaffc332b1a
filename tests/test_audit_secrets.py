"""For each kind of event, a change that is recorded so: who, through which door, from where, and no secret in it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db.models import Model
from django.test import Client, override_settings
from django.utils import timezone

from licenses import signing
from licenses.events import Kind
from licenses.models import (
    ApiKey,
    Assignment,
    AssignmentFile,
    AuditEvent,
    BlockListEntry,
    LicenseKey,
    QueuedAssignment,
    SigningKey,
)
from licenses.services import activations, license_keys, metadata, queued_assignments, vault
from licenses.services.api_keys import create_api_key, revoke_api_key
from licenses.services.assignment_jobs import (
    cancel_assignment,
    pause_assignment,
    resume_assignment,
    undo_assignment,
)
from licenses.services.audit_retention import find_old, prune_audit
from licenses.services.license_files import get_license_file
from licenses.services.products import create_product, delete_product, update_product
from licenses.services.records import delete_record, save_record
from licenses.services.releases import save_downloadable
from licenses.services.signing_keys import (
    create_signing_key,
    import_signing_key,
    mark_compromised,
    use_signing_key,
)
from settings_api.changes import Caller, change_settings, record_refused
from tests import bulk
from tests.audit import ADDRESS, BY, NAME, SECRET, make_chain
from tests.factories import (
    ActivationFactory,
    ContractFactory,
    DownloadableFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
    ReleaseFactory,
)
from tests.staff_events import STAFF_CHANGES, WHO
from tests.test_signing_key_import import pem_of

pytestmark = pytest.mark.django_db

WEBHOOK = f"https://shop.example/{SECRET}?webhook={SECRET}"
CALLER = Caller(NAME, "admin", may_change=True, address=ADDRESS)


def key(**fields: Any) -> LicenseKey:
    return LicenseKeyFactory(license_key=SECRET, **({"assigned": True} | fields))


def named(**fields: Any) -> dict[str, Any]:
    return {"license_key": key(**fields).license_key, **BY}


def free() -> dict[str, Any]:
    return {"license_key": LicenseKeyFactory(license_key=SECRET).license_key, **BY}


def running() -> dict[str, Any]:
    return {
        **named(),
        "identifier": ActivationFactory(license_key=LicenseKey.objects.get(), identifier="host").identifier,
    }


def with_metadata() -> dict[str, Any]:
    found = named()
    LicenseKey.objects.get().metadata.create(name="name", value="value")
    return {**found, "identifier": "host", "name": "name"}


def saved(instance: Model, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(instance, name, value)
    save_record(instance, changed_fields=list(changes), **BY)


def deleted(instance: Model) -> None:
    delete_record(instance, **BY)


def entry(**fields: Any) -> BlockListEntry:
    return BlockListEntry(kind="identifier", value="host", **fields)


def stored(instance: Model) -> Any:
    instance.save()
    return instance


def api_key(**fields: Any) -> ApiKey:
    return create_api_key(name="Shop", capabilities=["verify"], **BY)[0]


def queued(**fields: Any) -> QueuedAssignment:
    return QueuedAssignmentFactory(webhook_url=WEBHOOK, envelope={"x": SECRET}, **fields)


def destroyed() -> None:
    found = running()
    license_keys.destroy_license_key(license_key=found["license_key"], **BY)


def license_file() -> None:
    found = running()
    create_signing_key(product=LicenseKey.objects.get().product, **BY)
    get_license_file(**found)


def replaced_signing_key() -> None:
    for _ in range(2):
        create_signing_key(product=None, **BY)


def imported_signing_key() -> None:
    pem = pem_of(signing.generate_private_key(), passphrase=SECRET)
    import_signing_key(pem=pem, passphrase=SECRET, product=None, status=SigningKey.Status.ACTIVE, **BY)


def upcoming_signing_key() -> SigningKey:
    create_signing_key(product=None, **BY)
    return create_signing_key(product=None, upcoming=True, **BY)


def compromised_signing_key() -> None:
    mark_compromised(signing_key=create_signing_key(product=None, **BY), since=timezone.now(), **BY)


def reencrypted() -> None:
    create_signing_key(product=None, **BY)
    with override_settings(VAULT_KEYS=[Fernet.generate_key().decode(), *settings.VAULT_KEYS]):
        for found in list(vault.survey_vault()):
            assert vault.reencrypt(entry=found, **BY) is vault.State.OLD


def pruned() -> None:
    make_chain(1, age=timedelta(days=100))
    prune_audit(before=find_old(older_than=90).before, show=lambda done: None, **BY)


def queue() -> None:
    wanted = {"quantity": 1, "identifier": "order", "owner_name": "", "owner_email": "", "webhook_url": WEBHOOK}
    queued_assignments.queue_assignment(product=ProductFactory(), generate=False, generator_id="", **wanted, **BY)


def delivery(state: str) -> None:
    queued_assignments._close(queued(state="delivering"), QueuedAssignment.State(state), "", **BY)


def uploaded_file() -> Assignment:
    LicenseKeyFactory(license_key=SECRET)
    return bulk.uploaded(f"{SECRET},a@example.com,,")


def started_file() -> Assignment:
    LicenseKeyFactory(license_key=SECRET)
    return bulk.started(f"{SECRET},a@example.com,,", product=None)


def resumed_file() -> None:
    assignment = started_file()
    pause_assignment(assignment=assignment, **BY)
    resume_assignment(assignment=assignment, **BY)


def finished_file() -> Assignment:
    return bulk.worked(started_file())


def failed_file() -> None:
    assignment = started_file()
    AssignmentFile.objects.all().delete()
    bulk.worked(assignment)


def undone_file() -> None:
    assignment = finished_file()
    undo_assignment(assignment=assignment, **BY)
    bulk.worked(assignment)


def exported() -> None:
    """What is searched for may be a whole license key."""
    key()
    form = {"format": "csv", "columns": ["license_key"]}
    assert staff_client().post(f"/admin/licenses/licensekey/export/?q={SECRET}", form).status_code == 200


def imported() -> None:
    ProductFactory(slug="aurora")
    client, url = staff_client(), "/admin/licenses/licensekey/import/"
    file = ContentFile(f"license_key,product\n{SECRET},aurora\n".encode(), name="keys.csv")
    token = client.post(url, {"file": file, "encoding": "utf-8-sig"}).context["token"]
    assert client.post(url, {"token": token}).status_code == 302


def staff_client() -> Client:
    client = Client(REMOTE_ADDR=ADDRESS)
    client.force_login(User.objects.create_superuser(NAME, password=SECRET))
    return client


CHANGES: dict[Kind, Callable[[], object]] = {
    Kind.PRODUCT_CREATED: lambda: create_product(name="Aurora", own_signing_key=False, **BY),
    Kind.PRODUCT_UPDATED: lambda: update_product(
        product_id=str(ProductFactory().pk), changes={"name": "Borealis"}, **BY
    ),
    Kind.PRODUCT_DELETED: lambda: delete_product(product=ProductFactory(), **BY),
    Kind.OWNER_CREATED: lambda: license_keys.assign_license_key(owner_email="a@b.c", **free()),
    Kind.OWNER_UPDATED: lambda: saved(OwnerFactory(), name="Ada"),
    Kind.OWNER_DELETED: lambda: deleted(OwnerFactory()),
    Kind.LICENSE_KEY_CREATED: lambda: license_keys.create_license_key(
        product=ProductFactory(), license_key=SECRET, **BY
    ),
    Kind.LICENSE_KEY_UPDATED: lambda: license_keys.update_license_key(changes={"activation_limit": 9}, **named()),
    Kind.LICENSE_KEY_DELETED: destroyed,
    Kind.LICENSE_KEY_ASSIGNED: lambda: license_keys.assign_license_key(owner_email="a@b.c", **free()),
    Kind.LICENSE_KEY_BLOCKED: lambda: license_keys.block_license_key(**named()),
    Kind.LICENSE_KEY_UNBLOCKED: lambda: license_keys.unblock_license_key(**named(status="blocked")),
    Kind.LICENSE_KEY_EXTENDED: lambda: license_keys.extend_license_key(days=5, **named(expired=True)),
    Kind.LICENSE_KEY_TAKEN_BACK: undone_file,
    Kind.ACTIVATION_ACTIVATED: lambda: activations.activate_license(identifier="host", post_url=WEBHOOK, **named()),
    Kind.ACTIVATION_DEACTIVATED: lambda: activations.deactivate_license(**running()),
    Kind.METADATA_CREATED: lambda: metadata.create_metadata(identifier="host", name="n", value="v", **named()),
    Kind.METADATA_UPDATED: lambda: metadata.update_metadata(value="other", **with_metadata()),
    Kind.METADATA_DELETED: lambda: metadata.delete_metadata(**with_metadata()),
    Kind.GENERATOR_CREATED: lambda: saved(GeneratorFactory.build(product=ProductFactory())),
    Kind.GENERATOR_UPDATED: lambda: saved(GeneratorFactory(), activation_limit=7),
    Kind.GENERATOR_DELETED: lambda: deleted(GeneratorFactory()),
    Kind.CONTRACT_CREATED: lambda: saved(ContractFactory.build(product=ProductFactory(), contract_key=SECRET)),
    Kind.CONTRACT_UPDATED: lambda: saved(ContractFactory(contract_key=SECRET), contract_key=f"{SECRET}-2", name="N"),
    Kind.CONTRACT_DELETED: lambda: deleted(ContractFactory(contract_key=SECRET)),
    Kind.RELEASE_CREATED: lambda: saved(ReleaseFactory.build(product=ProductFactory())),
    Kind.RELEASE_UPDATED: lambda: saved(ReleaseFactory(), version="9.9"),
    Kind.RELEASE_DELETED: lambda: deleted(ReleaseFactory()),
    Kind.DOWNLOADABLE_CREATED: lambda: save_downloadable(
        downloadable=DownloadableFactory.build(release=ReleaseFactory(), file=ContentFile(b"MZ", name="a.exe")), **BY
    ),
    Kind.DOWNLOADABLE_UPDATED: lambda: saved(DownloadableFactory(), file_name="b.exe"),
    Kind.DOWNLOADABLE_DELETED: lambda: deleted(DownloadableFactory()),
    Kind.BLOCK_LIST_ENTRY_CREATED: lambda: saved(entry()),
    Kind.BLOCK_LIST_ENTRY_UPDATED: lambda: saved(stored(entry()), reason="stolen"),
    Kind.BLOCK_LIST_ENTRY_DELETED: lambda: deleted(stored(entry())),
    Kind.ASSIGNMENT_QUEUED: queue,
    Kind.ASSIGNMENT_DELIVERED: lambda: delivery("delivered"),
    Kind.ASSIGNMENT_UNDELIVERED: lambda: delivery("failed"),
    Kind.ASSIGNMENT_SENT_AGAIN: lambda: queued_assignments.send_again(queued=queued(state="uncertain"), **BY),
    Kind.ASSIGNMENT_UPLOADED: uploaded_file,
    Kind.ASSIGNMENT_STARTED: started_file,
    Kind.ASSIGNMENT_PAUSED: lambda: pause_assignment(assignment=started_file(), **BY),
    Kind.ASSIGNMENT_RESUMED: resumed_file,
    Kind.ASSIGNMENT_CANCELLED: lambda: cancel_assignment(assignment=started_file(), **BY),
    Kind.ASSIGNMENT_FINISHED: finished_file,
    Kind.ASSIGNMENT_FAILED: failed_file,
    Kind.ASSIGNMENT_UNDOING: lambda: undo_assignment(assignment=finished_file(), **BY),
    Kind.ASSIGNMENT_UNDONE: undone_file,
    Kind.LICENSE_FILE_MADE: license_file,
    Kind.SIGNING_KEY_CREATED: lambda: create_signing_key(product=None, **BY),
    Kind.SIGNING_KEY_IMPORTED: imported_signing_key,
    Kind.SIGNING_KEY_ACTIVATED: lambda: use_signing_key(signing_key=upcoming_signing_key(), **BY),
    Kind.SIGNING_KEY_RETIRED: replaced_signing_key,
    Kind.SIGNING_KEY_COMPROMISED: compromised_signing_key,
    Kind.VAULT_REENCRYPTED: reencrypted,
    Kind.API_KEY_CREATED: api_key,
    Kind.API_KEY_UPDATED: lambda: saved(api_key(), name="Other shop"),
    Kind.API_KEY_REVOKED: lambda: revoke_api_key(api_key=api_key(), **BY),
    Kind.SETTING_CHANGED: lambda: change_settings({"licenseKey": SECRET}, caller=CALLER, replace=False),
    Kind.SETTING_REFUSED: lambda: record_refused(["licenseKey"], caller=CALLER),
    Kind.AUDIT_PRUNED: pruned,
    Kind.EXPORT_MADE: exported,
    Kind.IMPORT_MADE: imported,
    **STAFF_CHANGES,
}


def test_every_kind_of_event_has_its_change_here():
    assert set(Kind) == set(CHANGES)


@pytest.mark.parametrize("kind", CHANGES)
def test_it_is_recorded_with_who_and_from_where_and_without_secrets(kind, settings, tmp_path, monkeypatch):
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: SECRET * 2)  # the text of an API key
    CHANGES[kind]()
    event = AuditEvent.objects.filter(kind=kind).latest("pk")
    assert (event.door, event.actor, event.address) == ("admin", WHO.get(kind, NAME), ADDRESS)
    assert event.object_type
    written = json.dumps(list(AuditEvent.objects.values()), default=str)
    assert "SECRET" not in written
    assert "PRIVATE KEY" not in written
