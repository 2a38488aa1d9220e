"""Ask once with an official Python package and its usual retries, where the client has reached a limit.

Usage: limited.py openai|anthropic BASE_URL KEY

Prints how often the package has asked again, and the headers about requests: the limit and what is left of it.
"""

import sys

QUESTION = {
    "model": "gpt-4o",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say hello."}],
}


def main():
    package, base_url, key = sys.argv[1:]
    if package == "openai":
        from openai import OpenAI

        client = OpenAI(base_url=base_url, api_key=key)
        raw = client.chat.completions.with_raw_response.create(**QUESTION)
        names = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"]
    else:
        from anthropic import Anthropic

        client = Anthropic(base_url=base_url, api_key=key)
        raw = client.messages.with_raw_response.create(**QUESTION)
        kind = "anthropic-ratelimit-requests-"
        names = [kind + "limit", kind + "remaining"]
    raw.parse()
    print(raw.retries_taken, *[raw.headers[name] for name in names])


main()
