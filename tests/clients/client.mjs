// A program in Node: JSON with a Bearer token, chunked bodies without a Content-Length, an Idempotency-Key per change.
// Usage: client.mjs BASE API_KEY [PRODUCT]. Without PRODUCT it creates one and prints its id; with it, it plays the life
// of a license key. A line per step.

import { createHash, randomUUID, verify } from "node:crypto";
import { request } from "node:http";

const [base, apiKey, product] = process.argv.slice(2);
let publicKey = null;

function send(url, method, headers = {}, body = null) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve(Buffer.concat(chunks)));
    });
    sent.on("error", reject);
    if (body !== null) for (const piece of body.match(/.{1,20}/gsu)) sent.write(piece); // chunked: no length is known
    sent.end();
  });
}

const signed = (text, signature) =>
  verify("sha256", Buffer.from(text), publicKey, Buffer.from(signature, "base64"));

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

// Whether the answer is to this very call: of now, with its nonce, about its license key and its identifier
function fresh(answer, nonce, { license_key, identifier, activation_identifier }) {
  return (
    answer.nonce === nonce &&
    answer.license_key_fingerprint === (license_key ? sha256(license_key.trim()) : null) &&
    answer.identifier === (identifier ?? activation_identifier ?? null) &&
    Math.abs(Date.now() / 1000 - answer.timestamp) < 300
  );
}

async function ask(endpoint, own, { reads = false, once = randomUUID() } = {}) {
  const params = { ...own, nonce: once }; // random for each call; a retry is the same call
  const headers = { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" };
  const url = new URL(`/v1/${endpoint}`, base); // the path of the base is lost, as it is in existing programs
  if (reads) url.search = new URLSearchParams(params);
  else headers["Idempotency-Key"] = once;
  const bytes = await send(url, reads ? "GET" : "POST", headers, reads ? null : JSON.stringify(params));
  const envelope = JSON.parse(bytes);
  if (publicKey && envelope.private_key_used === "product" && !signed(envelope.response_base64, envelope.signature))
    throw new Error(`${endpoint}: the signature is wrong`);
  const answer = JSON.parse(Buffer.from(envelope.response_base64, "base64"));
  if (JSON.stringify(answer) !== JSON.stringify(envelope.response)) throw new Error(`${endpoint}: the bytes differ`);
  if (!fresh(answer, once, own)) throw new Error(`${endpoint}: this is the answer to something else`);
  console.log(endpoint, JSON.stringify(answer.code));
  return answer;
}

function verified({ signature, ...document }) {
  return signed(JSON.stringify(document), signature);
}

async function live() {
  const { products } = await ask("get-all-generators", { product_id: product }, { reads: true });
  const made = await ask("generate", { generator_id: products[0].id, quantity: 1 });
  const license_key = made.licenseKeys[0];
  await ask("assign-license-key", { license_key, customer_name: "Ada", customer_email: "ada@example.com" });
  ({ public_key: publicKey } = await ask("get-product-public-key", { product_id: product }, { reads: true }));
  const at = { license_key, identifier: "device/größe" };
  const once = randomUUID();
  await ask("activate", at, { once });
  await ask("activate", at, { once }); // a network that lost the answer
  await ask("verify", at);
  await ask("create-license-key-meta", { ...at, meta_key: "edition", meta_value: "Pro" });
  await ask("send-telemetry", {
    product_id: Number(product), user_identifier: "u", license_key, activation_identifier: "device",
    product_version: "1.0", data_type: "numeric-single-value", data_group: "clients", numeric_data_single_value: 50,
  });
  const { downloadables } = await ask("access-downloadables", at);
  console.log("download", sha256(await send(downloadables[0].url, "GET")));
  const { licenseFile } = await ask("get-license-file", at);
  console.log("offline", verified(licenseFile));
  await ask("deactivate", at);
  await ask("delete-license-key", { license_key });
  await ask("delete-product", { product_id: Number(product) });
}

if (product) await live();
else console.log((await ask("create-product", { name: "Größe / 日本", description: "Sold by a program in Node" })).product_id);
