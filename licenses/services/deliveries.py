"""Posting a sealed answer to a shop's webhook, in the form that plug-ins read, and what is known of its arrival."""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from licenses import signing
from licenses.services import outgoing
from licenses.services.outgoing import NotSent, Uncertain

# A gateway says that the shop behind it has not answered in time: it has got the request
PASSED_ON = (HTTPStatus.GATEWAY_TIMEOUT, 524)


class Delivery(NamedTuple):
    """What became of it: it arrived, or perhaps, or (neither) it did not and may be sent again; `problem` says why."""

    is_success: bool
    is_uncertain: bool
    problem: str


def deliver(url: str, envelope: Mapping[str, Any]) -> Delivery:
    """Post the envelope in the form that shops' plug-ins read; takes as long as `outgoing.TIME_LIMIT`."""
    body = signing.encode({"headers": {}, "original": in_order(envelope), "exception": None}).encode("ascii")
    try:
        answer = outgoing.post(url, body=body, headers={"Content-Type": "application/json"})
    except NotSent as reason:
        return Delivery(is_success=False, is_uncertain=False, problem=str(reason)[:255])
    except Uncertain as reason:
        return Delivery(is_success=False, is_uncertain=True, problem=str(reason)[:255])
    problem = "" if answer.is_success else f"The shop answered with status {answer.status}."
    return Delivery(is_success=answer.is_success, is_uncertain=answer.status in PASSED_ON, problem=problem)


def in_order(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope as it was sealed: PostgreSQL's JSON does not keep the order of names, the signed text does."""
    response_base64 = envelope["response_base64"]
    return {
        "response": json.loads(base64.b64decode(response_base64)),
        "response_base64": response_base64,
        "private_key_used": envelope["private_key_used"],
        "signature": envelope["signature"],
    }
