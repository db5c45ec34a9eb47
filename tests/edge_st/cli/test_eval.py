"""``edge-st eval``: models, dimensions and precisions side by side on files of each kind."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from edge_st.cli import main
from edge_st.comparison import compare
from edge_st.evaluation import (
    CrossEncoderClassificationEvaluator,
    MultiVectorInformationRetrievalEvaluator,
    MultiVectorTripletEvaluator,
    SparseBinaryClassificationEvaluator,
)
from tests.support.small_sets import FIRST, PAIRS, RETRIEVAL, SECOND, THIRD, plain, write_sets

Records = list[dict[str, Any]]
#: each data set's name and primary metric
MEASURES = {
    "alike": "spearman",
    "pairs": "ap",
    "nearer": "accuracy",
    "pets-test": "ndcg@10",
}
SWEEP = ["--truncate-dim", "256", "16", "--precision", "float32", "int8", "binary"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set of each kind, and the cache that all tests share."""
    made = tmp_path_factory.mktemp("eval")
    write_sets(made)
    return made


def arguments(folder: Path, *names: str) -> list[str]:
    return ["eval", *(str(folder / name) for name in names), "--cache", str(folder / "cache")]


ALL = ("alike.tsv", "pairs.tsv", "nearer.tsv", "pets")


@pytest.fixture(scope="module")
def first(folder: Path) -> Records:
    """The bundled model on all data sets."""
    with redirect_stdout(StringIO()) as out:
        assert main([*arguments(folder, *ALL), "--json"]) == 0
    return json.loads(out.getvalue())


def run(capsys: pytest.CaptureFixture[str], *words: str) -> Records:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def by_set(records: Records) -> dict[str, Records]:
    found: dict[str, Records] = {}
    for record in records:
        found.setdefault(record["data"], []).append(record)
    return found


def test_each_data_set_has_its_measure(first: Records) -> None:
    assert {record["data"]: record["measure"] for record in first} == MEASURES
    for record in first:
        quality, variant = record["quality"], record["variant"]
        assert record["metrics"][record["measure"]] == quality["value"]
        assert -1 <= quality["low"] <= quality["value"] <= quality["high"] <= 1
        assert record["difference"] is None
        assert (variant["label"], variant["dimension"], variant["vector_bytes"]) == ("bundled numpy float32", 256, 1024)
        assert variant["texts_per_second"] > 0
        assert variant["peak_memory"] > 10e6


def test_a_second_run_takes_all_from_the_cache(
    first: Records, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*")}
    assert kept
    swept = run(capsys, *arguments(folder, *ALL), *SWEEP)
    assert {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*")} == kept
    assert len(swept) == 4 * 6
    for record, rows in zip(first, by_set(swept).values(), strict=True):
        assert {**rows[0], "variant": 0} == {**record, "variant": 0}
        assert [row["variant"]["texts_per_second"] for row in rows] == [record["variant"]["texts_per_second"]] * 6
        widths = [256, 256, 32, 16, 16, 2]
        sizes = [width * size for width, size in zip(widths, (4, 1, 1, 4, 1, 1), strict=True)]
        assert [row["variant"]["vector_bytes"] for row in rows] == sizes
        assert [row["variant"]["dimension"] for row in rows] == [256] * 3 + [16] * 3
        assert [row["variant"]["precision"] for row in rows] == ["float32", "int8", "binary"] * 2
        assert len({row["variant"]["label"] for row in rows}) == 6
        for row in rows[1:]:
            difference = row["difference"]
            assert difference["interval"]["value"] == pytest.approx(
                row["quality"]["value"] - rows[0]["quality"]["value"]
            )
            assert difference["real"] == (difference["p_value"] < 0.05)


def test_a_table_for_each_data_set_and_a_page(first: Records, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = folder / "page.html"
    assert main([*arguments(folder, *ALL), "--precision", "float32", "binary", "--html", str(page)]) == 0
    captured = capsys.readouterr()
    tables = captured.out.removesuffix("\n").split("\n\n")
    assert captured.err == ""
    for text, record in zip(tables, first, strict=True):
        title, head, reference, other = text.splitlines()
        assert title == f"{record['data']}: {record['measure']} of {record['items']} items"
        assert re.split(r"\s{2,}", head.strip())[:4] == ["variant", "quality", "95 %", "to the first"]
        assert reference.split()[:4] == ["bundled", "numpy", "float32", f"{record['quality']['value']:.4f}"]
        assert re.search(
            r"bundled numpy float32 binary .* [+-]0\.\d{4} +(better|worse|no difference shown), p \d\.\d{3} ", other
        )
    written = page.read_text(encoding="utf-8")
    assert written.count("<svg") >= 4
    assert all(name in written for name in MEASURES)


def test_models_of_each_kind_side_by_side(
    folder: Path,
    tiny_folder: Path,
    sparse_folder: Path,
    cross_encoder_folders: dict[int, Path],
    models: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [str(path) for path in (tiny_folder, sparse_folder, cross_encoder_folders[1])]
    words = ["--backend", "onnx", "--candidates", "5"]
    found = by_set(run(capsys, *arguments(folder, "pairs.tsv", "pets", *names), *words))
    assert {name: [row["measure"] for row in rows] for name, rows in found.items()} == {
        "pairs": ["ap"] * 3,
        "pets-test": ["ndcg@10"] * 3,
    }
    for rows in found.values():
        assert [row["variant"]["model"] for row in rows] == names
        assert [row["difference"] is None for row in rows] == [True, False, False]
        dense, sparse, cross = (row["variant"] for row in rows)
        assert dense["vector_bytes"] == 4 * dense["dimension"]
        assert 0 < sparse["vector_bytes"] < 8 * sparse["dimension"]
        assert (cross["vector_bytes"], cross["dimension"]) == (None, None)
    metrics = [row["metrics"] for row in found["pairs"]]
    assert metrics[1] == pytest.approx(
        plain(models["sparse"].evaluate(SparseBinaryClassificationEvaluator(FIRST, SECOND, PAIRS.labels))), abs=1e-6
    )
    assert metrics[2] == pytest.approx(
        plain(
            models["cross"].evaluate(
                CrossEncoderClassificationEvaluator(list(zip(FIRST, SECOND, strict=True)), PAIRS.labels)
            )
        ),
        abs=1e-6,
    )


def test_a_multi_vector_model_beside_a_dense_one(
    folder: Path,
    tiny_folder: Path,
    multi_vector_folder: Path,
    models: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [str(tiny_folder), str(multi_vector_folder)]
    found = by_set(run(capsys, *arguments(folder, "nearer.tsv", "pets", *names), "--backend", "onnx"))
    evaluators = {
        "nearer": MultiVectorTripletEvaluator(FIRST, SECOND, THIRD),
        "pets-test": MultiVectorInformationRetrievalEvaluator(
            RETRIEVAL.queries, RETRIEVAL.corpus, RETRIEVAL.relevant_docs
        ),
    }
    for name, evaluator in evaluators.items():
        _, late = found[name]
        assert (late["measure"], late["variant"]["dimension"]) == (MEASURES[name], 8)
        assert late["metrics"] == pytest.approx(plain(models["late"].evaluate(evaluator)), abs=1e-6)
        assert late["variant"]["vector_bytes"] > 4 * 8
        assert late["difference"]["interval"]["value"] == pytest.approx(
            late["quality"]["value"] - found[name][0]["quality"]["value"]
        )


@pytest.mark.usefixtures("at_once")
def test_data_sets_of_the_same_name_are_told_apart(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alike.tsv").write_text("5\ta fox\tthe fox\n0\ta door\tthe sea\n3\tsmall boats\ta boat sails\n")
    other = str(tmp_path / "alike.tsv")
    found = run(capsys, *arguments(folder, "alike.tsv", "pairs.tsv", other))
    assert [record["data"] for record in found] == [str(folder / "alike.tsv"), "pairs", other]
    assert [record["difference"] for record in found] == [None] * 3
    again = run(capsys, *arguments(folder, "alike.tsv", "alike.tsv"))
    assert [record["data"] for record in again] == ["alike"]
    assert again[0]["quality"] == found[0]["quality"]


@pytest.mark.usefixtures("at_once")
def test_a_quality_that_is_unknown_is_no_difference_and_still_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alike.tsv"
    path.write_text("".join(f"{place}\ta fox\tthe fox\n" for place in range(5)))
    words = ["eval", str(path), "--cache", str(tmp_path / "cache"), "--precision", "float32", "binary"]
    assert main(words) == 0
    assert not re.search("better|worse", capsys.readouterr().out)
    assert run(capsys, *words)[1]["difference"]["real"] is False
    assert main([*words, "--json"]) == 0
    assert "NaN" not in capsys.readouterr().out


@pytest.mark.usefixtures("at_once")
def test_models_of_the_same_name_are_told_apart_and_nothing_is_run_twice(
    folder: Path, tmp_path: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (tmp_path / name / "model" for name in ("a", "b"))
    for link in (first, second):
        link.parent.mkdir()
        link.symlink_to(tiny_folder, target_is_directory=True)
    words = ["eval", str(first), str(second), str(first), *arguments(folder, "alike.tsv")[1:]]
    words += ["--precision", "float32", "float32"]
    labels = [record["variant"]["label"] for record in run(capsys, *words, "--dtype", "auto", "float32", "auto")]
    assert [label.split()[0] for label in labels] == [str(first), str(second)]


_LEFT_ALONE = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from edge_st.models.processes import _end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 60)
    time.sleep(0.2)
    os._exit(9)
"""


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_LEFT_ALONE)
    child = int(subprocess.run([sys.executable, script], stdout=subprocess.PIPE, check=False).stdout)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")


def killed(plan: object, configuration: object) -> None:
    os._exit(9)


def test_a_process_that_dies_is_named_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "run_model", killed)
    assert main(arguments(folder, "alike.tsv")) == 1
    error = capsys.readouterr().err
    assert error.startswith("edge-st: error: the process that ran bundled was ended from outside")
    assert error.endswith(f"kept in {folder / 'cache'}; run the same command again to continue from there\n")
