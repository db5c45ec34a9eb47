"""``edge-st search``: files are found, passages are ranked, unreadable files are skipped."""

import json
import os
import socket
from pathlib import Path

import pytest

from edge_st.cli import main
from edge_st.cli.text_files import LARGEST_TEXT
from edge_st_runtime.store.sparse.words import TOKENIZERS
from tests.support.command_parsers import command_parsers
from tests.support.tiny_rerankers import TinyReranker

BREAD = "Knead the dough and let it rise before you bake the bread in a hot oven."
ORBIT = "The satellite circles the earth once every ninety minutes in a low orbit."
TAXES = "Income tax returns must reach the tax office before the end of July."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep" / "er" / "kitchen.MD").write_text(f"# Recipes\n\n{BREAD}\n\n# Money\n\n{TAXES}\n")
    (tmp_path / "space.txt").write_text(f"\n\n{ORBIT}\n")
    (tmp_path / ".git" / "hidden.txt").write_text(BREAD)
    (tmp_path / ".hidden.md").write_text(BREAD)
    (tmp_path / "code.py").write_text(BREAD)
    return tmp_path


def search(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, list[dict[str, object]]]:
    assert main(["search", "--json", *map(str, arguments)]) == 0
    document = json.loads(capsys.readouterr().out)
    return {found["query"]: found["hits"] for found in document["queries"]}


def test_the_right_passages_come_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queries = {
        "how to bake bread": ("kitchen.MD", 1),
        "tax office": ("kitchen.MD", 5),
        "satellite orbit": ("space.txt", 3),
    }
    found = search(capsys, folder, *(word for query in queries for word in ("-q", query)))
    assert list(found) == list(queries)
    for query, (name, line) in queries.items():
        assert len(found[query]) == 3
        best = found[query][0]
        assert (Path(str(best["path"])).name, best["line"]) == (name, line)
        scores = [float(str(hit["score"])) for hit in found[query]]
        assert scores == sorted(scores, reverse=True)


def test_k_limits_and_a_file_named_twice_is_read_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(search(capsys, folder, "-q", "bread", "-k", "1")["bread"]) == 1
    assert len(search(capsys, folder, folder / "space.txt", "-q", "bread")["bread"]) == 3


def test_a_named_file_is_read_whatever_its_ending(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(capsys, folder / "code.py", "-q", "bread")["bread"][0]["text"] == BREAD


def test_text_output_has_score_place_and_snippet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "space.txt").write_text(f"{ORBIT} " * 12)
    assert main(["search", str(folder / "space.txt"), "-q", "satellite"]) == 0
    query, place, *snippet = capsys.readouterr().out.splitlines()
    assert query == "satellite"
    assert place.split() == [place.split()[0], f"{folder / 'space.txt'}:1"]
    assert 0 < float(place.split()[0]) <= 1
    assert "The satellite circles" in snippet[0]
    assert len(snippet) == 5
    assert snippet[3].endswith("…")


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cross-encoder that likes an "or"."""
    return str(TinyReranker({"or": 20.0}).save(tmp_path_factory.mktemp("models") / "reranker"))


def test_hybrid_adds_the_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "code.txt").write_text("E4711: see the manual.")
    (hit, *_) = search(capsys, folder, "-q", "E4711", "--hybrid")["E4711"]
    assert (Path(str(hit["path"])).name, hit["score"]) == ("code.txt", pytest.approx(2 / 61))


def test_hybrid_finds_words_of_every_script(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "code.txt").write_text("東京は日本の首都です。", encoding="utf-8")
    command = ["search", "--json", str(folder), "-q", "日本の首都", "--hybrid"]
    for options, is_found in (([], True), (["--words", "unicode"], True), (["--words", "letters"], False)):
        assert main([*command, *options]) == 0
        captured = capsys.readouterr()
        (hit, *_) = json.loads(captured.out)["queries"][0]["hits"]
        assert (hit["score"] == pytest.approx(2 / 61)) == is_found
        assert ("no passage has a word of '日本の首都'; ranked by meaning alone" in captured.err) != is_found


@pytest.mark.parametrize("options", [[], ["--hybrid", "--sparse", "model"]], ids=len)
def test_words_without_hybrid_is_1(folder: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(folder), "-q", "bread", "--words", "unicode", *options]) == 1
    assert "give it with --hybrid and without --sparse" in capsys.readouterr().err


def test_the_words_to_choose_are_those_of_bm25() -> None:
    options = command_parsers()["search"]._option_string_actions
    assert list(options["--words"].choices or ()) == list(TOKENIZERS)


def test_rerank_reorders_the_candidates(folder: Path, reranker: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "or.txt").write_text("this or that")
    query = "how to bake bread"
    plain = search(capsys, folder, "-q", query)[query]
    assert Path(str(plain[-1]["path"])).name == "or.txt"
    reranked = search(capsys, folder, "-q", query, "--rerank", reranker, "--hybrid")[query]
    assert Path(str(reranked[0]["path"])).name == "or.txt"
    assert set(reranked[0]) == set(plain[0])
    few = search(capsys, folder, "-q", query, "--rerank", reranker, "--candidates", "3", "-k", "3")[query]
    assert sorted(str(hit["text"]) for hit in few) == sorted(str(hit["text"]) for hit in plain[:3])


def test_context_is_the_passages_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["search", str(folder), "-q", "satellite orbit", "--context"]
    assert main([*arguments, str(len(ORBIT))]) == 0
    assert capsys.readouterr().out == f"{ORBIT}\n"
    assert main([*arguments, "500", "-k", "2"]) == 0
    first, _, second = capsys.readouterr().out.partition("\n\n")
    assert first == ORBIT
    assert second.startswith("# ")
    assert main([*arguments, "10"]) == 1
    assert f"the best passage has length {len(ORBIT)}, the context may have 10" in capsys.readouterr().err


def test_fewer_candidates_than_k_is_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(folder), "-q", "bread", "-k", "9", "--candidates", "8"]) == 1
    assert "--candidates 8 is less than -k 9" in capsys.readouterr().err
    assert len(search(capsys, folder, "-q", "bread", "-k", "99")["bread"]) == 3
    assert main(["search", str(folder), "-q", "bread", "--json", "--context", "9"]) == 2


def test_an_undecodable_file_is_skipped_with_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "latin.txt").write_bytes("Käse".encode("latin-1"))
    assert main(["search", str(folder), "-q", "bread", "--json"]) == 0
    captured = capsys.readouterr()
    assert f"skipped {folder / 'latin.txt'}: not UTF-8 text" in captured.err
    document = json.loads(captured.out)
    assert (document["files"], document["passages"], document["skipped"]) == (2, 3, [str(folder / "latin.txt")])


def test_nothing_to_search_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "blank.txt").write_text("\n\n")
    assert main(["search", str(tmp_path), "-q", "bread"]) == 1
    assert f"no text in {tmp_path}" in capsys.readouterr().err
    assert main(["search", str(tmp_path / "missing"), "-q", "bread"]) == 1
    assert "no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-q", " "], ["-q", "bread", "-k", "0"], ["-q", "bread", "-k", "many"]])
def test_an_empty_query_or_a_wrong_k_is_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", ".", *arguments]) == 2
    assert "edge-st search: error: argument" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["search", "notes", "-q", "bread"], ["index", "build", "index", "notes"]], ids=len)
def test_what_is_no_readable_text_file_is_skipped_with_a_note(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "good.txt").write_text(BREAD)
    (notes / "latin.txt").write_bytes("Käse".encode("latin-1"))
    (notes / "gone.txt").symlink_to("nothing")
    with (notes / "large.txt").open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    os.mkfifo(notes / "pipe.txt")
    (notes / "endless.txt").symlink_to("/dev/zero")
    (notes / "memory.txt").symlink_to("/proc/self/mem")
    (notes / os.fsdecode(b"caf\xe9.txt")).write_text(BREAD)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("notes/socket.txt")
        assert main(command) == 0
    captured = capsys.readouterr()
    notes_on = [line.removeprefix("edge-st: note: skipped notes/") for line in captured.err.splitlines()]
    assert sorted(line.partition(":")[0] for line in notes_on) == sorted(
        file.name.encode("ascii", "backslashreplace").decode() for file in notes.iterdir() if file.name != "good.txt"
    )
    for name in ("pipe", "endless", "gone", "socket"):
        assert f"{name}.txt: not a regular file" in notes_on
    assert any(line.startswith("large.txt: more than 100 MB in one text") for line in notes_on)


@pytest.mark.parametrize(
    "command",
    [
        ["search", "/dev/zero", "-q", "bread"],
        ["index", "build", "index", "/dev/zero"],
        ["embed", "/dev/zero", "-o", "out.npy"],
        ["search", "pipe", "-q", "bread"],
        ["index", "build", "index", "pipe"],
        ["index", "build", "index", "pipe", "--format", "lines"],
    ],
    ids=" ".join,
)
def test_pipes_and_devices_are_1(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    assert main(command) == 1
    assert "is a pipe, a socket or a device; expected a file or a folder" in capsys.readouterr().err


def test_the_pipe_of_a_shell_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{BREAD}\n{TAXES}\n".encode())
    os.close(writing)
    try:
        command = ["index", "build", str(tmp_path / "index"), f"/dev/fd/{reading}", "--format", "lines", "--json"]
        assert main(command) == 0, capsys.readouterr().err
    finally:
        os.close(reading)
    assert json.loads(capsys.readouterr().out)["added"] == 2
