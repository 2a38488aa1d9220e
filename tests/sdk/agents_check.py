"""Ask an OpenAI-compatible endpoint with the OpenAI Agents SDK.

Usage: agents_check.py whole|streamed, with OPENAI_BASE_URL and OPENAI_API_KEY

Prints the final answer of an agent that has a tool, by Responses.
"""

import asyncio
import sys

from agents import (
    Agent,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

QUESTION = "How warm is it in Paris?"


@function_tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"20 degrees in {city}"


async def ask(agent, is_streamed):
    if not is_streamed:
        return (await Runner.run(agent, QUESTION)).final_output
    result = Runner.run_streamed(agent, QUESTION)
    async for _ in result.stream_events():
        pass
    return result.final_output


def main():
    how = sys.argv[1]
    set_tracing_disabled(True)
    client = AsyncOpenAI(max_retries=0, timeout=30)
    agent = Agent(
        name="Forecaster",
        instructions="Be brief.",
        model=OpenAIResponsesModel(model="gpt-4o", openai_client=client),
        tools=[weather],
    )
    print(asyncio.run(ask(agent, how == "streamed")))


if __name__ == "__main__":
    main()
