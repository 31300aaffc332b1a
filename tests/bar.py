"""The bar: what this portal promises, and for every promise the tests that prove it.

A test says which statement it proves with `@pytest.mark.statement("S20")`. `make test` prints the table with what
came of it; a statement without a test is listed as open, and one that is not said to be open here fails the run.
"""

from typing import NamedTuple


class Statement(NamedTuple):
    """A promise in a line; `open` says what of it has no test yet, and why or where it belongs."""

    text: str
    open: str = ""


BAR = {
    # Never oversold
    "S1": Statement("200 parallel activations against a limit of 1, 5 or 50: exactly so many succeed, none gets a 5xx"),
    "S2": Statement("the same identifier 50 times in parallel: one activation, 49 times already active"),
    "S4": Statement(
        "activating while deactivating, blocking or lowering the limit: never above it, none outlives a block"
    ),
    "S5": Statement("parallel assignment hands no license key out twice; one key has one winner"),
    "S8": Statement("a contract's quota under parallel generation: exactly the quota, then refusals"),
    "R1": Statement("one Idempotency-Key, 50 in parallel: one effect, 50 equal answers; another body is refused"),
    # Only who may
    "S9": Statement("every route and every kind of caller equals a declared table; a route without a row fails"),
    "S11": Statement("parameters that an endpoint does not take change nothing"),
    "S12": Statement("every bulk action in the admin checks the permission again; who may only view changes 0 rows"),
    "S13": Statement(
        "an API key does what its capabilities say; each refusal has its answer; revoking works in a second"
    ),
    "S14": Statement("staff log-in: the sixth try in a minute per address and per account is refused with Retry-After"),
    "S17": Statement("API keys are stored only as digests and compared in constant time"),
    "S19": Statement("keys carry 120 random bits of the operating system, or the admin says how many they have"),
    "S20": Statement("guessing wrong keys from one address is throttled by the twentieth try"),
    # Signed, and only what we signed
    "S22": Statement(
        "a signature made for one type of document never verifies as another", "webhooks: with the webhooks themselves"
    ),
    "S23": Statement("one flipped bit in a signed document or in its signature is rejected"),
    "S24": Statement("an empty, missing or unreadable key never verifies; sealing without a key fails at start"),
    "S26": Statement(
        "old answers verify after rotations, new ones use the active key; private halves are nowhere in clear"
    ),
    "S28": Statement("a database alone cannot sign"),
    # Bad input
    "S29": Statement(
        "hostile values in every parameter, filter, search and sort: no 5xx, a clear answer, nothing changed"
    ),
    "S30": Statement("outgoing calls reach no internal address, by no trick; 10 s and 64 KB at most"),
    "S31": Statement("uploads: wrong types, path tricks and zip bombs are refused or inert, served as attachments"),
    "S32": Statement(
        "CSV: formulas are neutralised on export; broken files are handled or refused with the line number"
    ),
    "S33": Statement("a stored script is shown as text everywhere; the policy allows no inline script"),
    "S34": Statement("the portal builds no URL with a secret in it; logs are scrubbed of those that clients send"),
    "S35": Statement("a body over 1 MB is a 413, pages are capped, a statement over 5 s is cut on request paths"),
    "S36": Statement("throttling counts exactly across 4 processes that share a Redis"),
    "S38": Statement("no log of the suite has a full key, password or token in it"),
    "S41": Statement(
        "`check --deploy` is clean; production refuses DEBUG, a default SECRET_KEY and wildcard hosts",
        "the audit of dependencies: it wants vulnerability data from the internet, which the suite does without",
    ),
    "S42": Statement("the OpenAPI document lists every route, and a fuzzer driven by it finds nothing undocumented"),
    # Nothing lost
    "R2": Statement(
        "kill -9 at 100 points of 1,000 changes: every change has its audit row, no row is without its change",
        "the rows of the webhooks' outbox: with the webhooks",
    ),
    "R3": Statement(
        "a receiver that is down gets every event afterwards, with the same id; after three days it is a dead letter",
        "events of webhooks: with the webhooks; what is proved are the results of queued assignments",
    ),
    "R4": Statement("one dead receiver does not slow the delivery to 50 healthy ones", "with the webhooks"),
    "R6": Statement(
        "a killed worker's job is taken over; no job is lost, none is run twice at the same time",
        "4 workers and 10,000 jobs: with the scale",
    ),
    "R8": Statement("verification works with Redis, mail, worker and queue all down", "with the operation"),
    "R9": Statement(
        "the database away for 30 s: 503 with Retry-After, nothing lost, back without restart", "with the operation"
    ),
    "R11": Statement(
        "a rolling restart fails no verification; migrations lock nothing for over 2 s", "with the operation"
    ),
    "R12": Statement("a backup restored on an empty host: same rows, old signatures verify", "with the operation"),
    "R14": Statement(
        "a bulk assignment killed and started again: no row twice, none missing; the dry run says what happens",
        "100,000 rows: with the scale; CI kills smaller ones at more points",
    ),
    "R15": Statement(
        "leap day, daylight saving, 31 January plus a month, 2038, clock skew: the expiry is as specified"
    ),
    "R16": Statement(
        "liveness depends on nothing; readiness is false without the database or with a migration missing"
    ),
}
