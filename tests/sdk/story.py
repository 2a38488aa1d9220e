"""Ask an OpenAI-compatible endpoint with the official Python package, as often as standard input says, without retries.

Usage: story.py BASE_URL

Each line of input is a model and how often to ask for it, every other time for a stream. Each is answered with a line of JSON
when that is done: how many requests were answered, rejected (a status 400), and failed.
"""

import json
import sys

from openai import BadRequestError, OpenAI, OpenAIError


def ask(client, model, is_stream):
    asked = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}], stream=is_stream
    )
    if not is_stream:
        return asked.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in asked if chunk.choices)


def main():
    client = OpenAI(base_url=sys.argv[1], api_key="any", max_retries=0)
    for line in sys.stdin:
        model, times = line.split()
        counts = {"answered": 0, "rejected": 0, "failed": 0}
        for turn in range(int(times)):
            try:
                result = "answered" if ask(client, model, turn % 2 == 1) else "failed"
            except BadRequestError:
                result = "rejected"
            except OpenAIError:
                result = "failed"
            counts[result] += 1
        print(json.dumps(counts), flush=True)


main()
