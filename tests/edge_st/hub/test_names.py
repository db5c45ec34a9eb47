"""What the name of a model stands for: a folder, or a repository on the Hub."""

import sys
from pathlib import Path
from typing import Any

import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st.hub.names import ORIGINAL_MODELS, hub_name
from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import (
    FolderError,
    FolderNotFoundError,
    HubError,
    OptionError,
    PackageMissingError,
)
from tests.edge_st.hub.test_secrets import everything
from tests.support.hub_models import (
    python,
)
from tests.support.hub_server import HubServer


def test_existing_folder_is_itself_and_loads_no_client(tmp_path: Path) -> None:
    code = f"""
import sys
from edge_st.hub.resolve import resolve
print(resolve({str(tmp_path)!r}), "huggingface_hub" in sys.modules)
"""
    output, _ = python(code).communicate()

    assert output.split() == [str(tmp_path), "False"]


def test_file_is_refused_as_sentence_transformers_refuses_it(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.touch()

    with pytest.raises(NotADirectoryError, match="is a file, not a directory") as caught:
        resolve(file)
    assert isinstance(caught.value, FolderError)


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "./tiny", "../tiny", "/no/tiny", "/tiny", "~/tiny", "tiny/", "a\\b", ".tiny"]
)
def test_what_can_only_be_a_path_is_not_looked_up(hub: HubServer, name: str) -> None:
    with pytest.raises(FolderNotFoundError, match="edge-st export"):
        resolve(name)
    assert not hub.log


@pytest.mark.parametrize(
    ("address", "use"),
    [
        ("https://huggingface.co/org/name", "'org/name'"),
        ("https://huggingface.co/org/name/tree/main", "'org/name'"),
        ("https://huggingface.co/org/name/tree/v1.0?not-for-all=1#files", "'org/name', revision 'v1.0'"),
        ("https://me:p4ss@huggingface.co/org/name/", "'org/name'"),
        ("https://me:p4/ss?@huggingface.co/org/name", "'org/name'"),
        (Path("http://me:p4ss@localhost:8080/org/name"), "'org/name'"),
        ("me:p4ss@hf.co/org/name/resolve/main/config.json", "'org/name'"),
        ("huggingface.co/bert-base-uncased", "'bert-base-uncased'"),
        ("https://me:p4ss@huggingface.co", "owner/name"),
    ],
    ids=str,
)
def test_for_an_address_the_name_is_told_and_no_password(
    hub: HubServer, capsys: pytest.CaptureFixture[str], address: str | Path, use: str
) -> None:
    for find in (resolve, SentenceTransformer, lambda name: pull(name, "out")):
        with pytest.raises(FolderNotFoundError) as caught:
            find(address)
        assert "p4" not in everything(caught.value)
        assert str(caught.value).endswith(f"expected a folder, or its name on the Hub: use {use}")
    assert main(["verify", str(address)]) == 1
    assert capsys.readouterr().err.endswith(f"use {use}\n")
    assert not hub.log


def test_a_folder_that_looks_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hf.co/org/name").mkdir(parents=True)
    assert resolve("hf.co/org/name") == Path("hf.co/org/name")


@pytest.mark.parametrize("name", [None, 7, b"tiny"])
def test_name_of_another_type_is_refused(name: Any) -> None:
    with pytest.raises(OptionError, match="expected a str"):
        resolve(name)


@pytest.mark.parametrize("name", ["no spaces, please", "x" * 400, "owner/--"])
def test_impossible_names_never_reach_the_hub(hub: HubServer, name: str) -> None:
    with pytest.raises(HubError, match="neither an existing folder nor a name on the Hub"):
        resolve(name)
    assert not hub.log


def test_names_without_owner_belong_to_the_organization_but_the_first_transformers() -> None:
    assert hub_name("all-MiniLM-L6-v2", "sentence-transformers") == "sentence-transformers/all-MiniLM-L6-v2"
    assert hub_name("BERT-base-uncased", "cross-encoder") == "BERT-base-uncased"
    assert hub_name("intfloat/e5-small", "cross-encoder") == "intfloat/e5-small"
    assert len(ORIGINAL_MODELS) == 68


def test_without_huggingface_hub_a_name_is_refused_with_what_to_install(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["huggingface_hub"] = None
from edge_st import SentenceTransformer
from edge_st.cli import main
for local_only in (False, True):
    try:
        SentenceTransformer("no-such-model", local_files_only=local_only)
    except ImportError as error:
        print(type(error).__name__, error)
main(["pull", "owner/name", {str(tmp_path / "out")!r}])
"""
    output, complaints = python(code).communicate()

    for line in (*output.splitlines(), *complaints.splitlines()):
        assert line.endswith("which is not installed; pip install huggingface_hub, or give a model folder")
        assert line.count("no folder") + line.count("no existing folder") == line.count("'no-such-model'")
    assert [line.split(" '")[0] for line in output.splitlines()] == ["PackageMissingError there is no folder"] * 2
    assert complaints.startswith("edge-st: error: to look for 'owner/name' on the Hub takes huggingface_hub, which is")


def test_a_frozen_program_is_told_once_how_to_take_the_package_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(PackageMissingError) as raised:
        resolve("no-such-model")
    assert str(raised.value).count("--hidden-import") == 1
