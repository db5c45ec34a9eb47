"""Architectures that the installed transformers does not know."""

import json
from pathlib import Path

import pytest
import transformers

from edge_st_export import export_model
from edge_st_runtime.errors import UnsupportedModelError


@pytest.mark.parametrize(
    ("saved", "constraints"),
    [("5.5.4", "constraints.txt"), ("5.24.0", "constraints-onnx.txt"), (None, "constraints-onnx.txt")],
)
def test_an_unknown_one(saved: str | None, constraints: str, small_copy: Path, tmp_path: Path) -> None:
    path = small_copy / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"model_type": "of-tomorrow", "transformers_version": saved}
    path.write_text(json.dumps(config), encoding="utf-8")
    (small_copy / "model.safetensors").unlink()  # it is not read
    with pytest.raises(UnsupportedModelError) as caught:
        export_model(small_copy, tmp_path / "out", quiet=True)
    message = str(caught.value)
    assert f"'of-tomorrow', which transformers {transformers.__version__} does not know" in message
    assert f"pip install -c export/{constraints} " in message
    assert (f"saved by {saved}" in message) == (saved is not None)
    assert (Path(__file__).parents[2] / "export" / constraints).is_file()
