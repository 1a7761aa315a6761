// A message centre made of npm's `smpp`: keeps what it is given until the other side has taken it.
//
// Arguments: port, and for TLS the PEM files of certificate with key and of whom it trusts. Reads
// commands, one JSON object a line, and writes events the same way; see smsc.py.
'use strict';
const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const settings = { password: 'secret', throttle: 0, silent: false, refuse: 0, window: 10, limit: 1e9, hold: false };
const queue = [];
const waiting = new Set();
let session = null;
let ids = 0;

function say(event) {
  process.stdout.write(JSON.stringify(event) + '\n');
}

function parameters(item) {
  const options = {
    source_addr_ton: item.ton || 0,
    source_addr: item.source || '',
    destination_addr: item.destination || '106912345',
    esm_class: item.esm || 0,
    data_coding: item.coding || 0,
    short_message: Buffer.from(item.hex || '', 'hex'),
  };
  for (const [name, value] of Object.entries(item.tlvs || {})) {
    options[name] = name === 'message_payload' ? Buffer.from(value, 'hex') : value;
  }
  return options;
}

function pump() {
  while (session && session.bound && queue.length && waiting.size < settings.window) {
    const item = queue.shift();
    const to = session;
    waiting.add(item);
    to.deliver_sm(parameters(item), (answer) => {
      if (!waiting.delete(item)) return;
      say({ event: 'answered', id: item.id, status: answer.command_status });
      if (answer.command_status !== 0 && !item.once) {
        setTimeout(() => { queue.push(item); pump(); }, 100);
      }
      pump();
    });
  }
}

function lost(closed) {
  if (session !== closed) return;
  session = null;
  for (const item of waiting) queue.unshift(item);
  waiting.clear();
  say({ event: 'closed' });
}

function bind(on, pdu) {
  say({ event: 'bind', user: pdu.system_id, version: pdu.interface_version });
  if (settings.silent) return;
  if (pdu.password !== settings.password) {
    on.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
    on.close();
    return;
  }
  on.send(pdu.response({ system_id: 'npm' }));
  on.bound = true;
  session = on;
  pump();
}

function submitted(on, pdu) {
  if (settings.silent) return;
  if (settings.hold) {
    say({ event: 'held', text: pdu.short_message.message });
    return;
  }
  if (settings.throttle > 0) {
    settings.throttle -= 1;
    on.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    return;
  }
  if (settings.refuse || ids >= settings.limit) {
    on.send(pdu.response({ command_status: settings.refuse || smpp.ESME_RSYSERR }));
    return;
  }
  const id = String(++ids);
  const message = pdu.short_message;
  const udh = message.udh ? Buffer.concat([].concat(message.udh)).toString('hex') : '';
  say({
    event: 'submit', id, to: pdu.destination_addr, ton: pdu.dest_addr_ton, from: pdu.source_addr,
    coding: pdu.data_coding, text: message.message, udh, priority: pdu.priority_flag,
  });
  on.send(pdu.response({ message_id: id }));
}

const [port, own, trusted] = process.argv.slice(2);
const secure = own ? { key: fs.readFileSync(own), cert: fs.readFileSync(own) } : {};
if (trusted) Object.assign(secure, { ca: fs.readFileSync(trusted), requestCert: true });
const server = smpp.createServer(secure, (on) => {
  on.on('error', () => {});
  on.on('close', () => lost(on));
  on.on('bind_transceiver', (pdu) => bind(on, pdu));
  on.on('submit_sm', (pdu) => submitted(on, pdu));
  on.on('enquire_link', (pdu) => {
    say({ event: 'enquire' });
    if (!settings.silent) on.send(pdu.response());
  });
  on.on('unbind', (pdu) => { say({ event: 'unbind' }); on.send(pdu.response()); on.close(); });
  on.on('enquire_link_resp', () => say({ event: 'alive' }));
  on.on('unbind_resp', () => say({ event: 'unbound' }));
  on.on('generic_nack', (pdu) => say({ event: 'nack', status: pdu.command_status }));
});
server.on('tlsClientError', (error) => say({ event: 'untrusted', why: error.code || error.message }));
server.listen(Number(port || 0), '127.0.0.1', () => {
  say({ event: 'port', port: server.address().port });
});

const commands = {
  set: (command) => { Object.assign(settings, command.values); say({ event: 'set' }); },
  deliver: (command) => { queue.push(...command.items); pump(); },
  raw: (command) => session && session.socket.write(Buffer.from(command.hex, 'hex')),
  // Node.js resets plain sockets only; one of TLS is cut off without its farewell.
  reset: () => session && session.socket[own ? 'destroy' : 'resetAndDestroy'](),
  enquire: () => session && session.enquire_link(),
  unbind: () => session && session.unbind(),
};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
}).on('close', () => process.exit(0));
