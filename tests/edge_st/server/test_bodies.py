"""Bodies with orjson."""

import json

import numpy as np
import pytest

from edge_st.protocols.fields import RequestError
from edge_st.protocols.writing import written as written_without
from edge_st.server.bodies import parsed, written

VECTORS = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
BODY = {
    "whole": VECTORS,
    "cut": VECTORS[:, :3],
    "codes": VECTORS[0].astype(np.int8),
    "rows": [{"score": VECTORS[0, 0], "text": "fünf"}],
    "none": None,
}


def test_both_ways_of_writing_can_be_read_back_exactly() -> None:
    for text in (written(BODY), written_without(BODY)):
        found = json.loads(text)
        np.testing.assert_array_equal(np.array(found["whole"], np.float32), VECTORS)
        np.testing.assert_array_equal(np.array(found["cut"], np.float32), VECTORS[:, :3])
        assert found["codes"] == VECTORS[0].astype(np.int8).tolist()
        assert np.float32(found["rows"][0]["score"]) == VECTORS[0, 0]
        assert (found["rows"][0]["text"], found["none"]) == ("fünf", None)


def test_float32_is_written_short() -> None:
    assert written([np.float32(0.1)]) == b"[0.1]"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"a"', b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 5000])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(RequestError, match="expected an object"):
        parsed(content)


def test_other_things_are_not_written() -> None:
    for write in (written, written_without):
        with pytest.raises(TypeError):
            write({"a": object()})
