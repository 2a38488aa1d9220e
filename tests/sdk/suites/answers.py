"""A plugin for pytest: every request of the SDK under test says in the header `x-answer` what the upstream shall answer.

The header is JSON: {"type": the media type, "body": the body as text}. Only the SDK knows what type it expects.
"""

import functools
import importlib
import json
import os
import pathlib
import typing

from sample import is_model, sample

SDK = os.environ["SDK"]  # openai or anthropic
KNOWN = json.loads(pathlib.Path(__file__).with_name("answers.json").read_text())


def pytest_configure():
    client = importlib.import_module(f"{SDK}._base_client")
    for api in (client.SyncAPIClient, client.AsyncAPIClient):
        api.request = telling(api.request)


def telling(request):
    @functools.wraps(request)
    def tell(self, cast_to, options, *, stream=False, stream_cls=None):
        headers = dict(options.headers or {})
        expected = headers.get("____stainless_override_cast_to", cast_to)
        told = streamed(options.url) if stream else whole(expected)
        options.headers = {**headers, "x-answer": json.dumps(told)}
        return request(self, cast_to, options, stream=stream, stream_cls=stream_cls)

    return tell


def whole(expected):
    if is_model(expected) or typing.get_origin(expected):
        return {"type": "application/json", "body": json.dumps(sample(expected))}
    return {"type": "application/octet-stream", "body": "bytes"}


def streamed(url):
    """A short stream, whole in the form of its API; of an API that the proxy does not know, an empty one."""
    path = url.partition("?")[0].removeprefix("/v1")
    events = KNOWN.get(path, {}).get("stream", [])
    body = "".join(f"{name(event)}data: {json.dumps(event)}\n\n" for event in events)
    end = "data: [DONE]\n\n" if SDK == "openai" else ""
    return {"type": "text/event-stream", "body": body + end}


def name(event):
    return f"event: {event['type']}\n" if "type" in event else ""
