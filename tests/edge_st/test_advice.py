"""Advice to export says what it needs: every message takes it from one place."""

from pathlib import Path

from edge_st_runtime.errors import EXPORT, INSTALL_EXPORT

ROOT = Path(__file__).parents[2]
ONLY_PLACE = ROOT / "runtime" / "edge_st_runtime" / "errors.py"


def test_it_names_pytorch_and_how_to_install_it() -> None:
    assert "PyTorch" in EXPORT
    assert f"{INSTALL_EXPORT}, then: edge-st export MODEL FOLDER" in EXPORT
    for name in ("export/constraints.txt", "export/pyproject.toml"):
        assert name.split("/")[0] in INSTALL_EXPORT
        assert (ROOT / name).is_file()


def test_no_message_has_advice_of_its_own() -> None:
    sources = [path for package in ("runtime", "edge_st", "export") for path in (ROOT / package).rglob("*.py")]
    assert ONLY_PLACE in sources
    texts = {path: path.read_text(encoding="utf-8") for path in sources if path != ONLY_PLACE}
    assert [path for path, text in texts.items() if "pip install edge-st-export" in text] == []
    device = {path: text for path, text in texts.items() if ROOT / "export" not in path.parents}
    assert [path for path, text in device.items() if "edge-st export MODEL FOLDER" in text] == []
