"""Several downloads of one model at the same time: of processes, and of threads of one process."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import OptionError
from tests.support.hub_models import CONFIGS, NAME, ONNX, contents, dense_model, python, static_model
from tests.support.hub_server import HubServer

_CALLS = {
    "pull": "from edge_st.hub.pull import pull; print(pull({name!r}, {out!r}))",
    "resolve": "from edge_st.hub.resolve import resolve; print(resolve({name!r}))",
}


@pytest.mark.parametrize(("call", "count"), [("pull", 8), ("resolve", 4)])
def test_all_processes_succeed_and_one_downloads(hub: HubServer, tmp_path: Path, call: str, count: int) -> None:
    files = {**dense_model(), "onnx/model.onnx": bytes(3_000_000)}
    hub.add(NAME, files)
    code = _CALLS[call].format(name=NAME, out=str(tmp_path / "out"))
    processes = [python(code) for _ in range(count)]
    answers = [(process.communicate()[0], process.returncode) for process in processes]

    ((folder, code_of_exit),) = set(answers)
    assert code_of_exit == 0
    for name in CONFIGS | ONNX:
        assert Path(folder.strip(), name).read_bytes() == files[name]
    asked = [request.file for request in hub.log if request.method == "GET" and request.file in CONFIGS | ONNX]
    assert len(asked) <= len(CONFIGS | ONNX)
    assert not {path.name for path in tmp_path.iterdir()} - {"out", "cache"}


@pytest.mark.parametrize("force", [False, True])
def test_threads_pull_into_one_folder(hub: HubServer, tmp_path: Path, force: bool) -> None:
    hub.add(NAME, static_model())
    if force:
        pull(NAME, tmp_path / "out")
    repository = hub.add(NAME, dense_model())

    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: pull(NAME, tmp_path / "out", force=force), range(8)))

    assert folders == {tmp_path / "out"}
    assert contents(tmp_path / "out") == CONFIGS | ONNX
    assert sorted(request.file or "" for request in hub.log if repository.commit in request.path) == sorted(
        CONFIGS | ONNX
    )


def test_threads_open_one_model_by_name(hub: HubServer) -> None:
    hub.add(NAME, dense_model())

    with ThreadPoolExecutor(8) as pool:
        (folder,) = set(pool.map(lambda _: resolve(NAME), range(8)))
    assert contents(folder) >= CONFIGS | ONNX


def test_other_models_into_one_folder_are_refused_but_the_first(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, dense_model())
    hub.add("owner/other", static_model())

    def outcome(name: str) -> str:
        try:
            pull(name, tmp_path / "out")
        except OptionError as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        refused, done = sorted(pool.map(outcome, [NAME, "owner/other"]), key="done".__eq__)
    assert done == "done"
    assert "holds another model" in refused


def test_a_folder_that_differs_in_one_byte_is_not_taken_for_the_model(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, static_model())
    folder = pull(NAME, tmp_path / "out")
    hub.log.clear()
    assert pull(NAME, folder) == folder
    assert not hub.requested()

    (folder / "config_sentence_transformers.json").write_bytes(b"[]")
    with pytest.raises(OptionError, match=r"not empty: it holds another model.*--force"):
        pull(NAME, folder)
    assert pull(NAME, folder, force=True) == folder
    assert (folder / "config_sentence_transformers.json").read_bytes() == b"{}"
