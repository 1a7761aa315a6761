// Answers one JSON line for each on stdin, with the reference library of Standard Webhooks.
//   {"do": "verify", "secret", "headers", "body"}           -> {"ok": true} or {"ok": false, "why"}
//   {"do": "sign", "secret", "id", "seconds", "body"}       -> {"signature"}
"use strict";
const readline = require("node:readline");
const { Webhook } = require("standardwebhooks");

function answer(question) {
  const webhook = new Webhook(question.secret);
  if (question.do === "sign") {
    const at = new Date(question.seconds * 1000);
    return { signature: webhook.sign(question.id, at, question.body) };
  }
  try {
    webhook.verify(question.body, question.headers);
    return { ok: true };
  } catch (error) {
    return { ok: false, why: error.message };
  }
}

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => console.log(JSON.stringify(answer(JSON.parse(line)))));
