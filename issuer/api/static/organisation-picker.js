"use strict";

// Where a form asks for an organisation: what is typed is looked up, and what is chosen puts its code into the field.
// Without scripts the field is a plain one, into which one types the code.
const LEAST = 2;
const PAUSE = 180;

function offer(field) {
  const box = document.createElement("div");
  const list = document.createElement("ul");
  const said = document.createElement("span");
  box.className = "picker";
  list.id = `${field.id}-choices`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", field.dataset.found);
  list.hidden = true;
  said.className = "note";
  said.setAttribute("aria-live", "polite");
  field.replaceWith(box);
  box.append(field, said, list);
  for (const [name, value] of [
    ["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id],
  ]) field.setAttribute(name, value);

  let waiting = 0;
  let asked = null;
  const options = () => [...list.children];
  const active = () => list.querySelector('[aria-selected="true"]');

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function activate(option) {
    active()?.setAttribute("aria-selected", "false");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  }

  function choose(option) {
    field.value = option.dataset.code;
    said.textContent = option.dataset.said;
    close();
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function show(found) {
    list.replaceChildren(...found.map((each, number) => {
      const option = document.createElement("li");
      const name = document.createElement("strong");
      const code = document.createElement("span");
      const path = document.createElement("span");
      const above = each.path.map((step) => step.name).join(" › ");
      name.textContent = each.name;
      code.className = "code";
      code.textContent = each.code;
      path.className = "note";
      path.textContent = above;
      option.append(name, " ", code, path);
      option.id = `${list.id}-${number}`;
      option.dataset.code = each.code;
      option.dataset.said = above ? `${each.name} · ${above}` : each.name;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      // The field would lose the focus before a click is one.
      option.addEventListener("mousedown", (event) => { event.preventDefault(); choose(option); });
      return option;
    }));
    if (found.length === 0) {
      said.textContent = field.dataset.none;
      close();
      return;
    }
    said.textContent = "";
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    activate(list.firstElementChild);
  }

  async function find() {
    const text = field.value.trim();
    asked?.abort();
    if (text.length < LEAST) {
      said.textContent = "";
      close();
      return;
    }
    asked = new AbortController();
    try {
      const response = await fetch(`/v1/organisation-choices?text=${encodeURIComponent(text)}`, { signal: asked.signal });
      if (response.ok) show((await response.json()).organisations);
    } catch (error) {
      // What was typed meanwhile is looked up instead; without an answer the field is a plain one.
      if (error.name !== "AbortError") close();
    }
  }

  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(find, PAUSE);
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const all = options();
    const at = all.indexOf(active());
    if (event.key === "Enter" && all[at].dataset.code === field.value.trim()) {
      // The whole code stands there already: Enter sends the form, as in a plain field.
      close();
      return;
    }
    const acts = {
      ArrowDown: () => activate(all[(at + 1) % all.length]),
      ArrowUp: () => activate(all[(at - 1 + all.length) % all.length]),
      Enter: () => choose(all[at]),
      Escape: close,
    };
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  });
}

for (const field of document.querySelectorAll("input[data-organisation]")) offer(field);
