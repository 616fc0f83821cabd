// What pages gain by a script: those of something still going on follow it, filters apply at once, times stay true.
// Without it everything is reachable all the same. Nothing is inline and nothing is loaded from elsewhere.
(() => {
  "use strict";
  document.documentElement.classList.add("scripted");

  // Filters -------------------------------------------------------------------------------------------------------
  for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
    form.addEventListener("change", () => {
      // An empty filter is no filter: keep it out of the address.
      for (const select of form.querySelectorAll("select")) select.disabled = select.value === "";
      form.requestSubmit ? form.requestSubmit() : form.submit();
    });
  }
  // Coming back by the browser's history must not find the filters switched off.
  addEventListener("pageshow", () => {
    for (const select of document.querySelectorAll("form[data-submit-on-change] select")) select.disabled = false;
  });

  // Times: the same words as web::format::ago ------------------------------------------------------------------------
  function ago(seconds) {
    const count = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"} ago`;
    if (seconds < 10) return "just now";
    if (seconds < 60) return count(Math.floor(seconds), "second");
    if (seconds < 3600) return count(Math.floor(seconds / 60), "minute");
    if (seconds < 86400) return count(Math.floor(seconds / 3600), "hour");
    return null;
  }
  function freshenTimes() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const text = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (text && time.textContent !== text) time.textContent = text;
    }
  }
  setInterval(freshenTimes, 15000);

  // Anchors: a link to a line opens the step that holds it ------------------------------------------------------------
  function openTarget() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const step = target && target.closest("details");
    if (!step) return;
    step.open = true;
    target.scrollIntoView({ block: target === step ? "start" : "center" });
  }
  addEventListener("hashchange", openTarget);
  openTarget();

  // Live pages: fetch the same page, exchange the parts that changed ----------------------------------------------------
  function keepOpen(old, fresh) {
    for (const details of old.querySelectorAll("details[id]")) {
      const twin = fresh.querySelector(`#${CSS.escape(details.id)}`);
      if (twin && details.dataset.touched) {
        twin.open = details.open;
        twin.dataset.touched = "1";
      }
    }
  }
  // A person's choice to open or close outlives the exchange; what the server opened may close again.
  addEventListener("click", (event) => {
    const summary = event.target.closest && event.target.closest("summary");
    if (summary) summary.parentElement.dataset.touched = "1";
  });
  function isInUse(element) {
    const selection = getSelection();
    if (selection && !selection.isCollapsed && element.contains(selection.anchorNode)) return true;
    return element.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  }
  function exchange(fresh) {
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      if (!old || old.innerHTML === part.innerHTML || isInUse(old)) continue;
      const focus = old.contains(document.activeElement) ? focusPath(old) : null;
      keepOpen(old, part);
      old.replaceWith(part);
      if (focus) part.querySelectorAll("a, button, summary")[focus.index]?.focus({ preventScroll: true });
    }
  }
  function focusPath(root) {
    const index = [...root.querySelectorAll("a, button, summary")].indexOf(document.activeElement);
    return index < 0 ? null : { index };
  }

  // A job's log: its bytes from where the page ends, by offset ----------------------------------------------------------
  // The rules of web::ansi, for bytes that arrive while the page is open.
  class Ansi {
    /// `classes` are what is switched on already.
    constructor(classes = "") {
      this.reset();
      for (const name of classes.split(" ").filter(Boolean)) {
        if ("fg".includes(name[0])) this[name[0]] = Number(name.slice(1));
        else this[name] = true;
      }
    }
    reset() { this.b = this.d = this.i = this.u = false; this.f = this.g = null; }
    classes() {
      const on = ["b", "d", "i", "u"].filter((name) => this[name]);
      if (this.f !== null) on.push(`f${this.f}`);
      if (this.g !== null) on.push(`g${this.g}`);
      return on.join(" ");
    }
    apply(parameters) {
      const codes = parameters.split(/[;:]/).map((code) => (/^\d+$/.test(code) && +code < 65536 ? +code : 0));
      while (codes.length) {
        const code = codes.shift();
        if (code === 0) this.reset();
        else if (code === 1) this.b = true;
        else if (code === 2) this.d = true;
        else if (code === 3) this.i = true;
        else if (code === 4) this.u = true;
        else if (code === 22) this.b = this.d = false;
        else if (code === 23) this.i = false;
        else if (code === 24) this.u = false;
        else if (code >= 30 && code <= 37) this.f = code - 30;
        else if (code === 38) this.f = Ansi.extended(codes);
        else if (code === 39) this.f = null;
        else if (code >= 40 && code <= 47) this.g = code - 40;
        else if (code === 48) this.g = Ansi.extended(codes);
        else if (code === 49) this.g = null;
        else if (code >= 90 && code <= 97) this.f = code - 82;
        else if (code >= 100 && code <= 107) this.g = code - 92;
      }
    }
    static extended(codes) {
      const kind = codes.shift();
      if (kind === 5 && codes.length) {
        const n = codes.shift();
        if (n < 16) return n;
        if (n < 232) return Ansi.nearest([Math.floor((n - 16) / 36) * 51, (Math.floor((n - 16) / 6) % 6) * 51, ((n - 16) % 6) * 51]);
        const grey = (Math.min(n, 255) - 232) * 10 + 8;
        return Ansi.nearest([grey, grey, grey]);
      }
      if (kind === 2 && codes.length >= 3) return Ansi.nearest(codes.splice(0, 3));
      if (kind === 2) codes.length = 0;
      return null;
    }
    static nearest(rgb) {
      const most = Math.max(...rgb);
      const base = most < 64 ? 0 : rgb.reduce((bits, part, i) => bits | (part * 2 > most ? 1 << i : 0), 0);
      return most > 200 ? base + 8 : base;
    }
    line(text, into) {
      const tokens = text.replace(/\r+$/, "").match(/\x1b\[[^@-~]*[@-~]?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\?)?|\x1b[^]?|\r|\x08|[^\x1b\r\x08]+/gu) || [];
      for (const token of tokens) {
        if (token === "\r") into.replaceChildren();
        else if (token[0] === "\x1b") {
          if (token[1] === "[" && token.endsWith("m")) this.apply(token.slice(2, -1));
        } else if (token !== "\b") {
          const clean = token.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
          const classes = this.classes();
          if (!classes) into.append(clean);
          else {
            const span = document.createElement("span");
            span.className = classes;
            span.textContent = clean;
            into.append(span);
          }
        }
      }
    }
  }

  const log = document.getElementById("log");
  const tail = log && {
    offset: Number(log.dataset.offset),
    rest: new Uint8Array(),
    ansi: new Ansi(log.dataset.style),
    section: Number(log.dataset.offset) > 0 ? sectionAt(Number(log.dataset.offset) - 1) : null,
    decoder: new TextDecoder(),
  };

  // Steps that began or ended since: their line in the list, never the lines of the log that are there already.
  function exchangeSteps(fresh) {
    const now = fresh.getElementById("log");
    if (!now) return;
    for (const step of now.querySelectorAll("details.step")) {
      const old = document.getElementById(step.id);
      if (!old) {
        const after = step.id === "s0" ? null : document.getElementById("end");
        step.id === "s0" ? log.prepend(step) : log.insertBefore(step, after);
        step.querySelector(".lines").replaceChildren();
        continue;
      }
      old.dataset.start = step.dataset.start;
      if (!old.dataset.touched) old.open = step.open;
      const [was, is] = [old.querySelector("summary"), step.querySelector("summary")];
      if (was.innerHTML !== is.innerHTML) was.innerHTML = is.innerHTML;
    }
  }

  function sectionAt(offset) {
    let found = log.querySelector("details.step");
    for (const step of log.querySelectorAll("details.step")) {
      if (step.dataset.start !== "" && Number(step.dataset.start) <= offset) found = step;
    }
    return found;
  }

  function appendLine(bytes, offset) {
    const section = sectionAt(offset);
    if (!section) return;
    if (section !== tail.section) {
      tail.ansi.reset();
      tail.section = section;
    }
    const lines = section.querySelector(".lines");
    const number = lines.childElementCount + 1;
    const line = document.createElement("div");
    line.className = "ln";
    const anchor = document.createElement("a");
    anchor.id = `${section.id}-${number}`;
    anchor.href = `#${anchor.id}`;
    anchor.textContent = number;
    const text = document.createElement("span");
    tail.ansi.line(tail.decoder.decode(bytes), text);
    line.append(anchor, text);
    lines.append(line);
  }

  /// Fetches what is new of the log; whole lines are shown, the last one when it is complete. True once all is there.
  async function followLog() {
    const reply = await fetch(`${log.dataset.log}?offset=${tail.offset + tail.rest.length}`, { cache: "no-store" });
    if (!reply.ok) throw new Error(`log: ${reply.status}`);
    const complete = reply.headers.get("x-log-complete") === "true";
    const more = new Uint8Array(await reply.arrayBuffer());
    const bytes = new Uint8Array(tail.rest.length + more.length);
    bytes.set(tail.rest);
    bytes.set(more, tail.rest.length);
    const follow = innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      appendLine(bytes.subarray(from, end), tail.offset + from);
      from = end + 1;
    }
    const length = Number(reply.headers.get("x-log-length"));
    const whole = complete && tail.offset + bytes.length >= length;
    if (whole && from < bytes.length) {
      appendLine(bytes.subarray(from), tail.offset + from);
      from = bytes.length;
    }
    tail.rest = bytes.slice(from);
    tail.offset += from;
    if (follow && from > 0) scrollTo(0, document.documentElement.scrollHeight);
    return whole;
  }

  let patience = 1;
  async function refresh() {
    let again = true;
    if (!document.hidden) {
      try {
        const address = new URL(location.href);
        if (log) address.searchParams.set("log", "none");
        const reply = await fetch(address, { headers: { accept: "text/html" }, cache: "no-store" });
        if (!reply.ok) throw new Error(`page: ${reply.status}`);
        const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
        exchange(fresh);
        let complete = true;
        if (log) {
          exchangeSteps(fresh);
          complete = await followLog();
        }
        again = fresh.body.dataset.refresh !== undefined || !complete;
        patience = 1;
      } catch {
        // The server restarts or the network is away: ask again, ever more rarely.
        patience = Math.min(patience * 2, 16);
      }
    }
    if (again) setTimeout(refresh, Number(document.body.dataset.refresh) * patience);
    else delete document.body.dataset.refresh;
  }
  if (document.body.dataset.refresh !== undefined) setTimeout(refresh, Number(document.body.dataset.refresh));
})();
