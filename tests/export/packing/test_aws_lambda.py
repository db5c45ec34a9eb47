"""What is packed for AWS Lambda, and what is refused before or instead."""

import argparse
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import edge_st
from edge_st_export import ExportError, pack_lambda
from edge_st_export.packing.aws_lambda.platforms import Platform
from edge_st_export.packing.aws_lambda.sizes import LIMIT, check_limit
from edge_st_export.packing.aws_lambda.trimming import TRIMMED, trim
from edge_st_export.packing.aws_lambda.wheels import install, needed
from edge_st_export.packing.cli import add_pack
from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.record import read_record
from tests.support.readme import PACKAGED
from tests.support.tiny_models import TinyModel, graph_entry, write_record

BUNDLED = Path(edge_st.__file__).parent / "bundled" / "static-all-MiniLM-L6-v2"


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def command(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_pack(parser.add_subparsers())
    args = parser.parse_args(["pack", "lambda", *map(str, arguments)])
    code: int = args.run(args)
    return code


def test_a_static_model_needs_no_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The layer has edge-st, what it runs on, their licences and the model; the function is a file of its own."""
    assert command(BUNDLED, tmp_path / "out", "--handler", "app.embed") == 0
    layer = names(tmp_path / "out" / "layer.zip")
    tops = {name.split("/")[1] for name in layer if name.startswith("python/")}
    assert {"edge_st", "edge_st_runtime", "numpy", "tokenizers"} <= tops
    assert not tops & {"onnxruntime", "huggingface_hub", "hf_xet", "yaml", "bin"}
    assert f"models/{BUNDLED.name}/model.safetensors" in layer
    assert not [name for name in layer if "/tests/" in name or "/bundled/" in name]
    for package in ("edge_st", "numpy", "filelock", "tqdm"):
        assert [name for name in layer if re.match(rf"python/{package}-[^/]+/.*LICEN[CS]", name)], package
    assert names(tmp_path / "out" / "function.zip") == {"app.py"}
    printed = capsys.readouterr().out
    assert re.search(r"[\d.]+ MB  unpacked of the 262.1 MB \(250 MiB\)", printed)
    assert "handler app.embed" in printed


@pytest.mark.slow
def test_an_image_has_the_same_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(BUNDLED, tmp_path / "out", "--container", "--arch", "arm64", "--python", "3.12") == 0
    recipe = (tmp_path / "out" / "Dockerfile").read_text("utf-8")
    assert "FROM public.ecr.aws/lambda/python:3.12\n" in recipe
    assert "--platform linux/arm64" in recipe
    for copied in re.findall(r"^COPY (\S+)", recipe, re.MULTILINE):
        assert (tmp_path / "out" / copied).exists()
    assert "next: docker build" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"python": "3.11"}, "glibc 2.26 is too old"),
        ({"python": "3.15"}, "3.12, 3.13, 3.14"),
        ({"arch": "aarch64"}, "x86_64, arm64"),
        ({"handler": "handler"}, "a module and a function"),
        ({"handler": "a/b.c"}, "a module and a function"),
        ({"graphs": ["onnx/other.onnx"]}, "not in the record"),
    ],
)
def test_what_cannot_be_packed_leaves_nothing(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        pack_lambda(PACKAGED, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="choose another folder"):
        pack_lambda(BUNDLED, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def record_of(tmp_path: Path) -> Callable[..., Path]:
    def make(*graphs: tuple[str, str]) -> Path:
        folder = TinyModel(graph_files=tuple(file for file, _ in graphs)).save(tmp_path / "model")
        write_record(folder, [graph_entry(file, "onnx", dtype, 1.0) for file, dtype in graphs])
        return folder

    return make


FLOAT, INT8 = ("onnx/model.onnx", "float32"), ("onnx/model_int8.onnx", "int8")


def test_too_large_a_model_is_told_what_would_fit(record_of: Callable[..., Path]) -> None:
    record = read_record(record_of(FLOAT, INT8))
    sizes = {"numpy": 100_000_000, "model": LIMIT - 100_000_000 + 1}
    with pytest.raises(ExportError) as caught:
        check_limit(sizes, record, frozenset([FLOAT[0]]), "edge-st pack lambda M OUT --container")
    message = str(caught.value)
    for part in ("262.1 MB", "the model 162.1 MB", "--graph onnx/model_int8.onnx", "a smaller model", "--container"):
        assert part in message
    check_limit({**sizes, "model": sizes["model"] - 1}, record, frozenset([FLOAT[0]]), "")


@pytest.mark.parametrize(("model", "fits"), [(400_000_000, True), (4_000_000_000, False)])
def test_int8_is_named_only_where_it_would_fit(record_of: Callable[..., Path], model: int, fits: bool) -> None:
    record = read_record(record_of(FLOAT))
    with pytest.raises(ExportError) as caught:
        check_limit({"numpy": 50_000_000, "model": model}, record, frozenset([FLOAT[0]]), "")
    assert ("exported with --dtype int8 (about 100.0 MB)" in str(caught.value)) is fits


@pytest.mark.slow
def test_a_platform_without_a_wheel_is_told_which_have_one(tmp_path: Path) -> None:
    """OpenVINO's wheels for arm64 need a newer glibc than Lambda has."""
    with pytest.raises(ExportError, match=r"openvino>=2025\.3 has no wheel for arm64.*it has one for x86_64") as caught:
        install(["openvino>=2025.3"], Platform("arm64"), tmp_path)
    assert "glibc 2.34" in str(caught.value)


def test_what_others_ask_for_is_left_out() -> None:
    found = {re.split("[<>=]", each)[0] for each in needed(["onnx"])}
    assert found == {"numpy", "tokenizers", "tqdm", "filelock", "onnxruntime"}
    assert {"jinja2", "markupsafe"} <= {re.split("[<>=]", each)[0] for each in needed(["chat"])}


def test_trimming_keeps_licences(tmp_path: Path) -> None:
    kept = ("numpy-2.0.dist-info/licenses/LICENSE.txt", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt")
    gone = ("numpy/lib/tests/test.py", "onnxruntime/capi/libonnxruntime.so.1", "a/b.pyi", "x-1.dist-info/RECORD")
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    trim(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


@pytest.mark.slow
def test_every_rule_still_removes_something(tmp_path: Path) -> None:
    """So that a rule whose package has changed is noticed."""
    install(needed(["onnx"]), Platform(), tmp_path)
    patterns = [pattern for rules in TRIMMED.values() for pattern in rules if pattern != "**/__pycache__"]
    assert [pattern for pattern in patterns if not list(tmp_path.glob(pattern))] == []
