"""What the parity zoo does not see: fused graphs, one engine alone, what is left in the folder."""

from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st.models.converting import GROUP
from edge_st_export import export_model
from edge_st_export.original.comparing import compare_with_original
from edge_st_export.original.texts import ALL
from tests.export.originals import cosine_min, load_original, save_original
from tests.export.zoo.building import BPE_TOKENS, ROBERTA
from tests.export.zoo.examining import Zoo
from tests.support.installed_models import install
from tests.support.tiny_tokenizers import byte_bpe


@pytest.mark.parametrize("side", ["right", "left"])
def test_fused_attention_is_right_on_either_side_of_padding(side: str, tmp_path: Path) -> None:
    tokens = BPE_TOKENS | {"padding_side": side}
    original = save_original(tmp_path, config=ROBERTA["config"], tokenizer=byte_bpe, tokens=tokens)
    report = export_model(original, tmp_path / "out", engines=["onnx"], optimize="O2", quiet=True)
    assert {graph.file for graph in report.graphs} == {"onnx/model.onnx", "onnx/model_O2.onnx"}
    wanted = load_original(original).encode(list(ALL))
    for graph in report.graphs:
        model = SentenceTransformer(tmp_path / "out", backend="onnx", model_kwargs={"file_name": graph.file})
        assert cosine_min(model.encode(list(ALL)), wanted) >= 0.99999


def test_openvino_alone_where_only_onnx_can_be_converted(zoo: Zoo, tmp_path: Path) -> None:
    original = zoo.original("mistral")
    export_model(original, tmp_path / "out", engines=["openvino"], quiet=True)
    assert not (tmp_path / "out" / "onnx").exists()
    wanted = load_original(original).encode(list(ALL))
    model = SentenceTransformer(tmp_path / "out", dtype="float32")
    assert cosine_min(model.encode(list(ALL)), wanted) >= 0.99999


@pytest.mark.parametrize("name", ["pickled-modules", "vocab-txt", "vocab-json", "sentencepiece"])
def test_only_what_the_runtime_reads_is_written(name: str, zoo: Zoo) -> None:
    out = zoo.exported(name).path
    assert (out / "tokenizer.json").is_file()
    assert not [*out.rglob("pytorch_model*"), *out.glob("*.safetensors")]


def test_code_of_its_own_runs_at_export_only(zoo: Zoo, tmp_path: Path) -> None:
    original = zoo.original("custom-code")
    with pytest.raises(RuntimeError, match=r"trust_remote_code=True \(--trust-remote-code\)"):
        export_model(original, tmp_path / "out", engines=["onnx"], quiet=True)
    assert not (tmp_path / "out").exists()
    export_model(original, tmp_path / "out", engines=["onnx"], trust_remote_code=True, quiet=True)
    for path in (tmp_path / "out").glob("*.py"):
        path.unlink()
    assert SentenceTransformer(tmp_path / "out").encode("the quick brown fox").shape == (32,)


def test_an_original_that_is_another_model_is_told_apart(zoo: Zoo) -> None:
    folder = zoo.exported("mean").path
    for name, outputs in {"prompts": {"prompt 'query'"}, "router-of-two": {"embeddings", "similarity"}}.items():
        (comparisons,) = compare_with_original(folder, str(zoo.original(name))).values()
        unequal = [row.output for row in comparisons if not row.equal]
        assert all(any(found.startswith(output) for found in unequal) for output in outputs), name


def test_verify_against_the_original(zoo: Zoo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = zoo.original("prompts")
    export_model(original, tmp_path / "out", quiet=True)
    assert main(["verify", str(tmp_path / "out"), "--against", str(original)]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert {row.split()[0] for row in rows} == {"onnx", "openvino"}
    assert all(row.endswith("equal") for row in rows)


def test_a_folder_with_weights_alone_is_converted_to_the_cache(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter = {"onnx": "edge_st_export.builder.conversion:convert_model"}
    monkeypatch.syspath_prepend(install(tmp_path / "site", converter, group=GROUP))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = SentenceTransformer(small_folder, dtype="float32")
    assert Path(model.info()["path"]).is_relative_to(tmp_path / "cache")
    assert cosine_min(model.encode(list(ALL)), load_original(small_folder).encode(list(ALL))) >= 0.99999
