// The screen of a station: it shows what the stream says, and gives what is pressed. Everything is done with keys, each
// of which is a button, too. A question is about the card that is named in it, whatever the reader does meanwhile.
"use strict";

(() => {
  const screen = document.getElementById("screen");
  const said = document.getElementById("said");
  const ask = document.getElementById("ask");
  const parts = Object.fromEntries(
    ["title", "card", "means", "readers", "reasons", "yes"].map((name) => [name, document.getElementById(`ask-${name}`)]),
  );
  const readers = Number(document.body.dataset.readers);
  const SAID_MILLISECONDS = 12000;
  const heard = new Map();
  let question = null;
  let saidTimer = null;

  const panel = (number) => screen.querySelector(`[data-panel="${number}"]`);

  const show = (html) => {
    htmx.swap(screen, html, { swapStyle: "innerHTML" });
    let sound = "";
    let isGivenUp = false;
    for (const each of screen.querySelectorAll("[data-panel]")) {
      const before = heard.get(each.dataset.panel);
      heard.set(each.dataset.panel, each.dataset.endings);
      // The first state of a page tells what was: nothing of it is to be heard again.
      if (before !== undefined && before !== each.dataset.endings && sound !== "bad") sound = each.dataset.sound;
      isGivenUp ||= "givenUp" in each.dataset;
    }
    document.getElementById("key-go-on").hidden = !isGivenUp;
    if (sound !== "") stationSounds.play(sound);
  };

  const send = (path, values) => {
    clearTimeout(saidTimer);
    htmx.ajax("POST", path, { source: document.body, target: said, swap: "innerHTML", values });
    saidTimer = setTimeout(() => said.replaceChildren(), SAID_MILLISECONDS);
  };

  const close = () => {
    question = null;
    ask.hidden = true;
  };

  // A question has steps: which reader, why, sure. Each key belongs to the step that is shown.
  const open = (act) => {
    question = { act, step: "", card: null, reason: null };
    said.replaceChildren();
    if (act === "close-day" || act === "stop") sure();
    else if (readers > 1) which();
    else choose(1);
  };

  const paint = (title, shown) => {
    parts.title.textContent = title;
    parts.card.textContent = question.card?.name ?? "";
    parts.means.textContent = shown === "means" ? ask.dataset[`means${pascal(question.act)}`] ?? "" : "";
    parts.readers.hidden = shown !== "readers";
    parts.reasons.hidden = shown !== "reasons";
    parts.yes.hidden = shown !== "means";
    ask.dataset.step = question.step;
    ask.hidden = false;
    ask.focus();
  };

  const pascal = (name) => name.replace(/(^|-)(.)/g, (_all, _dash, letter) => letter.toUpperCase());

  const which = () => {
    question.step = "which";
    parts.readers.replaceChildren(
      ...[...screen.querySelectorAll("[data-panel]")].map((each) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        const key = document.createElement("kbd");
        button.type = "button";
        button.dataset.press = each.dataset.panel;
        key.textContent = each.dataset.panel;
        button.append(key, ` ${each.dataset.name || "–"}`);
        item.append(button);
        return item;
      }),
    );
    paint(ask.dataset[`which${pascal(question.act)}`], "readers");
  };

  const choose = (number) => {
    const found = panel(number);
    if (found === null) return;
    if (question.act === "go-on") {
      close();
      send("/go-on", { reader: number });
      return;
    }
    const isDone = found.dataset.serial !== "" && found.dataset.kind !== "busy" && !("rejected" in found.dataset);
    if (!isDone) {
      question.step = "none";
      paint(ask.dataset.none, "none");
      return;
    }
    question.card = { serial: found.dataset.serial, name: found.dataset.name };
    if (question.act === "print-again") {
      const { serial } = question.card;
      close();
      send("/print-again", { serial });
      return;
    }
    question.step = "why";
    paint(ask.dataset.why, "reasons");
  };

  const sure = () => {
    question.step = "sure";
    paint(ask.dataset[`sure${pascal(question.act)}`], "means");
  };

  const confirm = () => {
    const { act, card, reason } = question;
    close();
    send(`/${act}`, act === "reject" ? { serial: card.serial, reason } : {});
  };

  const answer = (key) => {
    if (key === "Escape") close();
    else if (question.step === "which" && /^[1-9]$/.test(key)) choose(Number(key));
    else if (question.step === "why") {
      const button = parts.reasons.querySelector(`[data-press="${CSS.escape(key)}"]`);
      if (button === null) return;
      question.reason = button.dataset.reason;
      sure();
    } else if (question.step === "sure" && key === "Enter") confirm();
  };

  const ACTS = {
    " ": () => send("/suspend", {}),
    x: () => open("reject"),
    p: () => open("print-again"),
    g: () => { if (!document.getElementById("key-go-on").hidden) open("go-on"); },
    d: () => open("close-day"),
    q: () => open("stop"),
    s: () => stationSounds.turn(),
    l: () => { location.href = document.querySelector("[data-go]").dataset.go; },
  };

  const press = (key) => {
    stationSounds.wake();
    if (question !== null) answer(key);
    else ACTS[key]?.();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // A key that is held down is pressed once; a button that has the focus is no second way for Space and Enter.
    if (key === " " || key === "Enter") event.preventDefault();
    if (!event.repeat) press(key);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-press]");
    if (button === null) return;
    button.blur();
    press(button.dataset.press);
  });

  const events = new EventSource(`/events?lang=${document.body.dataset.language}`);
  events.addEventListener("screen", (event) => show(event.data));
  events.addEventListener("error", () => {
    // What the station said last of its end stays to be read; else nobody says any more how the readers stand.
    if (screen.querySelector("[data-ended]") !== null) {
      events.close();
      return;
    }
    const text = document.createElement("p");
    text.className = "refusal";
    text.dataset.disconnected = "";
    text.textContent = screen.dataset.disconnected;
    screen.replaceChildren(text);
    close();
  });
})();
