// node check.mjs chunked|signed PUBLIC_KEY.pem < text
// chunked: the JSON of a license file in blocks. signed: whether the signature fits, as received and sorted.

import { constants, createPublicKey, publicDecrypt, verify } from "node:crypto";
import { readFileSync } from "node:fs";

function readChunked(text, key) {
  const size = key.asymmetricKeyDetails.modulusLength / 8;
  const data = Buffer.from(text, "base64");
  const pieces = [];
  try {
    for (let start = 0; start < data.length; start += size) {
      const block = data.subarray(start, start + size);
      pieces.push(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, block));
    }
    return JSON.parse(Buffer.concat(pieces).toString("utf8"));
  } catch {
    return null;
  }
}

function sortedNames(value) {
  if (Array.isArray(value)) return value.map(sortedNames);
  if (value === null || typeof value !== "object") return value;
  const sorted = {};
  for (const name of Object.keys(value).sort()) sorted[name] = sortedNames(value[name]);
  return sorted;
}

function isSigned(document, sorted, key) {
  const { signature, ...unsigned } = document;
  const message = JSON.stringify(sorted ? sortedNames(unsigned) : unsigned);
  return verify("sha256", Buffer.from(message), key, Buffer.from(signature, "base64"));
}

const [what, path] = process.argv.slice(2);
const key = createPublicKey(readFileSync(path));
const text = readFileSync(0, "utf8");
const result =
  what === "chunked"
    ? readChunked(text, key)
    : [isSigned(JSON.parse(text), false, key), isSigned(JSON.parse(text), true, key)];
console.log(JSON.stringify(result));
