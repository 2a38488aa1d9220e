"""Read one stream with the official Anthropic package, as an agent does.

Usage: anthropic_continued.py BASE_URL

Prints the message that the package puts together of the events: each block as JSON in a line, then the stop reason.
"""

import json
import sys

from anthropic import Anthropic

QUESTION = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 4000,
    "messages": [{"role": "user", "content": "hi"}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
}


def main():
    client = Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0, timeout=30)
    with client.messages.stream(**QUESTION) as stream:
        for _ in stream:
            pass
        message = stream.get_final_message()
    for block in message.content:
        fields = block.model_dump(exclude_none=True)
        shown = ("type", "thinking", "text", "name", "input")
        print(json.dumps({field: fields[field] for field in shown if field in fields}))
    print(message.id, message.stop_reason)


main()
