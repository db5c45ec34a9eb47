"""Fit the rows of a static embedding to a teacher's vectors of whole texts."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import embedding_bag, normalize
from tqdm import tqdm

from edge_st_runtime.arrays import Floats

EPOCHS = 4
BATCH = 256
LEARNING_RATE = 1e-3
SEED = 0


def fit_rows(rows: Floats, ids: Sequence[NDArray[np.int64]], goals: Floats) -> Floats:
    """Move ``rows`` so that the mean of each text's rows points in the direction of its goal.

    ``rows`` is (vocabulary, dim) float32, ``ids`` the token ids of each text, ``goals`` (texts, dim) unit vectors.
    Returns new rows; those of tokens in no text are unchanged. The loss is 1 - cosine, the optimizer sparse Adam with
    a learning rate that falls to 0. The order of the texts is seeded.
    """
    lengths = np.array([len(row) for row in ids])
    usable = np.flatnonzero(lengths)
    starts, flat = np.cumsum(lengths) - lengths, np.concatenate(ids)
    table = torch.from_numpy(rows.copy()).requires_grad_()
    optimizer = torch.optim.SparseAdam([table], lr=LEARNING_RATE)
    targets = torch.from_numpy(goals)
    random = np.random.default_rng(SEED)
    batches = [
        order[start : start + BATCH]
        for order in (random.permutation(usable) for _ in range(EPOCHS))
        for start in range(0, len(order), BATCH)
    ]
    for step, batch in enumerate(tqdm(batches, desc="fitting rows", unit="batch")):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / len(batches))
        bag_ends = np.cumsum(lengths[batch])
        offsets = bag_ends - lengths[batch]
        positions = np.repeat(starts[batch] - offsets, lengths[batch]) + np.arange(bag_ends[-1])
        tokens, bags = torch.from_numpy(flat[positions]), torch.from_numpy(offsets)
        means = embedding_bag(tokens, table, bags, mode="mean", sparse=True)
        loss = 1 - (normalize(means, dim=1) * targets[torch.from_numpy(batch)]).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return table.detach().numpy()


def mean_vectors(rows: Floats, ids: Sequence[NDArray[np.int64]]) -> Floats:
    """The mean row of each text, shape (texts, dim); zero for a text without tokens."""
    empty = np.zeros(rows.shape[1], dtype=rows.dtype)
    return np.stack([rows[text].mean(axis=0) if len(text) else empty for text in ids])
