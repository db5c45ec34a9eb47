"""``encode_query`` and ``encode_document`` call ``encode`` by keywords: classes may have an ``encode`` of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer, SparseEncoder


class Recording(SentenceTransformer):
    """Keeps the keywords of each call of ``encode``."""

    calls: list[dict[str, Any]]

    def encode(self, inputs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Of another form than that of the base class."""
        self.calls.append({"inputs": inputs, **options})
        return super().encode(inputs, **options)


@pytest.fixture(scope="module")
def recording(tiny_folder: Path) -> Recording:
    return Recording(tiny_folder, backend="onnx", prompts={"query": "fox ", "passage": "dog "})


@pytest.mark.parametrize(
    ("method", "task", "prompt"), [("encode_query", "query", "query"), ("encode_document", "document", "passage")]
)
def test_every_argument_has_its_name(method: str, task: str, prompt: str, recording: Recording) -> None:
    recording.prompts.pop("document", None)
    recording.calls = []
    call = getattr(recording, method)
    call(["a"])
    call(["a"], None, "x ", 8, False, normalize_embeddings=True)
    call(inputs=["a"], prompt_name=prompt, batch_size=4)
    call(sentences=["a"])
    assert recording.calls == [
        {"inputs": ["a"], "prompt_name": prompt, "prompt": None, "task": task},
        {
            "inputs": ["a"],
            "prompt_name": None,
            "prompt": "x ",
            "task": task,
            "batch_size": 8,
            "show_progress_bar": False,
            "normalize_embeddings": True,
        },
        {"inputs": ["a"], "prompt_name": prompt, "prompt": None, "task": task, "batch_size": 4},
        {"inputs": ["a"], "prompt_name": prompt, "prompt": None, "task": task},
    ]


def test_arguments_by_position_are_those_of_encode(model: SentenceTransformer, sparse_folder: Path) -> None:
    by_position = model.encode_query("a", None, None, 4, False, "token_embeddings")
    np.testing.assert_array_equal(by_position, model.encode("a", output_value="token_embeddings"))
    sparse = SparseEncoder(sparse_folder, backend="onnx")
    assert isinstance(sparse.encode_document(["a"], None, None, 4, False, False), list)
    for each in (model, sparse):
        with pytest.raises(TypeError, match=r"encode_query\(\) takes batch_size, .* by position at most"):
            each.encode_query(["a"], *[None] * 15)
