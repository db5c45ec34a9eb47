"""The graph that is chosen in a folder without a record and without a float32 graph of a known name."""

import pytest

from edge_st_runtime.errors import MissingFileError
from edge_st_runtime.model.variants import Choice, Criteria, choose_graph, choose_graphs

ALONE = [
    ("onnx/model_quantized.onnx", "int8"),
    ("onnx/model_quint8_avx2.onnx", "int8"),
    ("model_quantized.onnx", "int8"),
    ("model_int8.onnx", "int8"),
    ("onnx/model_uint8.onnx", "int8"),
    ("onnx/model_fp16.onnx", "float16"),
    ("onnx/model_O4.onnx", "float16"),
    ("onnx/model_q4.onnx", "int4"),
    ("onnx/model_q4f16.onnx", "int4"),
    ("onnx/model_bnb4.onnx", "int4"),
    ("bge-small-en-v1.5-int8.onnx", "int8"),
]


@pytest.mark.parametrize(("file", "dtype"), ALONE)
def test_a_folder_with_one_graph_below_float32(file: str, dtype: str) -> None:
    (choice,) = choose_graphs([file], None, Criteria(engines=["onnx"], features=frozenset({"avx2"})))
    assert choice == Choice("onnx", file, dtype)
    assert choice.warns
    assert choice.reason == (
        f"the folder has no float32 graph, and {dtype} gives other vectors than the original; choose one by "
        "model_kwargs={'file_name': …}"
    )


@pytest.mark.parametrize(
    "file", ["model_optimized.onnx", "onnx/model_optimized.onnx", "onnx/model_O2.onnx", "onnx/bge-small-en-v1.5.onnx"]
)
def test_a_folder_with_one_float32_graph_of_another_name(file: str) -> None:
    (choice,) = choose_graphs([file], None, Criteria(engines=["onnx"]))
    assert choice == Choice("onnx", file, "float32")
    assert choice.warns
    assert choose_graph([file, "onnx/model.onnx"], None, Criteria()) == Choice("onnx", "onnx/model.onnx", "float32")


def test_the_most_exact_that_suits_the_cpu_comes_first() -> None:
    names = [*(file for file, _ in ALONE if "bge" not in file), "onnx/model_qint8_avx512_vnni.onnx"]
    choices = choose_graphs(names, None, Criteria(features=frozenset({"avx2"})))
    files = [choice.file for choice in choices if choice.engine == "onnx"]
    assert files[:4] == [
        "onnx/model_O4.onnx",
        "onnx/model_fp16.onnx",
        "onnx/model_quint8_avx2.onnx",
        "model_int8.onnx",
    ]
    assert files[-4:] == [
        "onnx/model_qint8_avx512_vnni.onnx",
        "onnx/model_q4.onnx",
        "onnx/model_q4f16.onnx",
        "onnx/model_bnb4.onnx",
    ]
    (other,) = (choice for choice in choices if "vnni" in choice.file and choice.engine == "onnx")
    assert "made for CPUs with avx512_vnni, which this one lacks" in other.reason


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_exact_dtype_takes_no_graph_below_it(dtype: str) -> None:
    with pytest.raises(MissingFileError, match=rf"dtype='{dtype}'"):
        choose_graphs(["onnx/model_quantized.onnx"], None, Criteria(dtype=dtype, bfloat16=True, backend="openvino"))
