"use strict";
// The page that lists the routes of /openapi.json and sends requests. Tokens stay in this tab's session storage.
const issuer = document.body.dataset.issuer, client = document.body.dataset.client;
const redirect = location.origin + "/docs";
const base64url = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const make = (name, properties, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};

async function discover() {
  const answer = await fetch(issuer.replace(/\/$/, "") + "/.well-known/openid-configuration");
  return answer.json();
}

async function signIn() {
  try {
    const verifier = random(), state = random();
    sessionStorage.setItem("verifier", verifier);
    sessionStorage.setItem("state", state);
    const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
    const { authorization_endpoint } = await discover();
    location.href = authorization_endpoint + "?" + new URLSearchParams({
      client_id: client, response_type: "code", scope: "openid", redirect_uri: redirect, state,
      code_challenge: challenge, code_challenge_method: "S256",
    });
  } catch {
    show("The identity provider could not be reached. If its certificate is new to this browser, open its address once: ", issuer);
  }
}

// finishSignIn redeems the code with which the provider sent the browser back.
async function finishSignIn() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("code") && !answer.has("error")) return;
  history.replaceState(null, "", "/docs");
  if (answer.has("error") || answer.get("state") !== sessionStorage.getItem("state")) {
    show("The sign-in did not succeed; begin again.");
    return;
  }
  const { token_endpoint } = await discover();
  const response = await fetch(token_endpoint, { method: "POST", body: new URLSearchParams({
    grant_type: "authorization_code", code: answer.get("code"), redirect_uri: redirect, client_id: client,
    code_verifier: sessionStorage.getItem("verifier"),
  }) });
  sessionStorage.removeItem("verifier");
  sessionStorage.removeItem("state");
  const tokens = await response.json();
  if (tokens.access_token) sessionStorage.setItem("token", tokens.access_token);
  else show("The sign-in did not succeed; begin again.");
}

function claims() {
  const token = sessionStorage.getItem("token");
  if (!token) return null;
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return claims.exp * 1000 > Date.now() ? claims : null;
  } catch { return null; }
}

function show(text, address) {
  const line = document.getElementById("session");
  line.textContent = text;
  if (address) line.append(make("a", { href: address, textContent: address }));
}

function session() {
  const who = claims();
  document.getElementById("sign-in").hidden = !issuer;
  document.getElementById("sign-out").hidden = !who;
  if (who) show("Signed in as " + who.sub + ", " + who.role + (who.agency ? " of " + who.agency : "") + ".");
}

// sample makes a body to start from out of a schema.
function sample(schema, all, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return sample(all[schema.$ref.split("/").pop()], all, depth + 1);
  if (schema.examples) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  switch (schema.type) {
    case "object": return Object.fromEntries(Object.entries(schema.properties || {}).map(([k, v]) => [k, sample(v, all, depth + 1)]));
    case "array": return [sample(schema.items, all, depth + 1)];
    case "integer": case "number": return schema.minimum ?? 0;
    case "boolean": return false;
    case "string": return schema.format === "date-time" ? new Date().toISOString().replace(/\.\d+/, "") : "";
  }
  return {};
}

function operation(method, path, op, all) {
  const inputs = [], form = make("form", { noValidate: true });
  for (const p of op.parameters || []) {
    const input = make("input", { name: p.name, autocomplete: "off" });
    if (p.name === "Idempotency-Key") input.value = crypto.randomUUID();
    inputs.push([p, input]);
    form.append(make("label", { className: "field" }, p.name + " (" + p.in + (p.required ? ", required)" : ")") + (p.description ? " · " + p.description : ""), input));
  }
  let body;
  const schema = op.requestBody?.content["application/json"].schema;
  if (schema) {
    body = make("textarea", { value: JSON.stringify(sample(schema, all), null, 2), spellcheck: false });
    form.append(make("label", { className: "field" }, "Body", body));
  }
  const result = make("div", {});
  result.setAttribute("aria-live", "polite");
  form.append(make("button", { type: "submit", textContent: "Send" }));
  form.addEventListener("submit", event => {
    event.preventDefault();
    send(method, path, inputs, body, result);
  });
  const inner = make("div", {});
  if (op.description) inner.append(make("p", { textContent: op.description }));
  inner.append(make("p", { className: "roles", textContent: "Roles: " + op["x-roles"].join(", ") + " · may answer: " + op["x-reasons"].join(", ") }), form, result);
  return make("details", {}, make("summary", {}, make("code", { className: "method", textContent: method.toUpperCase() }), make("code", { textContent: path }), " " + op.summary), inner);
}

async function send(method, path, inputs, body, result) {
  const headers = {}, query = new URLSearchParams();
  for (const [p, input] of inputs) {
    if (p.in === "path") path = path.replace("{" + p.name + "}", encodeURIComponent(input.value));
    else if (input.value && p.in === "query") query.append(p.name, input.value);
    else if (input.value && p.in === "header") headers[p.name] = input.value;
  }
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = "Bearer " + token;
  if (body) headers["Content-Type"] = "application/json";
  try {
    const began = performance.now();
    const answer = await fetch(path + (query.size ? "?" + query : ""), { method: method.toUpperCase(), headers, body: body?.value });
    let text = await answer.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
    result.replaceChildren(
      make("p", { className: answer.ok ? "" : "bad", textContent: answer.status + " " + answer.statusText + " · " + Math.round(performance.now() - began) + " ms · request " + answer.headers.get("X-Request-Id") }),
      make("pre", { textContent: text }));
  } catch {
    result.replaceChildren(make("p", { className: "bad", textContent: "No answer: the gateway could not be reached." }));
  }
}

async function routes() {
  const document_ = await (await fetch("/openapi.json")).json();
  const main = document.getElementById("routes"), groups = new Map(document_.tags.map(t => [t.name, make("section", {}, make("h2", { textContent: t.name }))]));
  for (const [path, item] of Object.entries(document_.paths))
    for (const [method, op] of Object.entries(item))
      groups.get(op.tags[0]).append(operation(method, path, op, document_.components.schemas));
  main.replaceChildren(...groups.values());
}

function find() {
  const wanted = document.getElementById("find").value.toLowerCase();
  for (const row of document.querySelectorAll("details")) row.hidden = !row.querySelector("summary").textContent.toLowerCase().includes(wanted);
  for (const group of document.querySelectorAll("section")) group.hidden = !group.querySelector("details:not([hidden])");
}

document.getElementById("sign-in").addEventListener("click", signIn);
document.getElementById("sign-out").addEventListener("click", () => { sessionStorage.removeItem("token"); show("Not signed in."); session(); });
document.getElementById("find").addEventListener("input", find);
session();
finishSignIn().catch(() => show("The sign-in did not succeed; begin again.")).then(session);
routes().catch(() => document.getElementById("routes").replaceChildren(make("p", { textContent: "The routes could not be loaded." })));
