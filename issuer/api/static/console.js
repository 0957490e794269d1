"use strict";

// Keys: one letter each, nothing while somebody writes.
const writes = (element) =>
  element.isContentEditable || ["SELECT", "TEXTAREA"].includes(element.tagName) ||
  (element.tagName === "INPUT" && element.type !== "checkbox");

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
    x: () => {
      const box = document.activeElement?.closest("tr")?.querySelector(".pick input");
      if (box) { box.checked = !box.checked; count(); }
    },
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => { if (document.querySelector(".side")) location.href = "/keyboard"; },
  };
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// Picking from a list: how many, and nothing is sent while nothing is picked.
const picks = () => [...document.querySelectorAll("td.pick input")];
const pickAll = document.querySelector("[data-pick-all]");

function count() {
  const all = picks();
  if (all.length === 0) return;
  const picked = all.filter((box) => box.checked).length;
  for (const button of document.querySelectorAll("[data-needs-pick]")) button.disabled = picked === 0;
  for (const place of document.querySelectorAll("[data-picked]")) place.textContent = picked ? `(${picked})` : "";
  pickAll.checked = picked === all.length;
  pickAll.indeterminate = picked > 0 && picked < all.length;
}

if (pickAll) {
  pickAll.addEventListener("change", () => {
    for (const box of picks()) box.checked = pickAll.checked;
    count();
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest("td.pick")) count();
  });
  window.addEventListener("pageshow", count);
  count();
}

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

// A page that moves is asked for anew while somebody is there; one that is left alone lets its session end.
const moving = document.querySelector("[data-refresh]");
if (moving) {
  const EVERY = 5000;
  const UNATTENDED = 600000;
  let seen = performance.now();
  for (const sign of ["keydown", "pointermove", "pointerdown"]) {
    document.addEventListener(sign, () => { seen = performance.now(); });
  }
  setInterval(() => {
    if (document.hidden || performance.now() - seen > UNATTENDED) return;
    htmx.ajax("GET", moving.dataset.refresh, { target: `#${moving.id}`, select: `#${moving.id} > *`, swap: "innerHTML" });
  }, EVERY);
}
