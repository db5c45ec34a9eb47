"""The standard streams: closed ones, texts and names that steer a terminal, and signals that end a command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_st import Index
from edge_st.cli import main
from edge_st.cli.streams import one_line, printable, safe_streams
from tests.edge_st.cli.test_main import ENVIRONMENT
from tests.support.hub_models import NAME, dense_model
from tests.support.hub_server import HubServer
from tests.support.index_command import first_rows

ESCAPES = "\x1b[2J\x1b]0;title\x07 red \x9b31m \u202etxt.exe\u2066 \r over \x08"
EDGE_ST = f"{sys.executable} -m edge_st"


def shell(command: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh", "-c", command], input=text, capture_output=True, text=True, env=ENVIRONMENT)


def test_what_steers_a_terminal_is_escaped_and_nothing_else() -> None:
    plain = "Zwölf Boxkämpfer, 日本語, עברית, क्षि, 👩‍👩‍👧, a\tb\nc\u00a0d"
    assert printable(plain) == plain
    assert printable("a\x1b[31mb\u202ec\x9b\r") == "a\\x1b[31mb\\u202ec\\x9b\\r"
    assert one_line("a\nb\tc") == "a\\nb\\tc"


@pytest.mark.parametrize("command", ["search", "context", "index", "rerank", "info", "missing", "skipped"])
def test_no_command_lets_texts_or_names_steer_the_terminal(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.tiny_pair_models import ONE

    monkeypatch.chdir(tmp_path)
    notes = tmp_path / f"notes {ESCAPES}\n7.000 fake"
    notes.mkdir()
    (notes / "a.txt").write_text(f"the text {ESCAPES} ends")
    file = str(notes / "a.txt")
    if command == "rerank":
        ONE.save(tmp_path / "cross")
    if command == "skipped":
        (notes / "b.txt").write_bytes(b"\xff")
    calls = {
        "search": [["search", str(notes), "-q", f"query {ESCAPES}"]],
        "context": [["search", str(notes), "-q", "text", "--context", "90"]],
        "index": [["index", "build", "index", file], ["index", "search", "index", "-q", f"text {ESCAPES}"]],
        "rerank": [["rerank", file, "-q", "a", "--model", "cross"]],
        "info": [["info", str(notes)]],
        "missing": [["embed", str(notes / "none.txt"), "-o", "x.npy"]],
        "skipped": [["search", str(notes), "-q", "text"]],
    }
    for call in calls[command]:
        main(call)
    out, err = capsys.readouterr()
    assert "\\x1b[2J" in out + err
    assert not set(out + err) & set("\x1b\x07\x08\x9b\r\u202e\u2066")
    assert not [line for line in (out + err).splitlines() if line.startswith("7.000 fake")]


def test_json_stays_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "the \x1b[2J text \u202e ends"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert main(["search", str(tmp_path), "-q", "text", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queries"][0]["hits"][0]["text"] == text


def test_a_progress_bar_may_move() -> None:
    written: list[str] = []

    class Terminal:
        def write(self, text: str) -> None:
            written.append(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", Terminal())
        with safe_streams():
            for text in ("\r 10%", "\n\x1b[A", "a \x1b[A", "\r\x1b[2J"):
                sys.stderr.write(text)
    assert written == ["\r 10%", "\n\x1b[A", "a \\x1b[A", "\r\\x1b[2J"]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("embed -o x.npy <&-", 1, "edge-st: error: standard input is closed; name a file"),
        ("rerank -q a --model none/such/model <&-", 1, "edge-st: error: "),
        ("index build index - <&-", 1, "edge-st: error: standard input is closed"),
        ("list minilm >&-", 141, ""),
        ("list minilm --json >&-", 141, ""),
        ("embed -o - >&-", 141, ""),
        ("embed -o x.npy >&-", 0, "x.npy: 1 embeddings"),
        ("embed -o x.npy 2>&-", 0, ""),
        ("info none/such/model 2>&-", 1, ""),
        ("nothing 2>&- >&- <&-", 2, ""),
        ("embed -o x.npy 2>&- >&-", 0, ""),
    ],
)
def test_closed_streams(command: str, code: int, message: str, tmp_path: Path) -> None:
    found = shell(f"cd {tmp_path} && {EDGE_ST} {command}", "a text\n")

    assert (found.returncode, found.stdout) == (code, "")
    assert found.stderr.startswith(message)
    assert "Traceback" not in found.stderr
    if (tmp_path / "x.npy").exists():
        assert (tmp_path / "x.npy").read_bytes().startswith(b"\x93NUMPY")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("demo >/dev/full", "the disk is full; free some space, or write to another disk"),
        ("list --json >/dev/full", "the disk is full"),
        ("--help >/dev/full", "the disk is full"),
        ("embed -o - >/dev/full", "the disk is full"),
        ("list minilm 1</dev/null", "send it to a file or a pipe"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_standard_output_that_cannot_be_written(command: str, reason: str, unbuffered: str) -> None:
    found = shell(f"PYTHONUNBUFFERED={unbuffered} {EDGE_ST} {command}", "a text\n" * 500)

    assert found.returncode == 1
    assert found.stderr.startswith("edge-st: error: cannot write to standard output")
    assert reason in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_program_without_a_console(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one text\n")
    code = f"""
import logging, sys
sys.stdin = sys.stdout = sys.stderr = None
from edge_st import Index
from edge_st.cli import main
logging.getLogger("edge_st").setLevel(logging.INFO)
codes = [
    main(["embed", {str(tmp_path / "a.txt")!r}, "-o", {str(tmp_path / "x.npy")!r}]),
    main(["search", {str(tmp_path)!r}, "-q", "text"]), main(["info", "none/such/model"]), main(["embed"]),
]
assert (sys.stdin, sys.stdout, sys.stderr) == (None, None, None)
open({str(tmp_path / "codes")!r}, "w").write(repr(codes))
"""
    subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True)
    assert (tmp_path / "codes").read_text() == "[0, 141, 1, 2]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_file_behind(number: signal.Signals, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_st", "embed", "-o", str(tmp_path / "x.npy")],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the tests may run with it ignored, as by nohup
    )
    assert child.stdin is not None
    child.stdin.write("a text\n" * 500)
    child.stdin.flush()
    while not list(tmp_path.iterdir()):
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(number)
    _, complaints = child.communicate()

    assert child.returncode == 128 + number
    assert complaints.startswith("edge-st: error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_pull_that_is_ended_goes_on(hub: HubServer, tmp_path: Path) -> None:
    name, out = "onnx/model.onnx", tmp_path / "out"
    body = bytes(12_000_000)
    hub.add(NAME, {**dense_model(), name: body})
    hub.stall[name] = len(body) - 1
    arguments = ["pull", NAME, str(out), "--backend", "onnx"]
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_st", *arguments],
        env={**ENVIRONMENT, **os.environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert hub.stalled.wait(30)
    child.send_signal(signal.SIGTERM)
    _, complaints = child.communicate()

    assert child.returncode == 128 + signal.SIGTERM
    assert complaints == "edge-st: error: terminated by SIGTERM\n"
    assert [path.name for path in tmp_path.iterdir()] == [".out.partial"]
    assert main(arguments) == 0
    assert (out / name).read_bytes() == body
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_index_whose_build_is_ended_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "index"
    command = [sys.executable, "-m", "edge_st", "index", "build", str(path), "-", "--format", "lines"]
    child = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.write("".join(f"text number {number}\n" for number in range(2500)))
    child.stdin.flush()
    rows = first_rows(path)
    child.send_signal(signal.SIGTERM)
    _, complaints = child.communicate()

    assert child.returncode == 128 + signal.SIGTERM
    assert complaints.splitlines()[-1] == "edge-st: error: terminated by SIGTERM"
    assert 0 < rows <= len(Index.open(path)) < 2500
    assert main(["index", "verify", str(path)]) == 0
    assert {file.name.partition("-")[0] for file in path.iterdir()} == {".lock", "index.json", "segment"}


def test_a_signal_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    seen = []
    monkeypatch.setattr("edge_st.cli.info.run", lambda _: seen.append(signal.getsignal(signal.SIGHUP)) or 0)
    try:
        main(["info"])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen == [signal.SIG_IGN]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_program_without_a_console_may_ask_for_progress() -> None:
    code = """
import logging, sys
sys.stdin = sys.stdout = sys.stderr = None
from edge_st import SentenceTransformer
logging.getLogger("edge_st").setLevel(logging.INFO)
model = SentenceTransformer()
model.encode(["a", "b"])
model.encode(["a", "b"], show_progress_bar=True)
"""
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT).returncode == 0
