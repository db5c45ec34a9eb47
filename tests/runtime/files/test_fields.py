import json
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.files.fields import Fields

VALUES = {"text": "a", "none": None, "count": 3, "half": 0.5, "flag": True, "object": {"a": 1}, "objects": [{"a": 1}]}
FIELDS = Fields(VALUES, "x.json", "write it again")


def test_right_values() -> None:
    assert FIELDS.text("text") == "a"
    assert FIELDS.count("count", 3, 3) == 3
    assert [FIELDS.number(name, 0, 3) for name in ("count", "half")] == [3.0, 0.5]
    assert FIELDS.flag("flag") is True
    assert FIELDS.choice("none", [None, "x"]) is None
    assert FIELDS.choice("text", {"a": 1}) == "a"
    assert FIELDS.object("object").count("a") == 1
    assert FIELDS.optional_object("none") is FIELDS.optional_object("nothing") is None
    assert [each.count("a") for each in FIELDS.objects("objects")] == [1]


@pytest.mark.parametrize("name", [*VALUES, "nothing"])
@pytest.mark.parametrize(
    ("method", "right"),
    [
        ("text", {"text"}),
        ("count", {"count"}),
        ("number", {"count", "half"}),
        ("flag", {"flag"}),
        ("object", {"object"}),
        ("objects", {"objects"}),
    ],
)
def test_every_other_type_is_refused(name: str, method: str, right: set[str]) -> None:
    if name not in right:
        with pytest.raises(DamagedFileError, match=rf"^x\.json: {name} is .*; expected .*; write it again$"):
            getattr(FIELDS, method)(name)


@pytest.mark.parametrize("value", ["-1", "4", "1.0", str(10**400), "1e400", "NaN"])
def test_numbers_out_of_range(value: str) -> None:
    fields = Fields({"rows": json.loads(value)}, "x.json", "write it again", "segments[2].")
    with pytest.raises(DamagedFileError, match=r"^x\.json: segments\[2\]\.rows is .{1,60}; expected a whole"):
        fields.count("rows", 0, 3)
    if value != "1.0":
        with pytest.raises(DamagedFileError, match="expected a number from 0 to 3"):
            fields.number("rows", 0, 3)


def test_a_number_that_no_float_holds() -> None:
    with pytest.raises(DamagedFileError, match="expected a number from 0 to inf"):
        Fields({"k1": 10**400}, "x.json", "write it again").number("k1", 0)


@pytest.mark.parametrize("value", [0, False, 1.0, [], {}, "b"])
def test_a_value_that_is_no_choice(value: Any) -> None:
    """0 and False are equal in Python, and a list cannot be looked up in a dictionary."""
    with pytest.raises(DamagedFileError, match=r"x is .*; expected one of '?1"):
        Fields({"x": value}, "x.json", "write it again").choice("x", [1, "a"])


def test_a_text_that_no_file_can_have() -> None:
    with pytest.raises(DamagedFileError, match="expected a text"):
        Fields({"x": "\ud800"}, "x.json", "write it again").text("x")
