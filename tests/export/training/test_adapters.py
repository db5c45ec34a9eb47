"""Models trained as PEFT adapters: the export is the base model with the adapter, merged."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peft import LoraConfig, get_peft_model

from edge_st import SentenceTransformer
from edge_st.verification.comparison import compared
from edge_st_export import ExportReport, convert_model, export_model
from edge_st_export.original import adapters
from edge_st_export.original.comparing import compare_with_original
from edge_st_runtime.errors import FolderError, FolderNotFoundError, PackageMissingError, UnsupportedModelError
from edge_st_runtime.model.record import read_record
from tests.export.folder.test_export import files_of
from tests.export.training.cases import CASES, Build, cross, dense, splade
from tests.export.training.training import Trained, examine, fit, outputs
from tests.support.hub_server import HubServer
from tests.support.made_once import MadeOnce

RANK = {"r": 4, "target_modules": ["query", "value"]}


def add(model: Any, **options: Any) -> None:
    """As sentence-transformers adds an adapter."""
    model.add_adapter(LoraConfig(**RANK, **options))


def wrap(model: Any, **options: Any) -> None:
    """As PEFT itself does."""
    model[0].model = get_peft_model(model[0].model, LoraConfig(**RANK, **options))


@dataclass(frozen=True)
class Case:
    build: Build
    loss: str
    put: Callable[..., None]
    options: Mapping[str, Any]


ADAPTED = {
    "added": Case(dense, "MultipleNegativesRanking", add, {"task_type": "FEATURE_EXTRACTION"}),
    "wrapped": Case(dense, "MultipleNegativesRanking", wrap, {"use_dora": True}),
    "with a bias": Case(dense, "MultipleNegativesRanking", add, {"bias": "lora_only", "use_rslora": True}),
    "cross-encoder": Case(cross, "cross-encoder BinaryCrossEntropy", add, {"modules_to_save": ["classifier"]}),
    "sparse": Case(splade, "Splade over SparseMultipleNegativesRanking", add, {}),
}


def train(case: Case, folder: Path) -> Trained:
    """Save a base model below ``folder``, and an adapter that is trained on it."""
    case.build(folder).save_pretrained(str(folder / "base"), create_model_card=False)
    model = type(case.build(folder))(str(folder / "base"), device="cpu")
    before = outputs(model)
    case.put(model, **case.options)
    fit(model, CASES[case.loss].loss, _columns(case), folder)
    model.save_pretrained(str(folder / "adapter"), create_model_card=False)
    assert not list((folder / "adapter").glob("model*"))
    return Trained(model, folder / "adapter", before)


def _columns(case: Case) -> Any:
    return CASES[case.loss].columns


@pytest.mark.parametrize("name", ADAPTED)
def test_the_export_is_the_adapted_model(name: str, tmp_path: Path) -> None:
    trained = train(ADAPTED[name], tmp_path)
    assert np.abs(outputs(trained.model) - trained.before).max() > 0.01
    for engine, comparison in examine(trained, tmp_path / "out", ["onnx"]).items():
        assert comparison.equal, (engine, comparison)


@dataclass(frozen=True)
class Made:
    """A folder with "adapter" and its "base", what the adapted model gives, and the adapter's export."""

    folder: Path
    wanted: Any
    report: ExportReport


@pytest.fixture(scope="module")
def made(once: MadeOnce) -> Made:
    def make(folder: Path) -> Made:
        trained = train(ADAPTED["added"], folder)
        report = export_model(trained.folder, folder / "out", engines=["onnx"], quiet=True)
        return Made(folder, outputs(trained.model), report)

    result: Made = once("adapted", make)
    return result


def test_what_was_merged_is_told_and_the_proof_is_the_adapted_models(made: Made) -> None:
    assert f"the adapter is merged into its base model {made.folder / 'base'}" in made.report.notes
    record = read_record(made.report.path)
    assert record is not None
    again = SentenceTransformer(made.report.path).encode(list(record.golden_texts))
    assert compared("golden", again, record.golden[0].embeddings).equal
    assert not list(made.report.path.glob("adapter*"))
    for comparisons in compare_with_original(made.report.path, str(made.folder / "adapter")).values():
        assert all(row.equal for row in comparisons)
    base = compare_with_original(made.report.path, str(made.folder / "base"))
    assert not any(row.equal for comparisons in base.values() for row in comparisons if row.output == "embeddings")


def test_an_adapter_alone_takes_the_tokenizer_of_its_base_model(made: Made, tmp_path: Path) -> None:
    for path in (made.folder / "adapter").glob("adapter_*"):
        shutil.copy(path, tmp_path)
    report = export_model(tmp_path, tmp_path / "out", engines=["onnx"], quiet=True)
    assert compared("vectors", outputs(SentenceTransformer(report.path)), made.wanted).equal


def test_weights_beside_an_adapter_are_not_its_base_models(made: Made, tmp_path: Path) -> None:
    copy = changed(made, tmp_path)
    (copy / "model.safetensors").write_bytes(b"something else")
    report = export_model(copy, tmp_path / "out", engines=["onnx"], quiet=True)
    assert compared("vectors", outputs(SentenceTransformer(report.path)), made.wanted).equal


def test_adapter_and_base_model_on_the_hub(made: Made, hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/base", files_of(made.folder / "base"))
    adapter = changed(made, tmp_path, base_model_name_or_path="org/base")
    hub.add("org/adapter", files_of(adapter))
    report = export_model("org/adapter", tmp_path / "out", engines=["onnx"], quiet=True)
    assert compared("vectors", outputs(SentenceTransformer(report.path)), made.wanted).equal


def changed(made: Made, tmp_path: Path, **settings: Any) -> Path:
    """A copy of the adapter with other settings."""
    copy = Path(shutil.copytree(made.folder / "adapter", tmp_path / "changed"))
    file = copy / adapters.CONFIG_FILE
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | settings), encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"base_model_name_or_path": "/far/away/base"},
            FolderNotFoundError,
            "'/far/away/base'.*no such folder.*Put the",
        ),
        ({"base_model_name_or_path": "org/absent"}, FolderNotFoundError, "'org/absent'.*hf download org/absent"),
        ({"base_model_name_or_path": None}, FolderError, "names no base model"),
        (
            {"target_modules": ["query"]},
            UnsupportedModelError,
            "of its weights, 6 are too much.*base_model_name_or_path",
        ),
        ({"target_modules": ["query", "value", "key"]}, UnsupportedModelError, "6 are missing"),
    ],
)
def test_a_base_model_that_is_absent_or_another_is_named(
    settings: dict[str, Any], error: type[Exception], message: str, made: Made, hub: HubServer, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        export_model(changed(made, tmp_path, **settings), tmp_path / "out", engines=["onnx"], quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_base_model_that_is_an_adapter_or_no_model_is_refused(made: Made, tmp_path: Path) -> None:
    copy = changed(made, tmp_path, base_model_name_or_path=str(made.folder / "adapter"))
    with pytest.raises(UnsupportedModelError, match="an adapter itself"):
        export_model(copy, tmp_path / "out", quiet=True)
    shutil.rmtree(copy)
    with pytest.raises(FolderNotFoundError, match=r"no config\.json"):
        export_model(changed(made, tmp_path, base_model_name_or_path=str(tmp_path)), tmp_path / "out", quiet=True)


def test_a_conversion_without_pytorch_says_what_merges_an_adapter(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"PEFT adapter.*edge-st export"):
        convert_model(made.folder / "adapter", tmp_path / "out")


def test_without_peft(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda _: None)
    with pytest.raises(PackageMissingError, match="pip install peft"):
        export_model(made.folder / "adapter", tmp_path / "out", quiet=True)
