"use strict";
// Signing in: the authorization code flow with PKCE (RFC 7636). The token stays in this tab's session storage. Each page has a
// function signedIn, which is told the user, or null.
const issuer = document.body.dataset.issuer, client = document.body.dataset.client;
const redirect = location.origin + "/docs";
const element = id => document.getElementById(id);
const base64url = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// make is an element with properties; names with a hyphen are attributes.
function make(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "lang" || key === "role" || key.includes("-")) node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children);
  return node;
}

// both writes a text in Chinese and in English.
const both = (chinese, english) => [make("span", { lang: "zh-Hans", textContent: chinese }), " " + english];

const roleNames = { public: "公开", citizen: "公民", officer: "经办人", agency_admin: "部门管理员", portal: "门户", auditor: "审计员" };
const role = name => both(roleNames[name] ?? "", name.replace("_", " "));

async function discover() {
  const answer = await fetch(issuer.replace(/\/$/, "") + "/.well-known/openid-configuration");
  return answer.json();
}

async function signIn() {
  try {
    const { authorization_endpoint } = await discover();
    const verifier = random(), state = random();
    sessionStorage.setItem("verifier", verifier);
    sessionStorage.setItem("state", state);
    sessionStorage.setItem("place", location.pathname + location.hash);
    const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
    // prompt=login: on a shared machine, the one before is not signed in again without being asked
    location.href = authorization_endpoint + "?" + new URLSearchParams({
      client_id: client, response_type: "code", scope: "openid", redirect_uri: redirect, state, prompt: "login",
      code_challenge: challenge, code_challenge_method: "S256",
    });
  } catch {
    say(...both("无法连接身份认证服务。", "The identity provider could not be reached. If its certificate is new to this browser, open its address once: "),
      make("a", { href: issuer, textContent: issuer }));
  }
}

const failed = () => say(...both("登录未成功，请重新登录。", "The sign-in did not succeed; begin again."));

// finishSignIn redeems the code with which the provider sent the browser back. What was kept for it is good once.
async function finishSignIn() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("code") && !answer.has("error")) return;
  const [verifier, state, place] = ["verifier", "state", "place"].map(key => {
    const value = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    return value;
  });
  const here = !place || place.startsWith(location.pathname);
  history.replaceState(null, "", here && place ? place : "/docs");
  if (answer.has("error") || !state || answer.get("state") !== state) return failed();
  const { token_endpoint } = await discover();
  const response = await fetch(token_endpoint, { method: "POST", body: new URLSearchParams({
    grant_type: "authorization_code", code: answer.get("code"), redirect_uri: redirect, client_id: client, code_verifier: verifier,
  }) });
  const tokens = await response.json();
  if (!tokens.access_token) return failed();
  sessionStorage.setItem("token", tokens.access_token);
  if (!here && place.startsWith("/consents")) return location.replace(place); // the page of ours that began it
  session();
}

// signOut forgets the token, and ends the session at the provider if it has a place for that.
async function signOut() {
  sessionStorage.removeItem("token");
  session();
  element("sign-in").focus();
  try {
    const { end_session_endpoint } = await discover();
    if (end_session_endpoint) location.href = end_session_endpoint + "?" + new URLSearchParams({ client_id: client, post_logout_redirect_uri: redirect });
  } catch { /* a provider that is not reached has no say: the token is gone from here */ }
}

// who reads the claims of a token that has not ended. The page only shows them; the gateway is who checks.
function who() {
  const token = sessionStorage.getItem("token");
  if (!token) return null;
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    if (claims.exp * 1000 > Date.now()) return { token, ...claims };
  } catch { /* not a token */ }
  sessionStorage.removeItem("token");
  return null;
}

const say = (...line) => element("session").replaceChildren(...line);

// session shows who is signed in.
function session() {
  const user = who();
  element("sign-in").hidden = !issuer || user !== null;
  element("sign-out").hidden = user === null;
  if (user) say(...both("已登录", "Signed in as "), make("strong", { textContent: user.sub }), ", ", ...role(user.role), user.agency ? " · " + user.agency : "");
  else say(...both("未登录", "Not signed in."));
  signedIn(user);
}
