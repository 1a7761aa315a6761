// Comforts for the citizens' pages; every page works without this file.
"use strict";

const form = document.querySelector("form[data-request]");

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function note(after) {
  const line = document.createElement("p");
  line.className = "hint";
  line.setAttribute("role", "status");
  after.insertAdjacentElement("afterend", line);
  return line;
}

// Tell how much room is left once it becomes short.
function countText(text) {
  const line = note(text);
  text.addEventListener("input", () => {
    const left = 20000 - [...text.value].length;
    line.textContent = left < 1000 ? fill(form.dataset.count, { count: left }) : "";
  });
}

// Say that files are too many or too large before they are uploaded.
function checkFiles(input) {
  input.addEventListener("change", () => {
    const large = [...input.files].find((file) => file.size > 10 * 1024 * 1024);
    let wrong = large ? fill(form.dataset.large, { name: large.name }) : "";
    if (input.files.length > 10) wrong = form.dataset.many;
    input.setCustomValidity(wrong);
    input.reportValidity();
  });
}

// Offer the telephone's position where the browser has one.
function offerPosition(address) {
  if (!navigator.geolocation || !window.isSecureContext) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = form.dataset.locate;
  const row = document.createElement("div");
  row.className = "tools";
  row.append(button);
  address.insertAdjacentElement("afterend", row);
  const line = note(row);
  button.addEventListener("click", () => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        form.elements.latitude.value = coords.latitude.toFixed(6);
        form.elements.longitude.value = coords.longitude.toFixed(6);
        const place = `${coords.latitude.toFixed(4)}, ${coords.longitude.toFixed(4)}`;
        line.textContent = fill(form.dataset.located, { place });
      },
      () => { line.textContent = form.dataset.unlocated; },
      { enableHighAccuracy: true, timeout: 15000 },
    );
  });
}

// A second press while the first is on its way does nothing; coming back makes it usable again.
function pressOnce(each) {
  each.addEventListener("submit", (event) => {
    if (each.dataset.sent) event.preventDefault();
    each.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => { delete each.dataset.sent; });
}

function tools(row) {
  row.hidden = false;
  const copy = row.querySelector("[data-copy]");
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.textContent = copy.dataset.done;
  });
  row.querySelector("[data-print]").addEventListener("click", () => window.print());
}

if (form) {
  countText(form.elements.text);
  checkFiles(form.elements.files);
  offerPosition(form.elements.address);
}
document.querySelectorAll("form[method=post]").forEach(pressOnce);
document.querySelectorAll("[data-tools]").forEach(tools);
document.querySelector("#summary")?.focus();
