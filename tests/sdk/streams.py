"""Read streams with the official Python package, and tell for each whether it came whole.

Usage: streams.py BASE_URL < CASES

CASES is a JSON list of {"model", "api": "chat" or "responses", "text", "is_whole"}. A stream that is whole must bring the
text and no error; any other must raise one. What differs is printed; the exit code is 1 if anything does.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import openai

# Most of the time goes into waiting for streams that stand still.
AT_A_TIME = 8


def chat(client, model):
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], stream=True
    )
    chunks = [chunk for chunk in stream if chunk.choices]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def responses(client, model):
    stream = client.responses.create(model=model, input="hi", stream=True)
    return "".join(
        event.delta for event in stream if event.type == "response.output_text.delta"
    )


APIS = {"chat": chat, "responses": responses}


def differs(client, case):
    try:
        text = APIS[case["api"]](client, case["model"])
    except Exception as error:  # whatever the package raises
        return f"{type(error).__name__}: {error}" if case["is_whole"] else None
    if not case["is_whole"]:
        return f"silently ended: {text[:80]!r}"
    return None if text == case["text"] else f"got {text[:80]!r}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    client = openai.OpenAI(base_url=sys.argv[1], api_key="any", max_retries=0, timeout=60)
    cases = json.load(sys.stdin)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        differences = list(pool.map(lambda case: differs(client, case), cases))
    wrong = 0
    for case, difference in zip(cases, differences):
        if difference:
            wrong += 1
            print(f"{case['api']} {case['model']}: {difference}")
    print(f"openai-python {openai.__version__}: {len(cases)} streams, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
