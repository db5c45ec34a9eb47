"""Token pooling against scipy's clusters and sentence-transformers' modules."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling as Original

from edge_st_runtime.modules.token_pooling import HierarchicalTokenPooling, Vectors
from edge_st_runtime.modules.ward import ward_clusters
from edge_st_runtime.vectors.dense import normalize


def vectors(kind: str, seed: int, most: int = 60) -> Vectors:
    """Token vectors (2 … most, 16) of unit length; "repeated" and "coarse" ones have equal distances."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, most))
    if kind == "equal":
        return normalize(np.ones((count, 16), dtype="f4"))
    if kind == "coarse":
        return normalize(random.integers(-1, 2, (count, 16)).astype("f4") + np.eye(16, dtype="f4")[0] * 4)
    different = random.normal(size=(count, 16)).astype("f4")
    return normalize(different[random.integers(0, max(count // 3, 1), count)] if kind == "repeated" else different)


def of_scipy(distances: Any, count: int) -> list[int]:
    tree = hierarchy.linkage(squareform(distances, checks=False), method="ward")
    labels = hierarchy.fcluster(tree, t=count, criterion="maxclust")
    found: list[int] = np.unique(labels, return_inverse=True)[1].tolist()
    return found


@pytest.mark.parametrize("kind", ["different", "repeated", "coarse", "equal"])
def test_clusters_are_those_of_scipy_in_its_order(kind: str) -> None:
    for seed in range(120):
        rows = vectors(kind, seed)
        distances = np.clip(1 - rows @ rows.T, 0, 2)
        count = int(np.random.default_rng(seed).integers(1, len(rows)))
        assert ward_clusters(distances, count).tolist() == of_scipy(distances, count), seed


@pytest.mark.parametrize("factor", [1, 1.5, 2, 5])
@pytest.mark.parametrize("normalizes", [True, False])
@pytest.mark.parametrize("protected", [0, 1, 3])
def test_pooled_vectors_are_those_of_sentence_transformers(factor: float, protected: int, normalizes: bool) -> None:
    settings: dict[str, Any] = {"num_protected_tokens": protected, "normalize_embeddings": normalizes}
    ours, original = HierarchicalTokenPooling(factor, **settings), Original(factor, **settings)
    rows = [3 * vectors("different", seed, 90) for seed in range(5)]
    expected = original.pool([torch.from_numpy(each) for each in rows])
    for found, wanted in zip(ours.pool(rows), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=2e-6)


def test_of_padded_arrays_and_as_a_module() -> None:
    tokens = np.random.default_rng(0).normal(size=(3, 9, 8)).astype("f4")
    tokens = normalize(tokens)
    mask = np.arange(9) < np.array([[9], [4], [1]])
    ours, original = HierarchicalTokenPooling(2), Original(2)
    tensors = {"token_embeddings": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)}
    for side in ("left", "right"):
        wanted = original.pool(tensors["token_embeddings"], attention_mask=tensors["attention_mask"], padding_side=side)
        found = ours.pool(tokens, attention_mask=mask, padding_side=side)  # type: ignore[call-overload]
        np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=2e-6)
    found = ours({"token_embeddings": tokens, "attention_mask": mask})
    for name, value in original(dict(tensors)).items():
        np.testing.assert_allclose(found[name], value.numpy(), rtol=0, atol=2e-6)


def test_half_precision() -> None:
    rows = vectors("different", 1).astype("f2")
    found, wanted = HierarchicalTokenPooling(2).pool_one(rows), Original(2).pool_one(torch.from_numpy(rows))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.astype("f4"), wanted.float().numpy(), rtol=0, atol=2e-3)
