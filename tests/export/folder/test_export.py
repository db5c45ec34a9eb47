"""What an export writes, what it refuses, and what is left when it is stopped."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.verification.checks import verify_folder
from edge_st_export import ExportError, ExportReport, export_model
from edge_st_export.original.texts import GOLDEN
from edge_st_runtime.errors import (
    DamagedFileError,
    EdgeSTError,
    FolderNotFoundError,
    NotAFolderError,
    OptionError,
    UnsupportedModelError,
)
from edge_st_runtime.files.reading import sha256
from edge_st_runtime.machine.cpu import has_bfloat16
from edge_st_runtime.vectors.parity import cosines
from tests.export.originals import load_original
from tests.support.hub_server import HubServer
from tests.support.tiny_models import write_json


def read_record(folder: Path) -> Any:
    return json.loads((folder / "edge_st.json").read_text(encoding="utf-8"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestTheFolder:
    def test_the_record_lists_every_file(self, small_report: ExportReport) -> None:
        recorded = read_record(small_report.path)["files"]
        written = {name for name in files_of(small_report.path) if name != "edge_st.json"}
        assert set(recorded) == written
        for name, entry in recorded.items():
            path = small_report.path / name
            assert entry == {"sha256": sha256(path), "bytes": path.stat().st_size}

    def test_torch_weights_stay_behind(self, small_report: ExportReport) -> None:
        assert not [
            name for name in files_of(small_report.path) if name.endswith((".safetensors", "pytorch_model.bin"))
        ]

    def test_the_best_graph_comes_first(self, small_report: ExportReport) -> None:
        graphs = [(graph["file"], graph["dtype"]) for graph in read_record(small_report.path)["graphs"]]
        expected = [
            ("onnx/model_O4.onnx", "float16"),
            ("openvino/openvino_model.xml", "bfloat16"),
            ("onnx/model.onnx", "float32"),
            ("openvino/openvino_model.xml", "float32"),
        ]
        assert graphs == [row for row in expected if row[1] != "bfloat16" or has_bfloat16()]

    def test_the_runtime_takes_what_the_record_recommends(self, small_report: ExportReport) -> None:
        assert SentenceTransformer(small_report.path, backend="onnx").info()["graph"] == "onnx/model.onnx"

    @pytest.mark.parametrize("engine", ["onnx", "openvino"])
    def test_the_fingerprint_is_the_runtimes(self, engine: str, small_report: ExportReport) -> None:
        model = SentenceTransformer(small_report.path, backend=engine)
        assert model.fingerprint == read_record(small_report.path)["fingerprint"]

    def test_the_same_model_has_the_same_identity(
        self, small_folder: Path, small_report: ExportReport, tmp_path: Path
    ) -> None:
        export_model(small_folder, tmp_path / "again", engines=["onnx"], quiet=True)
        first, again = read_record(small_report.path), read_record(tmp_path / "again")
        assert [first[key] for key in ("fingerprint", "weights_sha256")] == [
            again[key] for key in ("fingerprint", "weights_sha256")
        ]

    def test_the_golden_vectors_are_the_originals(self, small_folder: Path, small_report: ExportReport) -> None:
        golden = read_record(small_report.path)["golden"]
        wanted = load_original(small_folder).encode(list(GOLDEN))
        assert golden["texts"] == list(GOLDEN)
        assert np.abs(np.array(golden["vectors"][0]["embeddings"]) - wanted).max() <= 1e-6

    def test_everybody_may_read_it(self, small_report: ExportReport) -> None:
        assert {path.stat().st_mode & 0o777 for path in small_report.path.rglob("*") if path.is_file()} == {0o644}

    def test_model_card_and_licence_come_along(self, small_folder: Path, tmp_path: Path) -> None:
        original = shutil.copytree(small_folder, tmp_path / "original")
        (original / "README.md").write_text("# The card")
        (original / "LICENSE").write_text("Terms")
        export_model(original, tmp_path / "out", engines=["onnx"], quiet=True)
        assert (tmp_path / "out" / "README.md").read_text() == "# The card"
        assert (tmp_path / "out" / "LICENSE").read_text() == "Terms"

    def test_the_table_has_a_line_for_each_variant(self, small_report: ExportReport) -> None:
        head, *rows = small_report.table().splitlines()
        assert head.split() == ["variant", "file", "MB", "cosine", "min", "mean", "ms"]
        assert [row.split()[2] for row in rows if "note" not in row] == [graph.file for graph in small_report.graphs]


class TestVerification:
    def test_a_finished_folder_proves_itself(self, small_report: ExportReport) -> None:
        found = verify_folder(small_report.path)
        assert {variant.file for variant in found} == {graph.file for graph in small_report.graphs}
        assert all(comparison.equal for comparisons in found.values() for comparison in comparisons)
        assert all(
            comparison.cosine_min >= 0.99999
            for variant, comparisons in found.items()
            for comparison in comparisons
            if variant.dtype == "float32"
        )

    def test_a_changed_file_is_found(self, small_report: ExportReport, tmp_path: Path) -> None:
        folder = shutil.copytree(small_report.path, tmp_path / "copy")
        with (folder / "onnx" / "model.onnx").open("r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"\0")
        with pytest.raises(DamagedFileError, match=r"onnx/model\.onnx has sha256"):
            verify_folder(folder)

    def test_zero_vectors_are_equal_to_each_other_only(self) -> None:
        found = np.array([[0, 0], [0, 0], [1, 0], [2, 0]], dtype=np.float32)
        wanted = np.array([[0, 0], [1, 0], [0, 0], [1, 1]], dtype=np.float32)
        np.testing.assert_allclose(cosines(found, wanted), [1, 0, 0, 0.5**0.5])


class TestRefusals:
    def test_below_the_gate_nothing_is_written(self, small_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match=r"onnx/model\.onnx reaches a cosine of .* the gate is 1\.1"):
            export_model(small_folder, tmp_path / "out", engines=["onnx"], gate=1.1, quiet=True)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (
                {"modules.json": [{"type": "sentence_transformers.models.Transformer"}, {"type": "mine.Head"}]},
                "mine.Head",
            ),
            ({"modules.json": [{"type": "sentence_transformers.models.Unheard"}]}, "Unheard"),
            (
                {
                    "modules.json": [
                        {"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Unheard")
                    ]
                },
                "'Unheard'.*Dense",
            ),
            (
                {"config.json": {}, "config_sentence_transformers.json": {"model_type": "AudioEncoder"}},
                "is a AudioEncoder",
            ),
        ],
    )
    def test_unsupported_models_by_their_description_alone(
        self, files: dict[str, Any], message: str, tmp_path: Path
    ) -> None:
        for name, content in files.items():
            write_json(tmp_path / "original" / name, content)
        with pytest.raises(UnsupportedModelError, match=message):
            export_model(tmp_path / "original", tmp_path / "out")

    @pytest.mark.parametrize(
        ("architecture", "task", "message"),
        [
            ("BertForSequenceClassification", "sparse-encoder", "is a CrossEncoder, not a SparseEncoder"),
            ("BertForMaskedLM", "cross-encoder", "needs ForSequenceClassification or ForCausalLM"),
            ("BertModel", "sparse-encoder", "needs ForMaskedLM, or its head would have random weights"),
        ],
    )
    def test_tasks_that_a_plain_transformer_cannot_have(
        self, architecture: str, task: str, message: str, tmp_path: Path
    ) -> None:
        write_json(tmp_path / "original" / "config.json", {"architectures": [architecture]})
        with pytest.raises(UnsupportedModelError, match=message):
            export_model(tmp_path / "original", tmp_path / "out", task=task)

    def test_an_unknown_task(self, small_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match=r"task is 'rerank'; expected one of .*cross-encoder"):
            export_model(small_folder, tmp_path / "out", task="rerank")

    def test_a_folder_without_weights(self, small_report: ExportReport, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match=r"sentence-transformers .* loading small failed"):
            export_model(small_report.path, tmp_path / "out", quiet=True)

    def test_a_folder_that_is_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(FolderNotFoundError, match=r"neither modules\.json nor config\.json"):
            export_model(tmp_path, tmp_path / "out")

    @pytest.mark.parametrize(
        "options",
        [{"engines": ["tflite"]}, {"engines": []}, {"optimize": "O4"}, {"engines": ["openvino"], "fp16": True}],
    )
    def test_options_outside_their_values(self, options: dict[str, Any], small_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(OptionError):
            export_model(small_folder, tmp_path / "out", **options)


class TestTheTarget:
    def test_an_existing_folder_is_kept(self, small_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "note.txt").write_text("mine")
        with pytest.raises(OptionError, match="--force"):
            export_model(small_folder, tmp_path / "out")
        with pytest.raises(OptionError, match="no model"):
            export_model(small_folder, tmp_path / "out", force=True)
        with pytest.raises(NotAFolderError):
            export_model(small_folder, tmp_path / "out" / "note.txt", force=True)
        assert (tmp_path / "out" / "note.txt").read_text() == "mine"

    def test_force_replaces_a_model_whole(self, small_folder: Path, tmp_path: Path) -> None:
        old = tmp_path / "out"
        write_json(old / "modules.json", [])
        write_json(old / "left_over.json", {})
        with pytest.raises(EdgeSTError):
            export_model(small_folder, old, engines=["onnx"], gate=1.1, force=True, quiet=True)
        assert (old / "left_over.json").is_file()
        export_model(small_folder, old, engines=["onnx"], force=True, quiet=True)
        assert not (old / "left_over.json").exists()
        assert SentenceTransformer(old).encode("a").shape == (32,)
        assert list(tmp_path.iterdir()) == [old]

    def test_interrupted(self, small_folder: Path, tmp_path: Path) -> None:
        command = (
            f"from edge_st_export import export_model; export_model({str(small_folder)!r}, {str(tmp_path / 'out')!r})"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(
            [sys.executable, "-c", command], stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stderr is not None
            errors = []
            for line in process.stderr:
                errors.append(line)
                if line.startswith(("[3/", "[4/")):  # Python ignores an interrupt within a destructor: then once more
                    process.send_signal(signal.SIGINT)
        assert process.returncode != 0, errors
        assert list(tmp_path.iterdir()) == [], (process.returncode, errors)


class TestTheHub:
    def test_only_what_is_needed_is_downloaded(self, small_folder: Path, hub: HubServer, tmp_path: Path) -> None:
        files = files_of(small_folder)
        unneeded = {"onnx/model.onnx", "openvino/openvino_model.bin", "tf_model.h5", "pytorch_model.bin"}
        repository = hub.add("sentence-transformers/small", files | dict.fromkeys(unneeded, b"large"))
        report = export_model("small", tmp_path / "out", engines=["onnx"], quiet=True)
        assert read_record(report.path)["source"] == {
            "name": "sentence-transformers/small",
            "revision": repository.commit,
        }
        assert hub.requested() == set(files)

    def test_an_unsupported_model_is_not_downloaded(self, hub: HubServer, tmp_path: Path) -> None:
        rows = [{"type": "sentence_transformers.models.Unheard", "path": ""}]
        hub.add("me/colbert", {"modules.json": json.dumps(rows).encode(), "model.safetensors": b"large"})
        with pytest.raises(UnsupportedModelError, match="Unheard"):
            export_model("me/colbert", tmp_path / "out")
        assert hub.requested() == {"modules.json"}


def test_importing_the_command_line_is_light() -> None:
    command = "import sys, edge_st_export.cli; print(*{'torch', 'transformers', 'onnx', 'openvino'} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", command]
    assert subprocess.run(run, capture_output=True, text=True, env=environment, check=True).stdout.strip() == ""


def test_nothing_global_is_left_changed(small_folder: Path, tmp_path: Path) -> None:
    def state() -> Any:
        return [logging.getLogger(name).level for name in ("transformers", "optimum")], list(warnings.filters)

    before = state()
    export_model(small_folder, tmp_path / "out", engines=["onnx"], quiet=True)
    assert state() == before
