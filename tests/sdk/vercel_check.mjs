// Ask an endpoint with the Vercel AI SDK.
//
// Usage: node vercel_check.mjs BASE_URL API_KEY PROVIDER answers|tool
//
// PROVIDER is responses, chat, compatible or anthropic. Prints the answers a line each: whole and streamed, or the one to
// a question for which the tool is called first.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const MODELS = {
  responses: (settings) => createOpenAI(settings).responses("gpt-4o"),
  chat: (settings) => createOpenAI(settings).chat("gpt-4o"),
  compatible: (settings) => createOpenAICompatible({ name: "backstop", ...settings })("gpt-4o"),
  anthropic: (settings) => createAnthropic(settings)("claude-sonnet-4-5"),
};

const weather = tool({
  description: "Tells the weather in a city.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: async ({ city }) => `20 degrees in ${city}`,
});

async function answers(model) {
  const question = { model, prompt: "Say hello.", maxRetries: 0 };
  console.log((await generateText(question)).text);
  let text = "";
  for await (const part of streamText(question).fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") text += part.text;
  }
  console.log(text);
}

async function afterATool(model) {
  const answer = await generateText({
    model,
    prompt: "How warm is it in Paris?",
    tools: { weather },
    stopWhen: stepCountIs(2),
    maxRetries: 0,
  });
  console.log(answer.text);
}

const [baseURL, apiKey, provider, what] = process.argv.slice(2);
const model = MODELS[provider]({ baseURL, apiKey });
await (what === "tool" ? afterATool(model) : answers(model));
