"""Reading a model folder: layouts of every version, and folders that cannot be used."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import (
    DamagedFileError,
    FolderNotFoundError,
    UnsafePathError,
    UnsupportedModelError,
    WrongClassError,
)
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.route import Route
from edge_st_runtime.modules.specs import Normalize, Pooling
from tests.support.tiny_models import MEAN, NORMALIZE, TinyModel, write_json


def entry(kind: str, path: str = "", package: str = "sentence_transformers.models") -> dict[str, str]:
    return {"type": f"{package}.{kind}", "path": path}


def test_saved_folder(tmp_path: Path) -> None:
    model = TinyModel(modules=(MEAN, NORMALIZE), settings={"prompts": {"query": "q: "}})
    folder = read_folder(model.save(tmp_path))
    route = folder.routes[""]
    assert (route.kind, route.path, route.prefix) == ("Transformer", tmp_path, "")
    assert route.modules == (Pooling(("mean",)), Normalize())
    assert route.graph_names() == ["onnx/model.onnx"]
    assert (folder.router, folder.route(None), folder.route("query")) == (None, "", "")
    assert folder.settings == {"prompts": {"query": "q: "}}
    assert folder.record is None


def test_version_6_names_and_a_transformer_in_a_folder_of_its_own(tmp_path: Path) -> None:
    package = "sentence_transformers.base.modules.transformer"
    write_json(
        tmp_path / "modules.json", [entry("Transformer", "0_Transformer", package), entry("Pooling", "1_Pooling")]
    )
    write_json(tmp_path / "1_Pooling" / "config.json", {"pooling_mode": "cls"})
    write_json(
        tmp_path / "0_Transformer" / "sentence_roberta_config.json", {"max_seq_length": 9, "do_lower_case": True}
    )
    for name in ("model_O3.onnx", "onnx/model.onnx", "openvino/openvino_model.xml", "onnx/readme.md", "1_Other/x.onnx"):
        write_json(tmp_path / "0_Transformer" / name, {})
    route = read_folder(tmp_path).routes[""]
    assert (route.kind, route.path, route.prefix) == ("Transformer", tmp_path / "0_Transformer", "0_Transformer/")
    assert route.modules == (Pooling(("cls",)),)
    assert route.lower_case
    assert route.max_seq_length(512) == 9
    assert sorted(route.graph_names()) == ["model_O3.onnx", "onnx/model.onnx", "openvino/openvino_model.xml"]


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({"architectures": ["BertModel"]}, "mean"),
        ({"architectures": ["Qwen3ForCausalLM"]}, "lasttoken"),
        ({"architectures": ["Qwen2ForCausalLM"], "is_causal": False}, "mean"),
        ({"architectures": None}, "mean"),
        ({}, "mean"),
    ],
    ids=str,
)
def test_plain_transformers_folder(config: dict[str, Any], mode: str, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", config)
    route = read_folder(tmp_path).routes[""]
    assert (route.kind, route.path, route.modules) == ("Transformer", tmp_path, (Pooling((mode,)),))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            [entry("Transformer"), entry("Pooling", package="custom_st")],
            "'custom_st.Pooling', which is custom code.*Expected .*Transformer, CLIP.*Dense.*Pooling.*or a Router",
        ),
        ([entry("Transformer"), {"path": "1_Pooling"}], "names the module ''"),
        ([entry("Transformer"), entry("Unheard", "1")], "module 'Unheard'.*this version runs"),
        ([entry("MultiVectorMask")], "first module is MultiVectorMask; expected one of Transformer, CLIPModel"),
        ([entry("Pooling")], "first module is Pooling"),
    ],
    ids=["custom", "no type", "unknown", "unknown first", "pooling first"],
)
def test_modules_that_are_not_run(modules: list[Any], message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "modules.json", modules)
    with pytest.raises(UnsupportedModelError, match=message):
        read_folder(tmp_path)


@pytest.mark.parametrize("path", ["../other", "/etc", "a/../../b", "..\\x", "C:\\x"])
def test_modules_outside_the_folder(path: str, tmp_path: Path) -> None:
    for modules in ([entry("Transformer", path)], [entry("Transformer"), entry("Pooling", path)]):
        write_json(tmp_path / "modules.json", modules)
        with pytest.raises(UnsafePathError, match=r"leads outside the folder"):
            read_folder(tmp_path)


@pytest.mark.parametrize("content", ["[]", "[3]", "{}", "[{", ""])
def test_damaged_modules_json(content: str, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(content)
    with pytest.raises(DamagedFileError, match=r"modules.json"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "sentence_bert_config.json", "1_Pooling/config.json"])
def test_damaged_configuration(name: str, tiny: TinyModel, tmp_path: Path) -> None:
    path = tiny.save(tmp_path) / name
    path.write_text(path.read_text()[:-1])
    with pytest.raises(DamagedFileError, match=name):
        read_folder(tmp_path)


def test_no_model_here(tmp_path: Path) -> None:
    with pytest.raises(FolderNotFoundError, match=r"neither modules.json nor config.json"):
        read_folder(tmp_path)
    with pytest.raises(FolderNotFoundError, match=r"no model folder at"):
        read_folder(tmp_path / "missing")


def limits(config: dict[str, Any], transformer: dict[str, Any]) -> Route:
    return Route("Transformer", Path(), "", (), transformer, "", config)


@pytest.mark.parametrize(
    ("transformer", "tokenizer", "config", "expected"),
    [
        ({"max_seq_length": 256}, 512, {"max_position_embeddings": 512}, 256),
        ({"max_seq_length": 256, "tokenizer_args": {"model_max_length": 64}}, 512, {}, 64),
        ({"processor_kwargs": {"model_max_length": 64}}, 512, {}, 64),
        ({"max_seq_length": None}, 384, {"max_position_embeddings": 512}, 384),
        ({}, 1024, {"max_position_embeddings": 512}, 512),
        ({}, None, {"max_position_embeddings": 512}, 512),
        ({}, None, {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, 512),
        ({}, None, {"max_position_embeddings": 514, "model_type": "xlm-roberta"}, 512),
        ({}, 512, {"max_position_embeddings": 512, "model_type": "mpnet"}, 510),
        ({"max_seq_length": 514}, 512, {"max_position_embeddings": 514, "model_type": "roberta"}, 512),
        ({}, None, {"max_position_embeddings": -1}, None),
        ({}, 77, {}, 77),
        ({}, None, {}, None),
    ],
)
def test_limit(
    transformer: dict[str, Any], tokenizer: int | None, config: dict[str, Any], expected: int | None
) -> None:
    assert limits(config, transformer).max_seq_length(tokenizer) == expected


@pytest.mark.parametrize(
    ("modules", "model_type"),
    [
        (["Transformer", "SpladePooling"], "SparseEncoder"),
        (["Transformer", "Pooling", "SparseAutoEncoder"], "SparseEncoder"),
        (["Transformer", "LogitScore"], "CrossEncoder"),
    ],
)
def test_the_modules_tell_the_class(modules: list[str], model_type: str, tmp_path: Path) -> None:
    write_json(
        tmp_path / "modules.json", [entry(kind, str(place) if place else "") for place, kind in enumerate(modules)]
    )
    with pytest.raises(WrongClassError, match=f"is a {model_type}, not a SentenceTransformer"):
        read_folder(tmp_path, "SentenceTransformer")


def test_the_transformers_task_tells_the_class(tmp_path: Path) -> None:
    write_json(tmp_path / "modules.json", [entry("Transformer")])
    write_json(tmp_path / "sentence_bert_config.json", {"transformer_task": "sequence-classification"})
    with pytest.raises(WrongClassError, match="is a CrossEncoder"):
        read_folder(tmp_path, "SentenceTransformer")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FolderNotFoundError, match=r"neither modules\.json nor config\.json"):
        read_folder(tmp_path, "CrossEncoder")
