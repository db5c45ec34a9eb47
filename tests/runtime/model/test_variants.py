"""The graph that is chosen: tables of folder contents, criteria and choices."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import EngineMissingError, MissingFileError, OptionError
from edge_st_runtime.model.record import GraphRecord, Record
from edge_st_runtime.model.variants import Choice, Criteria, NoGraphError, choose_graph, choose_graphs

HUB = [
    "model.safetensors",
    "onnx/model.onnx",
    "onnx/model_O3.onnx",
    "onnx/model_O4.onnx",
    "onnx/model_qint8_arm64.onnx",
    "onnx/model_qint8_avx512.onnx",
    "onnx/model_qint8_avx512_vnni.onnx",
    "onnx/model_quint8_avx2.onnx",
    "openvino/openvino_model.xml",
    "openvino/openvino_model_qint8_quantized.xml",
]
VNNI = frozenset({"avx2", "avx512f", "avx512_vnni"})


@pytest.mark.parametrize(
    ("names", "criteria", "expected"),
    [
        (HUB, Criteria(), ("onnx", "onnx/model.onnx", "float32")),
        (HUB, Criteria(dtype="float32"), ("onnx", "onnx/model.onnx", "float32")),
        (HUB, Criteria(backend="openvino"), ("openvino", "openvino/openvino_model.xml", "float32")),
        (HUB, Criteria(engines=["openvino"]), ("openvino", "openvino/openvino_model.xml", "float32")),
        (["model.onnx"], Criteria(), ("onnx", "model.onnx", "float32")),
        (["model.onnx", "onnx/model.onnx"], Criteria(), ("onnx", "onnx/model.onnx", "float32")),
        (["onnx/model.onnx"], Criteria(engines=["openvino"]), ("openvino", "onnx/model.onnx", "float32")),
        (["openvino/openvino_model.xml"], Criteria(), ("openvino", "openvino/openvino_model.xml", "float32")),
        (HUB, Criteria(backend="onnx", dtype="float16", on_cpu=False), ("onnx", "onnx/model_O4.onnx", "float16")),
        (HUB, Criteria(backend="openvino", dtype="float16", on_cpu=False), ("openvino", HUB[8], "float16")),
        (HUB, Criteria(dtype="bfloat16", bfloat16=True), ("openvino", HUB[8], "bfloat16")),
    ],
)
def test_by_name(names: list[str], criteria: Criteria, expected: tuple[str, str, str]) -> None:
    assert choose_graph(names, None, criteria) == Choice(*expected)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (VNNI, "onnx/model_qint8_avx512_vnni.onnx"),
        (VNNI - {"avx512_vnni"}, "onnx/model_qint8_avx512.onnx"),
        ({"avx2"}, "onnx/model_quint8_avx2.onnx"),
        ({"asimd"}, "onnx/model_qint8_arm64.onnx"),
    ],
)
def test_int8_by_cpu_feature(features: set[str], expected: str) -> None:
    criteria = Criteria(backend="onnx", dtype="int8", features=frozenset(features))
    assert choose_graph(HUB, None, criteria) == Choice("onnx", expected, "int8")


def test_int8_without_a_feature() -> None:
    names = [*HUB, "onnx/model_quantized.onnx"]
    assert choose_graph(names, None, Criteria(dtype="int8")) == Choice("onnx", "onnx/model_quantized.onnx", "int8")
    assert choose_graph(HUB, None, Criteria(dtype="int8")) == Choice("openvino", HUB[9], "int8")
    with pytest.raises(MissingFileError, match=r"dtype='int8'"):
        choose_graph(HUB, None, Criteria(backend="onnx", dtype="int8"))


def record(*graphs: GraphRecord, default: str | None = None) -> Record:
    return Record(Path("edge_st.json"), "", "", "", {}, graphs, (), (), default)


def row(file: str, engine: str, dtype: str = "float32", cosine: float | None = 1.0, features: str = "") -> GraphRecord:
    return GraphRecord(file, engine, dtype, frozenset(features.split()), cosine)


RECORD = record(
    row(HUB[9], "openvino", "int8", 0.98),
    row(HUB[6], "onnx", "int8", 0.97, "avx512_vnni"),
    row(HUB[8], "openvino", "bfloat16", 0.99995),
    row("onnx/model_O4.onnx", "onnx", "float16", 0.99999),
    row(HUB[8], "openvino"),
    row("onnx/model_O3.onnx", "onnx"),
    row("onnx/model.onnx", "onnx"),
)


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (Criteria(bfloat16=True), (2, "bfloat16")),
        (Criteria(), (4, "float32")),
        (Criteria(on_cpu=False), (2, "bfloat16")),
        (Criteria(backend="onnx"), (5, "float32")),
        (Criteria(backend="onnx", on_cpu=False), (3, "float16")),
        (Criteria(engines=["onnx"]), (5, "float32")),
        (Criteria(dtype="float32", bfloat16=True), (4, "float32")),
        (Criteria(dtype="int8"), (0, "int8")),
        (Criteria(backend="onnx", dtype="int8", features=VNNI), (1, "int8")),
    ],
)
def test_by_record(criteria: Criteria, expected: tuple[int, str]) -> None:
    entry = RECORD.graphs[expected[0]]
    assert choose_graph(HUB, RECORD, criteria) == Choice(entry.engine, entry.file, expected[1])


OLD_CPU = frozenset({"avx2", "fma"})


def test_int8_is_followed_by_lossless_variants() -> None:
    choices = choose_graphs(HUB, RECORD, Criteria(dtype="int8", features=VNNI))
    assert [(choice.engine, choice.dtype) for choice in choices[:4]] == [
        ("openvino", "int8"),
        ("onnx", "int8"),
        ("openvino", "float32"),
        ("onnx", "float32"),
    ]
    assert choices[0].reason == "dtype='int8' was requested (avx512_vnni)"
    assert not any(choice.warns for choice in choices)


def test_int8_for_another_cpu_is_passed_over() -> None:
    graphs = record(row(HUB[6], "onnx", "int8", 0.97, "avx512_vnni"), row("onnx/model.onnx", "onnx"))
    choice = choose_graph([HUB[1], HUB[6]], graphs, Criteria(dtype="int8", features=frozenset({"avx_vnni"})))
    assert choice == Choice("onnx", "onnx/model.onnx", "float32")
    assert choice.warns
    assert "this CPU lacks avx512_vnni, for which the int8 graphs were made" in choice.reason


def test_a_name_does_not_overrule_the_record() -> None:
    graphs = record(row("onnx/model_int8.onnx", "onnx", "int8", 0.97, "amx_int8"), row(HUB[1], "onnx"))
    choice = choose_graph([HUB[1], "onnx/model_int8.onnx"], graphs, Criteria(dtype="int8", features=VNNI))
    assert choice == Choice("onnx", HUB[1], "float32")
    assert "this CPU lacks amx_int8" in choice.reason


def test_int8_that_was_never_made() -> None:
    with pytest.raises(MissingFileError, match=r"dtype='int8'.*edge-st export MODEL FOLDER --dtype int8"):
        choose_graphs(HUB[:2], record(row(HUB[1], "onnx")), Criteria(dtype="int8", features=VNNI))


@pytest.mark.parametrize(
    ("default", "criteria", "place", "reason"),
    [
        ("int8", Criteria(features=VNNI), 0, "the folder's default dtype is 'int8' (avx512_vnni)"),
        (
            "int8",
            Criteria(features=OLD_CPU),
            4,
            "the folder's default dtype is 'int8', but OpenVINO is not faster in int8 than in float32",
        ),
        ("int8", Criteria(dtype="float32"), 4, "dtype='float32' was requested"),
        ("float32", Criteria(bfloat16=True), 4, "the folder's default dtype is 'float32'"),
        ("bfloat16", Criteria(), 4, "fastest lossless variant for this CPU"),
        (None, Criteria(bfloat16=True, features=VNNI | {"avx512_bf16"}), 2, "for this CPU (avx512_bf16)"),
    ],
)
def test_default_dtype_of_the_folder(default: str | None, criteria: Criteria, place: int, reason: str) -> None:
    choice, entry = choose_graph(HUB, record(*RECORD.graphs, default=default), criteria), RECORD.graphs[place]
    assert choice == Choice(entry.engine, entry.file, entry.dtype)
    assert reason in choice.reason
    assert not choice.warns  # nobody asked for anything else


@pytest.mark.parametrize("cosine", [0.99989, None])
def test_auto_takes_only_what_was_measured_lossless(cosine: float | None) -> None:
    graphs = record(row("onnx/model_O3.onnx", "onnx", cosine=cosine), row("onnx/model.onnx", "onnx"))
    assert choose_graph(HUB, graphs, Criteria()).file == "onnx/model.onnx"
    assert choose_graph(HUB, graphs, Criteria(dtype="float32")).file == "onnx/model_O3.onnx"


def test_recorded_graphs_for_another_cpu_are_passed_over() -> None:
    graphs = record(
        row(HUB[6], "onnx", "int8", features="avx512_vnni avx2"), row(HUB[7], "onnx", "int8", features="avx2")
    )
    criteria = Criteria(backend="onnx", dtype="int8", features=frozenset({"avx2", "avx_vnni"}))
    assert choose_graph(HUB, graphs, criteria).file == HUB[7]


def test_recorded_graphs_that_are_not_there_are_passed_over() -> None:
    names = ["onnx/model.onnx"]
    assert choose_graph(names, RECORD, Criteria(bfloat16=True)) == Choice("onnx", "onnx/model.onnx", "float32")


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (Criteria(file_name="model_O3.onnx"), ("onnx", "onnx/model_O3.onnx", "float32")),
        (Criteria(file_name="onnx/model_O3.onnx"), ("onnx", "onnx/model_O3.onnx", "float32")),
        (Criteria(file_name="model_O4.onnx"), ("onnx", "onnx/model_O4.onnx", "float16")),
        (Criteria(file_name="model_quint8_avx2.onnx"), ("onnx", "onnx/model_quint8_avx2.onnx", "int8")),
        (Criteria(file_name="openvino_model_qint8_quantized.xml"), ("openvino", HUB[9], "int8")),
        (Criteria(file_name="model_O3.onnx", backend="openvino"), ("openvino", "onnx/model_O3.onnx", "float32")),
        (Criteria(file_name="model.onnx", dtype="float32"), ("onnx", "onnx/model.onnx", "float32")),
    ],
)
def test_by_file_name(criteria: Criteria, expected: tuple[str, str, str]) -> None:
    assert choose_graph(HUB, RECORD, criteria) == Choice(*expected)


@pytest.mark.parametrize("file_name", ["model_O9.onnx", "../model.onnx", "/onnx/model.onnx", "model.safetensors"])
def test_file_name_that_is_no_graph_here(file_name: str) -> None:
    with pytest.raises(MissingFileError, match=r"not in the model folder; it has onnx/model.onnx, onnx/model_O3.onnx"):
        choose_graph(HUB, None, Criteria(file_name=file_name))


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        (Criteria(dtype="float16"), "float16' is slower than float32 on a CPU"),
        (Criteria(dtype="bfloat16"), "bfloat16' needs backend='openvino' and a CPU with avx512_bf16"),
        (Criteria(backend="onnx", dtype="bfloat16", bfloat16=True), "bfloat16' needs backend='openvino'"),
        (Criteria(dtype="int4"), "dtype is 'int4'; expected one of 'auto', 'float32', 'bfloat16', 'float16', 'int8'"),
        (Criteria(backend="tensorrt"), "backend is 'tensorrt'; expected 'auto', 'onnx', 'openvino'"),
        (Criteria(dtype="float32", file_name="model_quint8_avx2.onnx"), "computes in int8, but dtype is 'float32'"),
        (Criteria(backend="onnx", file_name="openvino_model.xml"), "openvino_model.xml.*backend='openvino'"),
    ],
)
def test_criteria_that_cannot_be_met(criteria: Criteria, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        choose_graph(HUB, None, criteria)


@pytest.mark.parametrize("names", [[], ["model.safetensors"]], ids=str)
def test_no_graph_at_all(names: list[str]) -> None:
    with pytest.raises(NoGraphError, match=r"the model has no graph at all.*edge-st export MODEL OUT"):
        choose_graph(names, None, Criteria())


@pytest.mark.parametrize(
    ("names", "criteria", "advice"),
    [
        (
            ["b.onnx", "onnx/a.onnx"],
            Criteria(),
            "which one is the model. Name it: model_kwargs={'file_name': 'b.onnx'}",
        ),
        (["b.onnx", "onnx/a.onnx"], Criteria("onnx", "int8"), "Name it: model_kwargs={'file_name': 'b.onnx'}"),
        (["openvino/openvino_model.xml"], Criteria(engines=["onnx"]), "pip install 'edge-st[openvino]'"),
        (["onnx/model.onnx"], Criteria(dtype="int8"), "Leave out dtype. Or name one: "),
        (["onnx/model_int8.onnx"], Criteria("onnx", "float32"), "Leave out backend and dtype. Or name one: "),
    ],
    ids=str,
)
def test_advice_that_helps(names: list[str], criteria: Criteria, advice: str) -> None:
    with pytest.raises(MissingFileError) as caught:
        choose_graph(names, None, criteria)
    message = str(caught.value)
    assert f"the model has {', '.join(names)}. " in message
    assert advice in message
    assert ("Leave out" in message) == ("Leave out" in advice)


def test_no_engine() -> None:
    with pytest.raises(EngineMissingError, match=r"pip install 'edge-st\[onnx\]'"):
        choose_graph(HUB, RECORD, Criteria(engines=[]))


def test_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "openvino" else object()

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    for criteria in (Criteria(backend="openvino"), Criteria(file_name="openvino_model.xml")):
        with pytest.raises(EngineMissingError, match=r"'openvino' needs openvino.*pip install 'edge-st\[openvino\]'"):
            choose_graph(HUB, None, criteria)


def test_beside_a_record_no_other_graph_is_taken() -> None:
    with pytest.raises(MissingFileError, match=r"the model has onnx/model_fp16\.onnx, onnx/model_quantized\.onnx"):
        choose_graphs(["onnx/model_fp16.onnx", "onnx/model_quantized.onnx"], record(), Criteria())
