// Ninety days of figures in place of those that a fresh proxy does not have yet: an outage of openai three weeks ago, a slow
// day, and one of clients that lost a few requests. It is put into the page before its own script.
"use strict";
(() => {
  const noise = (seed) => { const x = Math.sin(seed * 12.9898) * 43758.5453; return x - Math.floor(x); };
  const cut = (value) => Math.trunc(value * 10000) / 10000;
  const figures = (requests, failed, of, p50) => ({
    requests, failed, by_requests: cut(100 * (requests - failed) / requests), by_time: cut(100 - Math.min(60, 100 * failed / requests) * 0.9),
    failures: failed ? { overloaded: failed } : {}, first_token_ms: { p50, p95: Math.trunc(p50 * 2.6), p99: p50 * 4 },
    total_ms: null, passed_over: of.passed || 0, saved: of.saved || 0, tokens: { input: 0, cached: 0, output: 0 },
  });
  const failedOf = { openai: { 68: 900, 69: 410, 80: 12, 89: 61, 44: 3 }, claude: { 30: 25 }, Clients: { 69: 4 } };
  const day = (name, index) => {
    if (name === "openai" && index < 6) return null;
    const requests = 1200 + Math.trunc(noise(index + name.length) * 900);
    const failed = (failedOf[name] || {})[index] || 0;
    return figures(requests, failed, { passed: failed * 3, saved: name === "Clients" ? (failedOf.openai[index] || 0) : 0 }, 300 + Math.trunc(noise(index) * 80));
  };
  const short = (name, index) => {
    const slow = index > 15 && index < 19 ? 380 : 0;
    if (name === "openai" && index > 3 && index < 6) return null;
    return figures(40 + Math.trunc(noise(index) * 20), 0, {}, 290 + slow + Math.trunc(noise(index + name.length) * 90));
  };
  const history = (count, step, milliseconds, of) => {
    const points = (name) => Array.from({ length: count }, (_, index) => ({
      at: new Date(Math.floor(Date.now() / milliseconds) * milliseconds - (count - 1 - index) * milliseconds).toISOString().replace(/\.\d+/, ""), figures: of(name, index) }));
    return { step, clients: points("Clients"), upstreams: ["openai", "claude"].map((name) => ({ name, points: points(name) })) };
  };
  const windows = (share) => Object.fromEntries(["1m", "5m", "1h", "24h", "7d", "30d", "90d"].map((name) =>
    [name, { ...figures(1000, 0, {}, 340), by_requests: share, by_time: share }]));
  const answers = {
    "api/availability": () => ({ now: new Date().toISOString(), clients: windows(99.9999), upstreams: [
      { name: "openai", windows: windows(99.1382), models: [] }, { name: "claude", windows: windows(99.9812), models: [] }] }),
    "api/history?span=90d": () => history(90, "1d", 86400000, day),
    "api/history?span=24h": () => history(24, "1h", 3600000, short),
    "api/history?span=1h": () => history(60, "1m", 60000, short),
    "api/incidents?since=90d": () => {
      const at = (days, minutes) => new Date(Date.now() - days * 86400000 + minutes * 60000).toISOString().replace(/\.\d+/, "");
      return { incidents: [
        { id: 3, upstream: "openai", model: "gpt-4o", cause: "overloaded", words: "The engine is currently overloaded", started_at: at(0, -4), ended_at: null, requests: 6, moved: 55, noticed: 0 },
        { id: 2, upstream: "openai", model: null, cause: "overloaded", words: "The engine is currently overloaded", started_at: at(21, 0), ended_at: at(21, 412), requests: 1310, moved: 8120, noticed: 4 },
        { id: 1, upstream: null, model: null, cause: "network", words: null, started_at: at(52, 0), ended_at: at(52, 3), requests: 12, moved: 0, noticed: 9 }] };
    },
  };
  const real = window.fetch.bind(window);
  window.fetch = (path, options) => (answers[path] ? Promise.resolve(new Response(JSON.stringify(answers[path]()))) : real(path, options));
})();
