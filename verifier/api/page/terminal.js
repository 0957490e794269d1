// The page of a terminal: it shows what the stream of screens says, and gives what is typed. It keeps nothing.
"use strict";

(() => {
  const screen = document.getElementById("screen");
  const language = document.body.dataset.language;
  const ZONE_CHARACTERS = 90;
  const SCANNER_MILLISECONDS = 250;
  let autoSubmit = null;
  const HASTE_MILLISECONDS = 800;
  let countdown = null;
  let shownAt = 0;

  const show = (html) => {
    clearTimeout(autoSubmit);
    clearInterval(countdown);
    htmx.swap(screen, html, { swapStyle: "innerHTML" });
    const section = screen.firstElementChild;
    if (section === null) return;
    shownAt = performance.now();
    screen.querySelector("[data-focus]")?.focus();
    terminalSounds.play(section.dataset.sound, section.dataset.presentation);
    terminalCamera.attach(screen.querySelector("#live"));
    startCountdown(screen.querySelector("#typed"));
  };

  const startCountdown = (field) => {
    const shown = screen.querySelector("#wait");
    if (field === null || shown === null) return;
    let left = Number(field.dataset.wait);
    field.disabled = true;
    countdown = setInterval(() => {
      left -= 1;
      shown.textContent = String(left);
      if (left > 0) return;
      clearInterval(countdown);
      screen.querySelector("#waiting").hidden = true;
      field.disabled = false;
      field.focus();
    }, 1000);
  };

  const submit = (field) => {
    clearTimeout(autoSubmit);
    if (field.value.trim() !== "") field.form.requestSubmit();
  };

  const plain = (field) => field.value.replace(/\s/g, "");

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.id !== "typed") return;
    clearTimeout(autoSubmit);
    const text = plain(field);
    field.rows = field.value.includes("\n") || text.length > 20 ? 3 : 1;
    // Six digits and then nothing: a clerk need not press Enter, and a scanner that goes on is waited for.
    if (/^[0-9]{6}$/.test(text) || text.length === ZONE_CHARACTERS) {
      autoSubmit = setTimeout(() => submit(field), SCANNER_MILLISECONDS);
    }
  });

  document.addEventListener("keydown", (event) => {
    terminalSounds.wake();
    const field = event.target;
    if (event.key === "Enter" && field.id === "typed") {
      const text = plain(field);
      // A scanner ends each line of the zone with Enter: the third one ends the zone.
      const isInZone = /[A-Z<]/i.test(text) && text.length % 30 === 0 && text.length > 0 && text.length < ZONE_CHARACTERS;
      if (!isInZone) {
        event.preventDefault();
        submit(field);
      }
    } else if (event.key === "Escape") {
      screen.querySelector("[hx-post='/dismiss']")?.click();
      if (field.id === "typed") field.value = "";
    } else if (/^[1-3]$/.test(event.key) && field.id !== "typed" && !event.repeat) {
      // Whoever was still typing a number when the verdict came has answered nothing.
      if (performance.now() - shownAt < HASTE_MILLISECONDS) return;
      screen.querySelector(`[data-key="${event.key}"]`)?.click();
    }
  });

  document.addEventListener("pointerdown", () => terminalSounds.wake());
  // Whatever was refused stays to be read; what was typed wrongly is typed anew.
  document.body.addEventListener("htmx:responseError", () => {
    const field = screen.querySelector("#typed");
    if (field !== null) {
      field.value = "";
      field.focus();
    }
  });

  const events = new EventSource(`/events?lang=${language}`);
  events.addEventListener("screen", (event) => show(event.data));
  events.addEventListener("error", () => {
    // Nobody says any more whether the card is still there: nothing of it stays on the screen.
    clearTimeout(autoSubmit);
    clearInterval(countdown);
    terminalCamera.attach(null);
    const section = document.createElement("section");
    section.className = "reader-gone";
    section.dataset.stage = "disconnected";
    const title = document.createElement("h2");
    title.textContent = screen.dataset.disconnected;
    section.append(title);
    screen.replaceChildren(section);
  });
})();
