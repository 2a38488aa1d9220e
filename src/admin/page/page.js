// The operators' page: shows what /api/status, /api/availability, /api/history and /api/incidents say, follows /api/live,
// and sends actions. Figures are shown as they come: nothing is rounded here.
"use strict";

const SILENCE = 12000;   // ms without a word from backstop: the connection is lost
const POLL = 5000;       // ms between two questions where events do not come
const FIGURES = 10000;   // ms between two questions for figures
const SPANS = { "90d": "90 days", "24h": "24 hours", "1h": "1 hour" };
const STATES = {
  in_rotation: "in rotation", out: "down", key_refused: "refuses us", taken_out: "taken out by hand",
  probing: "being tested", cooling_down: "cooling down", partly_out: "partly down", recovering: "coming back",
};
const COLOURS = { well: "#1a7f37", covered: "#c98a00", failing: "#d1242f", lost: "#57606a" };

const known = { status: null, availability: null, history: {}, incidents: null };
const shown = { span: "90d", cursor: null, tokenSpan: "24h", tokenOf: "", incidentsOf: "" };
let heardAt = null;
let lostSince = null;
let isLive = false;
let events = null;

// --- Elements ---------------------------------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);
const SVG = new Set(["svg", "rect", "path", "line", "text", "circle", "title", "g"]);

/// An element with attributes and children; what is null or false is left out.
function h(name, attributes, ...children) {
  const node = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

/// Makes the content of a node like this, and leaves alone what stays: focus, selection, scrolling and what was opened survive.
function fill(node, ...children) {
  const wanted = h("div", null, ...children);
  syncChildren(node, wanted);
}

function syncChildren(node, wanted) {
  const [old, fresh] = [[...node.childNodes], [...wanted.childNodes]];
  fresh.forEach((child, index) => (old[index] ? sync(old[index], child) : node.append(child)));
  old.slice(fresh.length).forEach((child) => child.remove());
}

function sync(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  }
  for (const name of ["onclick", "ontoggle", "onchange", "onkeydown", "onpointermove", "onpointerdown"]) {
    if (old[name] || fresh[name]) old[name] = fresh[name];
  }
  syncChildren(old, fresh);
}

// --- Words and numbers ------------------------------------------------------------------------------------------------

const number = (value) => value.toLocaleString("en");
const percent = (value) => (value === null || value === undefined ? "no data" : `${value} %`);
const words = (label) => (label || "").replaceAll("_", " ");
const milliseconds = (value) => (value >= 10000 ? `${Math.trunc(value / 100) / 10} s` : `${number(value)} ms`);
const plural = (count, one, several) => `${number(count)} ${count === 1 ? one : several}`;

/// A share of requests, cut off to two decimals; what is not nothing is not shown as nothing.
function share(part, all) {
  const cut = Math.trunc((part * 10000) / all) / 100;
  return part > 0 && cut === 0 ? "less than 0.01 %" : `${cut} %`;
}

function errors(counts) {
  if (!counts.requests) return "no data";
  return `${share(counts.failed, counts.requests)} (${number(counts.failed)} of ${number(counts.requests)})`;
}

function lasting(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const [days, hours, minutes] = [Math.trunc(whole / 86400), Math.trunc(whole / 3600) % 24, Math.trunc(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes >= 2 ? `${minutes} min` : `${whole} s`;
}

const two = (value) => String(value).padStart(2, "0");
const day = (date) => `${date.getDate()} ${date.toLocaleString("en", { month: "short" })}`;

/// The time of day, with the day if that is not today; in this reader's time zone.
function clock(text) {
  const date = new Date(text);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return date.toDateString() === new Date().toDateString() ? time : `${day(date)} ${time}`;
}

const moment = (text) => (text ? h("time", { datetime: text, title: text }, clock(text)) : "the start");
const since = (text) => (Date.now() - Date.parse(text)) / 1000;

/// What is left until then; it counts down by itself.
const countdown = (seconds) => h("span", { "data-until": Math.round(Date.now() / 1000 + seconds) }, lasting(seconds));

function stepName(text, step) {
  const date = new Date(text);
  if (step === "1d") return new Date(text).toLocaleDateString("en", { day: "numeric", month: "long", timeZone: "UTC" });
  return step === "1h" ? `${clock(text)}, one hour` : clock(date.toISOString());
}

// --- Tables -----------------------------------------------------------------------------------------------------------

/// A table that becomes a list on a narrow screen, and stays a table for a screen reader. A row is a list of cells; the first
/// one names it; a `#` before a name stands for numbers, a `=` for lists.
function table(caption, head, rows) {
  const kinds = head.map((name) => ({ "#": "number", "=": "wide" })[name[0]]);
  const names = head.map((name) => name.replace(/^[#=]/, ""));
  const cell = (content, index) => {
    const isHead = index === 0;
    const attributes = { role: isHead ? "rowheader" : "cell", scope: isHead && "row", class: kinds[index], "data-label": names[index] };
    return h(isHead ? "th" : "td", attributes, content);
  };
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "stack", role: "table" },
      h("caption", null, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, names.map((name, index) =>
        h("th", { role: "columnheader", scope: "col", class: kinds[index] }, name)))),
      h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, row.map(cell))))));
}

function choices(node, values, chosen, choose) {
  fill(node, Object.entries(values).map(([value, name]) =>
    h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value) }, name)), " ");
}

// --- At first glance --------------------------------------------------------------------------------------------------

function headline(status) {
  if (status.network_lost_since) return `Our own network is lost since ${clock(status.network_lost_since)}: no upstream can be reached.`;
  const [worst] = status.problems;
  if (worst) return sentence(worst);
  if (status.condition === "failing") return "Requests of clients fail.";
  return "All upstreams are well.";
}

/// "openai is down since 02:14 (503 overloaded). claude answers instead."
/// "openai refuses us since 02:14, asked again from 02:24 on (key refused)."
function sentence(problem) {
  const start = problem.since ? ` since ${clock(problem.since)}` : "";
  const end = problem.until ? `, asked again from ${clock(problem.until)} on` : "";
  const because = problem.because ? ` (${problem.because})` : "";
  return `${problem.what}${start}${end}${because}.${problem.instead ? ` ${problem.instead}.` : ""}`;
}

/// "3 requests wait in the route gpt-* since 02:14, for openai."
function waitingLine(waiting) {
  const upstreams = waiting.upstreams.length ? `, for ${waiting.upstreams.join(", ")}` : "";
  return `${plural(waiting.requests, "request waits", "requests wait")} in the route ${waiting.route} since ${clock(waiting.since)}${upstreams}.`;
}

function clientsLine(figures) {
  if (figures === undefined) return "";
  if (!figures) return "No requests in the last 5 minutes.";
  const count = `${number(figures.failed)} of ${plural(figures.requests, "request", "requests")} failed in the last 5 minutes`;
  const saved = figures.saved ? ` ${plural(figures.saved, "was", "were")} saved by another upstream.` : "";
  return `${figures.failed ? "Clients feel it" : "Clients felt nothing"}: ${count}.${saved}`;
}

function glance() {
  const status = known.status;
  const isLost = lostSince !== null;
  byId("glance").className = isLost ? "" : status.condition;
  byId("headline").textContent = isLost ? `Unknown: the connection is lost. Last known at ${clock(status.now)}: ${headline(status)}` : headline(status);
  const problems = status.network_lost_since ? status.problems : status.problems.slice(1);
  const others = [...problems.map(sentence), ...status.waiting.map(waitingLine)];
  const act = status.problems.filter((problem) => problem.needs_action);
  fill(byId("glance-body"),
    h("p", null, clientsLine(status.clients ? status.clients["5m"] : undefined)),
    others.length ? h("ul", null, others.map((line) => h("li", null, line))) : null,
    act.length ? h("p", null, `Somebody has to act: ${act.map((problem) => problem.upstream).join(", ")}.`) : null,
    status.draining ? h("p", null, "This backstop is stopping: it finishes what is open.") : null);
  mark(isLost ? "lost" : status.condition, headline(status));
}

/// The title and the picture of the tab, and a word for a screen reader when the state has changed.
function mark(condition, text) {
  const sign = { well: "✓", covered: "▲", failing: "■", lost: "?" }[condition];
  document.title = `${sign} backstop: ${condition}`;
  const dot = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4.5" cy="4.5" r="4.5" fill="${COLOURS[condition]}"/></svg>`;
  byId("icon").href = `data:image/svg+xml,${encodeURIComponent(dot)}`;
  const problems = known.status.problems.map((problem) => `${problem.upstream} ${problem.state}`).join();
  const node = byId("announcement");
  if (node.dataset.of !== condition + problems) {
    node.dataset.of = condition + problems;
    node.textContent = condition === "lost" ? "The connection to backstop is lost." : text;
  }
}

// --- Upstreams --------------------------------------------------------------------------------------------------------

function upstreams() {
  const listed = known.availability ? known.availability.upstreams.map((one) => one.name) : [];
  const order = (one) => (one.state === "in_rotation" ? 1000 : 0) + listed.indexOf(one.name);
  const all = [...known.status.upstreams].sort((a, b) => order(a) - order(b));
  fill(byId("upstreams-body"), h("div", { class: "cards" }, all.map(upstream)));
}

const figuresOf = (name) => known.availability && known.availability.upstreams.find((one) => one.name === name);

function upstream(one) {
  const windows = (figuresOf(one.name) || { windows: {} }).windows;
  const incidents = () => { shown.incidentsOf = one.name; incidentList(); byId("incidents").scrollIntoView(); };
  return h("article", { id: `upstream-${one.name}`, "aria-labelledby": `name-${one.name}` },
    h("div", { class: "top" },
      h("h3", { id: `name-${one.name}` }, one.name),
      h("span", { class: `state ${one.state}` }, STATES[one.state] || words(one.state))),
    h("dl", null, facts(one, windows).map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    one.cooldowns.map((cooldown) => cooldownLine(cooldown)),
    models(one),
    h("p", { class: "links" },
      h("button", { type: "button", id: `switch-${one.name}`, onclick: () => askToSwitch(one) }, one.taken_out_since ? `Put ${one.name} back` : `Take ${one.name} out`),
      h("a", { href: "#incidents", onclick: incidents }, "Incidents", h("span", { class: "unseen" }, ` of ${one.name}`)),
      h("a", { href: "metrics" }, "Metrics")));
}

function facts(one, windows) {
  const begun = one.since;
  const isWell = one.state === "in_rotation";
  const token = windows["5m"] && windows["5m"].first_token_ms;
  return [
    (begun || isWell) && [isWell ? "In rotation since" : "Since", moment(begun)],
    one.because && ["Because", one.because + (one.because_of_model ? ` (${one.because_of_model})` : "")],
    ["Errors, 1 min", errors(one.errors_1m)],
    ["Errors, 5 min", errors(one.errors_5m)],
    ["Available, 24 h", percent(windows["24h"] && windows["24h"].by_requests)],
    ["First token, half of all", token ? milliseconds(token.p50) : "no data"],
    ["Circuit breaker", `${words(one.circuit)}, evidence ${one.evidence} of ${one.threshold}`],
    one.retry_in_seconds !== null && ["Next probe in", one.retry_in_seconds > 0 ? countdown(one.retry_in_seconds) : "a moment"],
    one.circuit === "slow_start" && ["Gets of its traffic", `${Math.trunc(one.admitted * 100)} %`],
    one.last_failure && ["Last failure", [moment(one.last_failure.at), ` ${one.last_failure.status || ""} ${words(one.last_failure.outcome)}`]],
    ["In flight", number(one.in_flight)],
  ].filter(Boolean);
}

function cooldownLine(cooldown, model) {
  const key = cooldown.keys > 1 ? `key ${cooldown.key} of ${cooldown.keys}` : "its key";
  return h("p", null, `Cooldown: ${key}${model ? ` for ${model}` : ""}, ${words(cooldown.reason)}, since `, moment(cooldown.since), ", ends at ", moment(cooldown.ends_at), " (in ", countdown(cooldown.ends_in_seconds), ")");
}

function models(one) {
  const badFirst = [...one.models].sort((a, b) => (a.state === "in_rotation") - (b.state === "in_rotation"));
  const named = badFirst.map((model) => h("li", null,
    model.name === "*" ? "any model (*)" : model.name, ": ",
    h("span", { class: `state ${model.state}` }, STATES[model.state] || words(model.state)),
    model.because ? [" since ", moment(model.since), ` (${model.because})`] : "",
    model.retry_in_seconds > 0 ? [", next probe in ", countdown(model.retry_in_seconds)] : null,
    `, errors in 5 min: ${errors(model.errors_5m)}, evidence ${model.evidence} of ${model.threshold}`,
    model.cooldowns.map((cooldown) => cooldownLine(cooldown, model.name))));
  const isOpen = one.models.some((model) => model.state !== "in_rotation");
  return h("details", { id: `models-${one.name}-${isOpen}`, open: isOpen }, h("summary", null, plural(named.length, "model", "models")), h("ul", null, named));
}

// --- Availability -----------------------------------------------------------------------------------------------------

/// The rows of a history: each upstream, then what clients felt.
function rows(history) {
  return [...history.upstreams, { name: "Clients", points: history.clients, isClients: true }];
}

function availability() {
  choices(byId("spans"), SPANS, shown.span, (span) => { shown.span = span; shown.cursor = null; refreshHistory(span); });
  const history = known.history[shown.span];
  if (!history || !history.clients.length) return fill(byId("availability-body"), h("p", null, "no data"));
  const last = history.clients.length - 1;
  const cursor = Math.min(shown.cursor ?? last, last);
  const move = (to) => { if (to === cursor) return; shown.cursor = Math.max(0, Math.min(last, to)); availability(); };
  const keys = { ArrowLeft: cursor - 1, ArrowDown: cursor - 1, ArrowRight: cursor + 1, ArrowUp: cursor + 1, Home: 0, End: last, PageUp: cursor - 7, PageDown: cursor + 7 };
  const onkeydown = (event) => { if (event.key in keys) { event.preventDefault(); move(keys[event.key]); } };
  const point = (event) => {
    const svg = event.target.closest("svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    move(Math.trunc(((event.clientX - box.left) / box.width) * (last + 1)));
  };
  const slider = { class: "bars", id: "bars", tabindex: 0, role: "slider", "aria-label": `Availability, ${SPANS[shown.span]}`, "aria-valuemin": 0, "aria-valuemax": last,
    "aria-valuenow": cursor, "aria-valuetext": spoken(history, cursor), onkeydown, onpointermove: point, onpointerdown: point };
  fill(byId("availability-body"),
    h("div", slider, rows(history).map((row) => barRow(row, cursor)),
      h("div", { class: "ends" }, h("span", null, stepName(history.clients[0].at, history.step)), h("span", null, "now"))),
    readout(history, cursor),
    inFull(history));
}

function barRow(row, cursor) {
  const windows = row.isClients ? known.availability && known.availability.clients : (figuresOf(row.name) || {}).windows;
  const total = windows && windows[shown.span];
  return h("div", { class: row.isClients ? "row clients" : "row" },
    h("span", { class: "name" }, row.name),
    h("svg", { viewBox: `0 0 ${row.points.length * 10} 32`, preserveAspectRatio: "none", "aria-hidden": "true" },
      row.points.map((point, index) => bar(point.figures, index)),
      h("rect", { class: "cursor", x: cursor * 10, y: 1, width: 10, height: 30 })),
    h("span", { class: "figure" }, total ? percent(total.by_requests) : "no data"));
}

function bar(figures, index) {
  const x = index * 10 + 1.5;
  if (!figures) return h("rect", { class: "none", x, y: 29, width: 7, height: 3 });
  const lost = 100 - Math.min(figures.by_requests ?? 100, figures.by_time ?? 100);
  const height = lost > 0 ? Math.max(6, Math.sqrt(lost / 100) * 32) : 0;
  return [h("rect", { class: "bar", x, y: 0, width: 7, height: 32 - height }), height ? h("rect", { class: "failed", x, y: 32 - height, width: 7, height }) : null];
}

function spoken(history, index) {
  const of = ({ name, points }) => {
    const { figures } = points[index] || {};
    return figures ? `${name} ${percent(figures.by_requests)} by requests, ${percent(figures.by_time)} by time` : `${name} no data`;
  };
  return `${stepName(history.clients[index].at, history.step)}: ${rows(history).map(of).join("; ")}`;
}

const COLUMNS = ["#By requests", "#By time", "#Requests", "#Failed", "Why", "#Elsewhere"];

function cells(figures) {
  if (!figures) return ["no data", "no data", "", "", "", ""];
  const why = Object.entries(figures.failures || {}).map(([label, count]) => `${words(label)} ${number(count)}`).join(", ");
  const elsewhere = figures.saved === undefined ? figures.passed_over : figures.saved;
  return [percent(figures.by_requests), percent(figures.by_time), number(figures.requests), number(figures.failed), why, number(elsewhere || 0)];
}

function readout(history, index) {
  const name = stepName(history.clients[index].at, history.step);
  return table(name, ["Who", ...COLUMNS], rows(history).map((row) => [row.name, ...cells((row.points[index] || {}).figures)]));
}

/// All bars as tables, made when somebody opens them.
function inFull(history) {
  const node = byId("in-full");
  const isOpen = node && node.open;
  return h("details", { id: "in-full", ontoggle: () => { if (byId("in-full").open !== Boolean(isOpen)) availability(); } },
    h("summary", null, "All bars as tables"),
    isOpen ? rows(history).map((row) => table(row.name, ["When", ...COLUMNS], [...row.points].reverse().map((point) => [stepName(point.at, history.step), ...cells(point.figures)]))) : null);
}

// --- Time to first token ----------------------------------------------------------------------------------------------

function firstToken() {
  const spans = { "24h": SPANS["24h"], "1h": SPANS["1h"] };
  choices(byId("token-choices"), spans, shown.tokenSpan, (span) => { shown.tokenSpan = span; refreshHistory(span); });
  const history = known.history[shown.tokenSpan];
  if (!history) return fill(byId("first-token-body"), h("p", null, "no data"));
  const all = rows(history).reverse();
  const row = all.find((one) => one.name === shown.tokenOf) || all[0];
  const select = h("select", { id: "token-of", onchange: (event) => { shown.tokenOf = event.target.value; firstToken(); } },
    all.map((one) => h("option", { value: one.name, selected: one === row }, one.isClients ? "Clients (whoever answered)" : one.name)));
  const points = row.points.map((point) => ({ at: point.at, token: point.figures && point.figures.first_token_ms }));
  const hasData = points.some((point) => point.token);
  fill(byId("first-token-body"),
    h("p", null, h("label", { for: "token-of" }, "Of "), select),
    hasData ? plot(points, history.step) : h("p", null, "no data"),
    hasData ? h("details", { id: "token-table" }, h("summary", null, "As a table"), table(`Time to first token, ${row.name}`, ["When", "#p50", "#p95"],
      points.filter((point) => point.token).reverse().map((point) => [stepName(point.at, history.step), milliseconds(point.token.p50), milliseconds(point.token.p95)]))) : null);
}

function plot(points, step) {
  const [width, height, left, right, bottom] = [Math.max(280, byId("first-token-body").clientWidth), 190, 66, 40, 24];
  const most = Math.max(...points.map((point) => (point.token ? point.token.p95 : 0)), 1);
  const x = (index) => left + ((width - left - right) * index) / Math.max(1, points.length - 1);
  const y = (value) => 14 + (height - bottom - 14) * (1 - value / most);
  const last = points.filter((point) => point.token).at(-1).token;
  const label = `Time to first token by ${step === "1h" ? "hour" : "minute"}: lately half of all within ${milliseconds(last.p50)}, 95 % within ${milliseconds(last.p95)}; at most ${milliseconds(most)} for 95 %`;
  const [y50, y95] = [y(last.p50), y(last.p95)];
  const apart = Math.abs(y50 - y95) < 14 ? 14 - Math.abs(y50 - y95) : 0;
  return h("svg", { class: "plot", role: "img", "aria-label": label, viewBox: `0 0 ${width} ${height}`, height },
    [0, 0.5, 1].map((part) => [
      h("line", { class: "grid", x1: left, x2: width - right, y1: y(most * part), y2: y(most * part) }),
      h("text", { x: left - 6, y: y(most * part) + 4, "text-anchor": "end" }, milliseconds(Math.round(most * part)))]),
    line(points, "p95", x, y), line(points, "p50", x, y),
    h("text", { class: "of95", x: width - right + 6, y: y95 + 4 - apart }, "p95"),
    h("text", { class: "of50", x: width - right + 6, y: y50 + 4 }, "p50"),
    h("text", { x: left, y: height - 7 }, clock(points[0].at)),
    h("text", { x: width - right, y: height - 7, "text-anchor": "end" }, "now"));
}

/// A line with gaps where there is no data, and dots where a point is alone.
function line(points, which, x, y) {
  const has = (index) => points[index] && points[index].token;
  const parts = points.map((point, index) => {
    if (!point.token) return "";
    return `${has(index - 1) ? "L" : "M"}${x(index).toFixed(1)} ${y(point.token[which]).toFixed(1)}`;
  });
  const alone = points.map((point, index) => point.token && !has(index - 1) && !has(index + 1) && h("circle", { class: which, cx: x(index), cy: y(point.token[which]), r: 3 }));
  return [h("path", { class: which, d: parts.join("") || "M0 0" }), alone];
}

// --- Routes, failovers, incidents -------------------------------------------------------------------------------------

function candidates(list) {
  const name = (one) => `${one.upstream} (${one.model}): ${one.why}`;
  const [open, shut] = [list.filter((one) => one.place), list.filter((one) => !one.place)];
  return [open.length ? h("ol", null, open.map((one) => h("li", null, name(one)))) : h("strong", null, "nobody"), shut.length ? h("ul", null, shut.map((one) => h("li", null, `not now: ${name(one)}`))) : null];
}

function routes() {
  const isExact = (pattern) => !pattern.endsWith("*");
  fill(byId("routes-body"), table("Who would be tried now, in this order", ["Model", "=Candidates"],
    known.status.routes.map((route) => [
      isExact(route.pattern) ? h("button", { type: "button", title: "Explain", onclick: () => explainModel(route.pattern) }, route.pattern) : route.pattern,
      candidates(route.candidates)])));
}

async function explainModel(model) {
  byId("model").value = model;
  const body = JSON.stringify({ model });
  const answer = await fetch("api/explain", { method: "POST", headers: { "content-type": "application/json" }, body }).then((it) => it.json()).catch(() => ({ error: "backstop does not answer" }));
  fill(byId("explained"), answer.error ? h("p", null, answer.error) : [h("p", null, h("strong", null, answer.model), ` goes by the route ${answer.route} (${words(answer.endpoint)}):`), candidates(answer.candidates)]);
}

function replicas() {
  const { fleet, upstreams: own } = known.status;
  byId("fleet").hidden = !fleet;
  if (!fleet) return;
  const isOut = (one) => one.circuit === "open" || one.circuit === "half_open";
  const name = (upstream, model) => (model ? `${model} at ${upstream}` : upstream);
  const outHere = own.flatMap((one) => [...(isOut(one) ? [one.name] : []), ...one.models.filter(isOut).map((model) => name(one.name, model.name))]);
  const outThere = (one) => one.out.map((it) => `${name(it.upstream, it.model)} (${words(it.because)})`);
  const list = (names) => names.join(", ") || "nothing";
  const failed = (figures) => ["1h", "24h"].map((window) => (figures && figures.clients[window] ? errors(figures.clients[window]) : "not known"));
  const rows = [[`${fleet.name} (this one)`, "—", list(outHere), ...failed(fleet.figures)]];
  rows.push(...fleet.replicas.map((one) => [one.name, "now", list(outThere(one)), ...failed(one.figures)]));
  rows.push(...fleet.gone.map((one) => [one.name, h("strong", null, "not since ", moment(one.heard_at)), "—", "—", "—"]));
  if (fleet.replicas.length) rows.push(["All together", "—", "—", ...failed(fleet.together)]);
  fill(byId("replicas-body"),
    fleet.connected ? null : h("p", null, h("strong", null, "What replicas know is not shared now"), ": each goes on alone."),
    table("What each has taken out of rotation, and what its clients had", ["Replica", "Heard", "=Out of rotation", "#Failed in 1 h", "#Failed in 24 h"], rows),
    h("p", null, "Incidents are those of all replicas. Everything else on this page is about this one alone."));
}

function failovers() {
  const list = known.status.failovers;
  const result = { answered: "answered in full", failed: "failed", broken: "broke off", client_gone: "client left", rejected: "rejected" };
  fill(byId("failovers-body"), list.length ? table("The latest first; equal ones within a minute together", ["When", "#Requests", "Instead of", "Because", "Answered by", "Route", "For the client"],
    list.map((one) => [moment(one.until), number(one.requests), one.from || "—", words(one.reason) + (one.is_skipped ? " (not asked)" : ""), one.to || "nobody", one.route || "—", result[one.result] || one.result])) : h("p", null, "None since the start."));
}

function incidentList() {
  if (!known.incidents) return;
  const names = [...new Set(known.incidents.map((one) => one.upstream || "our own network"))];
  const list = known.incidents.filter((one) => !shown.incidentsOf || (one.upstream || "our own network") === shown.incidentsOf);
  const select = h("select", { id: "incidents-of", onchange: (event) => { shown.incidentsOf = event.target.value; incidentList(); } },
    ["", ...new Set([...names, shown.incidentsOf].filter(Boolean))].map((name) => h("option", { value: name, selected: name === shown.incidentsOf }, name || "everybody")));
  fill(byId("incidents-body"),
    h("p", { class: "links" }, h("label", { for: "incidents-of" }, "Of "), select, " ", h("a", { href: "incidents.atom" }, "Feed")),
    list.length ? table("The latest first", ["Started", "Lasted", "What", "Cause", "#Failed attempts", "#Moved", "#Felt by clients", ...(list.some((one) => one.replica) ? ["Replica"] : [])], list.map(incident)) : h("p", null, "None in the last 90 days."));
}

function incident(one) {
  const took = (Date.parse(one.ended_at || new Date().toISOString()) - Date.parse(one.started_at)) / 1000;
  const what = one.upstream ? (one.model ? `${one.model} at ${one.upstream}` : one.upstream) : "our own network";
  return [moment(one.started_at), one.ended_at ? lasting(took) : h("strong", null, `${lasting(took)}, still going on`), what,
    [words(one.cause), one.words ? `: “${one.words}”` : ""], number(one.requests), number(one.moved), number(one.noticed), ...(one.replica ? [one.replica] : [])];
}

function footer() {
  const { version, started_at: started, config, actions } = known.status;
  const reload = config.last_reload;
  fill(byId("footer-body"),
    h("p", null, `backstop ${version}, running since `, moment(started), ", configuration of ", moment(config.since), "."),
    reload && !reload.ok ? h("p", null, h("strong", null, "The last reload failed"), " at ", moment(reload.at), `, the old configuration stays: ${reload.problem}`) : null,
    h("p", { class: "links" }, h("button", { type: "button", id: "reload", onclick: askToReload }, "Reload the configuration"),
      ["api/status", "api/availability", "api/history?span=24h", "api/incidents", "api/upstreams", "metrics", "badge.svg"].map((path) => h("a", { href: path }, path))),
    actions ? null : h("p", null, "Actions are off. To turn them on, set ", h("code", null, 'admin: {token: "${BACKSTOP_ADMIN_TOKEN}"}'), " in the configuration and reload it with SIGHUP."));
}

// --- Actions ----------------------------------------------------------------------------------------------------------

let pending = null;

function askToSwitch(one) {
  const isOut = Boolean(one.taken_out_since);
  openDialog(isOut ? `Put ${one.name} back?` : `Take ${one.name} out?`,
    isOut ? "Its circuit breaker decides again from the next request on." : "Nothing is sent to it until it is put back, not even as a last resort. What it is answering goes on. A reload keeps it out, a restart does not.",
    isOut ? "Put back" : "Take out", `api/upstreams/${encodeURIComponent(one.name)}/${isOut ? "in" : "out"}`);
}

function askToReload() {
  openDialog("Reload the configuration?", "The file is read again. If anything is wrong with it, the old configuration stays, and you are told here.", "Reload", "api/reload");
}

function openDialog(title, text, verb, path) {
  pending = path;
  const { actions } = known.status;
  byId("dialog-title").textContent = title;
  byId("dialog-text").textContent = actions ? text : "Actions are off: the configuration has no admin.token. Set one, and reload with SIGHUP.";
  byId("dialog-result").textContent = "";
  byId("dialog-token").hidden = !actions;
  byId("confirm").hidden = !actions;
  byId("confirm").textContent = verb;
  byId("dialog").showModal();
}

async function act(event) {
  event.preventDefault();
  const headers = { "content-type": "application/json", authorization: `Bearer ${byId("token").value}` };
  const told = byId("dialog-result");
  try {
    const answer = await fetch(pending, { method: "POST", headers, body: "{}" });
    const said = await answer.json();
    if (!answer.ok) told.textContent = [said.error, said.problem].filter(Boolean).join(": ");
    else if (said.unanswered && said.unanswered.length && said.taken_out) told.textContent = `Done. Nobody is left to answer for ${said.unanswered.join(", ")}.`;
    else if (said.at_next_start && said.at_next_start.length) told.textContent = `Done. At the next start only: ${said.at_next_start.join(", ")}.`;
    else byId("dialog").close();
    if (answer.ok) byId("confirm").hidden = true;
  } catch {
    told.textContent = "backstop does not answer.";
  }
}

// --- What backstop says -----------------------------------------------------------------------------------------------

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(SILENCE) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function heard(status) {
  const hadIncidents = known.status && known.status.problems.map((it) => it.upstream + it.state).join();
  known.status = status;
  heardAt = Date.now();
  lostSince = null;
  showAll();
  if (hadIncidents !== status.problems.map((it) => it.upstream + it.state).join()) refreshFigures();
}

function showAll() {
  showConnection();
  if (!known.status) return;
  [glance, upstreams, routes, replicas, failovers, footer].forEach((show) => show());
}

function showConnection() {
  const lost = byId("lost");
  document.body.classList.toggle("stale", lostSince !== null);
  lost.hidden = lostSince === null;
  if (lostSince !== null) {
    const text = `Connection lost since ${clock(new Date(lostSince).toISOString())}. What is below is old.`;
    if (lost.textContent !== text) lost.textContent = text;
  }
  byId("connection").textContent = lostSince !== null ? "connection lost" : isLive ? "live" : "asking every few seconds";
}

/// What a part of the page shows stays as it was if its question is not answered.
async function refresh(path, keep, show) {
  try {
    keep(await ask(path));
  } catch {
    return;
  }
  show();
}

const refreshHistory = (span) => refresh(`api/history?span=${span}`, (it) => { known.history[span] = it; }, () => { availability(); firstToken(); });

function refreshFigures() {
  refresh("api/availability", (it) => { known.availability = it; }, () => { if (known.status) { glance(); upstreams(); } availability(); });
  new Set([shown.span, shown.tokenSpan]).forEach(refreshHistory);
  refresh("api/incidents?since=90d", (it) => { known.incidents = it.incidents; }, incidentList);
}

/// Only while the page is seen: a browser has few connections to one place.
function follow() {
  if (events || document.hidden) return;
  events = new EventSource("api/live");
  events.addEventListener("status", (event) => { isLive = true; heard(JSON.parse(event.data)); });
  events.onerror = () => {
    isLive = false;
    if (!events || events.readyState !== EventSource.CLOSED) return;
    events = null;
    setTimeout(follow, 3 * POLL);
  };
}

function seenOrNot() {
  if (!document.hidden) {
    follow();
    return poll();
  }
  isLive = false;
  if (events) events.close();
  events = null;
}

function poll() {
  if (isLive && Date.now() - heardAt < SILENCE) return;
  isLive = false;
  ask("api/status").then(heard, () => { lostSince = lostSince ?? heardAt ?? Date.now(); showAll(); });
}

function countDown() {
  const now = Date.now() / 1000;
  for (const node of document.querySelectorAll("[data-until]")) {
    const text = lasting(node.dataset.until - now);
    if (node.textContent !== text) node.textContent = text;
  }
}

function start() {
  byId("explain").onsubmit = (event) => { event.preventDefault(); explainModel(byId("model").value); };
  byId("action").onsubmit = act;
  byId("cancel").onclick = () => byId("dialog").close();
  window.onresize = firstToken;
  document.onvisibilitychange = seenOrNot;
  follow();
  poll();
  refreshFigures();
  setInterval(countDown, 1000);
  setInterval(poll, POLL);
  setInterval(refreshFigures, FIGURES);
}

start();
