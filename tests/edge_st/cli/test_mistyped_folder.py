"""A mistyped folder is told as one by every command, whatever the Hub says of the name."""

from pathlib import Path

import pytest

from edge_st.cli import main

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "command",
    [
        "info models/minilm",
        "bench models/minilm",
        "tune models/minilm",
        "demo --model models/minilm",
        "eval models/minilm pairs.tsv",
        "rerank texts.txt -q a --model models/minilm",
        "search texts.txt -q a --model models/minilm",
        "search texts.txt -q a --sparse models/minilm",
        "index build index texts.txt --model models/minilm",
        "embed texts.txt -o out.npy --model models/minilm",
        "verify models/minilm",
    ],
)
def test_every_command_says_that_there_is_no_such_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    Path("models", "minilm-l6").mkdir(parents=True)
    Path("texts.txt").write_text("a text\n")
    Path("pairs.tsv").write_text("1\ta\tb\n2\tc\td\n")
    assert main(command.split()) == 1
    error = capsys.readouterr().err
    assert f"there is no folder 'models/minilm' in {tmp_path} (did you mean models/minilm-l6?)" in error
    assert "no installed model of this name" in error
