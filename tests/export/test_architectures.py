"""Architectures that the installed transformers does not know."""

import json
from pathlib import Path

import pytest

from edge_st_export import export_model
from edge_st_export.original import architectures
from edge_st_runtime.errors import UnsupportedModelError


@pytest.mark.parametrize(
    ("installed", "saved", "constraints"),
    [
        ("4.57.6", "5.5.4", "constraints.txt"),
        ("4.57.6", "5.24.0", "constraints-onnx.txt"),
        ("5.5.4", "5.5.4", "constraints-onnx.txt"),
        ("5.5.4", None, "constraints-onnx.txt"),
    ],
)
def test_an_unknown_one(
    installed: str,
    saved: str | None,
    constraints: str,
    small_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(architectures, "version", {"transformers": installed}.get)
    path = small_copy / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"model_type": "of-tomorrow", "transformers_version": saved}
    path.write_text(json.dumps(config), encoding="utf-8")
    (small_copy / "model.safetensors").unlink()  # it is not read
    with pytest.raises(UnsupportedModelError) as caught:
        export_model(small_copy, tmp_path / "out", quiet=True)
    message = str(caught.value)
    assert f"'of-tomorrow', which transformers {installed} does not know" in message
    assert f"pip install -c export/{constraints} " in message
    assert (f"saved by {saved}" in message) == (saved is not None)
    assert (Path(__file__).parents[2] / "export" / constraints).is_file()
