// A citizen's own key in the browser, as a module that any portal can import from the citizens' gateway:
//
//   import { Signer } from "https://gateway/signer.js";
//   const signer = await Signer.open(me.channel, me.pseudonym);
//   if (!signer.key) await put("/v1/subjects/me", await signer.create());
//   await post("/v1/consents", { consent: await signer.consent(terms) });
//
// The key is ECDSA on P-256, made by the browser and not extractable: no script, this one included, can read it. It is kept in
// IndexedDB, by subject. What is signed is a compact JWS (RFC 7515) with ES256 over canonical JSON (RFC 8785), the same bytes as
// the Go signer's (gateway/client/signer).

const encoder = new TextEncoder();

export const base64url = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const fromBase64url = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));

// canonical writes JSON by RFC 8785. Numbers are whole and safe, as all in this house are.
export function canonical(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError("a text with half a character");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new TypeError("a number that is not a whole one");
    return String(value);
  }
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  if (typeof value !== "object") throw new TypeError("not JSON: " + typeof value);
  const members = Object.keys(value).filter(name => value[name] !== undefined).sort();
  return "{" + members.map(name => canonical(name) + ":" + canonical(value[name])).join(",") + "}";
}

// thumbprint of a public key as a JWK (RFC 7638).
export async function thumbprint({ crv, kty, x, y }) {
  return base64url(await crypto.subtle.digest("SHA-256", encoder.encode(canonical({ crv, kty, x, y }))));
}

// nonce makes random characters, for terms that must differ.
export const nonce = () => base64url(crypto.getRandomValues(new Uint8Array(18)));

// digits makes eight, each of the 10^8 equally likely.
export function digits() {
  const limit = Math.floor(2 ** 32 / 1e8) * 1e8;
  for (;;) {
    const [n] = crypto.getRandomValues(new Uint32Array(1));
    if (n < limit) return String(n % 1e8).padStart(8, "0");
  }
}

// database opens the place of the keys.
function database() {
  return new Promise((done, failed) => {
    const opening = indexedDB.open("hutong-signer", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onsuccess = () => done(opening.result);
    opening.onerror = () => failed(opening.error);
  });
}

// kept does one thing with the store of keys.
async function kept(mode, act) {
  const db = await database();
  try {
    return await new Promise((done, failed) => {
      const transaction = db.transaction("keys", mode), request = act(transaction.objectStore("keys"));
      transaction.oncomplete = () => done(request.result);
      transaction.onerror = transaction.onabort = () => failed(transaction.error);
    });
  } finally {
    db.close();
  }
}

const newPair = () => crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);

async function publicOf(pair) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { kty, crv, x, y };
}

async function jws(pair, kind, content) {
  const input = base64url(encoder.encode(canonical({ alg: "ES256", typ: kind }))) + "." + base64url(encoder.encode(canonical(content)));
  return input + "." + base64url(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, encoder.encode(input)));
}

export class Signer {
  #pair;
  #name;

  constructor(channel, subject, pair, key) {
    Object.assign(this, { channel, subject, key });
    this.#pair = pair;
    this.#name = channel + "/" + subject;
  }

  // open finds the key of a subject on this device; key is null where there is none.
  static async open(channel, subject) {
    const pair = await kept("readonly", store => store.get(channel + "/" + subject));
    return new Signer(channel, subject, pair, pair ? await publicOf(pair) : null);
  }

  async #keep(pair) {
    await kept("readwrite", store => store.put(pair, this.#name));
    this.#pair = pair;
    this.key = await publicOf(pair);
  }

  async #proof(pair, key) {
    return jws(pair, "hutong-registration+jwt", { channel: this.channel, subject: this.subject, thumbprint: await thumbprint(key) });
  }

  // create makes a key, keeps it, and gives the request that registers it (PUT /v1/subjects/me).
  async create() {
    await this.#keep(await newPair());
    return { signing_key: this.key, proof: await this.#proof(this.#pair, this.key) };
  }

  // rotate makes the next key and gives the request that puts it in the place of this one (PUT /v1/subjects/me/key). Call
  // done once the request has been answered: until then the old key stays.
  async rotate() {
    const pair = await newPair(), key = await publicOf(pair);
    const authorisation = await jws(this.#pair, "hutong-rotation+jwt", {
      channel: this.channel, subject: this.subject, thumbprint: await thumbprint(this.key), successor: await thumbprint(key),
    });
    return { request: { signing_key: key, proof: await this.#proof(pair, key), authorisation }, done: () => this.#keep(pair) };
  }

  #own(terms) {
    if (terms.channel !== this.channel || terms.subject !== this.subject) throw new Error("the terms are another subject's, or for another channel");
  }

  // consent signs the terms of a consent.
  async consent(terms) {
    this.#own(terms);
    return jws(this.#pair, "hutong-consent+jwt", terms);
  }

  // revocation signs that a consent ends.
  async revocation(consent) {
    return jws(this.#pair, "hutong-revocation+jwt", { channel: this.channel, subject: this.subject, consent });
  }

  // cancellation signs that a one-time code is taken back (PUT /v1/codes/{id}/cancellation).
  async cancellation(code) {
    return jws(this.#pair, "hutong-code-cancellation+jwt", { channel: this.channel, subject: this.subject, code });
  }

  // code makes the digits of a one-time code of a draft ({terms, salt}, POST /v1/code-drafts) and signs its terms.
  async code({ terms, salt }) {
    this.#own(terms);
    const made = digits(), key = await crypto.subtle.importKey("raw", fromBase64url(salt), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const hash = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(["hutong/code/v1", this.channel, this.subject, made].join("\n"))));
    const signed = { ...terms, hash: Array.from(hash, byte => byte.toString(16).padStart(2, "0")).join("") };
    return { digits: made, code: await jws(this.#pair, "hutong-code+jwt", signed), ticket: id => ["hutong-code/1", id, made, salt].join("/") };
  }
}
