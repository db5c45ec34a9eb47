"""What ``edge-st convert`` refuses, what it loads, and what it asks of the Hub."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st_export.builder.conversion import convert_model
from edge_st_export.cli import add_convert
from edge_st_runtime.errors import DamagedFileError, MissingFileError, OptionError, UnsupportedModelError
from tests.export.builder.comparing import edit
from tests.export.folder.test_export import files_of
from tests.export.zoo.examining import Zoo
from tests.support.hub_server import HubServer


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("model_type", "deberta"),
        ("position_embedding_type", "relative_key"),
        ("hidden_act", "selu"),
        ("pruned_heads", {"0": [1]}),
        ("is_decoder", True),
        ("auto_map", {"AutoModel": "modeling.Own"}),
        ("quantization_config", {"bits": 4}),
    ],
)
def test_settings_are_refused_by_name(setting: str, value: Any, small_copy: Path, tmp_path: Path) -> None:
    edit(small_copy / "config.json", **{setting: value})
    with pytest.raises(UnsupportedModelError, match=rf"{setting} is .*edge-st export") as caught:
        convert_model(small_copy, tmp_path / "out")
    assert repr(value) in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["gpt2", "lstm", "router-of-two", "weighted-layers", "clip"])
def test_other_models_are_refused(name: str, zoo: Zoo, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="edge-st export"):
        convert_model(zoo.original(name), tmp_path / "out")


def test_missing_weights_are_named(small_copy: Path, tmp_path: Path) -> None:
    tensors = load_file(small_copy / "model.safetensors")
    missing = ["encoder.layer.0.intermediate.dense.weight", "encoder.layer.1.output.dense.bias"]
    for name in missing:
        del tensors[name]
    save_file(tensors, small_copy / "model.safetensors")
    with pytest.raises(MissingFileError, match=re.escape(", ".join(missing))):
        convert_model(small_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit(small_copy: Path, tmp_path: Path) -> None:
    tensors = load_file(small_copy / "model.safetensors")
    save_file(
        {**tensors, "encoder.layer.0.output.dense.bias": np.zeros(31, np.float32)}, small_copy / "model.safetensors"
    )
    with pytest.raises(DamagedFileError, match=r"output\.dense\.bias .* is \(31,\).* must be \(32,\)"):
        convert_model(small_copy, tmp_path / "out")


def test_heads_that_do_not_share_the_width(small_copy: Path, tmp_path: Path) -> None:
    edit(small_copy / "config.json", num_attention_heads=5)
    with pytest.raises(DamagedFileError, match="5 attention heads"):
        convert_model(small_copy, tmp_path / "out")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_files_that_must_be_there(file: str, small_copy: Path, tmp_path: Path) -> None:
    (small_copy / file).unlink()
    with pytest.raises(MissingFileError, match=rf"{file}.*edge-st export"):
        convert_model(small_copy, tmp_path / "out")


def test_an_existing_folder_is_kept(small_folder: Path, tmp_path: Path) -> None:
    convert_model(small_folder, tmp_path / "out")
    with pytest.raises(OptionError, match="--force"):
        convert_model(small_folder, tmp_path / "out")
    convert_model(small_folder, tmp_path / "out", force=True)


def test_nothing_heavy_is_loaded(small_folder: Path, tmp_path: Path) -> None:
    code = """
import sys
from edge_st_export import convert_model
convert_model(sys.argv[1], sys.argv[2])
print(*sys.modules)
"""
    command = [sys.executable, "-c", code, str(small_folder), str(tmp_path / "out")]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    heavy = {"torch", "transformers", "optimum", "sentence_transformers", "safetensors", "onnxruntime", "openvino"}
    assert heavy.isdisjoint(done.stdout.split())


def test_the_command(small_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    parser = argparse.ArgumentParser()
    add_convert(parser.add_subparsers())
    args = parser.parse_args(["convert", str(small_folder), str(out)])
    assert args.run(args) == 0
    loaded, proof = capsys.readouterr().out.splitlines()
    assert loaded.endswith(f"load it with edge_st.SentenceTransformer({str(out)!r})")
    assert proof.endswith(f"edge-st verify {out} --against {small_folder}")
    assert main(["verify", str(out), "--against", str(small_folder)]) == 0


def test_from_the_hub_only_what_is_needed(small_folder: Path, hub: HubServer, tmp_path: Path) -> None:
    files = {**files_of(small_folder), "pytorch_model.bin": b"0", "onnx/model.onnx": b"0", "model.h5": b"0"}
    hub.add("owner/name", files)
    convert_model("owner/name", tmp_path / "out")
    asked = " ".join(hub.requested())
    assert "model.safetensors" in asked
    assert not any(name in asked for name in ("pytorch_model.bin", "model.onnx", "model.h5"))
    assert SentenceTransformer(tmp_path / "out").encode("the quick fox").shape == (32,)


def test_an_unknown_model_is_refused_before_its_weights(small_folder: Path, hub: HubServer, tmp_path: Path) -> None:
    files = files_of(small_folder)
    config = {**json.loads(files["config.json"]), "model_type": "deberta"}
    hub.add("owner/name", {**files, "config.json": json.dumps(config).encode()})
    with pytest.raises(UnsupportedModelError, match="deberta"):
        convert_model("owner/name", tmp_path / "out")
    assert "model.safetensors" not in " ".join(hub.requested())
