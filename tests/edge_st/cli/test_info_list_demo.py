"""``edge-st demo``, ``info`` and ``list``: text for people, JSON for programs."""

import json

import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st.cli.demo_texts import CORPUS


def test_info_is_the_models_own(capsys: pytest.CaptureFixture[str]) -> None:
    model = SentenceTransformer()
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dimension"] == model.get_embedding_dimension()
    assert found["fingerprint"] == model.fingerprint
    assert main(["info"]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == list(found)
    assert ["fingerprint", model.fingerprint] in rows


def test_list_filters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    options = ["--task", "sentence-embedding", "--language", "de", "--licence", "MIT", "--max-size-mb", "500"]
    assert main(["list", "e5", *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < len(found) < len(everything)
    assert all("e5" in model["id"] and model["licence"] == "mit" and model["size_mb"] <= 500 for model in found)
    assert main(["list", "e5", *options]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("model ")
    assert [row.split()[0] for row in rows] == [model["id"] for model in found]


def test_list_says_when_nothing_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "no such model"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no model meets these conditions" in captured.err
    assert main(["list", "--task", "poetry"]) == 1
    assert "sentence-embedding" in capsys.readouterr().err


def test_demo_compares_searches_and_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    similarity = found["similarity"]
    assert similarity[0][0] == pytest.approx(1, abs=1e-5)
    assert similarity[0][1] == similarity[1][0] > max(similarity[0][2], similarity[1][2])
    bicycle, sky = (search["hits"] for search in found["searches"])
    assert "bicycle" in bicycle[0]["text"]
    assert all(hit["text"] in CORPUS for hit in bicycle)
    assert sky[0]["text"] in CORPUS[4:8]
    assert found["texts_per_second"] > 0
    assert found["peak_memory"] is None or found["peak_memory"] > 10_000_000


def test_demo_in_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    for word in ("Similarity", "Search: ", "model ", "speed ", "texts/s", "memory "):
        assert word in out
