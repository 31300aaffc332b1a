"""`make demo`: every documented request, played against a portal of its own, with nothing taken on trust.

The requests and their answers are docs/protocol/examples.json; the signatures are verified by the `openssl` program.
"""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from licenses.services import outgoing
from licensing_portal import environment as var
from licensing_portal import quickstart

EXAMPLES = quickstart.BASE_DIR / "docs" / "protocol" / "examples.json"
ENVELOPE = ["response", "response_base64", "private_key_used", "signature"]
# What differs from portal to portal, and the form it has everywhere
NUMBER, DATE, ROW_DATE = r"[1-9]\d*", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
NOTHING = r"(?!)"  # matches no text
VARIES = {
    "id": NUMBER,
    "product_id": NUMBER,
    "meta_id": NUMBER,
    "timestamp": r"[1-9]\d{9}",
    "assigned_at": f"{DATE}|{ROW_DATE}|None",
    "created_at": ROW_DATE,
    "updated_at": ROW_DATE,
    "licenseKeys": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "url": r"http://127\.0\.0\.1:\d+/api/v1/download/\S+",
}
START_SECONDS = 60


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so that the portal is stopped too
    with tempfile.TemporaryDirectory(prefix="portal-demo-") as name, portal(Path(name)) as (url, values):
        wrong = play(url, values, Path(name))
    if wrong:
        raise SystemExit(f"{wrong} answer{' is' if wrong == 1 else 's are'} wrong.")
    print("Every answer is as documented, and openssl verified every signature.")


@contextmanager
def portal(folder: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """A portal of its own in `folder`, started as `make run` starts one: its address, and the API keys of the stage."""
    port = free_port()
    set_environment(folder, port)
    quickstart.prepare(quickstart.private_folder())
    values = set_stage(folder)
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(quickstart.SERVER, cwd=quickstart.BASE_DIR, stdout=output, stderr=output)  # noqa: S603  our own command
    try:
        yield wait_for(f"http://127.0.0.1:{port}", server, log), values
    finally:
        server.terminate()
        server.wait(timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def set_environment(folder: Path, port: int) -> None:
    """What a .env file or the shell says about another portal must not reach this one."""
    own = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": var.sqlite_url(folder / "portal.sqlite3"),
        "BIND": "127.0.0.1",
        "PORT": str(port),
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "false",
        "TRUSTED_PROXY_COUNT": "0",
        "PRODUCT_SIGNING_KEYS": "true",
        "CACHE_URL": "",
    }
    for name in own:
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(own)


def set_stage(folder: Path) -> dict[str, str]:
    """What the documented requests find. Returns the texts of the API keys; leaves the public keys in `folder`."""
    from licensing_portal import demo_stage

    for signing_key in demo_stage.set_products():
        (folder / f"{signing_key.label}-{signing_key.pk}.pem").write_text(signing_key.public_key)
    return demo_stage.make_api_keys()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(outgoing.NotSent, outgoing.Uncertain):
            if outgoing.get(f"{url}/readyz", headers={}, named_by_operator=True).is_success:
                return url
        time.sleep(0.1)
    raise SystemExit(f"The portal did not start:\n{log.read_text()}")


def play(url: str, values: Mapping[str, str], folder: Path) -> int:
    """Send every documented request and print a line for each; returns how many answers are wrong."""
    wrong = 0
    for example in json.loads(EXAMPLES.read_text())["examples"]:
        sent = {name: value.format_map(values) for name, value in example["parameters"].items()}
        http = send(example.get("method", "POST"), f"{url}/api/v1/{example['endpoint']}", sent)
        problems = list(find_problems(example, http, folder))
        print(
            f"{'✗' if problems else '✓'} {example['endpoint']:34}{example['response']['code']:>4}  {example['title']}"
        )
        print("".join(f"    {problem}\n" for problem in problems), end="", flush=True)
        wrong += bool(problems)
    return wrong


def send(method: str, url: str, fields: Mapping[str, str]) -> outgoing.Response:
    """A form POST, as shops send it, or a GET with a query."""
    form = urlencode(fields)
    if method == "GET":
        return outgoing.get(f"{url}?{form}", headers={}, named_by_operator=True)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return outgoing.post(url, body=form.encode(), headers=headers, named_by_operator=True)


def find_problems(example: Mapping[str, Any], http: outgoing.Response, folder: Path) -> Iterator[str]:
    """Each way in which the answer is not the documented one."""
    envelope = json.loads(http.body)
    if http.status != example["http_status"]:
        yield f"HTTP status {http.status}, not {example['http_status']}"
    if list(envelope) != ENVELOPE:
        yield f"the envelope holds {list(envelope)}"
        return
    label = envelope["private_key_used"]
    if label != example["private_key_used"]:
        yield f"signed with the {label} key, not the {example['private_key_used']} key"
    yield from differences(example["response"], envelope["response"], "response")
    if json.dumps(envelope["response"]) != json.dumps(json.loads(base64.b64decode(envelope["response_base64"]))):
        yield "response_base64 says something else than response"
    if not any(openssl_verifies(envelope, key, folder) for key in folder.glob(f"{label}-*.pem")):
        yield f"openssl does not verify the signature with a {label} key"


def differences(documented: Any, answered: Any, where: str) -> Iterator[str]:
    """Where two JSON values differ in type, value or order of fields, other than what `VARIES`."""
    name = where.rpartition(".")[2].partition("[")[0]
    if type(documented) is not type(answered):
        yield f"{where} is {answered!r}, not {documented!r}"
    elif isinstance(documented, dict):
        if list(documented) != list(answered):
            yield f"{where} has the fields {list(answered)}, not {list(documented)}"
        for field in documented.keys() & answered.keys():
            yield from differences(documented[field], answered[field], f"{where}.{field}")
    elif isinstance(documented, list):
        if len(documented) != len(answered):
            yield f"{where} has {len(answered)} items, not {len(documented)}"
        for number, (one, other) in enumerate(zip(documented, answered, strict=False)):
            yield from differences(one, other, f"{where}[{number}]")
    elif documented != answered and not re.fullmatch(VARIES.get(name, NOTHING), str(answered)):
        yield f"{where} is {answered!r}, not {documented!r}"


def openssl_verifies(envelope: Mapping[str, str], public_key: Path, folder: Path) -> bool:
    signature, signed = folder / "answer.sig", folder / "answer.b64"
    signature.write_bytes(base64.b64decode(envelope["signature"]))
    signed.write_text(envelope["response_base64"])
    command = ["openssl", "dgst", "-sha256", "-verify", str(public_key), "-signature", str(signature), str(signed)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603  as above


if __name__ == "__main__":
    main()
