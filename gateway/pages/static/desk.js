// The desk's page, live. Without this script the page reloads by itself and its forms still work.
"use strict";

(() => {
  const body = document.body;
  if (!body.dataset.desk) return;

  const desk = body.dataset.desk;
  const texts = JSON.parse(body.dataset.texts);
  const api = `/api/v1/liaison/${encodeURIComponent(desk)}`;
  const unanswered = new Set(["raised", "escalated", "returned"]);
  const byId = (id) => document.getElementById(id);
  const cards = new Map(); // incident id -> {node, incident or null while only the server's markup is known}
  const title = document.title;
  let skew = Date.parse(body.dataset.now) - Date.now(); // the server's clock counts
  let source = null;
  let heard = Date.now();
  let synced = false;
  let callShown = 0; // timer that takes a call's banner away
  const seen = new Set(); // incidents that the stream has told of

  for (const node of document.querySelectorAll(".card")) cards.set(node.dataset.id, { node, incident: null });

  // Local storage may be switched off.
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* not kept */ } };
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };

  // Cards

  const part = (node, name) => node.querySelector(`[data-f="${name}"]`);
  const put = (node, name, text) => { part(node, name).textContent = text; };
  const show = (node, name, yes) => { part(node, name).hidden = !yes; };
  const clone = (id) => byId(id).content.firstElementChild.cloneNode(true);
  const clockTime = (iso, end) => iso.slice(11, end);

  function telephone(number) {
    const link = document.createElement("a");
    link.className = "tel";
    link.href = `tel:${number}`;
    link.textContent = number;
    return link;
  }

  function fillReport(word) {
    const node = clone("t-report");
    put(node, "text", word.text);
    put(node, "at", clockTime(word.at, 16));
    put(node, "number", word.number);
    put(node, "via", texts[`via_${word.channel}`] || word.channel);
    const phone = part(node, "phone");
    phone.hidden = !word.phone;
    if (word.phone) { phone.href = `tel:${word.phone}`; phone.textContent = word.phone; }
    show(node, "no-phone", !word.phone);
    show(node, "confidential", word.confidential);
    return node;
  }

  function fillStep(step) {
    const node = clone("t-step");
    const ours = step.by === "gateway";
    put(node, "at", clockTime(step.at, 19));
    put(node, "event", (texts[step.event] || step.event) + (step.times > 1 ? ` ×${step.times}` : ""));
    put(node, "by", ours ? texts.gateway : step.by);
    put(node, "text", step.text || "");
    show(node, "text", Boolean(step.text) && !ours);
    return node;
  }

  function fill(node, incident) {
    const state = incident.state;
    node.className = `card ${state}${incident.exercise ? " exercise" : ""}`;
    put(node, "state", texts[state] || state);
    show(node, "drill", incident.exercise);
    put(node, "service", `${incident.service} ${incident.label}`);
    show(node, "service", incident.service !== desk);
    put(node, "count", `${incident.reports.length} ${texts.reports}`);
    put(node, "place", incident.place_text || texts.no_place);
    put(node, "kind", incident.kind_label || "");
    show(node, "kind", Boolean(incident.kind_label));
    part(node, "words").replaceChildren(...incident.words.map(fillReport));
    part(node, "steps").replaceChildren(...incident.steps.map(fillStep));
    const contacts = part(node, "contacts");
    const shown = new Set(incident.words.map((word) => word.phone));
    const more = incident.contacts.filter((number) => !shown.has(number));
    contacts.hidden = more.length === 0;
    contacts.replaceChildren(contacts.firstElementChild);
    for (const number of more.slice(0, 8)) contacts.append(" ", telephone(number));
    show(node, "acknowledge", state !== "acknowledged");
    tick(node, incident);
  }

  function make(incident) {
    const node = clone("t-card");
    const place = `${body.dataset.path}/incidents/${incident.id}`;
    node.dataset.id = incident.id;
    node.setAttribute("aria-labelledby", `h-${incident.id}`);
    part(node, "place").id = `h-${incident.id}`;
    node.querySelector("form").setAttribute("action", `${place}/acknowledge`);
    for (const button of node.querySelectorAll("button[formaction]")) button.formAction = `${place}/${button.value}`;
    node.querySelector("input[name=by]").value = kept("desk-by") || node.querySelector("input[name=by]").value;
    return node;
  }

  function update(incident) {
    const here = incident.state !== "closed" && incident.desks.includes(desk);
    const known = cards.get(incident.id);
    if (known?.incident && known.incident.version >= incident.version) return;
    if (!here) {
      known?.node.remove();
      cards.delete(incident.id);
    } else if (known) {
      const more = known.incident && incident.reports.length > known.incident.reports.length;
      known.incident = incident;
      fill(known.node, incident);
      if (more) announce(incident, texts.more);
    } else {
      const node = make(incident);
      fill(node, incident);
      cards.set(incident.id, { node, incident });
      if (unanswered.has(incident.state)) announce(incident, texts.new);
    }
    arrange();
  }

  function arrange() {
    const shown = [...cards.values()].filter((card) => card.incident);
    // Drills never stand before the real.
    shown.sort(({ incident: a }, { incident: b }) =>
      a.exercise - b.exercise || Date.parse(b.opened_at) - Date.parse(a.opened_at));
    const lists = { waiting: [], taken: [] };
    for (const card of shown) lists[unanswered.has(card.incident.state) ? "waiting" : "taken"].push(card.node);
    for (const [name, nodes] of Object.entries(lists)) {
      const list = byId(name);
      // Move only what stands elsewhere: moving a node takes the focus out of its fields.
      nodes.forEach((node, at) => { if (list.children[at] !== node) list.insertBefore(node, list.children[at] || null); });
      byId(`n-${name}`).textContent = String(list.children.length);
      byId(`none-${name}`).hidden = list.children.length > 0;
    }
    const waiting = byId("waiting").children.length;
    byId("n-waiting").classList.toggle("alarm", waiting > 0);
    byId("drill").hidden = !document.querySelector("main .card.exercise");
    document.title = waiting ? `(${waiting}) ${texts.waiting} · ${title}` : title;
  }

  function announce(incident, what) {
    const drill = incident.exercise ? `${texts.drill} ` : "";
    byId("announce").textContent = `${drill}${what}: ${incident.summary}`;
    if (synced) beep(incident.exercise);
  }

  // Time

  function elapsed(iso, now) {
    const seconds = Math.max(0, Math.floor((now - Date.parse(iso)) / 1000));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return hours ? `${hours}:${rest}` : rest;
  }

  function tick(node, incident) {
    const now = Date.now() + skew;
    put(node, "elapsed", elapsed(incident.opened_at, now));
    const late = unanswered.has(incident.state) && Date.parse(incident.acknowledge_by) < now;
    node.classList.toggle("late", late);
  }

  setInterval(() => {
    for (const { node, incident } of cards.values()) if (incident) tick(node, incident);
    // A beat comes every 15 seconds; a connection that is half open shows by its silence only.
    if (source && Date.now() - heard > 40000) connect();
    if (Date.now() - heard > 20000) lost(true);
  }, 1000);

  // Sound: browsers make none before somebody has touched the page.

  let audio = null;

  function tone(at, hertz, seconds) {
    const oscillator = audio.createOscillator();
    const gain = audio.createGain();
    oscillator.type = "square";
    oscillator.frequency.value = hertz;
    gain.gain.setValueAtTime(0.0001, at);
    gain.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
    gain.gain.setValueAtTime(0.25, at + seconds - 0.03);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + seconds);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(at);
    oscillator.stop(at + seconds);
  }

  function beep(exercise) {
    if (!audio || audio.state !== "running") return;
    const now = audio.currentTime;
    if (exercise) { tone(now, 440, 0.2); return; }
    tone(now, 880, 0.25);
    tone(now + 0.3, 660, 0.25);
    tone(now + 0.6, 880, 0.25);
  }

  function soundState() {
    const on = Boolean(audio) && audio.state === "running";
    const button = byId("sound");
    button.hidden = false;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? texts.sound_off : texts.sound_on;
    byId("silent").hidden = on;
  }

  async function sound(on) {
    if (!on) { await audio?.suspend(); keep("desk-sound", "off"); soundState(); return; }
    audio ??= new AudioContext();
    audio.onstatechange = soundState;
    await audio.resume();
    keep("desk-sound", "on");
    soundState();
    beep(true);
  }

  byId("sound").addEventListener("click", () => sound(!(audio && audio.state === "running")));
  // After a reload the first touch anywhere brings back the sound that was on.
  const again = () => { if (kept("desk-sound") === "on" && !audio) sound(true); };
  document.addEventListener("pointerdown", again, { once: true });
  document.addEventListener("keydown", again, { once: true });
  setInterval(() => {
    const waiting = [...cards.values()].filter((c) => c.incident && unanswered.has(c.incident.state));
    if (waiting.length) beep(waiting.every((c) => c.incident.exercise));
  }, 2500);

  // Connection

  function lost(is) {
    byId("lost").hidden = !is;
    byId("live").hidden = is;
  }

  async function check() {
    // EventSource does not tell a refusal from a failure.
    try {
      const reply = await fetch(`${api}/incidents?limit=1`, { cache: "no-store" });
      if (reply.status === 401 || reply.status === 404) location.reload();
    } catch { /* still away */ }
  }

  function connect() {
    source?.close();
    heard = Date.now();
    source = new EventSource(`${api}/stream`);
    source.onmessage = (event) => {
      heard = Date.now();
      const incident = JSON.parse(event.data);
      seen.add(incident.id);
      update(incident);
    };
    source.addEventListener("synced", (event) => {
      heard = Date.now();
      const { open, now } = JSON.parse(event.data);
      // After a store was put back from a backup, the id of our last event says nothing: a new
      // connection has none, and is told of all.
      if (!open.every((id) => seen.has(id))) { connect(); return; }
      skew = Date.parse(now) - Date.now();
      const still = new Set(open);
      for (const [id, { node }] of cards) if (!still.has(id)) { node.remove(); cards.delete(id); }
      synced = true;
      lost(false);
      arrange();
    });
    source.addEventListener("call", (event) => {
      const call = JSON.parse(event.data);
      const words = [texts.call, call.number, call.text || texts.unheard].filter(Boolean);
      byId("call").replaceChildren(`${words.shift()} `, call.caller ? telephone(call.caller) : "", ` ${words.join(" · ")}`);
      byId("call").hidden = false;
      clearTimeout(callShown);
      callShown = setTimeout(() => { byId("call").hidden = true; }, 120000);
    });
    source.addEventListener("beat", (event) => {
      heard = Date.now();
      skew = Date.parse(JSON.parse(event.data).now) - Date.now();
      lost(false);
    });
    source.onerror = () => {
      lost(true);
      check();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
    };
  }

  // Answers

  async function act(form, action) {
    const node = form.closest(".card");
    const by = form.elements.by.value.trim();
    const note = form.elements.note.value.trim();
    const problem = (text) => { put(node, "error", text); show(node, "error", Boolean(text)); };
    problem("");
    if (!by) { problem(texts.by_needed); form.elements.by.focus(); return; }
    if (action === "return" && !note) { problem(texts.note_needed); form.elements.note.focus(); return; }
    keep("desk-by", by);
    for (const input of document.querySelectorAll("input[name=by]")) if (!input.value) input.value = by;
    const buttons = form.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    try {
      const reply = await fetch(`${api}/incidents/${node.dataset.id}/${action}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ by, note: note || null }),
      });
      const answer = await reply.json();
      if (reply.ok) { form.elements.note.value = ""; update(answer); }
      else if (reply.status === 401) location.reload();
      else problem(answer.detail || texts.failed);
    } catch {
      problem(texts.failed);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.closest(".card")) return;
    event.preventDefault();
    act(form, event.submitter?.value || "acknowledge");
  });

  for (const input of document.querySelectorAll("input[name=by]")) input.value ||= kept("desk-by") || "";
  soundState();
  connect();
})();
