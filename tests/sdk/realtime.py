"""Hold a conversation over a WebSocket of the official Python package, which connects again by itself.

Usage: realtime.py BASE_URL API_KEY KIND

KIND is realtime or responses. What happens is printed: the types of events, and the codes with which the connection was
closed under way.
"""

import sys

from openai import OpenAI


def main():
    base_url, api_key, kind = sys.argv[1:]
    client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=20)

    def reconnecting(event):
        print(f"closed with {event.close_code}", flush=True)

    settings = {"on_reconnecting": reconnecting, "initial_delay": 0.01}
    if kind == "realtime":
        manager = client.realtime.connect(model="gpt-4o", **settings)
    else:
        manager = client.responses.connect(**settings)
    with manager as connection:
        connection.send({"type": "response.create"})
        for event in connection:
            print(event.type, flush=True)
            if event.type == "session.updated":
                connection.send({"type": "response.create"})


if __name__ == "__main__":
    main()
