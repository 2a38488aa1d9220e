"""Ask for chat completions with the official Python package, several at a time, and tell how each one ended.

Usage: situations.py < BURSTS

Each line of BURSTS is a JSON object: "base_url"; "requests", how many; "at_a_time"; "stream"; "retries", those of the
package itself; "patience", how many seconds a client waits, or null for the package's default; "tells", whether it says
so: by its own timeout, or else by going away after so long without a word, as curl does.

Prints a line for each burst, a JSON list in the order in which the requests began: {"ended": "ok" or what the client saw
instead, "seconds"}.
"""

import asyncio
import json
import sys
import time

import openai


async def ask(client, burst, number):
    asked = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": f"question {number}"}],
        "stream": burst["stream"],
    }
    if not burst["tells"]:
        asked["extra_headers"] = {"x-stainless-read-timeout": openai.Omit()}
    answer = await client.chat.completions.create(**asked)
    if not burst["stream"]:
        choice = answer.choices[0]
        return choice.message.content, choice.finish_reason
    text, finish = "", None
    async for chunk in answer:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return text, finish


async def ended(client, burst, number):
    patience = None if burst["tells"] else burst["patience"]
    try:
        text, finish = await asyncio.wait_for(ask(client, burst, number), patience)
    except (openai.APITimeoutError, asyncio.TimeoutError):
        return "gave up"
    except openai.APIStatusError as error:
        return f"{error.status_code} {error.code}"
    except Exception as error:  # whatever the package raises
        return type(error).__name__
    is_whole = text.startswith("Hello from ") and finish == "stop"
    return "ok" if is_whole else f"{finish}: {text[:40]!r}"


async def played(burst):
    timeout = openai.DEFAULT_TIMEOUT if burst["patience"] is None else burst["patience"]
    results = [None] * burst["requests"]
    numbers = iter(range(burst["requests"]))
    async with openai.AsyncOpenAI(
        base_url=burst["base_url"],
        api_key="any",
        max_retries=burst["retries"],
        timeout=timeout if burst["tells"] else None,
    ) as client:

        async def work():
            for number in numbers:
                start = time.monotonic()
                how = await ended(client, burst, number)
                results[number] = {"ended": how, "seconds": time.monotonic() - start}

        await asyncio.gather(*(work() for _ in range(burst["at_a_time"])))
    return results


def main():
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(played(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
