import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_st.manifest import TASKS, filter_models, find_model, format_table, load_manifest
from edge_st_runtime.errors import DamagedFileError, EdgeSTError, MissingFileError, OptionError

ROOT = Path(__file__).parents[2]
MINIMAL = "models:\n  - id: org/name\n    task: sentence-embedding\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "manifest.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_real_manifest_loads_with_every_task() -> None:
    entries = load_manifest()

    assert len(entries) >= 80
    assert {entry.task for entry in entries} == set(TASKS)
    assert len({entry.id.casefold() for entry in entries}) == len(entries)
    assert len({entry.name.casefold() for entry in entries}) == len(entries)
    assert all(entry.good_for for entry in entries)


def test_real_manifest_is_ordered_by_task() -> None:
    order = [TASKS.index(entry.task) for entry in load_manifest()]

    assert order == sorted(order)


def test_real_revisions_are_pinned_commits() -> None:
    revisions = [entry.revision for entry in load_manifest() if entry.revision is not None]

    assert all(re.fullmatch(r"[0-9a-f]{40}", revision) for revision in revisions)
    assert len(set(revisions)) == len(revisions)
    assert len(revisions) >= 0.9 * len(load_manifest())


def test_real_prompts_keep_their_spaces() -> None:
    for entry in load_manifest():
        assert all(isinstance(prompt, str) for prompt in entry.prompts.values()), entry.id

    assert find_model("e5-small-v2").prompts == {"query": "query: ", "document": "passage: "}
    assert find_model("bge-small-en-v1.5").prompts["query"].endswith("passages: ")
    assert find_model("Qwen3-Embedding-0.6B").prompts["query"].endswith("query\nQuery:")


def test_manifest_in_the_checkout_is_the_one_loaded() -> None:
    assert load_manifest(ROOT / "models_manifest.yaml") == load_manifest(str(ROOT / "models_manifest.yaml"))
    assert load_manifest() == load_manifest(ROOT / "models_manifest.yaml")


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/ALL-minilm-l6-V2", " all-minilm-l6-v2 "])
def test_find_model_takes_any_case_with_or_without_organisation(name: str) -> None:
    entry = find_model(name)

    assert entry.id == "sentence-transformers/all-MiniLM-L6-v2"
    assert (entry.dimension, entry.max_seq_length, entry.pooling) == (384, 256, "mean")


@pytest.mark.parametrize("name", ["all-MinLM-L6v2", "sentence-transformer/all-MiniLM-L6-v2"])
def test_unknown_model_error_names_close_ones(name: str) -> None:
    with pytest.raises(OptionError, match=r"not in the manifest; did you mean .*all-MiniLM-L6-v2.*edge-st list"):
        find_model(name)


def test_unknown_model_error_without_a_close_one() -> None:
    with pytest.raises(OptionError, match="not in the manifest; 'edge-st list'"):
        find_model("%%%%")


def test_filters_combine() -> None:
    entries = load_manifest()

    small = filter_models(entries, task="cross-encoder", language="en", licence="Apache-2.0", max_size_mb=100)

    assert "cross-encoder/ms-marco-MiniLM-L6-v2" in {entry.id for entry in small}
    assert all(entry.task == "cross-encoder" and entry.licence == "apache-2.0" for entry in small)
    assert all(entry.size_mb is not None and entry.size_mb <= 100 for entry in small)
    assert filter_models(entries) == entries


def test_language_filter_counts_multilingual_models() -> None:
    entries = load_manifest()

    german = {entry.id for entry in filter_models(entries, language="de")}

    assert "sentence-transformers/LaBSE" in german
    assert "mixedbread-ai/deepset-mxbai-embed-de-large-v1" in german
    assert "sentence-transformers/all-MiniLM-L6-v2" not in german
    assert all(entry.languages == ("multilingual",) for entry in filter_models(entries, language="multilingual"))


def test_text_filter_wants_every_word() -> None:
    found = filter_models(load_manifest(), text="Static SEARCH")

    assert "sentence-transformers/static-retrieval-mrl-en-v1" in {entry.id for entry in found}
    assert all("static" in f"{entry.id} {entry.good_for}" for entry in found)
    assert filter_models(load_manifest(), text="none") == ()


def test_filter_refuses_an_unknown_task() -> None:
    with pytest.raises(OptionError, match="task 'reranker' is unknown; expected one of sentence-embedding, "):
        filter_models(load_manifest(), task="reranker")


def test_table_has_a_line_an_entry_and_marks_the_unknown(tmp_path: Path) -> None:
    (bare,) = load_manifest(written(tmp_path, MINIMAL))

    header, first, second = format_table([find_model("all-MiniLM-L6-v2"), bare]).split("\n")

    assert header.split()[:2] == ["model", "task"]
    assert first.split()[2:5] == ["384", "256", "87"]
    assert second.split() == ["org/name", "sentence-embedding", *"------"]
    column = header.index("licence")
    assert first[column:].startswith("apache-2.0  ")
    assert second[column:].startswith("-  ")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("pooling: median", r"entry 1 \(org/name\): key 'pooling' is 'median'; expected one of cls, "),
        ("dimension: '384'", r"key 'dimension' is '384'; expected a whole number above 0"),
        ("dimension: true", r"key 'dimension' is True; expected a whole number"),
        ("max_seq_length: 0", r"key 'max_seq_length' is 0; expected a whole number"),
        ("size_mb: 8.5", r"key 'size_mb' is 8.5; expected a whole number"),
        ("static: 1", r"key 'static' is 1; expected true or false"),
        ("revision: main", r"key 'revision' is 'main'; expected a commit of 40 hexadecimal digits"),
        ("languages: en", r"key 'languages' is 'en'; expected a list"),
        ("languages: [en, multilingual]", r"key 'languages' is .*; expected a list"),
        ("prompts: {query: 1}", r"key 'prompts' is .*; expected texts by name"),
        ("licence: Apache 2.0", r"key 'licence' is 'Apache 2.0'; expected an identifier"),
        ("good_for:", r"key 'good_for' is None; expected a text"),
        ("licenses: mit", r"entry 1 \(org/name\): unknown key 'licenses'; allowed are id, task"),
        ("task: cross-encoder", r"line 4: key 'task' appears twice"),
    ],
)
def test_bad_entry_is_refused_by_name_and_key(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(DamagedFileError, match=complaint):
        load_manifest(written(tmp_path, f"{MINIMAL}    {line}\n"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected one key 'models'"),
        ("- a\n", "expected one key 'models'"),
        ("models: {}\n", "expected one key 'models'"),
        ("models: []\nmore: 1\n", "expected one key 'models'"),
        ("models: [org/name]\n", "entry 1 is 'org/name'; expected keys and values"),
        ("models: [\n", "not valid YAML"),
        ("models: [!!python/name:os.system {}]\n", "not valid YAML"),
        ("models:\n  - task: cross-encoder\n", r"entry 1 \(without an id\): key 'id' is missing"),
        ("models:\n  - id: org/name\n", r"entry 1 \(org/name\): key 'task' is missing"),
        ("models:\n  - id: name\n    task: cross-encoder\n", "key 'id' is 'name'; expected organisation/name"),
        ("models:\n  - id: org/name\n    task: rank\n", "key 'task' is 'rank'; expected one of sentence-embedding"),
        (
            f"{MINIMAL}  - id: other/NAME\n    task: cross-encoder\n",
            r"entry 2 \(other/NAME\): key 'id' repeats the name of org/name",
        ),
    ],
)
def test_bad_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(DamagedFileError, match=complaint):
        load_manifest(written(tmp_path, text))


def test_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_bytes(b"models: \xff")

    with pytest.raises(DamagedFileError, match="not UTF-8 text"):
        load_manifest(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no model manifest at .*absent\.yaml") as caught:
        load_manifest(tmp_path / "absent.yaml")

    assert isinstance(caught.value, EdgeSTError)


def test_import_does_not_load_yaml() -> None:
    code = "import sys, edge_st.manifest; sys.exit('yaml' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'runtime'}"})
