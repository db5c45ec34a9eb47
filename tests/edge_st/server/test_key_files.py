"""Keys from a file or the environment."""

from pathlib import Path

import pytest

from edge_st.server.key_files import keys_of_environment, read_keys
from edge_st_runtime.errors import EdgeSTError, InputError, OptionError


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_lines_have_names(tmp_path: Path) -> None:
    path = written(tmp_path, b"# who may ask\nalice:s3cret:with=signs#\n\n  plain  \r\nbob:other\nalice:second\n")
    assert read_keys(path) == {"s3cret:with=signs#": "alice", "plain": "key-2", "other": "bob", "second": "alice"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o610])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, b"alice:s3cret", mode)
    with pytest.raises(OptionError, match=rf"mode {mode:03o}\); run: chmod 600 {path}$"):
        read_keys(path)


def test_a_file_that_systemd_hands_over_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, b"alice:s3cret", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_keys(path) == {"s3cret": "alice"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no key; expected NAME:KEY or KEY"),
        (b"# nothing\n", "has no key"),
        (b"alice:\n", ":1: this is no key"),
        (b"alice:ok\n:s3cret\n", ":2: this is no key"),
        (b"alice:s3 cret\n", ":1: this is no key"),
        (b"a name:s3cret\n", ":1: this is no key"),
        ("alice:s3crét".encode(), "byte 11 is not ASCII"),
        (b"alice:s3cret\nbob:s3cret\n", ":2: this is the key of 'alice' again"),
    ],
)
def test_a_line_that_is_no_key_is_named_without_it(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_keys(written(tmp_path, content))
    assert message in str(caught.value)
    assert "s3" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        read_keys(tmp_path / "keys")


def test_keys_of_the_environment() -> None:
    assert keys_of_environment({}) == {}
    assert keys_of_environment({"EDGE_ST_KEYS": "alice:a, bob:b,c"}) == {"a": "alice", "b": "bob", "c": "key-3"}
    for nothing in ("", " , "):
        with pytest.raises(EdgeSTError, match="EDGE_ST_KEYS has no key"):
            keys_of_environment({"EDGE_ST_KEYS": nothing})
