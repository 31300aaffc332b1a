"""A caller of the settings API, and a table of settings with a row of every kind."""

import json
from typing import Any

from django.test import Client

from settings_api.parameters import NUMBER, TEXT, TRUTH, Parameter

LICENSE_KEY = Parameter("licenseKey", "License Key", "LICENSE_KEY", TEXT, "", "A secret", secret=True, required=True)
GREETING = Parameter("greeting", "Greeting", "GREETING", TEXT, "Hello", "May be empty", may_be_empty=True)
STRICT = Parameter("strict", "Strict mode", "STRICT", TRUTH, True, "Yes or no")
RETRIES = Parameter("retries", "Retries", "RETRIES", NUMBER, 3, "A number")
TABLE = (LICENSE_KEY, GREETING, STRICT, RETRIES)

NEW_VALUES = {"licenseKey": "NEW1-NEW2-NEW3-NEW4", "greeting": "Servus", "strict": False, "retries": 7}


def new_value(parameter: Parameter) -> Any:
    """A value to set, for any row that the table has or will have."""
    return {TEXT: "NEW1-NEW2-NEW3-NEW4", TRUTH: not parameter.default, NUMBER: 7}[parameter.kind]


def pinned_text(parameter: Parameter) -> str:
    """What its variable says, another value."""
    return {TEXT: "PIN1-PIN2-PIN3-PIN4", TRUTH: str(parameter.default), NUMBER: "8"}[parameter.kind]


class SettingsApi:
    """`api.put({...})` sends `data.attributes`; every answer must be JSON of the documented form."""

    def __init__(self, client: Client, api_key: str | None) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def get(self, path: str = "settings") -> dict[str, Any]:
        return self.read(self.client.get(f"/api/license/{path}", headers=self.headers))

    def put(self, attributes: Any) -> dict[str, Any]:
        return self.send("PUT", json.dumps({"data": {"attributes": attributes}}))

    def patch(self, attributes: Any) -> dict[str, Any]:
        return self.send("PATCH", json.dumps({"data": {"attributes": attributes}}))

    def send(self, method: str, body: str | bytes, media_type: str = "application/json", path: str = "settings") -> Any:
        return self.read(
            self.client.generic(method, f"/api/license/{path}", body, content_type=media_type, headers=self.headers)
        )

    def read(self, http: Any) -> dict[str, Any]:
        """The body, after the form that all answers share was checked."""
        self.http, self.status = http, http.status_code
        assert http.headers["Content-Type"] == "application/json"
        assert http.headers["Cache-Control"] == "no-store"
        body = json.loads(http.content)
        if self.status == 200:
            assert list(body) in (["data", "meta"], ["data", "meta", "message"])
            assert list(body["meta"]) == ["executionTime", "generatedAt"]
            assert all(type(number) is int and number >= 0 for number in body["meta"].values())
        else:
            assert list(body) in (["message"], ["message", "errors"])
            assert type(body["message"]) is str
        return body
