"""``edge-st`` as a whole: exit codes, messages, start-up, commands of other distributions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_st.cli import COMMANDS, main
from edge_st_runtime.errors import INSTALL_EXPORT

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def edge_st(*arguments: str, text: str = "", path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = (
        ENVIRONMENT if path is None else ENVIRONMENT | {"PYTHONPATH": f"{path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
    )
    return subprocess.run(
        [sys.executable, "-m", "edge_st", *arguments],
        input=text,
        capture_output=True,
        encoding="utf-8",
        env=environment,
    )


def distribution(folder: Path, command: str, code: str) -> Path:
    """A folder for the import path with an installed distribution that brings a command."""
    (folder / "plugin_for_test.py").write_text(code)
    info = folder / "plugin_for_test-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-for-test\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[edge_st.commands]\n{command} = plugin_for_test:add\n")
    return folder


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"    {name} " in out for name in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("edge-st ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: edge-st {command}")


def test_the_commands_themselves_import_nothing_heavy() -> None:
    code = (
        "import sys, edge_st\n"
        "before = set(sys.modules)\n"
        "from edge_st.cli import main\n"
        "main(['embed', '--help'])\n"
        "heavy = {'numpy', 'tqdm', 'yaml', 'huggingface_hub', 'onnxruntime', 'openvino', 'subprocess'}\n"
        "heavy.add('importlib.metadata')\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert child.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["list", "--wrong"], ["search", "x"], ["info", "a", "b"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: edge-st" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["info", "{}"], ["demo", "--model", "{}"], ["search", ".", "-q", "a", "--model", "{}"]]
)
def test_an_unknown_model_is_1_with_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("some text")
    missing = str(tmp_path / "no" / "such" / "model")
    assert main([str(tmp_path) if word == "." else word.format(missing) for word in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("edge-st: error: ")
    assert missing in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", "model", "out"],
        ["export", "model", "out", "--level", "O3"],
        ["distill", "model"],
        ["pack", "wheel", "model"],
    ],
)
def test_export_without_its_package_says_how_to_get_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert f"the command {arguments[0]!r} comes with the package edge-st-export" in error
    assert INSTALL_EXPORT in error


def test_a_command_of_another_distribution_runs(tmp_path: Path) -> None:
    code = (
        "def add(subparsers):\n"
        "    parser = subparsers.add_parser('greet', help='say hello')\n"
        "    parser.add_argument('name')\n"
        "    parser.set_defaults(run=lambda args: print('hello', args.name) or 7)\n"
    )
    path = distribution(tmp_path, "greet", code)
    greeted = edge_st("greet", "you", path=path)
    assert (greeted.returncode, greeted.stdout) == (7, "hello you\n")
    assert "say hello" in edge_st("--help", path=path).stdout


def test_a_broken_command_of_another_distribution_harms_no_other(tmp_path: Path) -> None:
    path = distribution(tmp_path, "greet", "import no_such_package_anywhere\n")
    broken = edge_st("greet", "--loud", path=path)
    assert broken.returncode == 1
    assert "plugin-for-test is installed, but its command 'greet' cannot be loaded" in broken.stderr
    assert "no_such_package_anywhere" in broken.stderr
    assert edge_st("list", "minilm", path=path).returncode == 0
    assert edge_st("--help", path=path).returncode == 0


def test_a_closed_pipe_ends_quietly() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_st", "embed", "-o", "-"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stdin.write(b"text\n" * 500)
    child.stdin.close()
    assert child.stderr.read() == b""
    assert child.wait() == 141


def test_an_interrupt_is_130_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_st.cli.embedding_files.write_npy", interrupted)
    (tmp_path / "in.txt").write_text("text\n")
    assert main(["embed", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.npy")]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
