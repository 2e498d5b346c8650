// Judges webhooks as a receiver would: by the reference library of Standard Webhooks for v1, which
// is all that it knows, and for v1a with Node's own ed25519 and the public key alone.
//
// stdin: a JSON array of {"key": "whsec_..." | "whpk_...", "headers": {...}, "body": base64}
// stdout: a JSON array, "ok" or why not for each.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const { Webhook } = require("standardwebhooks");

// What stands in front of the 32 bytes of an ed25519 key in its DER form, RFC 8410.
const ED25519_HEAD = Buffer.from("302a300506032b6570032100", "hex");

function verifyV1a(key, headers, body) {
  const publicKey = crypto.createPublicKey({
    key: Buffer.concat([ED25519_HEAD, Buffer.from(key.slice("whpk_".length), "base64")]),
    format: "der",
    type: "spki",
  });
  const start = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const message = Buffer.concat([Buffer.from(start), body]);
  const genuine = headers["webhook-signature"].split(" ").some((entry) => {
    const [version, signature] = entry.split(",");
    return version === "v1a" &&
      crypto.verify(null, message, publicKey, Buffer.from(signature, "base64"));
  });
  if (!genuine) throw new Error("No matching signature found");
}

function judge({ key, headers, body }) {
  try {
    const bytes = Buffer.from(body, "base64");
    if (key.startsWith("whpk_")) {
      verifyV1a(key, headers, bytes);
    } else {
      new Webhook(key).verify(bytes, headers, { jsonParse: false });
    }
    return "ok";
  } catch (error) {
    return error.message;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")).map(judge)));
