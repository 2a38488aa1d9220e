"""Ask an OpenAI-compatible endpoint with LangChain.

Usage: langchain_check.py answers|tool, with OPENAI_BASE_URL and OPENAI_API_KEY

Prints the answers a line each: whole and streamed, by Chat Completions and by Responses; or the one to a question for
which the tool is called first.
"""

import sys

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

QUESTION = "Say hello."


@tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"20 degrees in {city}"


def answers(model):
    print(model.invoke(QUESTION).text)
    print("".join(chunk.text for chunk in model.stream(QUESTION)))


def after_a_tool(model):
    model = model.bind_tools([weather])
    talk = [HumanMessage("How warm is it in Paris?")]
    asked = model.invoke(talk)
    talk.append(asked)
    talk.extend(weather.invoke(call) for call in asked.tool_calls)
    print(model.invoke(talk).text)


def main():
    what = sys.argv[1]
    for uses_responses in [False, True]:
        model = ChatOpenAI(
            model="gpt-4o",
            use_responses_api=uses_responses,
            max_retries=0,
            timeout=30,
        )
        if what == "answers":
            answers(model)
        elif not uses_responses:
            after_a_tool(model)


if __name__ == "__main__":
    main()
