// What a test asks of a page from inside. Each function lists what is wrong; an empty list is good.
globalThis.checks = (() => {
  const visible = e => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length > 0;
  const name = e => (e.id ? "#" + e.id : e.tagName.toLowerCase() + (e.className ? "." + e.className : "")) + " " + e.textContent.trim().slice(0, 40);
  const wrong = (list, say) => [...new Set(list.map(say))].slice(0, 10);

  // A colour as the browser computes it: rgb(r, g, b) or rgba(r, g, b, a).
  const parse = text => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  // The nearest painted background; what no element paints, the page's own scheme does.
  const behind = e => {
    for (let at = e; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] > 0) throw new Error("half-transparent background at " + name(at));
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };

  // WCAG 2.2, 1.4.3: text 4.5:1, large text 3:1; 1.4.11: edges of controls 3:1.
  function contrast() {
    const bad = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let texts = 0;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const e = node.parentElement;
      if (!node.data.trim() || !visible(e) || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName)) continue;
      texts++;
      const style = getComputedStyle(e), size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
      const have = ratio(parse(style.color), behind(e));
      if (have < (large ? 3 : 4.5)) bad.push(name(e) + ": " + have.toFixed(2));
    }
    for (const e of document.querySelectorAll("input:not([type=radio]):not([type=checkbox]):not([type=hidden]), textarea")) {
      if (!visible(e)) continue;
      const style = getComputedStyle(e);
      const text = ratio(parse(style.color), parse(style.backgroundColor)), edge = ratio(parse(style.borderTopColor), behind(e.parentElement));
      if (text < 4.5) bad.push(name(e) + ": text " + text.toFixed(2));
      if (edge < 3) bad.push(name(e) + ": edge " + edge.toFixed(2));
    }
    if (texts < 3) bad.push("the page has next to no text: " + texts);
    return wrong(bad, line => line);
  }

  // Language, title, one h1, no level of heading left out, bilingual headings, no id twice, no positive tab index.
  function structure() {
    const bad = [], html = document.documentElement;
    if (html.lang !== "en") bad.push("lang is " + html.lang);
    if (!document.title) bad.push("no title");
    if (!document.querySelector("meta[name=viewport]")) bad.push("no viewport");
    if (document.compatMode !== "CSS1Compat") bad.push("quirks mode");
    const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(visible);
    if (headings.filter(h => h.tagName === "H1").length !== 1) bad.push("not one h1");
    let level = 0;
    for (const h of headings) {
      const own = Number(h.tagName[1]);
      if (own > level + 1) bad.push("level left out before " + name(h));
      level = own;
      if (!h.querySelector("[lang=zh-Hans]")?.textContent.match(/\p{Script=Han}/u) || !h.textContent.match(/[A-Za-z]{3}/)) bad.push("not in both languages: " + name(h));
    }
    // Chinese outside of an element that says so would be read out as English.
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const e = node.parentElement;
      if (/\p{Script=Han}/u.test(node.data) && !["SCRIPT", "STYLE"].includes(e.tagName) && !e.closest("[lang=zh-Hans]")) bad.push("Chinese not marked: " + name(e));
    }
    const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
    bad.push(...ids.filter((id, i) => ids.indexOf(id) !== i).map(id => "id twice: " + id));
    bad.push(...[...document.querySelectorAll("[tabindex]")].filter(e => e.tabIndex > 0).map(e => "positive tab index: " + name(e)));
    bad.push(...[...document.querySelectorAll("[aria-describedby], [aria-labelledby]")]
      .flatMap(e => [e.getAttribute("aria-describedby"), e.getAttribute("aria-labelledby")]).filter(id => id && !document.getElementById(id)).map(id => "no element " + id));
    return wrong(bad, line => line);
  }

  // Nothing is wider than the window.
  function overflow() {
    const page = document.scrollingElement, bad = [];
    if (page.scrollWidth > page.clientWidth) bad.push("page: " + page.scrollWidth + " of " + page.clientWidth);
    for (const e of document.body.querySelectorAll("*"))
      if (visible(e) && e.getBoundingClientRect().right > page.clientWidth + 0.5) bad.push(name(e));
    return wrong(bad, line => line);
  }

  const focused = () => {
    const e = document.activeElement;
    if (e.tagName === "SUMMARY") return e.parentElement.id ? e.parentElement.id + " summary" : "summary";
    if (e.type === "submit") return e.closest(".route") ? e.closest(".route").id + " send" : "Sign in";
    if (e.type === "radio") return e.value;
    if (e.id) return e.id;
    return e.hash?.startsWith("#group-") ? e.hash : e.textContent.trim();
  };

  // Where the focus is can be seen: an outline of two pixels, three times as bright or dark as what it lies on, in the window.
  function focus() {
    const e = document.activeElement, style = getComputedStyle(e), bad = [];
    if (e === document.body) return [];
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) bad.push("no outline: " + name(e));
    else if (ratio(parse(style.outlineColor), behind(e.parentElement)) < 3) bad.push("faint outline: " + name(e));
    const box = e.getBoundingClientRect();
    if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) bad.push("out of sight: " + name(e));
    return bad;
  }

  // What is seen in an order is reached in that order: top to bottom within a column.
  function order() {
    const bad = [], places = [...document.querySelectorAll("#routes summary")].filter(visible);
    for (let i = 1; i < places.length; i++)
      if (places[i].getBoundingClientRect().top < places[i - 1].getBoundingClientRect().top) bad.push(name(places[i]));
    return wrong(bad, line => line);
  }

  return { contrast, structure, overflow, focused, focus, order };
})();
0;
