// Read streams with the official npm package, and tell for each whether it came whole.
//
// Usage: node streams.mjs BASE_URL < CASES
//
// CASES is a JSON list of {"model", "api": "chat" or "responses", "text", "is_whole"}. A stream that is whole must bring
// the text and no error; any other must throw one. What differs is printed; the exit code is 1 if anything does.

import { readFileSync } from "node:fs";

import OpenAI from "openai";
import { VERSION } from "openai/version";

// Most of the time goes into waiting for streams that stand still.
const AT_A_TIME = 8;

const APIS = {
  async chat(client, model) {
    const messages = [{ role: "user", content: "hi" }];
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    return text;
  },

  async responses(client, model) {
    const stream = await client.responses.create({ model, input: "hi", stream: true });
    let text = "";
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    return text;
  },
};

async function difference(client, { api, model, text, is_whole }) {
  let got;
  try {
    got = await APIS[api](client, model);
  } catch (error) {
    return is_whole ? `${error?.constructor?.name}: ${error?.message ?? error}` : undefined;
  }
  if (!is_whole) return `silently ended: ${JSON.stringify(got.slice(0, 80))}`;
  return got === text ? undefined : `got ${JSON.stringify(got.slice(0, 80))}`;
}

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0, timeout: 60_000 });
const cases = JSON.parse(readFileSync(0, "utf8"));
const waiting = cases.values();
let wrong = 0;

async function readCases() {
  for (const one of waiting) {
    const found = await difference(client, one);
    if (found) {
      wrong += 1;
      console.log(`${one.api} ${one.model}: ${found}`);
    }
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, readCases));
console.log(`openai-node ${VERSION}: ${cases.length} streams, ${wrong} wrong`);
process.exitCode = wrong ? 1 : 0;
