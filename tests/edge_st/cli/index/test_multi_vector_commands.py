"""``edge-st index`` and ``edge-st search`` with models of token vectors."""

import json
from pathlib import Path

import pytest

from edge_st import MultiVectorEncoder, MultiVectorIndex
from edge_st.cli import main
from edge_st.cli.index.precisions import OF_TEXTS, OF_TOKENS
from edge_st_runtime.search import codes
from edge_st_runtime.search.late import codec
from tests.support.index_command import IndexCommand
from tests.support.tiny_models import TinyModel
from tests.support.tiny_multi_vector import dense_weight, save_multi_vector

LINES = "the quick brown fox\nnobody remembers the green door\nseven small boats sail across the cold sea\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    tiny = TinyModel().save(place / "dense")
    save_multi_vector(place / "first", tiny)
    save_multi_vector(place / "second", tiny, weight=dense_weight(seed=9))
    return place


@pytest.fixture
def built(command: IndexCommand, models: Path, tmp_path: Path) -> IndexCommand:
    (tmp_path / "in.txt").write_text(LINES)
    counts = command("build", "index", "in.txt", "--format", "lines", "--model", models / "first")
    assert (counts["added"], counts["rows"]) == (3, 3)
    return command


def test_an_index_lives_as_one_of_dense_vectors(built: IndexCommand, models: Path, tmp_path: Path) -> None:
    index = MultiVectorIndex.open("index", model=MultiVectorEncoder(models / "first"))
    found = built("search", "index", "-q", "the green door", "-k", "2")["queries"][0]["hits"]
    assert [(hit["id"], hit["score"]) for hit in found] == [
        (hit["corpus_id"], hit["score"]) for hit in index.search("the green door", 2)
    ]
    again = built("build", "index", "in.txt", "--format", "lines", "--model", models / "first")
    assert (again["skipped"], again["rows"]) == (3, 3)
    (tmp_path / "more.txt").write_text("why search engines embed sentences")
    assert built("add", "index", "more.txt")["rows"] == 4
    (tmp_path / "more.txt").write_text("why old engines embed sentences")
    assert built("add", "index", "more.txt", "--update")["updated"] == 1
    assert built("delete", "index", "in.txt:1")["rows"] == 3
    assert "all checksums are right" in built.says("verify", "index")
    assert "segments 2 -> 1" in built.says("compact", "index")
    assert "3 rows of " in built.says("migrate", "index", "--model", models / "second")
    info = built("info", "index")
    assert info["model"]["name"] == str(models / "second")
    assert (info["rows"], info["deleted"], info["similarity"]) == (3, 0, "maxsim")
    assert "old engines" in built.says("search", "index", "-q", "old engines")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--precision", "float16"], "--precision float16 is not for a MultiVectorEncoder; expected one of"),
        (["--rescore", "int8"], "--rescore int8 is not for a MultiVectorEncoder; leave it out"),
    ],
)
def test_settings_of_the_other_kind(
    command: IndexCommand, models: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "in.txt").write_text(LINES)
    assert message in command.fails("build", "index", "in.txt", "--model", models / "first", *options)
    assert not (tmp_path / "index").exists()


def test_models_of_the_other_kind(built: IndexCommand, models: Path) -> None:
    for arguments in (("build", "index", "in.txt"), ("add", "index", "in.txt"), ("search", "index", "-q", "fox")):
        error = built.fails(*arguments, "--model", models / "dense")
        assert "is a SentenceTransformer, not a MultiVectorEncoder" in error
        assert "the index holds token vectors, which a MultiVectorEncoder gives" in error
    assert "no model for these is bundled; name its own with --model" in built.fails("build", "index", "in.txt")
    error = built.fails("migrate", "index", "--model", models / "dense")
    assert "which a MultiVectorEncoder gives" in error
    built("build", "other", "in.txt", "--model", models / "dense")
    error = built.fails("migrate", "other", "--model", models / "first")
    assert "is a MultiVectorEncoder, not a SentenceTransformer" in error


def test_the_precisions_are_those_of_the_indexes() -> None:
    assert (set(OF_TEXTS), OF_TEXTS[0]) == (set(codes.PRECISIONS), "float32")
    assert (set(OF_TOKENS), OF_TOKENS[0]) == (set(codec.PRECISIONS), codec.DEFAULT_PRECISION)


@pytest.mark.parametrize("options", [[], ["--hybrid"]])
def test_files_are_searched_by_token_vectors(
    options: list[str], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in zip("abc", LINES.splitlines(), strict=True):
        (tmp_path / f"{name}.txt").write_text(text)
    arguments = ["search", str(tmp_path), "-q", "seven small boats", "--model", str(models / "first"), "--json"]
    assert main([*arguments, *options]) == 0
    hits = json.loads(capsys.readouterr().out)["queries"][0]["hits"]
    model = MultiVectorEncoder(models / "first")
    scores = model.similarity(model.encode_query("seven small boats"), model.encode_document(LINES.splitlines()))[0]
    best = max(zip(scores.tolist(), LINES.splitlines(), strict=True))
    assert len(hits) == 3
    if not options:
        assert (hits[0]["score"], hits[0]["text"]) == (pytest.approx(best[0], rel=1e-5), best[1])
    else:
        assert hits[0]["score"] < 0.05  # reciprocal ranks
