// Call every operation of the official npm package once, and those that can stream once more.
//
// Usage: node walk.mjs BASE_URL ANSWERS
//
// ANSWERS is a JSON file: what the upstream is to answer to some paths, in one piece and as a stream. It is told so in the
// header `x-answer`; to all else it answers `{}`. One line for each operation is printed: its name, and its error if there
// was one.

import { readFileSync } from "node:fs";

import OpenAI from "openai";

const [baseURL, answersFile] = process.argv.slice(2);
const ANSWERS = JSON.parse(readFileSync(answersFile, "utf8"));
const BODY = { model: "gpt-4o", input: "hi", messages: [{ role: "user", content: "hi" }] };
const FILE = new File(["some\r\nbytes\0"], "a file.txt");
// What sends requests itself; the other methods only call these.
const SENDS = /_client\s*\.(get|post|put|patch|delete|getAPIList)\(|createEmbedding\(/;

function answering(url, init) {
  const known = ANSWERS[new URL(url).pathname.replace("/v1", "")] ?? {};
  const wantsStream = typeof init.body === "string" && JSON.parse(init.body).stream === true;
  const told = wantsStream ? streamed(known.stream ?? []) : { body: JSON.stringify(known.whole ?? {}) };
  const headers = new Headers(init.headers);
  headers.set("x-answer", JSON.stringify(told));
  return fetch(url, { ...init, headers });
}

function streamed(events) {
  const name = (event) => (event.type ? `event: ${event.type}\n` : "");
  const lines = events.map((event) => `${name(event)}data: ${JSON.stringify(event)}\n\n`);
  return { type: "text/event-stream", body: `${lines.join("")}data: [DONE]\n\n` };
}

function* operations(resource, path) {
  for (const method of Object.getOwnPropertyNames(Object.getPrototypeOf(resource))) {
    const text = String(resource[method]);
    if (SENDS.test(text) && method !== "constructor") yield { resource, method, text, name: path + method };
  }
  for (const [key, value] of Object.entries(resource)) {
    if (value?._client) yield* operations(value, `${path}${key}.`);
  }
}

/** An argument for each parameter but the last, which is for options. */
function argumentsFor(text, stream) {
  const parameters = text.slice(text.indexOf("(") + 1, text.indexOf(") {")).split(", ");
  const values = {
    query: { limit: 3 },
    body: { ...BODY, ...(text.includes("ultipartForm") && { file: FILE }), stream },
    params: { ...(text.includes("...body } = params") && { ...BODY, stream }), ...namesInPath(text) },
  };
  return parameters.slice(0, -1).map((parameter) => values[parameter.split(" ")[0]] ?? parameter);
}

/** Some of the names in a path are taken out of `params`. */
function namesInPath(text) {
  const [, taken = ""] = /const \{([^}]*)\} = params/.exec(text) ?? [];
  const names = taken.split(", ").map((name) => name.trim());
  return Object.fromEntries(names.filter((name) => /^\w+$/.test(name)).map((name) => [name, name]));
}

async function call({ resource, method, text, name }, stream) {
  try {
    const answer = await resource[method](...argumentsFor(text, stream));
    let events = 0;
    if (stream) for await (const _ of answer) events += 1;
    console.log(stream ? `${name} ${events} events` : name);
  } catch (error) {
    console.log(`${name} ${error?.constructor?.name}: ${error?.message ?? error}`);
  }
}

const client = new OpenAI({ baseURL, apiKey: "any", adminAPIKey: "any", maxRetries: 0, fetch: answering });
for (const operation of operations(client, "")) {
  await call(operation, false);
  if (/\b(body|params)\.stream\b/.test(operation.text)) await call(operation, true);
}
