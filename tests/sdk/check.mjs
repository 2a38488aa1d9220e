// Ask an OpenAI-compatible endpoint with the official npm package and compare the answers.
//
// Usage: node check.mjs BASE_URL API_KEY EXPECTED_TEXT COUNT KINDS
//
// KINDS is a comma list of chat, chat-stream, responses, responses-stream, embeddings. Every kind
// is asked COUNT times without retries. One JSON line per kind is printed; the exit code is 1 if
// any answer was missing or different.

import OpenAI from "openai";

const MODEL = "gpt-4o";
const PROMPT = "Say hello.";

const KINDS = {
  async chat(client) {
    const answer = await client.chat.completions.create({
      model: MODEL,
      messages: [{ role: "user", content: PROMPT }],
    });
    return answer.choices[0].message.content;
  },

  async "chat-stream"(client) {
    const stream = client.chat.completions.stream({
      model: MODEL,
      messages: [{ role: "user", content: PROMPT }],
      stream_options: { include_usage: true },
    });
    let deltas = "";
    stream.on("content", (delta) => (deltas += delta));
    const final = await stream.finalChatCompletion();
    const [choice] = final.choices;
    // A stream that ends early is no error to the package: only the finish tells.
    demand(choice.finish_reason === "stop", `finish_reason ${choice.finish_reason}`);
    demand(final.usage?.total_tokens > 0, "no usage");
    return agreeing(deltas, choice.message.content);
  },

  async responses(client) {
    const answer = await client.responses.create({ model: MODEL, input: PROMPT });
    demand(answer.status === "completed", `status ${answer.status}`);
    return answer.output_text;
  },

  async "responses-stream"(client) {
    const stream = client.responses.stream({ model: MODEL, input: PROMPT });
    let deltas = "";
    stream.on("response.output_text.delta", (event) => (deltas += event.delta));
    const final = await stream.finalResponse();
    demand(final.status === "completed", `status ${final.status}`);
    return agreeing(deltas, final.output_text);
  },

  async embeddings(client) {
    const answer = await client.embeddings.create({
      model: "text-embedding-3-small",
      input: PROMPT,
    });
    const vector = answer.data[0].embedding;
    const good = vector.length === 8 && Array.from(vector).every(Number.isFinite);
    demand(good, `not a vector of 8 floats: ${JSON.stringify(vector)}`);
    return undefined;
  },
};

function demand(good, message) {
  if (!good) throw new Error(message);
}

function agreeing(deltas, final) {
  demand(deltas === final, `deltas ${JSON.stringify(deltas)}, final ${JSON.stringify(final)}`);
  return final;
}

async function check(client, kind, expected, count) {
  const failed = [];
  let ok = 0;
  for (let turn = 0; turn < count; turn += 1) {
    try {
      const text = await KINDS[kind](client);
      const good = kind === "embeddings" || text === expected;
      demand(good, `got ${JSON.stringify(text)}, expected ${JSON.stringify(expected)}`);
      ok += 1;
    } catch (error) {
      // Whatever goes wrong is the result.
      failed.push(`${error?.constructor?.name}: ${error?.message ?? error}`);
    }
  }
  console.log(JSON.stringify({ kind, ok, failed }));
  return failed.length === 0;
}

async function main([baseURL, apiKey, expected, count, list]) {
  const kinds = list?.split(",") ?? [];
  if (kinds.length === 0 || kinds.some((kind) => !Object.hasOwn(KINDS, kind))) {
    console.error("usage: node check.mjs BASE_URL API_KEY EXPECTED_TEXT COUNT KINDS");
    console.error(`kinds: ${Object.keys(KINDS).join(", ")}`);
    return 2;
  }
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 60_000 });
  let good = true;
  for (const kind of kinds) {
    good = (await check(client, kind, expected, Number(count))) && good;
  }
  return good ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
