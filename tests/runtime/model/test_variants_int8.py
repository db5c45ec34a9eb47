"""Int8 on CPUs where an engine is not faster in it: what is chosen, in what order, and what is said."""

from dataclasses import replace

import pytest

from edge_st_runtime.model.variants import Choice, Criteria, choose_graph, choose_graphs
from tests.runtime.model.test_variants import HUB, OLD_CPU, record, row

NO_GAIN = "OpenVINO is not faster in int8 than in float32 on a CPU without AVX512, VNNI, AMX or Arm dot products"
#: a folder with int8 graphs for any CPU
INT8 = record(
    row(HUB[9], "openvino", "int8", 0.98),
    row("onnx/model.onnx", "onnx"),
    row(HUB[8], "openvino"),
    row("onnx/model_int8.onnx", "onnx", "int8", 0.97),
)
INT8_FILES = [entry.file for entry in INT8.graphs]


@pytest.mark.parametrize(
    ("features", "engines"),
    [
        ("avx2 fma", ["onnx", "openvino"]),
        ("asimd", ["onnx", "openvino"]),
        ("avx2 avx512f", ["openvino", "onnx"]),
        ("avx2 avx_vnni", ["openvino", "onnx"]),
        ("asimd asimddp", ["openvino", "onnx"]),
        ("", ["openvino", "onnx"]),
    ],
)
def test_the_engine_that_gains_from_int8_comes_first(features: str, engines: list[str]) -> None:
    """In the order of the record, but for OpenVINO where it is not faster."""
    for criteria, given in ((Criteria(dtype="int8"), INT8), (Criteria(), record(*INT8.graphs, default="int8"))):
        choices = choose_graphs(INT8_FILES, given, replace(criteria, features=frozenset(features.split())))
        assert [choice.engine for choice in choices if choice.dtype == "int8"] == engines
        assert [choice.dtype for choice in choices[:3]] == ["int8", "int8", "float32"]
        assert not any(choice.warns for choice in choices)
        assert [choice.engine for choice in choices if choice.reason.endswith(NO_GAIN)] == (
            ["openvino"] if engines[0] == "onnx" else []
        )


def test_the_reason_names_the_feature_that_is_used() -> None:
    for features, used in (("avx2 fma", "avx2"), ("avx2 avx512f", "avx512f"), ("asimd i8mm asimddp", "asimddp, i8mm")):
        criteria = Criteria(backend="onnx", dtype="int8", features=frozenset(features.split()))
        assert choose_graph(INT8_FILES, INT8, criteria).reason == f"dtype='int8' was requested ({used})"


def test_int8_that_is_asked_for_runs_though_it_is_not_faster() -> None:
    choice = choose_graph(INT8_FILES, INT8, Criteria("openvino", "int8", features=OLD_CPU))
    assert choice == Choice("openvino", HUB[9], "int8")
    assert choice.reason == f"dtype='int8' was requested (avx2); {NO_GAIN}"
    assert not choice.warns


def test_a_default_of_int8_that_is_not_faster_gives_way_to_a_lossless_variant() -> None:
    criteria = Criteria("openvino", features=OLD_CPU)
    choice = choose_graph(INT8_FILES, record(*INT8.graphs, default="int8"), criteria)
    assert choice == Choice("openvino", HUB[8], "float32")
    assert choice.reason == (
        f"the folder's default dtype is 'int8', but {NO_GAIN}; the fastest lossless variant for this CPU runs instead"
    )
    (only,) = choose_graphs([HUB[9]], record(INT8.graphs[0], default="int8"), criteria)
    assert only == Choice("openvino", HUB[9], "int8")
    assert only.reason == f"the folder's default dtype is 'int8' (avx2); {NO_GAIN}"
    assert not choice.warns
    assert not only.warns
