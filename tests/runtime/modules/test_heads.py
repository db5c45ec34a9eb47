"""What comes after the heads of a graph: the weights of token ids, and the tokens without the first."""

import numpy as np
import pytest

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.modules.heads import LexicalWeights, WithoutFirstToken
from edge_st_runtime.modules.specs import Features

MODULE = LexicalWeights(50, (0, 1, 2))
IDS = np.array([[0, 7, 9, 7, 2, 1], [0, 30, 2, 1, 1, 1], [0, 2, 1, 1, 1, 1]])
MASK = np.array([[1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
WEIGHTS = np.array(
    [[9, 0.5, 0.25, 1.5, 9, 9], [9, 0, 9, 9, 9, 9], [9, 9, 9, 9, 9, 9]],
    dtype=np.float32,
)


def features(**changes: object) -> Features:
    return {"input_ids": IDS, "attention_mask": MASK, "token_weights": WEIGHTS, **changes}


def weights(found: Features) -> list[dict[int, float]]:
    """What is not 0, by token id; no id may come twice."""
    rows = []
    for ids, values in zip(found["active_indices"], found["active_values"], strict=True):
        kept = [(int(token), float(value)) for token, value in zip(ids, values, strict=True) if value != 0]
        assert len(dict(kept)) == len(kept)
        rows.append(dict(kept))
    return rows


def test_an_id_has_its_largest_weight_and_special_tokens_have_none() -> None:
    before = WEIGHTS.copy()
    found = MODULE(features())
    assert weights(found) == [{7: 1.5, 9: 0.25}, {}, {}]
    assert found["width"] == 50
    assert found["active_values"].dtype == np.float32
    np.testing.assert_array_equal(WEIGHTS, before)


@pytest.mark.parametrize(("most", "kept"), [(1, {7: 1.5}), (2, {7: 1.5, 9: 0.25}), (99, {7: 1.5, 9: 0.25})])
def test_the_largest_weights_alone(most: int, kept: dict[int, float]) -> None:
    assert weights(MODULE(features(max_active_dims=most)))[0] == kept


def test_a_weight_that_is_no_number_is_not_lost() -> None:
    broken = WEIGHTS.copy()
    broken[0, 1] = np.nan
    assert np.isnan(MODULE(features(token_weights=broken))["active_values"][0]).sum() == 1


def test_widths() -> None:
    assert MODULE.widths({"token_weights": None})["sentence_embedding"] == 50
    with pytest.raises(UnsupportedModelError, match="LexicalWeights reads 'token_weights'"):
        MODULE.widths({"token_embeddings": 3})
    with pytest.raises(UnsupportedModelError, match="WithoutFirstToken reads 'token_embeddings'"):
        WithoutFirstToken().widths({"token_weights": None})


def test_without_the_first_token() -> None:
    before = MASK.copy()
    found = WithoutFirstToken()({"attention_mask": MASK})["attention_mask"]
    np.testing.assert_array_equal(found[:, 0], 0)
    np.testing.assert_array_equal(found[:, 1:], MASK[:, 1:])
    np.testing.assert_array_equal(MASK, before)
