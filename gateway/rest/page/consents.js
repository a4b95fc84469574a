// The page on which a citizen sees what is asked for, signs, and revokes. A portal that asks for a consent leads the citizen to
// /consents#ask=TERMS, where TERMS is base64url of the terms as JSON: dataset, fields, consumer, purpose, case, max_uses,
// valid_from, valid_until. Channel, subject and nonce are filled in here.

let signer = null, asked = null, shown = null; // shown: the code on the page
const names = { agencies: new Map(), datasets: new Map() };

const tell = (...line) => element("says").replaceChildren(...line);

// call asks the gateway; an answer that says no is thrown as its problem document.
async function call(method, path, body) {
  const headers = { Accept: "application/json" }, user = who();
  if (user) headers.Authorization = "Bearer " + user.token;
  if (method !== "GET") headers["Idempotency-Key"] = crypto.randomUUID();
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw answer;
  return answer;
}

// during does something that a button began: the button waits, and what went wrong is said.
async function during(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch (problem) {
    tell(...both("没有成功：", "It did not succeed: "), problem.detail ?? problem.message ?? String(problem), problem.reason ? ` (${problem.reason})` : "");
  } finally {
    button.disabled = false;
  }
}

const named = (known, id) => known ? [make("span", { lang: "zh-Hans", textContent: known.zh }), " " + known.en, make("span", { className: "quiet", textContent: " " + id })] : [id];
const when = text => new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

// describe writes terms for people, in both languages.
function describe(terms) {
  const list = make("dl"), dataset = names.datasets.get(terms.dataset);
  const add = (zh, en, ...value) => list.append(make("dt", {}, ...both(zh, en)), make("dd", {}, ...value));
  add("谁", "Who", ...(terms.consumer ? named(names.agencies.get(terms.consumer), terms.consumer) : both("出示授权码的窗口", "The window where the code is shown")));
  add("哪类数据", "Which data", ...named(dataset?.name, terms.dataset));
  add("哪些字段", "Which fields", make("ul", {}, ...terms.fields.map(field => make("li", {}, ...named(dataset?.fields.find(f => f.name === field)?.title, field)))));
  add("为了什么", "What for", ...named(names.purpose?.get(terms.purpose), terms.purpose));
  add("哪个办件", "Which case", make("code", { textContent: terms.case || "—" }));
  add("最多几次", "How often at most", String(terms.max_uses));
  add("从何时", "From", when(terms.valid_from));
  add("到何时", "Until", when(terms.consent_until ?? terms.valid_until));
  return list;
}

// learn reads the names of agencies, datasets and services, which are public.
async function learn() {
  const all = async path => {
    const items = [];
    for (let token = ""; ;) {
      const page = await call("GET", path + "?page_size=200" + (token && "&page_token=" + encodeURIComponent(token)));
      items.push(...page.items);
      if (!(token = page.next_page_token)) return items;
    }
  };
  const [agencies, datasets, services] = await Promise.all([all("/v1/agencies"), all("/v1/datasets"), all("/v1/services")]);
  names.agencies = new Map(agencies.map(a => [a.id, a.name]));
  names.datasets = new Map(datasets.map(d => [d.id, d]));
  names.purpose = new Map(services.map(s => [s.code ?? s.service?.code, s.name ?? s.service?.name]));
}

// showKey says whether this device can sign.
async function showKey(me) {
  const { Signer } = await import("/signer.js");
  signer = await Signer.open(me.channel, me.pseudonym);
  const registered = me.signing_key, here = signer.key && registered && signer.key.x === registered.x && signer.key.y === registered.y;
  element("make-key").hidden = Boolean(registered);
  element("key-says").replaceChildren(...(here ? both("本设备上有您登记的密钥。", "The key you registered is on this device.")
    : registered ? both("您登记的密钥不在本设备上。如已遗失，请到公安窗口办理恢复。", "The key you registered is not on this device. If it is lost, an officer of the identity agency can put another in its place.")
    : both("您还没有登记密钥。", "You have registered no key yet.")));
  element("agree").disabled = element("make-code").disabled = !here;
  signer.ready = here;
}

// showAsked shows what the address asks for.
function showAsked(me) {
  const text = new URLSearchParams(location.hash.slice(1)).get("ask");
  element("asked").hidden = !text;
  if (!text) return;
  try {
    const plain = new TextDecoder().decode(Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0)));
    const { dataset, fields, consumer, purpose, case: id, max_uses, valid_from, valid_until } = JSON.parse(plain);
    asked = { channel: me.channel, subject: me.pseudonym, dataset, fields: [...fields].sort(), consumer, purpose, case: id, max_uses, valid_from, valid_until };
    element("terms").replaceChildren(...describe(asked).children);
  } catch {
    element("asked").hidden = true;
    tell(...both("链接中的授权请求无法读取。", "What the link asks for could not be read."));
  }
}

// showGiven lists the consents, each with its button.
async function showGiven(block) {
  const { items } = await call("GET", "/v1/consents?page_size=200" + (block ? "&min_block=" + block : ""));
  element("consents").replaceChildren(...items.map(consent => {
    const row = make("li", { id: "consent-" + consent.id, className: "consent" }, describe(consent.terms));
    if (consent.status === "given") {
      const button = make("button", { type: "button", "aria-label": "撤销 Revoke " + consent.id }, ...both("撤销", "Revoke"));
      button.disabled = !signer.ready;
      button.addEventListener("click", () => during(button, () => revoke(consent.id)));
      row.append(button);
    } else row.append(make("p", { className: "bad" }, ...both("已撤销", "Revoked"), consent.revoked_at ? " · " + when(consent.revoked_at) : ""));
    return row;
  }));
  if (!items.length) element("consents").append(make("li", {}, ...both("没有。", "Nothing.")));
}

async function revoke(id) {
  const receipt = await call("PUT", `/v1/consents/${id}/revocation`, { revocation: await signer.revocation(id) });
  tell(...both("已撤销，立即生效。", "Revoked, and in force."));
  await showGiven(receipt.block);
  element("given-title").scrollIntoView({ block: "nearest" });
}

async function agree() {
  const { nonce } = await import("/signer.js");
  const receipt = await call("POST", "/v1/consents", { consent: await signer.consent({ ...asked, nonce: nonce() }) });
  tell(...both("已签名并记录。", "Signed and recorded."));
  await showGiven(receipt.block);
}

async function makeCode() {
  const { dataset, fields, consumer, purpose, case: id } = asked;
  const draft = await call("POST", "/v1/code-drafts", { datasets: [{ dataset, fields }], consumer, purpose, case: id });
  const made = await signer.code(draft), receipt = await call("POST", "/v1/codes", { code: made.code });
  const picture = await call("POST", "/v1/code-pictures", { ticket: made.ticket(receipt.id) });
  element("digits").textContent = made.digits.slice(0, 4) + " " + made.digits.slice(4);
  element("picture").src = "data:image/png;base64," + picture.png;
  element("code-until").replaceChildren(...both("有效至 ", "Valid until "), when(draft.terms.valid_until));
  element("code").hidden = false;
  shown = receipt.id;
  tell(...both("授权码只能用一次。", "The code is good once."));
}

async function cancelCode() {
  await call("PUT", `/v1/codes/${shown}/cancellation`, { cancellation: await signer.cancellation(shown) });
  element("code").hidden = true;
  tell(...both("授权码已作废。", "The code is cancelled."));
}

async function makeKey() {
  const receipt = await call("PUT", "/v1/subjects/me", await signer.create());
  const me = await call("GET", "/v1/subjects/me?min_block=" + receipt.block);
  await showKey(me);
  await showGiven(receipt.block);
  tell(...both("密钥已登记。", "The key is registered."));
}

// signedIn is told who is signed in, or null.
async function signedIn(user) {
  for (const id of ["key", "asked", "code", "given"]) element(id).hidden = true;
  if (user?.role !== "citizen") return user && tell(...both("此页面供公民使用。", "This page is for citizens."));
  tell();
  try {
    const [me] = await Promise.all([call("GET", "/v1/subjects/me"), learn()]);
    await showKey(me);
    showAsked(me);
    await showGiven();
    element("key").hidden = element("given").hidden = false;
  } catch (problem) {
    tell(...both("无法读取。", "Your consents could not be read: "), problem.detail ?? "");
  }
}

element("sign-in").addEventListener("click", signIn);
element("sign-out").addEventListener("click", signOut);
element("make-key").addEventListener("click", event => during(event.currentTarget, makeKey));
element("agree").addEventListener("click", event => during(event.currentTarget, agree));
element("make-code").addEventListener("click", event => during(event.currentTarget, makeCode));
element("cancel-code").addEventListener("click", event => during(event.currentTarget, cancelCode));
window.addEventListener("hashchange", () => signedIn(who()));
session();
