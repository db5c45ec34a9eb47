"""OpenVINO computes gated layers in bfloat16 with AMX by two threads a stream: with one it would end the process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.engines.backend import EngineOptions, open_backend
from edge_st_runtime.errors import EngineError

openvino = pytest.importorskip("openvino")
from edge_st_runtime.engines import gated_layers, ov  # noqa: E402 - ov needs openvino

WIDTH, INNER = 32, 256


@pytest.fixture
def amx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU with AMX and four cores."""
    monkeypatch.setattr(gated_layers, "cpu_features", lambda: frozenset({"avx512_bf16", "amx_bf16"}))
    monkeypatch.setattr(ov, "available_cores", lambda: 4)


def model(*, gated: bool) -> Any:
    """Token embeddings after a layer such as SwiGLU, or one without a gate."""
    op, random = openvino.opset13, np.random.default_rng(0)

    def weights(rows: int, columns: int) -> Any:
        return op.constant(random.standard_normal((rows, columns)).astype(np.float32) / columns**0.5)

    ids, mask = (op.parameter([-1, -1], np.int64, name=name) for name in ("input_ids", "attention_mask"))
    tokens = op.add(op.gather(weights(100, WIDTH), ids, 0), op.unsqueeze(op.convert(mask, np.float32), 2))
    inner = op.swish(op.matmul(tokens, weights(INNER, WIDTH), False, True))
    if gated:
        inner = op.multiply(inner, op.matmul(tokens, weights(INNER, WIDTH), False, True))
    found = op.result(op.matmul(inner, weights(WIDTH, INNER), False, True), name="last_hidden_state")
    for node, name in ((ids, "input_ids"), (mask, "attention_mask"), (found, "last_hidden_state")):
        node.output(0).set_names({name})
    return openvino.Model([found], [ids, mask])


@pytest.mark.usefixtures("amx")
def test_only_gated_layers_in_bfloat16_are_concerned(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gated_layers.ends_the_process(model(gated=True), "bfloat16")
    assert not gated_layers.ends_the_process(model(gated=False), "bfloat16")
    assert not gated_layers.ends_the_process(model(gated=True), "float32")
    monkeypatch.setattr(gated_layers, "cpu_features", lambda: frozenset({"avx512_bf16"}))
    assert not gated_layers.ends_the_process(model(gated=True), "bfloat16")


@pytest.mark.usefixtures("amx")
@pytest.mark.parametrize(
    ("threads", "settings", "streams"),
    [(2, {}, 1), (4, {}, 2), (64, {}, 2), (4, {"NUM_STREAMS": "2"}, 4), (1, {}, None), (4, {"NUM_STREAMS": "3"}, None)],
)
def test_every_stream_has_two_threads(
    threads: int, settings: dict[str, str], streams: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []
    monkeypatch.setattr(ov, "_compile", lambda *arguments: compiled.append(arguments[-1]))
    openvino.save_model(model(gated=True), tmp_path / "model.xml")
    options = EngineOptions(num_threads=threads, dtype="bfloat16", provider_options=settings)
    if streams is None:
        with pytest.raises(EngineError, match=r"gated layers.*: pass num_threads=2, or dtype='float32'"):
            open_backend("openvino", tmp_path / "model.xml", options)
    else:
        assert open_backend("openvino", tmp_path / "model.xml", options).concurrency == streams
        assert compiled == [streams]
