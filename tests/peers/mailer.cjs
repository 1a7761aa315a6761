// Mails composed and signed by a library not written here: npm's `nodemailer`. Answers one JSON line
// for each on stdin.
//   {"message": its options, "dkim"?: {"domainName", "keySelector", "privateKey"}} -> {"raw": base64}
"use strict";
const readline = require("node:readline");
const nodemailer = require("nodemailer");

async function answer(q) {
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  const sent = await transport.sendMail({ ...q.message, ...(q.dkim ? { dkim: q.dkim } : {}) });
  return { raw: sent.message.toString("base64") };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
  }
})();
