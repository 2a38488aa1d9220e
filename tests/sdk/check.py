"""Ask an OpenAI-compatible endpoint with the official Python package and compare the answers.

Usage: check.py BASE_URL API_KEY EXPECTED_TEXT COUNT KINDS

KINDS is a comma list of chat, chat-stream, responses, responses-stream, embeddings. Every kind is
asked COUNT times without retries. One JSON line per kind is printed; the exit code is 1 if any
answer was missing or different.
"""

import json
import sys

from openai import OpenAI

MODEL = "gpt-4o"
PROMPT = "Say hello."


def chat(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": PROMPT}]
    )
    return answer.choices[0].message.content


def chat_stream(client):
    with client.chat.completions.stream(
        model=MODEL,
        messages=[{"role": "user", "content": PROMPT}],
        stream_options={"include_usage": True},
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    # A stream that ends early is no error to the package: only the finish tells.
    if final.choices[0].finish_reason != "stop":
        raise ValueError(f"finish_reason {final.choices[0].finish_reason!r}")
    if not final.usage or final.usage.total_tokens <= 0:
        raise ValueError("no usage")
    return agreeing("".join(deltas), final.choices[0].message.content)


def responses(client):
    answer = client.responses.create(model=MODEL, input=PROMPT)
    if answer.status != "completed":
        raise ValueError(f"status {answer.status!r}")
    return answer.output_text


def responses_stream(client):
    with client.responses.stream(model=MODEL, input=PROMPT) as stream:
        deltas = [
            event.delta for event in stream if event.type == "response.output_text.delta"
        ]
        final = stream.get_final_response()
    return agreeing("".join(deltas), final.output_text)


def embeddings(client):
    answer = client.embeddings.create(model="text-embedding-3-small", input=PROMPT)
    vector = answer.data[0].embedding
    if len(vector) != 8 or not all(isinstance(number, float) for number in vector):
        raise ValueError(f"not a vector of 8 floats: {vector!r}")
    return None


def agreeing(deltas, final):
    if deltas != final:
        raise ValueError(f"deltas {deltas!r}, final {final!r}")
    return final


KINDS = {
    "chat": chat,
    "chat-stream": chat_stream,
    "responses": responses,
    "responses-stream": responses_stream,
    "embeddings": embeddings,
}


def check(client, kind, expected, count):
    ok, failed = 0, []
    for _ in range(count):
        try:
            text = KINDS[kind](client)
            if kind != "embeddings" and text != expected:
                raise ValueError(f"got {text!r}, expected {expected!r}")
            ok += 1
        except Exception as error:  # whatever goes wrong is the result
            failed.append(f"{type(error).__name__}: {error}")
    print(json.dumps({"kind": kind, "ok": ok, "failed": failed}), flush=True)
    return not failed


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    base_url, api_key, expected, count, kinds = sys.argv[1:]
    kinds = kinds.split(",")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        sys.exit(f"unknown kinds: {', '.join(unknown)}")
    client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=60)
    results = [check(client, kind, expected, int(count)) for kind in kinds]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
