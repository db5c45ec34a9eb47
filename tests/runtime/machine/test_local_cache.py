"""Measurements stored in the user's cache folder."""

from pathlib import Path

import pytest

from edge_st_runtime.machine.local_cache import cache_folder, digest, forget, keep, recall


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_where(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder("tuning") == home / ".cache" / "edge-st" / "tuning"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert cache_folder("tuning") == home / "other" / "edge-st" / "tuning"


def test_what_is_kept_is_recalled_until_it_is_forgotten() -> None:
    assert recall("kind", "key") is None
    path = keep("kind", "key", {"value": 1})
    assert path is not None
    assert [file.name for file in path.parent.iterdir()] == ["key.json"]
    assert recall("kind", "key") == {"value": 1}
    assert recall("other", "key") is None
    assert forget("kind", "key")
    assert not forget("kind", "key")
    assert recall("kind", "key") is None


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_what_is_damaged_is_not_there(content: str) -> None:
    path = keep("kind", "key", {"value": 1})
    assert path is not None
    path.write_text(content)
    assert recall("kind", "key") is None


def test_where_nothing_can_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    assert keep("kind", "key", {"value": 1}) is None
    assert recall("kind", "key") is None
    assert not forget("kind", "key")


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert keep("kind", "key", {"value": 1}) is None
    assert recall("kind", "key") is None


def test_digest() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": (2,), "a": 1})
    assert digest("a", "b") != digest("ab")
