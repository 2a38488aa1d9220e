"""Ask once with an official Python package and its usual retries, and expect an error.

Usage: refused.py openai|anthropic BASE_URL

Prints the status of the error and its text, a line each.
"""

import sys

QUESTION = {
    "model": "gpt-4o",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say hello."}],
}


def ask(package, base_url):
    if package == "openai":
        from openai import APIStatusError, OpenAI

        client = OpenAI(base_url=base_url, api_key="any")
        return APIStatusError, lambda: client.chat.completions.create(**QUESTION)
    from anthropic import Anthropic, APIStatusError

    client = Anthropic(base_url=base_url, api_key="any")
    return APIStatusError, lambda: client.messages.create(**QUESTION)


def main():
    expected, asked = ask(*sys.argv[1:])
    try:
        asked()
    except expected as error:
        print(error.status_code)
        print(str(error).replace("\n", " "))
        return
    sys.exit("there was no error")


main()
