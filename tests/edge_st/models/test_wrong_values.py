"""Values of a wrong kind in a model folder's files: one error that names the file, whatever the value."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import EdgeSTError, SentenceTransformer
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_models import MEAN, TinyModel, dense, graph_entry, write_json, write_record, write_safetensors

WEIGHT = np.ones((5, HIDDEN), dtype=np.float32)
CASES: list[tuple[str, dict[str, Any]]] = [
    *(("1_Pooling/config.json", {"pooling_mode": value}) for value in (-1, [], [[]], {}, "median")),
    *(("2_Dense/config.json", {"module_input_name": value}) for value in (["x"], 3)),
    *(("2_Dense/config.json", {"activation_function": value}) for value in (None, "torch.nn.Unheard", 3)),
    ("2_Dense/config.json", {"in_features": "many"}),
    *(("config.json", {"text_config": value}) for value in ("x", 3)),
    *(("config.json", {"model_type": "roberta", "pad_token_id": value}) for value in (None, "x", [])),
    ("config.json", {"model_type": []}),
    *(("sentence_bert_config.json", {"max_seq_length": value}) for value in ("x", [], {}, 1, -1, 0, True, "12", 7.9)),
    *(("sentence_bert_config.json", {"max_seq_length": value}) for value in (math.inf, math.nan)),
    *(("tokenizer_config.json", {"model_max_length": value}) for value in (7.9, True, 0)),
    *(("sentence_bert_config.json", {"tokenizer_args": value}) for value in ("x", [1], 3)),
    *(("sentence_bert_config.json", {"modality_config": value}) for value in (-1, "message")),
    ("sentence_bert_config.json", {"config_args": "x"}),
    *(("tokenizer_config.json", {"pad_token": value}) for value in (-1, {"x": 1}, ["a"])),
    *(("tokenizer.json", {"model": value}) for value in ([], {"type": "Unheard"}, {"type": "WordPiece", "vocab": {}})),
    *(("config_sentence_transformers.json", {"prompts": value}) for value in ("x", [1], {"query": 3})),
    *(("config_sentence_transformers.json", {"default_prompt_name": value}) for value in ([], "unheard", 3)),
    *(("config_sentence_transformers.json", {"truncate_dim": value}) for value in ("x", [], -1, 0, True, "12", 7.9)),
    ("config_sentence_transformers.json", {"similarity_fn_name": "unheard"}),
]


#: files of which the message tells the value
NAMED = ("1_Pooling/config.json", "sentence_bert_config.json", "tokenizer_config.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return TinyModel(modules=[MEAN, dense(WEIGHT)]).save(tmp_path)


@pytest.mark.parametrize(("file", "changes"), CASES, ids=str)
def test_one_clear_error(file: str, changes: dict[str, Any], folder: Path) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(EdgeSTError) as caught:
        SentenceTransformer(folder, backend="onnx")
    message = str(caught.value)
    assert not re.search(r"\w+Error|object (has|is)|object of type|argument|invalid literal|unhashable", message)
    if file in NAMED:
        assert re.search(rf"{next(reversed(changes))} (is|'|has)|Default prompt name|pooling mode", message)


def test_whole_numbers_that_are_written_as_floats(folder: Path) -> None:
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 9.0})
    write_json(folder / "config_sentence_transformers.json", {"truncate_dim": 4.0})
    model = SentenceTransformer(folder, backend="onnx")
    assert (model.max_seq_length, model.truncate_dim) == (9, 4)
    assert (type(model.max_seq_length), type(model.truncate_dim)) == (int, int)


@pytest.mark.parametrize("architectures", [-1, {"x": 1}], ids=str)
def test_a_folder_without_modules_json(architectures: Any, folder: Path) -> None:
    (folder / "modules.json").unlink()
    write_json(folder / "config.json", {"architectures": architectures})
    with pytest.raises(EdgeSTError, match=r"config\.json"):
        SentenceTransformer(folder, backend="onnx")


@pytest.mark.parametrize("changes", [{"file": None}, {"dtype": []}, {"engine": 3}, {"cosine_min": "x"}], ids=str)
def test_the_record(changes: dict[str, Any], folder: Path) -> None:
    write_record(folder, [graph_entry("onnx/model.onnx", "onnx") | changes])
    with pytest.raises(EdgeSTError, match=r"edge_st\.json: graphs\[0\]\.\w+ is .*; expected a"):
        SentenceTransformer(folder, backend="onnx")


@pytest.mark.parametrize(
    ("kind", "file", "config"),
    [
        ("CNN", "cnn_config.json", {"kernel_sizes": None}),
        ("CNN", "cnn_config.json", {"kernel_sizes": [1]}),
        ("WordWeights", "config.json", {}),
        ("WordWeights", "config.json", {"vocab": None}),
        ("WordWeights", "config.json", {"vocab": ["a"], "word_weights": {"a": "x"}}),
        ("WordWeights", "config.json", {"vocab": ["a"]}),
    ],
)
def test_modules_over_tokens(kind: str, file: str, config: dict[str, Any], folder: Path) -> None:
    entries = json.loads((folder / "modules.json").read_text())
    entries.insert(1, {"path": "token_module", "type": f"sentence_transformers.models.{kind}"})
    write_json(folder / "modules.json", entries)
    write_json(folder / "token_module" / file, config)
    kernels = {f"convs.{i}.weight": np.ones((HIDDEN, HIDDEN, 1), dtype=np.float32) for i in range(2)}
    biases = {f"convs.{i}.bias": np.ones(HIDDEN, dtype=np.float32) for i in range(2)}
    write_safetensors(folder / "token_module" / "model.safetensors", kernels | biases)
    with pytest.raises(EdgeSTError, match=r"token_module|WordWeights has 1 weights"):
        SentenceTransformer(folder, backend="onnx")


def test_brackets_without_end(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(EdgeSTError, match=r"config\.json cannot be read"):
        SentenceTransformer(folder, backend="onnx")


@pytest.mark.parametrize("options", [{"prompt": 3}, {"prompt": b"x"}, {"prompt_name": ["a"]}, {"task": 3}], ids=str)
def test_options_of_a_call(options: dict[str, Any], model: SentenceTransformer) -> None:
    with pytest.raises(EdgeSTError, match=next(iter(options))):
        model.encode("a fox", **options)
