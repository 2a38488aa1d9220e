// Lead a conversation of ten turns with the Vercel AI SDK. In each turn the model calls a tool twice at a time, and answers then.
//
// Usage: node vercel_turns.mjs BASE_URL API_KEY PROVIDER UPSTREAM...
//
// PROVIDER is responses, chat, compatible or anthropic. The upstreams take turns with each request. Every second turn is
// streamed, from the first one on. Prints for each turn its thoughts, how often the tool was called, and its last text, as JSON.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const MODELS = {
  responses: (settings) => createOpenAI(settings).responses("gpt-5"),
  chat: (settings) => createOpenAI(settings).chat("gpt-5"),
  compatible: (settings) => createOpenAICompatible({ name: "backstop", ...settings })("gpt-5"),
  anthropic: (settings) => createAnthropic(settings)("claude-sonnet-4-5"),
};

// It has no field for the thoughts of some upstreams, and would say so where the answers are printed.
globalThis.AI_SDK_LOG_WARNINGS = false;

const [baseURL, apiKey, provider, ...upstreams] = process.argv.slice(2);

let requests = 0;
function throughNext(url, init) {
  const headers = new Headers(init.headers);
  headers.set("x-backstop-upstream", upstreams[requests++ % upstreams.length]);
  return fetch(url, { ...init, headers });
}

let calls = 0;
const weather = tool({
  description: "Tells the weather in a city.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
  execute: async ({ city }) => {
    calls += 1;
    return `20 degrees in ${city}`;
  },
});

const messages = [];
const settings = {
  model: MODELS[provider]({ baseURL, apiKey, fetch: throughNext }),
  messages,
  tools: { weather },
  stopWhen: stepCountIs(2),
  maxRetries: 0,
  providerOptions: {
    openai: {
      store: false,
      include: ["reasoning.encrypted_content"],
      reasoningEffort: "medium",
      ...(provider === "responses" && { reasoningSummary: "auto" }),
    },
    anthropic: { thinking: { type: "enabled", budgetTokens: 2000 } },
  },
};

async function streamed() {
  const result = streamText(settings);
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
  }
  return { response: await result.response, steps: await result.steps, text: await result.text };
}

for (let turn = 0; turn < 10; turn += 1) {
  messages.push({ role: "user", content: `Question ${turn}` });
  calls = 0;
  const { response, steps, text } = turn % 2 === 0 ? await streamed() : await generateText(settings);
  messages.push(...response.messages);
  const thoughts = steps.map((step) => step.reasoningText ?? "");
  console.log(JSON.stringify({ thoughts, calls, text }));
}
