"""A saved model is a copy that answers the same, and never half there."""

import errno
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.models.saving import save_folder
from edge_st_runtime.errors import FolderError, OptionError, ResourceError
from edge_st_runtime.files.writing import writing
from edge_st_runtime.model.record import read_record
from tests.support.tiny_models import TinyModel, graph_entry, write_record
from tests.support.tiny_tokenizers import random_texts

TEXTS = random_texts(20)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", ["save_pretrained", "save"])
def test_copy(method: str, tiny_folder: Path, tmp_path: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx")
    getattr(model, method)(tmp_path / "deep" / "copy")
    copy = SentenceTransformer(str(tmp_path / "deep" / "copy"), backend="onnx")
    assert contents(tmp_path / "deep" / "copy") == contents(tiny_folder)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy"]
    assert copy.fingerprint == model.fingerprint
    np.testing.assert_allclose(copy.encode(TEXTS), model.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("own", [False, True], ids=["elsewhere", "its own folder"])
@pytest.mark.parametrize("recorded", [False, True], ids=["plain", "recorded"])
def test_settings_changed_since_loading_are_saved(recorded: bool, own: bool, tmp_path: Path) -> None:
    folder = TinyModel(settings={"prompts": {"query": "old: "}, "kept": 1}).save(tmp_path / "model")
    if recorded:
        write_record(folder, [graph_entry("onnx/model.onnx", "onnx")])
    model = SentenceTransformer(folder, backend="onnx", similarity_fn_name="dot", truncate_dim=3)
    model.prompts["query"] = "the quick query: "
    model.default_prompt_name = "query"
    model.max_seq_length = 12
    model.set_pooling_include_prompt(False)
    target = folder if own else tmp_path / "copy"
    model.save_pretrained(target)
    saved = SentenceTransformer(target, backend="onnx")
    assert (saved.similarity_fn_name, saved.truncate_dim, saved.max_seq_length) == ("dot", 3, 12)
    assert (saved.prompts, saved.default_prompt_name) == (model.prompts, "query")
    assert saved.fingerprint == model.fingerprint
    assert json.loads((target / "config_sentence_transformers.json").read_text())["kept"] == 1
    np.testing.assert_allclose(saved.encode(TEXTS), model.encode(TEXTS), atol=1e-6)
    if recorded:
        record = read_record(target)
        assert record is not None
        assert record.fingerprint == model.fingerprint
        record.check_files(record.files)


def test_a_changed_limit_wins_over_the_tokenizers_arguments(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path / "model")
    arguments = {"max_seq_length": 24, "tokenizer_args": {"model_max_length": 20}}
    (folder / "sentence_bert_config.json").write_text(json.dumps(arguments))
    model = SentenceTransformer(folder, backend="onnx")
    assert model.max_seq_length == 20
    model.max_seq_length = 9
    model.save_pretrained(tmp_path / "copy")
    assert SentenceTransformer(tmp_path / "copy", backend="onnx").max_seq_length == 9


@pytest.mark.parametrize("limit", [3, None])
def test_the_limit_of_a_static_model(limit: int | None, tmp_path: Path) -> None:
    model = SentenceTransformer()
    model.max_seq_length = 7
    model.save_pretrained(tmp_path / "short")
    short = SentenceTransformer(tmp_path / "short")
    assert (short.max_seq_length, short.fingerprint) == (7, model.fingerprint)
    short.max_seq_length = limit
    short.save_pretrained(tmp_path / "other")
    other = SentenceTransformer(tmp_path / "other")
    assert other.max_seq_length == (math.inf if limit is None else limit)
    np.testing.assert_array_equal(other.encode(TEXTS), short.encode(TEXTS))


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("kept")
    with pytest.raises(ValueError, match=r"taken is a file"):
        SentenceTransformer().save_pretrained(tmp_path / "taken")
    assert contents(tmp_path) == {"taken": b"kept"}


def test_none_does_nothing_and_its_own_folder_stays(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path / "model")
    model, before = SentenceTransformer(folder, backend="onnx"), contents(tmp_path)
    model.save_pretrained(None)
    model.save_pretrained(folder)
    model.save_pretrained(folder / ".." / "model")
    assert contents(tmp_path) == before


def test_existing_folder_is_filled(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "copy" / "1_Pooling").mkdir(parents=True)
    (tmp_path / "copy" / "1_Pooling" / "config.json").write_text("old")
    (tmp_path / "copy" / "notes.txt").write_text("kept")
    save_folder(tiny_folder, tmp_path / "copy", {}, dict)
    assert contents(tmp_path / "copy") == {**contents(tiny_folder), "notes.txt": b"kept"}


@pytest.mark.parametrize("changed", [False, True], ids=["unchanged", "changed"])
def test_without_a_model_card(changed: bool, tmp_path: Path) -> None:
    folder = TinyModel(settings={"prompts": {"query": "old: "}}).save(tmp_path / "model")
    (folder / "README.md").write_text("# Card")
    write_record(folder, [graph_entry("onnx/model.onnx", "onnx")])
    model = SentenceTransformer(folder, backend="onnx")
    if changed:
        model.prompts["query"] = "new: "
    model.save_pretrained(tmp_path / "copy", create_model_card=False)
    assert contents(folder).keys() - contents(tmp_path / "copy").keys() == {"README.md"}
    record = read_record(tmp_path / "copy")
    assert record is not None
    assert "README.md" not in record.files
    record.check_files(record.files)
    assert SentenceTransformer(tmp_path / "copy", backend="onnx").fingerprint == model.fingerprint
    model.save_pretrained(folder, create_model_card=False)
    assert (folder / "README.md").read_text() == "# Card"


def test_inside_the_model_folder(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"is inside the model folder"):
        SentenceTransformer(folder, backend="onnx").save_pretrained(folder / "copy")
    assert not (folder / "copy").exists()


@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
def test_interruption_leaves_nothing_behind(
    exists: bool, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if exists:
        TinyModel(limit=5).save(tmp_path / "copy")
    before = contents(tmp_path)
    copied: list[Any] = []

    def stop_at_the_third(source: str, target: str, **_options: Any) -> Any:
        copied.append(source)
        if len(copied) == 3:
            raise KeyboardInterrupt
        return shutil.copyfile(source, target)

    monkeypatch.setattr(shutil.copytree, "__defaults__", (False, None, stop_at_the_third, False, False))
    with pytest.raises(KeyboardInterrupt):
        save_folder(tiny_folder, tmp_path / "copy", {}, dict)
    assert contents(tmp_path) == before


PLACES: dict[str, Callable[[Path], Any]] = {
    "below a file": lambda scratch: scratch / "file" / "copy",
    "deep below a file": lambda scratch: scratch / "file" / "a" / "copy",
    "a file": lambda scratch: scratch / "file",
    "a device": lambda _: "/dev/null",
    "in /proc": lambda _: "/proc/copy",
    "deep in /proc": lambda _: "/proc/a/copy",
    "a loop of links": lambda scratch: scratch / "loop",
    "a name too long": lambda scratch: scratch / ("n" * 300),
    "a zero byte": lambda _: "a\0b",
    "nothing": lambda _: "",
    "a number": lambda _: 3,
}


@pytest.mark.parametrize("place", PLACES)
def test_where_nothing_can_be_written(place: str, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    model = SentenceTransformer(tiny_folder, backend="onnx")
    with pytest.raises((OptionError, FolderError), match=r"cannot write to|the path is|choose the path of a folder"):
        model.save_pretrained(PLACES[place](tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop"}


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        shutil.Error([("a", "b", "No space left on device")]),
    ],
    ids=["one file", "a tree"],
)
def test_a_disk_that_is_full(error: OSError, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"cannot write to .*copy: the disk is full"), writing(tmp_path / "copy"):
        raise error
