"""Graphs in float16 and bfloat16 for GPUs: fused, near the original, and without overflow."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_st import SentenceTransformer
from edge_st_export import ExportError, ExportReport, export_model
from edge_st_export.graph import half_parity
from edge_st_export.graph.fused_attention import fuse_attention
from edge_st_export.graph.half import clamp_masks, rounded, to_half
from edge_st_export.graph.half_graphs import HALF_FILES
from edge_st_export.graph.half_parity import check_half
from edge_st_export.graph.observed import observe_floats
from edge_st_export.original.texts import ALL
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime as ort
from edge_st_runtime.errors import EngineError, OptionError
from edge_st_runtime.model.record import read_record
from edge_st_runtime.model.variants import Criteria, choose_graph
from tests.export.int8.int8_graphs import node, values
from tests.export.originals import cosine_min

HALVES = ("float16", "bfloat16")
IDS = np.array([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]])
BATCH = TokenBatch(IDS, (IDS > 0).astype(np.int64))


@pytest.fixture(scope="module")
def report(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """The small model with both kinds of graphs for GPUs."""
    out = tmp_path_factory.mktemp("half") / "small"
    return export_model(small_folder, out, engines=["onnx"], fp16=True, bf16=True, quiet=True)


def graph_of(report: ExportReport, dtype: str) -> onnx.ModelProto:
    return onnx.load(report.path / HALF_FILES[dtype])


def entry(report: ExportReport, dtype: str) -> Any:
    rows = json.loads((report.path / "edge_st.json").read_text(encoding="utf-8"))["graphs"]
    return next(row for row in rows if row["dtype"] == dtype)


class TestTheExport:
    @pytest.mark.parametrize("dtype", HALVES)
    def test_attention_normalization_and_gelu_are_fused(self, dtype: str, report: ExportReport) -> None:
        found = Counter(each.op_type for each in graph_of(report, dtype).graph.node)
        wanted = {"MultiHeadAttention": 2, "SkipLayerNormalization": 5, "BiasGelu": 2}
        assert {name: found[name] for name in wanted} == wanted
        assert not {"Softmax", "Erf", "LayerNormalization"} & found.keys()

    @pytest.mark.parametrize(("dtype", "kind"), [("float16", TensorProto.FLOAT16), ("bfloat16", TensorProto.BFLOAT16)])
    def test_weights_and_outputs(self, dtype: str, kind: int, report: ExportReport) -> None:
        graph = graph_of(report, dtype).graph
        sizes = Counter[int]()
        for each in graph.initializer:
            sizes[each.data_type] += int(np.prod(each.dims))
        assert sizes[kind] > 10_000
        assert sizes[TensorProto.FLOAT] < 100
        assert [port.type.tensor_type.elem_type for port in graph.output] == [TensorProto.FLOAT]

    @pytest.mark.parametrize(("dtype", "least"), [("float16", 0.9999), ("bfloat16", 0.995)])
    def test_the_record_says_how_it_was_compared(self, dtype: str, least: float, report: ExportReport) -> None:
        row = entry(report, dtype)
        assert (row["file"], row["arithmetic"]) == (HALF_FILES[dtype], "float32")
        assert least < row["cosine_min"] < 1
        assert "milliseconds" not in row
        record = read_record(report.path)
        assert record is not None
        assert {each.dtype: each.arithmetic for each in record.graphs}[dtype] == "float32"
        assert any(HALF_FILES[dtype] in note and "no GPU was here" in note for note in report.notes)

    def test_nothing_else_is_left(self, report: ExportReport) -> None:
        graphs = {path.name for path in (report.path / "onnx").iterdir()}
        stems = ("model.onnx", "model_O4.onnx", "model_bf16.onnx")
        assert graphs == {*stems, *(f"{name}_data" for name in stems)}
        sizes = {name: (report.path / "onnx" / f"{name}_data").stat().st_size for name in stems}
        assert sizes["model_O4.onnx"] == pytest.approx(sizes["model.onnx"] / 2, rel=0.1)

    def test_the_float16_graph_itself_gives_what_was_emulated(self, report: ExportReport) -> None:
        exact = SentenceTransformer(report.path, backend="onnx", dtype="float32")
        half = SentenceTransformer(report.path, backend="onnx", model_kwargs={"file_name": HALF_FILES["float16"]})
        worst = cosine_min(half.encode(list(ALL)), exact.encode(list(ALL)))
        assert worst == pytest.approx(entry(report, "float16")["cosine_min"], abs=2e-6)
        assert worst < 1 - 1e-7

    def test_who_takes_them(self, report: ExportReport) -> None:
        record = read_record(report.path)
        names = ["onnx/model.onnx", *HALF_FILES.values()]
        on_cpu = Criteria(engines=["onnx"], features=frozenset({"avx512_bf16"}), bfloat16=True)
        on_gpu = Criteria(engines=["onnx"], on_cpu=False)
        assert choose_graph(names, record, on_cpu).file == "onnx/model.onnx"
        assert choose_graph(names, record, on_gpu).file == HALF_FILES["float16"]
        asked = Criteria(engines=["onnx"], dtype="bfloat16", on_cpu=False)
        assert choose_graph(names, record, asked).file == HALF_FILES["bfloat16"]
        with pytest.raises(OptionError, match="or a GPU: device='cuda'"):
            choose_graph(names, record, Criteria(backend="onnx", dtype="bfloat16", bfloat16=True))

    def test_bfloat16_on_a_cpu_is_told(self, report: ExportReport) -> None:
        with pytest.raises(EngineError, match=r"lacks an operator of it.*bfloat16 graphs run on device='cuda' only"):
            SentenceTransformer(report.path, backend="onnx", model_kwargs={"file_name": HALF_FILES["bfloat16"]})

    def test_a_bad_one_is_refused(self, report: ExportReport, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(half_parity, "_GATES", {"float16": 1.1, "bfloat16": 1.1})
        with pytest.raises(ExportError, match=r"onnx/model_O4.onnx reaches a cosine of .*expected 1.1.*--fp16"):
            check_half(report.graphs)


def model_of(nodes: list[Any], constants: dict[str, NDArray[Any]], outputs: str = "y") -> onnx.ModelProto:
    """A graph of ``input_ids`` and ``attention_mask`` that begins with x, rows of a table."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    given = {"table": values(8, 16, seed=3), **constants}
    return helper.make_model(
        helper.make_graph(
            [node("Gather", "table input_ids", "x"), *nodes],
            "g",
            ports,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()],
            [numpy_helper.from_array(value, name) for name, value in given.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def run(model: onnx.ModelProto) -> NDArray[Any]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": BATCH.input_ids, "attention_mask": BATCH.attention_mask}
    (found,) = session.run(["y"], {port.name: feeds[port.name] for port in session.get_inputs()})
    return np.asarray(found)


def converted(model: onnx.ModelProto, dtype: str, scratch: Path, *, emulated: bool) -> onnx.ModelProto:
    half = onnx.ModelProto()
    half.CopyFrom(model)
    clamp_masks(half.graph)
    to_half(half, observe_floats(half, [BATCH], scratch), dtype, emulated=emulated)
    return half


RMS_NORM = [
    node("MatMul", "x up", "h"),
    node("Pow", "h two", "square"),
    node("ReduceMean", "square", "mean", axes=[-1]),
    node("Add", "mean tiny", "shifted"),
    node("Sqrt", "shifted", "root"),
    node("Div", "h root", "normed"),
    node("MatMul", "normed down", "y"),
]
RMS_CONSTANTS = {
    "up": values(16, 16, seed=4) * np.float32(400),
    "down": values(16, 16, seed=5),
    "two": np.array(2, dtype=np.float32),
    "tiny": np.array(1e-6, dtype=np.float32),
}
MASKED = [
    node("Cast", "attention_mask", "mask", to=TensorProto.FLOAT),
    node("Sub", "one mask", "padding"),
    node("Mul", "padding least", "spread"),
    node("Unsqueeze", "spread middle", "bias"),
    node("Transpose", "x", "turned", perm=[0, 2, 1]),
    node("MatMul", "x turned", "scores"),
    node("Add", "scores bias", "masked"),
    node("Softmax", "masked", "weights", axis=-1),
    node("MatMul", "weights x", "y"),
]
MASK_CONSTANTS = {
    "one": np.array(1, dtype=np.float32),
    "least": np.array(np.finfo(np.float32).min, dtype=np.float32),
    "middle": np.array([1], dtype=np.int64),
}


class TestOverflow:
    @pytest.mark.parametrize("emulated", [True, False], ids=["emulated", "itself"])
    def test_a_square_beyond_float16(self, emulated: bool, tmp_path: Path) -> None:
        model = model_of(RMS_NORM, RMS_CONSTANTS)
        wanted = run(model)
        assert np.abs(run(model_of([*RMS_NORM[:2], node("Identity", "square", "y")], RMS_CONSTANTS))).max() > 65504
        found = converted(model, "float16", tmp_path, emulated=emulated)
        np.testing.assert_allclose(run(found), wanted, rtol=0.01, atol=0.01)

    def test_without_the_observation_it_overflows(self, tmp_path: Path) -> None:
        model = model_of(RMS_NORM, {**RMS_CONSTANTS, "up": RMS_CONSTANTS["up"] * np.float32(1000)})
        seen = observe_floats(model, [BATCH], tmp_path)
        assert seen["h"].largest > 65504
        blind = onnx.ModelProto()
        blind.CopyFrom(model)
        to_half(blind, {name: type(each)(0.0, each.shapes) for name, each in seen.items()}, "float16", emulated=True)
        assert not np.isfinite(run(blind)).all()
        to_half(model, seen, "float16", emulated=True)
        assert np.isfinite(run(model)).all()

    @pytest.mark.parametrize("dtype", HALVES)
    def test_masks(self, dtype: str, tmp_path: Path) -> None:
        model = model_of(MASKED, MASK_CONSTANTS)
        found = converted(model, dtype, tmp_path, emulated=True)
        np.testing.assert_allclose(run(found), run(model), atol={"float16": 0.01, "bfloat16": 0.05}[dtype])
        assert all(np.abs(numpy_helper.to_array(each)).max() < 65504 for each in found.graph.initializer)

    @pytest.mark.parametrize("dtype", HALVES)
    def test_an_emulation_rounds(self, dtype: str, tmp_path: Path) -> None:
        model = model_of([node("MatMul", "x up", "y")], {"up": values(16, 16, seed=4)})
        found = run(converted(model, dtype, tmp_path, emulated=True))
        np.testing.assert_array_equal(found, rounded(found, dtype).astype(np.float32))
        assert np.abs(found - run(model)).max() > 1e-5


def split(name: str) -> list[Any]:
    """The heads of ``x``'s projection called ``name``."""
    return [
        node("MatMul", f"x {name}_weight", f"{name}_all"),
        node("Reshape", f"{name}_all four", f"{name}_split"),
        node("Transpose", f"{name}_split", f"{name}_heads", perm=[0, 2, 1, 3] if name != "k" else [0, 2, 3, 1]),
    ]


ENDING = [
    node("MatMul", "weights v_heads", "mixed"),
    node("Transpose", "mixed", "beside", perm=[0, 2, 1, 3]),
    node("Reshape", "beside three", "y"),
]
BIAS = [
    node("Cast", "attention_mask", "mask", to=TensorProto.FLOAT),
    node("Sub", "one mask", "padding"),
    node("Mul", "padding least", "spread"),
    node("Unsqueeze", "spread middle", "bias"),
]
ATTENTION = [*split("q"), *split("k"), *split("v"), *BIAS]
ATTENTION_CONSTANTS = {
    **{f"{name}_weight": values(16, 16, seed=seed) for seed, name in enumerate("qkv")},
    **MASK_CONSTANTS,
    "middle": np.array([1, 2], dtype=np.int64),
    "four": np.array([0, 0, 4, 4], dtype=np.int64),
    "three": np.array([0, 0, 16], dtype=np.int64),
    "half": np.array(0.5, dtype=np.float32),
    "zero": np.array(0, dtype=np.float32),
}
SOFTMAX = node("Softmax", "masked", "weights", axis=-1)
FUSABLE = {
    "plain": [node("MatMul", "q_heads k_heads", "scores"), node("Softmax", "scores", "weights", axis=-1)],
    "a mask": [node("MatMul", "q_heads k_heads", "scores"), node("Add", "scores bias", "masked"), SOFTMAX],
    "scaled scores": [
        node("MatMul", "q_heads k_heads", "scores"),
        node("Div", "scores half", "scaled"),
        node("Add", "bias scaled", "masked"),
        SOFTMAX,
    ],
    "scaled queries and keys": [
        node("Mul", "q_heads half", "q_scaled"),
        node("Mul", "k_heads half", "k_scaled"),
        node("MatMul", "q_scaled k_scaled", "scores"),
        node("Add", "scores bias", "masked"),
        SOFTMAX,
    ],
    "guarded": [
        node("MatMul", "q_heads k_heads", "scores"),
        node("Add", "scores bias", "masked"),
        node("Softmax", "masked", "soft", axis=-1),
        node("IsNaN", "soft", "broken"),
        node("Where", "broken zero soft", "weights"),
    ],
    "rotated": [
        node("Neg", "q_heads", "q_turned"),
        node("Neg", "k_heads", "k_turned"),
        node("MatMul", "q_turned k_turned", "scores"),
        node("Add", "scores bias", "masked"),
        SOFTMAX,
    ],
}


@pytest.mark.parametrize("between", FUSABLE.values(), ids=FUSABLE)
def test_attention_in_one_operator_gives_the_same(between: list[Any], tmp_path: Path) -> None:
    model = model_of([*ATTENTION, *between, *ENDING], ATTENTION_CONSTANTS)
    wanted = run(model)
    clamp_masks(model.graph)
    assert fuse_attention(model, observe_floats(model, [BATCH], tmp_path)) == 1
    assert not {"Softmax", "IsNaN"} & {each.op_type for each in model.graph.node}
    np.testing.assert_allclose(run(model), wanted, atol=1e-5)


UNLIKE = {
    "scores that are read elsewhere": [*FUSABLE["a mask"], node("Identity", "scores", "other")],
    "another axis": [node("MatMul", "q_heads k_heads", "scores"), node("Softmax", "scores", "weights", axis=2)],
    "two products": [
        node("MatMul", "q_heads k_heads", "scores"),
        node("MatMul", "q_heads k_heads", "others"),
        node("Add", "scores others", "masked"),
        SOFTMAX,
    ],
}


@pytest.mark.parametrize("between", UNLIKE.values(), ids=UNLIKE)
def test_what_is_no_such_attention_stays(between: list[Any], tmp_path: Path) -> None:
    outputs = "y other" if any("other" in each.output for each in between) else "y"
    model = model_of([*ATTENTION, *between, *ENDING], ATTENTION_CONSTANTS, outputs)
    before = [each.SerializeToString() for each in model.graph.node]
    assert fuse_attention(model, observe_floats(model, [BATCH], tmp_path)) == 0
    assert [each.SerializeToString() for each in model.graph.node] == before
