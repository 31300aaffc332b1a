"""A warm process that forks others, which change the database until they are done or killed.

`python -m tests.races.changes '{"keys": [...], "changes": 1000, "kills": 100}'` does numbered changes one after the
other, killing whoever does them at random points; with "processes" so many do so many changes each, at the same time.
It has no connection of its own, so that a fork has nothing to share. Prints which numbers were acknowledged.
"""

import gc
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import django
from django.db import connection

if __name__ == "__main__":
    django.setup()

from licenses.codes import Refused
from licenses.models import Product
from licenses.services.activations import activate_license, deactivate_license
from licenses.services.license_keys import assign_license_key, create_license_key
from licenses.services.metadata import create_metadata
from tests.factories import ACTOR

WARM = 5
PAUSE = 0.012  # seconds, at most, from an acknowledgement to the kill: somewhere in the next change or two


def change(number: int, keys: list[str]) -> None:
    """Each number is one change of its own, told from all others by what it writes."""
    key = {"license_key": keys[number // 5 % len(keys)], "actor": ACTOR}
    match number % 5:
        case 0:
            activate_license(identifier=f"c{number}", **key)
        case 1:
            deactivate_license(identifier=f"c{number - 1}", **key)
        case 2:
            create_metadata(identifier="x", name=f"c{number}", value="x", **key)
        case 3:
            create_license_key(product=Product.objects.earliest("pk"), license_key=f"NEW-{number}", actor=ACTOR)
        case 4:
            owner = {"owner_name": "x", "owner_email": f"c{number}@example.com"}
            assign_license_key(license_key=f"NEW-{number - 1}", **owner, actor=ACTOR)


def start(numbers: Iterable[int], keys: list[str]) -> tuple[int, int]:
    """A child that does these changes; its process id, and where it tells each that is done."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    try:
        for number in numbers:
            with suppress(Refused):  # what it builds on died with another child
                change(number, keys)
            os.write(writer, f"{number}\n".encode())
        os._exit(0)
    finally:
        os._exit(1)


def kill_after(number: int, last: int, keys: list[str]) -> list[int]:
    """Let a child go on after `last` and kill it some time after it has done `number`; what it has done."""
    child, reader = start(range(last + 1, number + 50), keys)
    told = b""
    while f"\n{number}\n".encode() not in b"\n" + told and (more := os.read(reader, 4096)):
        told += more
    time.sleep(random.uniform(0, PAUSE))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 4096):
        told += more
    os.close(reader)
    return [int(line) for line in told.split()]


def with_kills(keys: list[str], changes: int, kills: int) -> dict[str, list[int]]:
    acknowledged, in_flight, last = list(range(WARM)), [], WARM - 1
    for number in acknowledged:  # whoever is forked afterwards finds everything loaded
        change(number, keys)
    connection.close()
    gc.freeze()
    for point in sorted(random.sample(range(WARM, changes), kills)):
        acknowledged += kill_after(max(point, last + 1), last, keys)
        in_flight.append(acknowledged[-1] + 1)  # it may be committed or not
        last = in_flight[-1]
    return {"acknowledged": acknowledged, "in_flight": in_flight}


def at_once(keys: list[str], changes: int, processes: int) -> dict[str, list[int]]:
    children = [start(range(part * changes, (part + 1) * changes), keys) for part in range(processes)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in children]
    return {"codes": codes}


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    print(json.dumps((with_kills if "kills" in options else at_once)(**options)))
