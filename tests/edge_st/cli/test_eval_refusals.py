"""``edge-st eval`` refuses bad input in one line that says what to do."""

import os
from pathlib import Path

import pytest

from edge_st.cli import main
from tests.support.small_sets import RETRIEVAL, write_beir, write_sets


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("eval")
    write_sets(made)
    return made


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of an error."""
    assert main(["eval", *words]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("edge-st: error: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("edge-st: error: ").rstrip()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", None, "no such file or folder: {path}"),
        ("a.tsv", "1\ta\tb\n2\ta\n", "{path}:2: 2 columns; expected 3"),
        ("a.tsv", "1\ta\tb\n7\ta\tb\n", "{path}:2: score is 7.0; expected a number from 0 to 5"),
        ("a.csv", "text1,text2\na,b\n", "{path}:1: found the columns 'text1', 'text2'; expected the columns sentence1"),
        ("a.jsonl", "{\n", "{path}:1: not JSON"),
        ("pets/qrels/test.tsv", "q0\td1\t1\nq99\td1\t1\n", "{path}:3: 'q99' is no _id in"),
        ("pets/qrels/test.tsv", "q0\td99\t1\n", "{path}:2: 'd99' is no _id in"),
        ("pets/qrels/test.tsv", "", "{path}: no query has a relevant document"),
    ],
)
def test_data_that_cannot_be_read(
    name: str, content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name.startswith("pets"):
        write_beir(tmp_path / "pets", RETRIEVAL)
        content = f"query-id\tcorpus-id\tscore\n{content}"
    if content is not None:
        path.write_text(content)
    assert refused(capsys, str(path)).startswith(message.format(path=path))


def test_no_data_set(tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = (
        f"no data set among {str(tiny_folder)!r}; name a .tsv, .csv or .jsonl file of pairs or triplets, or a folder"
    )
    assert refused(capsys, str(tiny_folder)).startswith(message)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("kind", "data", "options", "message"),
    [
        ("cross", "nearer.tsv", [], "nearer holds triplets, which compare embeddings; a cross-encoder scores pairs"),
        ("cross", "pairs.tsv", ["--precision", "int8"], "{name} is a CrossEncoder; --precision takes dense embeddings"),
        ("sparse", "pairs.tsv", ["--truncate-dim", "4"], "{name} is a SparseEncoder; --truncate-dim takes dense embed"),
        ("sparse", "pairs.tsv", ["--precision", "binary"], "{name} is a SparseEncoder; --precision takes dense embed"),
        ("late", "pairs.tsv", [], "pairs holds pairs of texts that are alike; a multi-vector model compares queries "),
        ("late", "alike.tsv", [], "alike holds pairs of texts that are alike; a multi-vector model compares queries "),
        ("late", "nearer.tsv", ["--precision", "int8"], "{name} is a MultiVectorEncoder; --precision takes dense emb"),
        ("classifier", "alike.tsv", [], "{name} gives a pair 3 scores, expected one; measure classes with "),
        ("dense", "alike.tsv", ["--truncate-dim", "8", "9999"], "--truncate-dim 9999: {name} has "),
        ("dense", "alike.tsv", ["--backend", "steam"], "backend"),
        ("dense", "alike.tsv", ["--dtype", "int3"], "dtype"),
    ],
)
def test_what_does_not_fit_the_model(
    kind: str, data: str, options: list[str], message: str, folder: Path, tmp_path: Path, tiny_folder: Path,
    sparse_folder: Path, multi_vector_folder: Path, cross_encoder_folders: dict[int, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    found = {
        "cross": cross_encoder_folders[1],
        "classifier": cross_encoder_folders[3],
        "sparse": sparse_folder,
        "late": multi_vector_folder,
    }
    model = found.get(kind, tiny_folder)
    error = refused(capsys, str(model), str(folder / data), "--cache", str(tmp_path / "cache"), *options)
    assert message.format(name=model.name) in error
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("none/page.html", "make it first"),
        (".", "is a folder; give the name of a file"),
        (os.devnull, "is not a regular file"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(
    page: str, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(folder / "alike.tsv"), "--cache", str(tmp_path / "cache"), "--html", str(tmp_path / page)]
    assert message in refused(capsys, *words)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: MODEL|DATA"),
        (["a.tsv", "--truncate-dim", "0"], "argument --truncate-dim: '0' is not a whole number of at least 1"),
        (["a.tsv", "--candidates", "few"], "argument --candidates: 'few' is not a whole number"),
        (["a.tsv", "--precision", "int4"], "argument --precision: invalid choice: 'int4'"),
    ],
)
def test_wrong_usage_is_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", *words]) == 2
    assert f"edge-st eval: error: {message}" in capsys.readouterr().err
