// The routes of /openapi.json, each with a form that sends a request and shows what came back.

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

// field is one value to fill in, with its label and what is known about it.
function field(operation, p) {
  const input = make("input", { id: operation + "." + p.name, name: p.name, autocomplete: "off", spellcheck: false, required: p.required === true });
  if (p.name === "Idempotency-Key") input.value = crypto.randomUUID();
  const about = [p.required ? "required" : "optional", p.in, p.description].filter(Boolean).join(" · ");
  const hint = make("span", { id: input.id + ".about", className: "quiet", textContent: about });
  input.setAttribute("aria-describedby", hint.id);
  return { input, row: make("p", {}, make("label", { htmlFor: input.id, textContent: p.name }), " ", hint, input) };
}

// breakable lets a long path go on in the next line before a slash.
const breakable = path => path.split(/(?=\/)/).flatMap((part, i) => i ? [make("wbr"), part] : [part]);

function operation(method, path, op, all) {
  const id = op.operationId, form = make("form", { noValidate: true }), request = { method: method.toUpperCase(), path, inputs: [], body: null };
  for (const p of op.parameters || []) {
    const { input, row } = field(id, p);
    request.inputs.push([p, input]);
    form.append(row);
  }
  const schema = op.requestBody?.content["application/json"].schema;
  if (schema) {
    request.body = make("textarea", { id: id + ".body", value: JSON.stringify(sample(schema, all), null, 2), spellcheck: false });
    form.append(make("p", {}, make("label", { htmlFor: request.body.id }, ...both("请求正文", "Body, JSON")), request.body));
  }
  form.append(make("p", {}, make("button", { type: "submit" }, ...both("发送", "Send"))));
  // The line that is read out is there before the answer is, as assistive technology needs it.
  const line = make("p", { role: "status" }), answer = make("div");
  form.addEventListener("submit", event => {
    event.preventDefault();
    send(request, line, answer);
  });
  const roles = op["x-roles"].flatMap((name, i) => [i ? " · " : "", ...role(name)]);
  const reasons = make("details", { className: "reasons" },
    make("summary", {}, ...both("可能的拒绝理由", "Reasons it may say no (" + op["x-reasons"].length + ")")),
    make("ul", {}, ...op["x-reasons"].map(reason => make("li", {}, make("a", { href: "/problems/" + reason, textContent: reason })))));
  const row = make("details", { id, className: "route" },
    make("summary", {}, make("code", { className: "method" + (method === "get" ? "" : " write"), textContent: request.method }),
      make("code", { className: "path" }, ...breakable(path)), make("span", { className: "says", textContent: op.summary })),
    make("div", {}, ...(op.description ? [make("p", { textContent: op.description })] : []),
      make("p", { className: "quiet" }, ...both("可调用者", "Who may call: "), ...roles), form, line, answer, reasons));
  row.roles = op["x-roles"];
  row.addEventListener("toggle", () => { if (row.open) history.replaceState(null, "", "#" + id); });
  return row;
}

async function send({ method, path, inputs, body }, line, place) {
  const headers = {}, query = new URLSearchParams(), fields = new Map();
  for (const [p, input] of inputs) {
    fields.set(p.name, input);
    input.removeAttribute("aria-invalid");
    if (p.in === "path") path = path.replace("{" + p.name + "}", encodeURIComponent(input.value));
    else if (input.value && p.in === "query") query.append(p.name, input.value);
    else if (input.value && p.in === "header") headers[p.name] = input.value;
  }
  body?.removeAttribute("aria-invalid");
  session();
  const user = who();
  if (user) headers.Authorization = "Bearer " + user.token;
  if (body) headers["Content-Type"] = "application/json";
  line.className = "";
  line.replaceChildren(...both("请稍候…", "Waiting for the answer …"));
  place.replaceChildren();
  const began = performance.now();
  let answer, text;
  try {
    answer = await fetch(path + (query.size ? "?" + query : ""), { method, headers, body: body?.value });
    text = await answer.text();
  } catch {
    line.className = "bad";
    line.replaceChildren(...both("没有答复", "No answer: the gateway could not be reached."));
    return;
  }
  let parsed = null;
  try {
    parsed = JSON.parse(text);
    text = JSON.stringify(parsed, null, 2);
  } catch { /* not JSON: as it is */ }
  line.className = answer.ok ? "good" : "bad";
  line.replaceChildren(answer.status + " ", ...outcome(answer.status), " · " + Math.round(performance.now() - began) + " ms");
  if (!answer.ok && parsed?.reason) {
    place.append(problem(parsed));
    (parsed.field && (fields.get(parsed.field) ?? body))?.setAttribute("aria-invalid", "true");
  }
  if (text) place.append(make("pre", { tabIndex: 0, role: "region", "aria-label": "Answer", textContent: text }));
  place.append(make("p", { className: "quiet", textContent: "Request " + answer.headers.get("X-Request-Id") }));
}

function outcome(status) {
  if (status === 202) return both("结果未定", "Not known yet");
  if (status < 400) return both("成功", "Done");
  return status < 500 ? both("拒绝", "Refused") : both("故障", "Failed");
}

// problem shows what a problem document (RFC 9457) says, before the document itself.
function problem(p) {
  const list = make("dl");
  const add = (name, value) => { if (value) list.append(make("dt", {}, ...name), make("dd", {}, value)); };
  add(both("理由", "Reason"), make("a", { href: p.type, textContent: p.reason }));
  add(both("字段", "Field"), p.field && make("code", { textContent: p.field }));
  add(both("规则", "Rule"), p.rule && make("code", { textContent: p.rule }));
  add(both("怎么办", "What to do"), p.detail);
  return list;
}

async function routes() {
  const description = await (await fetch("/openapi.json")).json();
  const sections = new Map(description.tags.map(tag => {
    const id = "group-" + tag.name.replaceAll(" ", "-"), title = tag.name[0].toUpperCase() + tag.name.slice(1);
    element("groups").append(make("li", {}, make("a", { href: "#" + id }, ...both(tag["x-name-zh"] ?? "", title))));
    return [tag.name, make("section", { id, "aria-labelledby": id + "-title" }, make("h2", { id: id + "-title" }, ...both(tag["x-name-zh"] ?? "", title)))];
  }));
  for (const [path, item] of Object.entries(description.paths))
    for (const [method, op] of Object.entries(item))
      sections.get(op.tags[0]).append(operation(method, path, op, description.components.schemas));
  element("routes").replaceChildren(...sections.values());
  element("search").hidden = false;
  find();
}

// find shows the routes that have the words looked for and, if asked, that the signed-in user may call.
function find() {
  const words = element("find").value.toLowerCase().split(/\s+/), mine = element("mine").checked ? who()?.role : null;
  let shown = 0;
  for (const row of document.querySelectorAll(".route")) {
    const text = (row.querySelector("summary").textContent + row.closest("section").querySelector("h2").textContent).toLowerCase();
    row.hidden = !words.every(word => text.includes(word)) || Boolean(mine) && !row.roles.includes(mine) && !row.roles.includes("public");
    if (!row.hidden) shown++;
  }
  for (const group of document.querySelectorAll("#routes section")) {
    group.hidden = !group.querySelector(".route:not([hidden])");
    document.querySelector(`#groups a[href="#${group.id}"]`).parentElement.hidden = group.hidden;
  }
  element("found").textContent = shown === 1 ? "1 route" : shown + " routes";
}

// signedIn is told who is signed in, or null.
function signedIn(user) {
  element("mine-row").hidden = user === null;
  if (!user) element("mine").checked = false;
  find();
}

// openNamed goes to the route that the address names.
function openNamed() {
  const row = element(decodeURIComponent(location.hash.slice(1)));
  if (!row?.matches(".route")) return;
  row.open = true;
  row.scrollIntoView();
}

element("sign-in").addEventListener("click", signIn);
element("sign-out").addEventListener("click", signOut);
element("search").addEventListener("input", find);
element("search").addEventListener("submit", event => event.preventDefault());
window.addEventListener("hashchange", openNamed);
element("routes").append(make("p", {}, ...both("正在加载…", "Loading the routes …")));
const loaded = routes().catch(() => element("routes").replaceChildren(make("p", { className: "bad" }, ...both("无法加载。", "The routes could not be loaded."))));
session();
finishSignIn().catch(failed).then(() => loaded).then(openNamed);
