"""Originals as older libraries wrote them."""

import json
from pathlib import Path

from edge_st import SentenceTransformer
from edge_st_export import export_model
from tests.export.originals import save_original
from tests.support.tiny_models import write_json


def test_a_slow_tokenizer_is_converted(tmp_path: Path) -> None:
    original = save_original(tmp_path)
    words = json.loads((original / "tokenizer.json").read_text())["model"]["vocab"]
    (original / "vocab.txt").write_text("\n".join(sorted(words, key=words.__getitem__)), encoding="utf-8")
    (original / "tokenizer.json").unlink()
    write_json(original / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 48})
    export_model(original, tmp_path / "out", engines=["onnx"], quiet=True)
    assert (tmp_path / "out" / "tokenizer.json").is_file()


def test_limits_written_as_decimals_are_whole_numbers(tmp_path: Path) -> None:
    original = save_original(tmp_path)
    for name, key, value in [
        ("sentence_bert_config.json", "max_seq_length", 40.0),
        ("config_sentence_transformers.json", "truncate_dim", 16.0),
    ]:
        write_json(original / name, json.loads((original / name).read_text()) | {key: value})
    export_model(original, tmp_path / "out", engines=("onnx",))
    model = SentenceTransformer(tmp_path / "out")
    assert (model.max_seq_length, model.encode("fox").shape) == (40, (16,))
