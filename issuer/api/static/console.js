"use strict";

// Keys: one letter each, nothing while somebody writes.
const writes = (element) =>
  element.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(element.tagName);

let isGoing = false;

function step(by) {
  const rows = [...document.querySelectorAll("a.row")];
  if (rows.length === 0) return;
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  rows[Math.max(0, Math.min(rows.length - 1, next))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (writes(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (isGoing) {
    isGoing = false;
    const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  const keys = {
    g: () => { isGoing = true; },
    j: () => step(1),
    k: () => step(-1),
    n: () => document.querySelector('a[rel="next"]')?.click(),
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => { if (document.querySelector(".side")) location.href = "/keyboard"; },
  };
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// Progress: the server says how far it is; when it has ended, the page is asked for anew.
for (const panel of document.querySelectorAll("[data-events]")) {
  const bar = panel.querySelector("progress");
  const done = panel.querySelector("[data-done]");
  const figures = new Intl.NumberFormat(document.documentElement.lang);
  const events = new EventSource(panel.dataset.events);
  events.addEventListener("progress", (event) => {
    const found = JSON.parse(event.data);
    if (found.total) {
      panel.querySelector("[data-total]").textContent = figures.format(found.total);
      bar.max = found.total;
      bar.value = found.done;
    }
    done.textContent = figures.format(found.done);
  });
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
}

// A form that was sent is not sent again by a second click; the server would not do it twice either.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && !button.name) {
    button.setAttribute("aria-busy", "true");
    setTimeout(() => { button.disabled = true; }, 0);
  }
});
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});
