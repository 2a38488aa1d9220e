// Ask once with the official npm package and its usual retries, and expect an error.
//
// Usage: node refused.mjs BASE_URL
//
// Prints the status of the error and its text, a line each.

import OpenAI, { APIError } from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any" });
try {
  await client.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content: "Say hello." }],
  });
} catch (error) {
  if (!(error instanceof APIError)) throw error;
  console.log(error.status);
  console.log(error.message.replaceAll("\n", " "));
  process.exit(0);
}
console.error("there was no error");
process.exit(1);
