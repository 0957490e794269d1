// The page for operators: shows what a file asks for, and has an authenticator sign exactly that.
//
// The digest is computed here, from the terms that are shown, and not taken from the server.

const TEXTS = {
  vi: {
    title: "Trang dành cho người vận hành PKI", signTitle: "Ký lệnh cấp phép lô thẻ",
    signLead: "Mở tệp lệnh cấp phép, đọc kỹ, rồi ký bằng khóa bảo mật của chính mình. Mỗi lệnh cần hai người khác nhau ký.",
    chooseAuthorisation: "Tệp lệnh cấp phép", youAllow: "Bạn cho phép ký", cardsUnit: "thẻ đảng viên",
    andKeysOf: "và giao khóa của", chipsUnit: "chip cho trạm cá thể hóa", signer: "Khóa ký thẻ", until: "Có hiệu lực đến",
    signatures: "Chữ ký đã có trong tệp", digest: "Dấu vân tay của lệnh (SHA-256)",
    compare: "Đọc dấu vân tay này cho người ký thứ hai: hai bên phải thấy giống hệt nhau.",
    doSign: "Tôi đã đọc, ký bằng khóa bảo mật", signed: "Đã ký.", save: "Lưu tệp",
    registerTitle: "Đăng ký khóa bảo mật", registerLead: "Mở tệp thách thức mà cán bộ PKI đã giao. Tệp chỉ dùng được một lần, trong một giờ.",
    chooseChallenge: "Tệp thách thức", operator: "Người vận hành", expires: "Hết hạn", doRegister: "Đăng ký khóa bảo mật",
    registered: "Đã đăng ký. Giao tệp này cho cán bộ PKI.",
    footer: "Trang này không gửi lệnh đi đâu cả: tệp đã ký nằm trên máy của bạn.",
    choose: "Chọn tệp", none: "chưa có", nobody: "chưa đăng nhập bằng chứng thư", you: "Người vận hành",
    notAuthorisation: "Tệp này không phải lệnh cấp phép đúng dạng.", notChallenge: "Tệp này không phải tệp thách thức.",
    expired: "Đã quá hạn.", otherPage: "Tệp này dành cho một trang khác: ", noCertificate: "Chưa nhận được chứng thư của bạn: không thể ký.",
    noCredential: "Bạn chưa có khóa bảo mật nào đăng ký cho trang này.", already: "Bạn đã ký lệnh này rồi.", full: "Tệp đã đủ chữ ký.",
    refused: "Khóa bảo mật không ký: ",
  },
  en: {
    title: "PKI operators", signTitle: "Sign a batch authorisation",
    signLead: "Open the authorisation, read it, then sign it with your own security key. Two different people sign each one.",
    chooseAuthorisation: "Authorisation file", youAllow: "You allow signing of", cardsUnit: "member cards",
    andKeysOf: "and giving the keys of", chipsUnit: "chips to personalisation stations", signer: "Document signer", until: "Valid until",
    signatures: "Signatures in the file so far", digest: "The authorisation's digest (SHA-256)",
    compare: "Read it to the second person who signs: both must see exactly the same.",
    doSign: "I have read this: sign with my security key", signed: "Signed.", save: "Save the file",
    registerTitle: "Register a security key", registerLead: "Open the challenge that a PKI officer gave you. It holds once, for an hour.",
    chooseChallenge: "Challenge file", operator: "Operator", expires: "Expires", doRegister: "Register my security key",
    registered: "Registered. Give this file to the PKI officer.",
    footer: "This page sends your authorisation nowhere: the signed file stays on your machine.",
    choose: "Choose a file", none: "none", nobody: "not logged in with a certificate", you: "Operator",
    notAuthorisation: "This file is not an authorisation in its proper form.", notChallenge: "This file is not a challenge.",
    expired: "Its time is over.", otherPage: "This file is for another page: ", noCertificate: "Your certificate did not arrive: you cannot sign.",
    noCredential: "No security key of yours is registered for this page.", already: "You have signed this already.", full: "The file is full of signatures.",
    refused: "The security key did not sign: ",
  },
};

const MAX_FILE_BYTES = 32768;
const MAX_CARDS = 100000;
const MAX_SIGNATURES = 8;
const KINDS = {
  "operator-certificate": ["certificate", "kind", "signature"],
  webauthn: ["authenticator_data", "certificate", "client_data", "credential", "kind", "signature"],
};
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

let language = "vi";
let caller = null;
let authorisation = null;
let challenge = null;
const problems = new Map();

const at = (id) => document.getElementById(id);
const say = (key) => TEXTS[language][key];

function hexToBytes(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function bytesToHex(bytes) {
  return Array.from(new Uint8Array(bytes), (octet) => octet.toString(16).padStart(2, "0")).join("");
}

function bytesToBase64url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function isHex(value, bytes) {
  return typeof value === "string" && /^([0-9a-f]{2})+$/.test(value) && (!bytes || value.length === 2 * bytes);
}

function isCount(value, least) {
  return Number.isInteger(value) && value >= least && value <= MAX_CARDS;
}

function hasExactly(value, names) {
  return value !== null && typeof value === "object" && Object.keys(value).sort().join() === [...names].sort().join();
}

function sorted(value) {
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, value[name]]));
}

function termsOf(found) {
  const { signatures, ...terms } = found;
  return sorted(terms);
}

function authorisationText(found) {
  return `${JSON.stringify(sorted({ ...found, signatures: found.signatures.map(sorted) }), null, 1)}\n`;
}

function readAuthorisation(text) {
  const found = JSON.parse(text);
  const names = ["format", "batch", "signer", "cards", "until", "signatures"];
  const isOne =
    (hasExactly(found, names) || (hasExactly(found, [...names, "chips"]) && isCount(found.chips, 1))) &&
    found.format === 1 &&
    isHex(found.batch, 16) &&
    /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/.test(found.signer) &&
    isCount(found.cards, 1) &&
    TIME.test(found.until) &&
    Array.isArray(found.signatures) &&
    found.signatures.length <= MAX_SIGNATURES &&
    found.signatures.every(
      (each) =>
        each !== null && Object.hasOwn(KINDS, each.kind) && hasExactly(each, KINDS[each.kind]) &&
        KINDS[each.kind].every((name) => name === "kind" || isHex(each[name])),
    );
  // There is one encoding: what is shown is all that stands in the file.
  if (!isOne || authorisationText(found) !== text) throw new Error("notAuthorisation");
  return found;
}

async function digestOf(found) {
  const text = `membercard batch authorisation 1\n${JSON.stringify(termsOf(found))}`;
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}

function readChallenge(text) {
  const found = JSON.parse(text);
  const isOne =
    found !== null && found.format === 1 && found.kind === "operator credential challenge" &&
    isHex(found.challenge, 32) && isHex(found.user) && typeof found.operator === "string" &&
    typeof found.origin === "string" && typeof found.rp_id === "string" && TIME.test(found.expires) &&
    Array.isArray(found.algorithms) && found.algorithms.every(Number.isInteger) &&
    Array.isArray(found.exclude) && found.exclude.every((each) => isHex(each));
  if (!isOne) throw new Error("notChallenge");
  return found;
}

function localTime(text) {
  return new Date(text).toLocaleString(language === "vi" ? "vi-VN" : "en-GB", { dateStyle: "full", timeStyle: "short" });
}

function tellProblem(id, key, detail = "") {
  problems.set(id, key === null ? null : { key, detail });
  showProblems();
}

function showProblems() {
  for (const [id, problem] of problems) {
    at(id).hidden = problem === null;
    at(id).textContent = problem === null ? "" : say(problem.key) + problem.detail;
  }
}

function offerFile(id, name, content) {
  const link = at(id);
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = name;
}

function show() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const each of ["vi", "en"]) at(each).setAttribute("aria-pressed", String(each === language));
  at("who").textContent = caller === null ? say("nobody") : `${say("you")}: ${caller.name}`;
  showProblems();
  for (const each of ["authorisation", "challenge"]) at(`${each}-name`).textContent = at(each).files[0]?.name ?? "";
  at("terms").hidden = authorisation === null;
  if (authorisation !== null) {
    const { found, digest } = authorisation;
    const number = new Intl.NumberFormat(language === "vi" ? "vi-VN" : "en-GB");
    at("cards").textContent = number.format(found.cards);
    at("chips-row").hidden = !found.chips;
    at("chips").textContent = number.format(found.chips ?? 0);
    at("signer").textContent = found.signer;
    at("until").textContent = localTime(found.until);
    at("until-utc").textContent = found.until;
    at("signatures").textContent = found.signatures.length ? String(found.signatures.length) : say("none");
    at("digest").replaceChildren(
      ...bytesToHex(digest).match(/.{4}/g).map((group) => {
        const span = document.createElement("span");
        span.textContent = group;
        return span;
      }),
    );
  }
  at("offer").hidden = challenge === null;
  if (challenge !== null) {
    at("operator").textContent = challenge.operator;
    at("expires").textContent = localTime(challenge.expires);
  }
}

async function chosenText(input) {
  const file = input.files[0];
  if (!file) return null;
  if (file.size > MAX_FILE_BYTES) throw new Error("too long");
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
}

async function openAuthorisation() {
  authorisation = null;
  at("signed").hidden = true;
  tellProblem("sign-problem", null);
  try {
    const text = await chosenText(at("authorisation"));
    if (text !== null) {
      const found = readAuthorisation(text);
      authorisation = { found, digest: await digestOf(found), name: at("authorisation").files[0].name };
    }
  } catch {
    tellProblem("sign-problem", "notAuthorisation");
  }
  show();
}

async function sign() {
  const { found, digest, name } = authorisation;
  const credentials = (caller?.credentials ?? []).filter((each) => each.origin === location.origin);
  let problem = null;
  if (caller === null) problem = "noCertificate";
  else if (new Date(found.until) < new Date()) problem = "expired";
  else if (found.signatures.some((each) => each.certificate === caller.certificate)) problem = "already";
  else if (found.signatures.length >= MAX_SIGNATURES) problem = "full";
  else if (credentials.length === 0) problem = "noCredential";
  tellProblem("sign-problem", problem);
  if (problem !== null) return;
  at("do-sign").disabled = true;
  try {
    const made = await navigator.credentials.get({
      publicKey: {
        challenge: digest,
        rpId: credentials[0].rp_id,
        allowCredentials: credentials.map((each) => ({ type: "public-key", id: hexToBytes(each.id) })),
        userVerification: "required",
      },
    });
    const signature = {
      kind: "webauthn",
      certificate: caller.certificate,
      credential: bytesToHex(made.rawId),
      authenticator_data: bytesToHex(made.response.authenticatorData),
      client_data: bytesToHex(made.response.clientDataJSON),
      signature: bytesToHex(made.response.signature),
    };
    const signed = { ...found, signatures: [...found.signatures, signature] };
    offerFile("signed-file", name, authorisationText(signed));
    authorisation = { found: signed, digest, name };
    at("signed").hidden = false;
    show();
  } catch (error) {
    tellProblem("sign-problem", "refused", error.name);
  } finally {
    at("do-sign").disabled = false;
  }
}

async function openChallenge() {
  challenge = null;
  at("registered").hidden = true;
  tellProblem("register-problem", null);
  try {
    const text = await chosenText(at("challenge"));
    if (text !== null) challenge = readChallenge(text);
  } catch {
    tellProblem("register-problem", "notChallenge");
  }
  show();
}

async function register() {
  let problem = null;
  if (new Date(challenge.expires) < new Date()) problem = "expired";
  else if (challenge.origin !== location.origin) problem = "otherPage";
  tellProblem("register-problem", problem, problem === "otherPage" ? challenge.origin : "");
  if (problem !== null) return;
  at("do-register").disabled = true;
  try {
    const made = await navigator.credentials.create({
      publicKey: {
        challenge: hexToBytes(challenge.challenge),
        rp: { id: challenge.rp_id, name: "membercard PKI" },
        user: { id: hexToBytes(challenge.user), name: challenge.operator, displayName: challenge.operator },
        pubKeyCredParams: challenge.algorithms.map((alg) => ({ type: "public-key", alg })),
        excludeCredentials: challenge.exclude.map((each) => ({ type: "public-key", id: hexToBytes(each) })),
        authenticatorSelection: { residentKey: "discouraged", userVerification: "required" },
        attestation: "none",
      },
    });
    const registration = {
      id: made.id,
      rawId: bytesToBase64url(made.rawId),
      type: made.type,
      response: {
        clientDataJSON: bytesToBase64url(made.response.clientDataJSON),
        attestationObject: bytesToBase64url(made.response.attestationObject),
      },
    };
    offerFile("registered-file", `${challenge.operator}-registration.json`, `${JSON.stringify(registration, null, 1)}\n`);
    at("registered").hidden = false;
  } catch (error) {
    tellProblem("register-problem", "refused", error.name);
  } finally {
    at("do-register").disabled = false;
  }
}

async function askWhoCalls() {
  const answer = await fetch("/v1/operator", { headers: { Accept: "application/json" } });
  caller = answer.ok ? await answer.json() : null;
  show();
}

for (const each of ["vi", "en"]) {
  at(each).addEventListener("click", () => {
    language = each;
    show();
  });
}
at("authorisation").addEventListener("change", openAuthorisation);
at("do-sign").addEventListener("click", sign);
at("challenge").addEventListener("change", openChallenge);
at("do-register").addEventListener("click", register);
show();
askWhoCalls();
