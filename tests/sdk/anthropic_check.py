"""Ask an Anthropic-compatible endpoint with the official Python package.

Usage: anthropic_check.py, with ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

Prints the text of a whole answer and that of a streamed one, a line each.
"""

from anthropic import Anthropic

QUESTION = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say hello."}],
}


def text_of(message):
    if message.stop_reason != "end_turn":
        raise ValueError(f"stop_reason {message.stop_reason!r}")
    return "".join(block.text for block in message.content)


def streamed(client):
    with client.messages.stream(**QUESTION) as stream:
        deltas = "".join(stream.text_stream)
        final = text_of(stream.get_final_message())
    if deltas != final:
        raise ValueError(f"deltas {deltas!r}, final {final!r}")
    return final


def main():
    client = Anthropic(max_retries=0, timeout=30)
    print(text_of(client.messages.create(**QUESTION)))
    print(streamed(client))


if __name__ == "__main__":
    main()
