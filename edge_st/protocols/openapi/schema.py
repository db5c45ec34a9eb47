"""Small pieces of JSON Schema."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
TEXT: Schema = {"type": "string"}
FILLED: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SWITCH: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}
ANY: Schema = {}


def array(items: Schema, least: int = 0, most: int | None = None) -> Schema:
    """A list of ``items``."""
    limits = {"minItems": least or None, "maxItems": most}
    return {"type": "array", "items": items, **{name: limit for name, limit in limits.items() if limit is not None}}


def one_of(values: Sequence[Any]) -> Schema:
    """One of ``values``."""
    return {"enum": list(values)}


def any_of(*schemas: Schema) -> Schema:
    """What fits one of ``schemas``."""
    return {"anyOf": list(schemas)}


def nullable(schema: Schema) -> Schema:
    """``schema`` or null."""
    return any_of(schema, NOTHING)


def described(schema: Schema, description: str) -> Schema:
    """``schema`` with its ``description``."""
    return {**schema, "description": description}


def ref(name: str) -> Schema:
    """The schema called ``name`` among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def request(required: Mapping[str, Schema], optional: Mapping[str, Schema], absent: Sequence[str] = ()) -> Schema:
    """An object of a request: ``optional`` fields may be null, those in ``absent`` may not be there but as null.

    Other fields are allowed, and have no effect.
    """
    properties = {
        **required,
        **{name: nullable(schema) for name, schema in optional.items()},
        **dict.fromkeys(absent, NOTHING),
    }
    return {"type": "object", "required": list(required), "properties": properties}


def answer(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object of an answer; ``optional`` fields may be missing."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def at_most_one(schema: Schema, *alternatives: Sequence[str]) -> Schema:
    """``schema`` of an object that has at most one of the two fields in each of the ``alternatives``."""
    both = [
        {"not": {"required": list(names), "properties": {name: {"not": NOTHING} for name in names}}}
        for names in alternatives
    ]
    return {**schema, "allOf": both}
