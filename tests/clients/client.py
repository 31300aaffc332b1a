"""A program in Python that asks with GET wherever it may, from a base URL of any spelling.

Usage: client.py BASE API_KEY [PRODUCT]. BASE is the URL before the endpoint's name. Without PRODUCT it creates one and
prints its id; with it, it plays the life of a license key. A line per step.
"""

import base64
import hashlib
import json
import sys

import urllib3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

READS = {"get-all-generators", "get-product-public-key", "access-downloadables", "get-license-keys", "get-product"}
POOL = urllib3.PoolManager(retries=False, timeout=30)


class Program:
    def __init__(self, base: str, api_key: str) -> None:
        self.base, self.api_key, self.public_key = base, api_key, None

    def ask(self, endpoint, **params):
        fields = {"api_key": self.api_key} | {name: str(value) for name, value in params.items()}
        method, options = ("GET", {}) if endpoint in READS else ("POST", {"encode_multipart": False})
        envelope = POOL.request(method, f"{self.base}{endpoint}", fields=fields, redirect=False, **options).json()
        if self.public_key and envelope["private_key_used"] == "product":
            self.check(envelope["response_base64"], envelope["signature"])
        answer = json.loads(base64.b64decode(envelope["response_base64"]))
        assert answer == envelope["response"], endpoint
        print(endpoint, json.dumps(answer["code"]))
        return answer

    def check(self, text, signature):
        """InvalidSignature when the key has not signed the text."""
        self.public_key.verify(base64.b64decode(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())

    def live(self, product):
        generator = self.ask("get-all-generators", product_id=product)["products"][0]["id"]
        license_key = self.ask("generate", generator_id=generator, quantity=1)["licenseKeys"][0]
        self.ask("assign-license-key", license_key=license_key, owner_email="ada@example.com")
        pem = self.ask("get-product-public-key", product_id=product)["public_key"]
        self.public_key = serialization.load_pem_public_key(pem.encode())
        at = {"license_key": license_key, "identifier": "host"}
        self.ask("activate", **at)
        self.ask("verify", **at)
        self.ask("create-license-key-meta", **at, key="edition", value="Pro")
        report = {"license_key": license_key, "activation_identifier": "host", "user_identifier": "u"}
        value = {"data_type": "text", "data_group": "clients", "text_data": "Hello", "product_version": "1.0"}
        self.ask("send-telemetry-data", product_id=product, **report, **value)
        url = self.ask("access-downloadables", **at)["downloadables"][0]["url"]
        print("download", hashlib.sha256(POOL.request("GET", url).data).hexdigest())
        self.read_offline(self.ask("get-license-file", **at)["licenseFile"])
        self.ask("deactivate", **at)
        self.ask("delete-license-key", license_key=license_key)
        self.ask("delete-product", product_id=product)

    def read_offline(self, document):
        signature = document.pop("signature")
        self.check(json.dumps(document, separators=(",", ":"), ensure_ascii=False), signature)
        print("offline true")


if __name__ == "__main__":
    base, api_key, *product = sys.argv[1:]
    program = Program(base, api_key)
    if product:
        program.live(product[0])
    else:
        print(program.ask("create-product", name="Größe / 日本", description="Sold by a program")["product_id"])
