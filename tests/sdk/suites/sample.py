"""Make a small valid value of a type that an SDK expects in an answer."""

import datetime
import enum
import inspect
import typing

import pydantic

PLAIN = {
    str: "text",
    int: 1,
    float: 1.5,
    bool: True,
    object: {},
    typing.Any: {},
    type(None): None,
    datetime.datetime: "2026-01-02T03:04:05Z",
    datetime.date: "2026-01-02",
}
# Deeper lists are empty: some types contain themselves.
DEEPEST_LIST = 4


def sample(kind, depth=0):
    """What is left out may be left out; a list has one entry."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__value__"):  # a named alias
        return sample(kind.__value__, depth)
    if origin is typing.Annotated:
        return sample(arguments[0], depth)
    if origin is typing.Literal:
        return arguments[0]
    if origin is list:
        return [sample(arguments[0], depth + 1)] if depth < DEEPEST_LIST else []
    if origin is dict or kind is dict:
        return {}
    if arguments and not is_model(kind):  # a union
        return None if type(None) in arguments else sample(arguments[0], depth)
    if is_model(kind):
        return {
            field.alias or name: sample(field.annotation, depth + 1)
            for name, field in fields(kind).items()
            if field.default is not None
        }
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        return next(iter(kind)).value
    return PLAIN[kind]


def is_model(kind):
    return inspect.isclass(kind) and issubclass(kind, pydantic.BaseModel)


def fields(model):
    model.model_rebuild()
    return model.model_fields
