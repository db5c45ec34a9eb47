"""The real model saved again with other poolings, modules, prompts and limits: the same graph, other vectors."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer as Peer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling

from edge_st import SentenceTransformer
from edge_st.verification.checks import compare
from edge_st_export import ExportReport
from edge_st_export.original.texts import DIFFICULT, GOLDEN
from edge_st_runtime.modules.pooling import POOLING
from tests.export.remembered import Remembered
from tests.support.slow import slow_but

GRAPHS = ("onnx", "openvino")
TEXTS = [*GOLDEN, *DIFFICULT[::3]]


def with_modules(*modules: Any, **options: Any) -> Callable[[Peer], Peer]:
    return lambda real: Peer(modules=[real[0], *modules], device="cpu", **options)


def with_limit(limit: int) -> Callable[[Peer], Peer]:
    def change(real: Peer) -> Peer:
        real.max_seq_length = limit
        return real

    return change


def mean() -> Pooling:
    return Pooling(384, "mean")


VARIANTS: dict[str, Callable[[Peer], Peer]] = {
    **{mode: with_modules(Pooling(384, mode)) for mode in POOLING},
    "several": with_modules(Pooling(384, ("cls", "mean", "max"))),
    "dense": with_modules(mean(), Dense(384, 96, activation_function=torch.nn.GELU()), Normalize()),
    "prompts": with_modules(mean(), prompts={"query": "Represent this question: ", "document": "passage: "}),
    "no prompt": with_modules(Pooling(384, "mean", include_prompt=False), prompts={"query": "Search for: "}),
    **{f"limit {limit}": with_limit(limit) for limit in (64, 128, 256, 512)},
}


@pytest.mark.parametrize("name", slow_but({"cls", "dense", "prompts", "limit 128"}, VARIANTS))
def test_variant(name: str, real_folder: Path, real_report: ExportReport, tmp_path: Path) -> None:
    torch.manual_seed(3)
    peer = VARIANTS[name](Peer(str(real_folder), device="cpu", local_files_only=True))
    peer.save_pretrained(str(tmp_path), create_model_card=False)
    peer = Remembered(Peer(str(tmp_path), device="cpu", local_files_only=True))
    for engine in GRAPHS:
        shutil.copytree(real_report.path / engine, tmp_path / engine)
        model = SentenceTransformer(tmp_path, backend=engine)
        found = compare(model, peer, TEXTS)
        assert [row for row in found if not row.equal] == [], engine
        assert model.max_seq_length == peer.max_seq_length
        assert np.isfinite([row.max_abs_difference for row in found]).all()
