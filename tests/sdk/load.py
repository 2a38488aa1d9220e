"""Ask an OpenAI-compatible endpoint twenty times a second with the official Python package.

Usage: load.py BASE_URL SECONDS

Every request must be answered, without retries. One line per answer is printed: its text. The exit code is 1 if any
request failed.
"""

import concurrent.futures
import sys
import time

from openai import OpenAI


def main():
    base_url, seconds = sys.argv[1], float(sys.argv[2])
    client = OpenAI(base_url=base_url, api_key="any", max_retries=0)

    def ask():
        answer = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Say hello."}]
        )
        print(answer.choices[0].message.content, flush=True)

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = []
        while time.monotonic() - start < seconds:
            asked.append(pool.submit(ask))
            time.sleep(0.05)
    failed = [str(one.exception()) for one in asked if one.exception()]
    if failed:
        sys.exit("\n".join(failed[:5]))


main()
