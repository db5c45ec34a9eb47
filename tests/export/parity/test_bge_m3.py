"""BGE-M3 exported: every head against PyTorch and, where it can be had, FlagEmbedding; and what is refused."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge_st import BGEM3, MultiVectorEncoder, SentenceTransformer, SparseEncoder
from edge_st.verification.checks import compare, verify_folder
from edge_st_export import ExportReport, export_model
from edge_st_export.errors import ExportError
from edge_st_export.folder.head_parity import check_heads
from edge_st_export.folder.parity import GraphReport
from edge_st_export.int8.gate import parse_gate
from edge_st_export.int8.options import Int8
from edge_st_export.original.texts import ALL, PAIRS
from edge_st_runtime.errors import DamagedFileError, OptionError, UnsupportedModelError, WrongClassError
from tests.export.bge_m3 import POSITIONS, save_bge_m3, save_head
from tests.export.bge_m3_in_torch import InTorch
from tests.export.originals import load_original
from tests.support.made_once import MadeOnce

HEADS: dict[str, Any] = {"return_sparse": True, "return_colbert_vecs": True}
NAMES = ("colbert", "sparse", "dense", "sparse+dense", "colbert+sparse+dense")
COLBERT = 24
WEIGHTS = [0.4, 0.2, 0.4]


@pytest.fixture(scope="module")
def original(once: MadeOnce) -> Path:
    path: Path = once("bge-m3", lambda folder: save_bge_m3(folder, colbert=COLBERT))
    return path


@pytest.fixture(scope="module")
def report(original: Path, once: MadeOnce) -> ExportReport:
    found: ExportReport = once("bge-m3-exported", lambda folder: export_model(original, folder / "out", quiet=True))
    return found


@pytest.fixture(scope="module")
def in_torch(original: Path) -> InTorch:
    return InTorch(original)


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    """A copy of the original, which a test may change."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


def exported(original: Path, out: Path, **options: Any) -> Path:
    return export_model(original, out, engines=["onnx"], quiet=True, **options).path


def lexical_difference(found: dict[str, Any], wanted: dict[str, float]) -> float:
    return max((abs(found.get(token, 0) - wanted.get(token, 0)) for token in {*found, *wanted}), default=0.0)


@pytest.mark.parametrize("length", [POSITIONS, 12])
def test_all_heads_equal_pytorch(report: ExportReport, in_torch: InTorch, engine: str, length: int) -> None:
    found = BGEM3(report.path, backend=engine, dtype="float32").encode(list(ALL), max_length=length, **HEADS)
    for place, text in enumerate(ALL):
        dense, lexical, colbert = in_torch.encode(text, length)
        np.testing.assert_allclose(found["dense_vecs"][place], dense, atol=1e-5)
        assert lexical_difference(found["lexical_weights"][place], lexical) <= 1e-5
        assert found["colbert_vecs"][place].shape == colbert.shape
        np.testing.assert_allclose(found["colbert_vecs"][place], colbert, atol=1e-5)


@pytest.mark.parametrize(("limits", "weights"), [((POSITIONS, POSITIONS), None), ((12, 60), WEIGHTS)])
def test_scores_equal_pytorch(
    report: ExportReport, in_torch: InTorch, engine: str, limits: tuple[int, int], weights: list[float] | None
) -> None:
    model = BGEM3(report.path, backend=engine, dtype="float32")
    found: Any = model.compute_score(list(PAIRS), None, *limits, weights_for_different_modes=weights)
    wanted = [in_torch.scores(pair, limits, weights or [1, 1, 1]) for pair in PAIRS]
    assert tuple(found) == NAMES
    for name in NAMES:
        np.testing.assert_allclose(found[name], [scores[name] for scores in wanted], rtol=0, atol=1e-5)


def test_each_class_opens_the_folder_with_its_head(report: ExportReport, in_torch: InTorch, engine: str) -> None:
    wanted = [in_torch.encode(text, POSITIONS) for text in ALL]
    options: dict[str, Any] = {"backend": engine, "dtype": "float32"}
    dense = SentenceTransformer(report.path, **options)
    np.testing.assert_allclose(dense.encode(list(ALL)), [each[0] for each in wanted], atol=1e-5)
    sparse = SparseEncoder(report.path, **options)
    for found, (_, lexical, _) in zip(sparse.encode(list(ALL)).to_dicts(), wanted, strict=True):
        assert lexical_difference({str(token): weight for token, weight in found.items()}, lexical) <= 1e-5
    assert (sparse.get_embedding_dimension(), sparse.similarity_fn_name) == (410, "dot")
    several = MultiVectorEncoder(report.path, **options)
    assert (several.get_embedding_dimension(), several.similarity_fn_name) == (COLBERT, "meanmaxsim")
    for vectors, (_, _, colbert) in zip(several.encode(list(ALL)), wanted, strict=True):
        np.testing.assert_allclose(vectors, colbert, atol=1e-5)


def test_the_dense_model_is_as_without_heads(report: ExportReport, original: Path, engine: str) -> None:
    texts = list(ALL)[:40]
    model = SentenceTransformer(report.path, backend=engine, dtype="float32")
    comparisons = compare(model, load_original(original), texts)
    assert "token embeddings" in [each.output for each in comparisons]
    assert all(each.equal for each in comparisons), comparisons


def test_what_the_folder_says(report: ExportReport, original: Path, copy: Path, tmp_path: Path) -> None:
    record = json.loads((report.path / "edge_st.json").read_text(encoding="utf-8"))
    assert "heads.json" in record["files"]
    assert not [name for name in record["files"] if name.endswith(".pt")]
    for entry in record["graphs"]:
        assert entry["heads"]["token_vectors"] >= 0.99999
        assert entry["heads"]["token_weights_difference"] <= 1e-4
    assert all(each.equal for found in verify_folder(report.path).values() for each in found)
    assert any("BGEM3" in note for note in report.notes)
    for name in ("sparse_linear.pt", "colbert_linear.pt"):
        (copy / name).unlink()
    plain = exported(copy, tmp_path / "plain")
    with pytest.raises(WrongClassError, match="is a SentenceTransformer, not a SparseEncoder"):
        SparseEncoder(plain)
    assert (
        SentenceTransformer(plain).fingerprint == SentenceTransformer(report.path).fingerprint == record["fingerprint"]
    )


def test_verify_looks_at_the_heads(report: ExportReport, tmp_path: Path) -> None:
    rows = [row for found in verify_folder(report.path).values() for row in found]
    assert [row.output for row in rows].count("lexical weights") == [row.output for row in rows].count("token vectors")
    assert sum(row.output == "token vectors" for row in rows) == 2
    assert all(row.equal for row in rows)
    copy = Path(shutil.copytree(report.path, tmp_path / "copy"))
    record = json.loads((copy / "edge_st.json").read_text(encoding="utf-8"))
    record["golden_heads"]["token_vectors"][2][1][0] += 0.1
    record["golden_heads"]["lexical"][0]["30"] = 0.01
    (copy / "edge_st.json").write_text(json.dumps(record), encoding="utf-8")
    unequal = [row.output for found in verify_folder(copy).values() for row in found if not row.equal]
    assert unequal == ["lexical weights", "token vectors"] * 2
    record["golden_heads"]["lexical"] = 3
    (copy / "edge_st.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"golden_heads\.lexical is 3; expected a list"):
        verify_folder(copy)


def test_a_head_alone_and_the_fingerprint(report: ExportReport, copy: Path, tmp_path: Path) -> None:
    (copy / "colbert_linear.pt").unlink()
    torch.manual_seed(33)
    save_head(copy / "sparse_linear.pt", 32, 1)
    out = exported(copy, tmp_path / "out")
    assert BGEM3(out).info()["heads"] == ["dense", "sparse"]
    with pytest.raises(WrongClassError, match="has no multi-vector head; it has dense and sparse"):
        MultiVectorEncoder(out)
    with pytest.raises(OptionError, match="has no multi-vector head"):
        BGEM3(out).encode("a", return_colbert_vecs=True)
    for kind, same in ((SentenceTransformer, True), (SparseEncoder, False)):
        assert (kind(out).fingerprint == kind(report.path).fingerprint) == same


class Runs:
    """A pickle that runs code where it is opened carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_a_pickle_never_runs_code(copy: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for write in (lambda path: torch.save(Runs(mark), path), lambda path: path.write_bytes(pickle.dumps(Runs(mark)))):
        write(copy / "sparse_linear.pt")
        with pytest.raises(DamagedFileError, match=r"sparse_linear\.pt cannot be read as the weights of a linear"):
            exported(copy, tmp_path / "out")
    assert not mark.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sparse_linear.pt", {"weight": torch.zeros(2, 32), "bias": torch.zeros(2)}, r"expected weight \(1, 32\)"),
        ("colbert_linear.pt", {"weight": torch.zeros(8, 31), "bias": torch.zeros(8)}, r"expected weight \(any, 32\)"),
        ("colbert_linear.pt", {"weight": torch.zeros(8, 32)}, "bias"),
        ("colbert_linear.pt", [1], "expected weight"),
        ("colbert_linear.pt", {"weight": torch.zeros(()), "bias": torch.zeros(8)}, "expected weight"),
    ],
)
def test_weights_of_another_number(copy: Path, tmp_path: Path, name: str, value: Any, message: str) -> None:
    torch.save(value, copy / name)
    with pytest.raises(DamagedFileError, match=message):
        exported(copy, tmp_path / "out")


def test_heads_of_a_model_that_pools_otherwise(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "1_Pooling/config.json").read_text(encoding="utf-8"))
    (copy / "1_Pooling/config.json").write_text(json.dumps({**config, "pooling_mode": "mean"}), encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match=r"heads in .*dense vector is that of the first token"):
        exported(copy, tmp_path / "out")


@pytest.mark.parametrize("worse", [{"token_vectors": 0.9999}, {"dense": 0.99}, {"token_weights_difference": 0.001}])
def test_the_gate(worse: dict[str, float]) -> None:
    heads = {"dense": 1.0, "token_vectors": 1.0, "token_vectors_mean": 1.0, "lexical": 1.0,
             "token_weights_difference": 0.0, "token_weights_scale": 2.0}  # fmt: skip
    graph = ("onnx/model.onnx", "onnx", "float32", (), 1.0, 1.0, 0.0, 1.0, 1.0)
    check_heads([GraphReport(*graph, heads=heads), GraphReport(*graph)], 0.99999)
    with pytest.raises(ExportError, match=r"the heads of onnx/model\.onnx reach a cosine of"):
        check_heads([GraphReport(*graph, heads={**heads, **worse})], 0.99999)


@pytest.mark.slow
def test_int8_goes_through_the_gate_with_all_heads(tmp_path: Path) -> None:
    original = save_bge_m3(tmp_path, hidden=64)
    report = export_model(original, tmp_path / "out", int8=Int8(parse_gate("agreement=0.8")), quiet=True)
    graphs = [graph for graph in report.graphs if graph.dtype == "int8"]
    assert {graph.engine for graph in graphs} == {"onnx", "openvino"}
    assert all(graph.heads["token_vectors_mean"] >= 0.995 for graph in graphs)
    assert all({"token_vectors", "lexical"} <= attempt.shares.keys() for attempt in report.tried)
    assert all(row.equal for found in verify_folder(report.path).values() for row in found)
    for kind in (SparseEncoder, MultiVectorEncoder, BGEM3):
        assert kind(report.path, backend="onnx", dtype="int8").info()["dtype"] == "int8"
    strict = Int8(parse_gate("agreement=0.8,token_vectors=0.99999"))
    with pytest.raises(ExportError, match=r"the gate .*token_vectors=0\.99999, so"):
        export_model(original, tmp_path / "strict", int8=strict, engines=["onnx"], quiet=True)


LENGTHS = {"max_query_length": POSITIONS, "max_passage_length": POSITIONS}
QUESTIONS: dict[str, Any] = {
    "colbert_dim": COLBERT,
    "texts": ALL,
    "pairs": PAIRS,
    "encode": {"alone": {"batch_size": 1, "max_length": POSITIONS}, "cut": {"batch_size": 7, "max_length": 12}},
    "compute_score": {
        "even": {"batch_size": 1, **LENGTHS},
        "weighted": {"batch_size": 16, **LENGTHS, "weights_for_different_modes": WEIGHTS},
    },
}


@pytest.fixture(scope="module")
def answers(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What FlagEmbedding's own code, which pip fetches, gives for `QUESTIONS`."""
    folder = tmp_path_factory.mktemp("flag")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder / "packages")]
    subprocess.run([*command, "FlagEmbedding==1.4.2"], check=True, timeout=300)
    (folder / "questions.json").write_text(json.dumps(QUESTIONS), encoding="utf-8")
    script = Path(__file__).parents[2] / "support/flag_embedding.py"
    command = [sys.executable, *map(str, (script, original, folder / "questions.json", folder / "answers.npz"))]
    environment = {**os.environ, "PYTHONPATH": str(folder / "packages")}
    subprocess.run(command, check=True, timeout=600, env=environment, cwd=folder, capture_output=True)
    return np.load(folder / "answers.npz")


@pytest.mark.slow
def test_flagembedding_itself(report: ExportReport, engine: str, answers: Any) -> None:
    model = BGEM3(report.path, backend=engine, dtype="float32")
    for name, options in QUESTIONS["encode"].items():
        found = model.encode(list(ALL), **options, **HEADS)
        np.testing.assert_allclose(found["dense_vecs"], answers[f"{name}/dense"], atol=1e-5)
        for place, lexical in enumerate(json.loads(str(answers[f"{name}/lexical"]))):
            assert lexical_difference(found["lexical_weights"][place], lexical) <= 1e-5
            np.testing.assert_allclose(found["colbert_vecs"][place], answers[f"{name}/colbert/{place}"], atol=1e-5)
        if name == "alone":
            by_token = model.convert_id_to_token(found["lexical_weights"])
            for own, wanted in zip(by_token, json.loads(str(answers["tokens"])), strict=True):
                assert lexical_difference(own, wanted) <= 1e-5
            matrix = model.compute_lexical_matching_score(found["lexical_weights"], found["lexical_weights"])
            np.testing.assert_allclose(matrix, answers["lexical matching"], rtol=1e-5, atol=1e-5)
    for name, options in QUESTIONS["compute_score"].items():
        scores: Any = model.compute_score(list(PAIRS), **options)
        for kind in NAMES:
            np.testing.assert_allclose(scores[kind], answers[f"score {name}/{kind}"], rtol=0, atol=1e-5)
