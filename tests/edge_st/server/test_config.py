"""The configuration as a file, a mapping, or dataclasses."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_st.hub.installed import InstalledModel
from edge_st.server.config import Config, IndexConfig, ModelConfig, as_config, read_config, reading
from edge_st_runtime.errors import EdgeSTError, InputError, OptionError
from tests.support.readme import PAGES, blocks

BUNDLED = "static-all-MiniLM-L6-v2"
ALL = """
models:
  - model: models/mini
    aliases: [text-embedding-3-small, small]
    options: {dtype: int8}
    truncate: false
  - {model: cross-encoder/ms-marco-MiniLM-L6-v2, name: reranker}
  - {}
indexes:
  - {path: docs-index, name: docs, model: small}
threads: 4
lazy: true
unload_after: 600
queue_tokens: 1000
cache_mb: 12.5
max_body_mb: 1.5
max_texts: 32
keys_file: keys.txt
cors_origins: ["https://a.example"]
page: false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and what it names."""
    (tmp_path / "models/mini").mkdir(parents=True)
    (tmp_path / "docs-index").mkdir()
    (tmp_path / "keys.txt").write_text("alice:secret\n")
    (tmp_path / "keys.txt").chmod(0o600)
    (tmp_path / "serve.yaml").write_text(ALL)
    return tmp_path


def test_every_key_of_a_file(folder: Path) -> None:
    model = ModelConfig(
        str(folder / "models/mini"), "mini", ("text-embedding-3-small", "small"), {"dtype": "int8"}, truncate=False
    )
    reranker = ModelConfig("cross-encoder/ms-marco-MiniLM-L6-v2", "reranker")
    assert read_config(folder / "serve.yaml") == Config(
        models=(model, reranker, ModelConfig(None, BUNDLED)),
        indexes=(IndexConfig(folder / "docs-index", "docs", "small"),),
        threads=4,
        lazy=True,
        unload_after=600,
        queue_tokens=1000,
        cache_mb=12.5,
        max_body_bytes=3 * 2**19,
        max_texts=32,
        keys={"secret": "alice"},
        cors_origins=("https://a.example",),
        page=False,
    )


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    (example,) = [block.code for block in blocks("docs/serving/configuration") if block.language == "yaml"]
    (tmp_path / "serve.yaml").write_text(example)
    (tmp_path / "models/reranker").mkdir(parents=True)
    (tmp_path / "handbook").mkdir()
    (tmp_path / "keys").write_text("alice:secret")
    (tmp_path / "keys").chmod(0o600)
    found = read_config(tmp_path / "serve.yaml")
    assert [model.name for model in found.models] == ["all-MiniLM-L6-v2", "reranker"]


def test_every_key_is_documented() -> None:
    text = PAGES["docs/serving/configuration"].read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert documented == {*reading._TOP, *reading._MODEL, *reading._INDEX}


def test_an_empty_file_serves_the_bundled_model(tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text("# nothing\n")
    assert read_config(tmp_path / "serve.yaml") == as_config() == as_config({}) == as_config(Config())
    assert as_config().models == (ModelConfig(None, BUNDLED),)


def test_a_mapping_has_the_same_keys_and_null_is_as_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found = as_config({"models": ["models/mini", {"name": "own"}], "threads": None, "max_body_mb": 1})
    assert found.models == (ModelConfig("models/mini", "mini"), ModelConfig(None, "own"))
    assert found.max_body_bytes == 2**20
    assert found.threads is None


def test_dataclasses_get_names_too(tmp_path: Path) -> None:
    found = as_config(Config(models=(ModelConfig(str(tmp_path)), ModelConfig())))
    assert [model.name for model in found.models] == [tmp_path.name, BUNDLED]


def test_a_link_has_its_own_name(folder: Path) -> None:
    (folder / "small").symlink_to(folder / "models/mini")
    found = as_config({"models": [str(folder / "small"), str(folder / "models/../models/mini")]})
    assert [model.name for model in found.models] == ["small", "mini"]


def test_a_folder_of_an_installed_package_has_the_name_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_package/model").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "a_package/__init__.py").touch()
    brought = [
        InstalledModel(name, "a_package", "a-package", "1") for name in ("sentence-transformers/mini-x", "mini-x")
    ]
    broken = InstalledModel("gone", "no_such_package", "gone", "1")
    monkeypatch.setattr("edge_st.server.config.names.installed_models", lambda: [broken, *brought])
    found = as_config({"models": [str(tmp_path / "a_package/model")]})
    assert found.models[0].name == "mini-x"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], "the configuration is list ([]); expected keys and values"),
        ({"modles": []}, "there is no key 'modles'; expected one of models, indexes, threads,"),
        ({1: 2}, "there is no key 1;"),
        ({"models": "mini"}, "models is str ('mini'); expected a list"),
        ({"models": []}, "models is empty; expected at least one model"),
        ({"models": [3]}, "models[0] is int (3); expected keys and values"),
        ({"models": [{"folder": "x"}]}, "models[0]: there is no key 'folder'; expected one of model, name, aliases,"),
        ({"models": [{}, {"name": " "}]}, "models[1]: name is str (' '); expected a text"),
        ({"models": [{"aliases": "small"}]}, "models[0]: aliases is str ('small'); expected a list of texts"),
        ({"models": [{"options": ["int8"]}]}, "models[0]: options is list (['int8']); expected options and their"),
        ({"models": [{"truncate": "no"}]}, "models[0]: truncate is str ('no'); expected true or false"),
        ({"models": ["./missing"]}, "models[0].model: './missing' is neither an existing folder"),
        ({"models": [{"model": "/a/b/c", "name": "x"}]}, "models[0].model: '/a/b/c' is neither an existing folder"),
        ({"models": [{}, {}]}, f"models[1]: the name '{BUNDLED}' stands for models[0] already"),
        ({"models": [{"aliases": ["a", "a"]}]}, "models[0]: the name 'a' stands for models[0] already"),
        ({"models": [{"aliases": ["b"]}, {"name": "b"}]}, "models[1]: the name 'b' stands for models[0] already"),
        ({"threads": 0}, "threads is int (0); expected a whole number of at least 1"),
        ({"threads": True}, "threads is bool (True); expected a whole number of at least 1"),
        ({"threads": 1.5}, "threads is float (1.5)"),
        ({"unload_after": 0}, "unload_after is int (0); expected a number above 0"),
        ({"cache_mb": float("nan")}, "cache_mb is float (nan); expected a number of at least 0"),
        ({"max_body_mb": float("inf")}, "max_body_mb is float (inf); expected a number above 0"),
        ({"cors_origins": [1]}, "cors_origins is list ([1]); expected a list of texts"),
        ({"keys_file": "missing.txt"}, "the key file missing.txt cannot be read: No such file"),
        ({"indexes": [{"path": ".", "name": "a"}]}, "indexes[0]: model is missing; expected a text"),
        (
            {"indexes": [{"path": ".", "name": "a", "model": "mini"}]},
            f"indexes[0]: the model 'mini' is not served; expected one of '{BUNDLED}'",
        ),
        (
            {"indexes": [{"path": "missing", "name": "a", "model": BUNDLED}]},
            "indexes[0]: there is no folder missing; make an index with: edge-st index build",
        ),
        (
            {"indexes": [{"path": ".", "name": "a", "model": BUNDLED}] * 2},
            "indexes[1]: the name 'a' is that of indexes[0]; expected another",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(mapping: Any, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        as_config(mapping)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"threads: no", OptionError, "threads is bool (False); expected a whole number of at least 1"),
        (b"- a", OptionError, "is list (['a']); expected keys and values"),
        (b"models: [{mdel: a}]", OptionError, "models[0]: there is no key 'mdel'"),
        (b"threads: 1\nthreads: 2", InputError, "line 2: key 'threads' appears twice"),
        (b"threads: [", InputError, "not valid YAML:"),
        (b"threads: !!python/object:os.system 1", InputError, "not valid YAML:"),
        (b"# \xff", InputError, "byte 3 is not UTF-8"),
        (None, OptionError, "cannot be read: No such file"),
    ],
)
def test_the_message_names_the_file(tmp_path: Path, content: bytes | None, kind: type, message: str) -> None:
    path = tmp_path / "serve.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EdgeSTError) as caught:
        read_config(path)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_are_not_shown(folder: Path) -> None:
    found = read_config(folder / "serve.yaml")
    assert "secret" not in repr(found) + repr(replace(found, lazy=False))
