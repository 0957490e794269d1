"use strict";

// Asks the browser for a security key, and sends what it says with the form that asked.
const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const toKeys = (found) => found.map((each) => ({ ...each, id: toBytes(each.id) }));

async function show(options) {
  const made = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      allowCredentials: toKeys(options.allowCredentials),
    },
  });
  return [made, {
    clientDataJSON: toText(made.response.clientDataJSON),
    authenticatorData: toText(made.response.authenticatorData),
    signature: toText(made.response.signature),
  }];
}

async function register(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: toKeys(options.excludeCredentials),
    },
  });
  return [made, {
    clientDataJSON: toText(made.response.clientDataJSON),
    attestationObject: toText(made.response.attestationObject),
  }];
}

const acts = { show, register };

for (const form of document.querySelectorAll("form[data-security-key]")) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button[type=submit]");
  const tell = (code) => {
    problem.hidden = false;
    problem.querySelector("code").textContent = code;
    button.disabled = false;
    button.removeAttribute("aria-busy");
    button.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      // Where the PKI makes the challenge, its file goes along as it is.
      const file = form.querySelector("input[type=file]");
      const asked = await fetch(form.dataset.options, {
        method: "POST",
        headers: { Accept: "application/json", ...(file && { "Content-Type": "application/json" }) },
        body: file ? await file.files[0].arrayBuffer() : undefined,
      });
      const options = await asked.json();
      if (asked.status === 401) {
        location.reload();
        return;
      }
      if (options.code === "right.step-up-needed") {
        location.assign(`/second-factor?next=${encodeURIComponent(location.pathname + location.search)}`);
        return;
      }
      if (!asked.ok) {
        tell(options.code);
        return;
      }
      const [made, response] = await acts[form.dataset.securityKey](options);
      form.elements.response.value = JSON.stringify({ id: made.id, rawId: toText(made.rawId), type: made.type, response });
      if (file) form.elements.operator.value = options.user.name;
      form.submit();
    } catch (error) {
      tell(error.name);
    }
  });
  // The page gives it disabled: pressed before this script listens, it would send an empty answer.
  button.disabled = false;
  if (button.autofocus) button.focus();
}
