import signal
from pathlib import Path

import numpy as np
import pytest

from edge_st import BGEM3, SentenceTransformer, SparseEncoder
from edge_st.hub.pull import pull
from edge_st_runtime.errors import DamagedFileError, HubError, OptionError
from tests.support.hub_models import CONFIGS, NAME, ONNX, contents, dense_model, python, record, static_model
from tests.support.hub_server import HubServer
from tests.support.tiny_heads import TinyHeads


def test_pull_makes_a_plain_folder_quietly(hub: HubServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hub.add(NAME, dense_model())

    folder = pull("tiny", tmp_path / "deep" / "out", backend="onnx")

    assert folder == tmp_path / "deep" / "out"
    assert contents(folder) == hub.requested() == CONFIGS | ONNX
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert capfd.readouterr() == ("", "")


def test_pulled_static_model_runs(hub: HubServer, tmp_path: Path) -> None:
    files = static_model()
    needed = {name: body for name, body in files.items() if name not in ("README.md", "onnx/model.onnx")}
    hub.add(NAME, {**files, "edge_st.json": record(needed, [])})

    folder = pull(NAME, tmp_path / "out")

    assert hub.requested() == contents(folder) == {*needed, "edge_st.json"}
    np.testing.assert_allclose(SentenceTransformer(str(folder)).encode("good day"), [0, 0.5, 0.5, 0])


def test_a_pulled_folder_has_all_heads(hub: HubServer, tmp_path: Path) -> None:
    model = TinyHeads()
    made = model.save(tmp_path / "made")
    hub.add(NAME, {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()})

    folder = pull(NAME, tmp_path / "out", backend="onnx")

    assert "heads.json" in contents(folder)
    found = BGEM3(folder, backend="onnx").encode("the fox", return_sparse=True)
    assert found["lexical_weights"] == pytest.approx(model.lexical("the fox"), rel=1e-5)
    (vector,) = SparseEncoder(folder, backend="onnx").encode(["the fox"]).to_dicts()
    assert {str(token): weight for token, weight in vector.items()} == pytest.approx(found["lexical_weights"])


def test_killed_pull_leaves_nothing_loadable_and_is_continued(hub: HubServer, tmp_path: Path) -> None:
    files, out = dense_model(), tmp_path / "out"
    files["onnx/model.onnx"] = np.random.default_rng(0).bytes(12_000_000)
    hub.add(NAME, files)
    hub.stall["onnx/model.onnx"] = 11_000_000
    process = python(f"from edge_st.hub.pull import pull; pull({NAME!r}, {str(out)!r})")
    assert hub.stalled.wait(30)
    part = next(iter((tmp_path / ".out.partial/onnx").glob("model.onnx.*.part")))
    while part.stat().st_size == 0:  # the client writes 10 MiB at a time
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = part.stat().st_size
    hub.log.clear()

    assert not out.exists()
    assert pull(NAME, out) == out
    assert contents(out) == CONFIGS | ONNX
    assert (out / "onnx/model.onnx").read_bytes() == files["onnx/model.onnx"]
    (request,) = [request for request in hub.log if request.file]
    assert (request.file, request.range) == ("onnx/model.onnx", f"bytes={done}-")


@pytest.mark.parametrize("name", ["onnx/model.onnx", "1_Pooling/config.json"])
def test_corrupted_bytes_are_thrown_away(hub: HubServer, tmp_path: Path, name: str) -> None:
    hub.add(NAME, dense_model())
    hub.corrupt.add(name)

    with pytest.raises(HubError, match=rf"{name} of {NAME} arrived damaged \((sha256|git blob id) "):
        pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    hub.corrupt.clear()
    assert contents(pull(NAME, tmp_path / "out")) == CONFIGS | ONNX


def test_record_that_contradicts_the_files_is_found(hub: HubServer, tmp_path: Path) -> None:
    files = dense_model()
    checksums = record({**files, "onnx/model.onnx": files["onnx/model.onnx"][::-1]}, ["onnx/model.onnx"])
    hub.add(NAME, {**files, "edge_st.json": checksums})

    with pytest.raises(DamagedFileError, match=r"model\.onnx has sha256 .*, expected"):
        pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_leftovers_of_another_call_do_not_get_in(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, dense_model())
    for stray in ("edge_st.json", "openvino/openvino_model.xml", "onnx/model.onnx.0.part", "onnx/model.onnx"):
        path = tmp_path / ".out.partial" / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(record({}, []))

    assert contents(pull(NAME, tmp_path / "out")) == CONFIGS | ONNX
    assert not (tmp_path / "out" / "openvino").exists()


def test_occupied_folder_is_replaced_only_by_force_and_only_if_it_is_a_model(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, static_model())
    out, precious = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    pull(NAME, out)
    precious.mkdir()
    (precious / "thesis.md").touch()
    hub.add(NAME, dense_model())

    with pytest.raises(OptionError, match=r"not empty.*--force"):
        pull(NAME, out)
    with pytest.raises(OptionError, match="is not a model folder"):
        pull(NAME, precious, force=True)
    with pytest.raises(OptionError, match="is not empty"):
        pull(NAME, precious)
    with pytest.raises(OptionError, match="is a file"):
        pull(NAME, precious / "thesis.md")
    assert contents(pull(NAME, out, force=True)) == CONFIGS | ONNX
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["out", "precious"]
