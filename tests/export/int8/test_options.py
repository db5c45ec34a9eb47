"""What an int8 export refuses before it starts, and that a refusal leaves everything as it was."""

from pathlib import Path
from typing import Any

import pytest

from edge_st.evaluation.datasets import PairData, RetrievalData, SimilarityData, TripletData
from edge_st.models.classes import open_model
from edge_st_export import Int8MissedError, export_model
from edge_st_export.int8.gate import Gate, parse_gate
from edge_st_export.int8.options import LEAST_TEXTS, Int8, read_texts
from edge_st_runtime.errors import EdgeSTError, InputError, OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER
from tests.export.folder.test_export_cli import run
from tests.export.int8.int8_models import MODELS
from tests.export.zoo.examining import Zoo

TEXTS = [f"text {number}" for number in range(LEAST_TEXTS)]
PAIRS = [(text, "other") for text in TEXTS]
SCORED = SimilarityData("scored", ["a", "b"], ["c", "d"], [1.0, 0.0])
TRIPLETS = TripletData("triplets", ["a"], ["b"], ["c"])


class TestOptions:
    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            ([], "calibration has 0 distinct texts; expected at least 32"),
            (TEXTS[1:] * 2, "calibration has 31 distinct texts"),
            ("a long text that is no list of texts at all", "calibration text 1 is 'a'; expected a list"),
            ([*TEXTS, 7], "calibration text 33 is 7; expected a list of texts, or of pairs"),
            ([*TEXTS, ["a", "b"]], r"calibration text 33 is \['a', 'b'\]"),
            ([*TEXTS, ("a", "b", "c")], "calibration text 33 is"),
            ([*TEXTS, ("a",)], "calibration text 33 is"),
        ],
    )
    def test_calibration_that_is_too_little_or_none(self, texts: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            Int8(calibration=texts)

    def test_the_form_that_the_model_takes(self) -> None:
        assert Int8(calibration=TEXTS).texts(SENTENCE_TRANSFORMER) == TEXTS
        assert Int8(calibration=PAIRS).texts(CROSS_ENCODER) == PAIRS
        with pytest.raises(InputError, match=r"text 1 is \('text 0', 'other'\); this model takes one text a line"):
            Int8(calibration=PAIRS).check(SPARSE_ENCODER)
        with pytest.raises(InputError, match="text 1 is 'text 0'; this model takes two texts with a tab between them"):
            Int8(calibration=TEXTS).check(CROSS_ENCODER)

    def test_bundled_texts_are_enough(self) -> None:
        for model_type in (SENTENCE_TRANSFORMER, CROSS_ENCODER, SPARSE_ENCODER):
            assert len(set(Int8().texts(model_type))) >= 5 * LEAST_TEXTS

    @pytest.mark.parametrize(
        ("gate", "data", "message"),
        [
            (
                "ndcg=0.9",
                [],
                r"the gate asks for ndcg, which is measured on a folder in BEIR.s layout; add such data \(--eval\)",
            ),
            ("ap=0.9", [SCORED], "the gate asks for ap, which is measured on pairs with labels"),
            ("cosine=0.9", [SCORED, SCORED], r"several data sets have the same name \(scored, scored\)"),
        ],
    )
    def test_data_that_does_not_fit_the_gate(self, gate: str, data: list[Any], message: str) -> None:
        with pytest.raises(OptionError, match=message):
            Int8(parse_gate(gate), evaluation=data)

    def test_each_metric_has_its_data(self) -> None:
        retrieval = RetrievalData("retrieval", {"q": "a"}, {"d": "b"}, {"q": {"d": 1}})
        pairs = PairData("pairs", ["a", "b"], ["c", "d"], [1, 0])
        gate = parse_gate("ndcg=0.9,spearman=0.9,ap=0.9,accuracy=0.9")
        assert Int8(gate, evaluation=[SCORED, TRIPLETS, retrieval, pairs]).gate == gate

    def test_data_that_does_not_fit_the_model(self) -> None:
        Int8(evaluation=[TRIPLETS]).check(SENTENCE_TRANSFORMER)
        with pytest.raises(OptionError, match="triplets holds triplets"):
            Int8(evaluation=[TRIPLETS]).check(CROSS_ENCODER)

    def test_the_record_says_how(self) -> None:
        entry = Int8(Gate(cosine=0.99), TEXTS, [SCORED]).entry([], default=True)
        assert entry["default_dtype"] == "int8"
        assert entry["int8"] == {
            "calibration": "32 texts",
            "gate": "cosine=0.99,p1=0.99,agreement=0.98",
            "evaluation": ["scored"],
            "tried": [],
        }
        assert "default_dtype" not in Int8().entry([], default=False)

    def test_lines_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "texts.txt"
        path.write_text("one\n\ntwo\twords\r\na\tb\tc\nlast", encoding="utf-8")
        assert read_texts(str(path)) == ["one", ("two", "words"), "a\tb\tc", "last"]


class TestTheCommand:
    @pytest.mark.parametrize(
        ("argv", "error", "message"),
        [
            (("--calibration", "x"), OptionError, r"--calibration is for int8 graphs; add --dtype int8"),
            (("--eval", "x"), OptionError, "--eval is for int8 graphs"),
            (("--default-dtype", "int8"), OptionError, "--default-dtype is for int8 graphs"),
            (("--gate", "cosine=0.9"), OptionError, r"--gate is 'cosine=0\.9'; expected a number"),
            (("--dtype", "int8", "--gate", "0.9"), OptionError, r"the gate has '0\.9'; expected NAME=NUMBER"),
            (("--dtype", "int8", "--gate", "ndcg=0.9"), OptionError, "the gate asks for ndcg"),
            (("--dtype", "int8", "--calibration", "missing.txt"), OptionError, "no such file or folder: missing.txt"),
            (("--dtype", "int8", "--eval", "missing"), EdgeSTError, "missing"),
            (("--dtype", "int8", "--engine", "openvino"), OptionError, "made from the ONNX graph; add 'onnx'"),
        ],
    )
    def test_refusals(
        self, argv: tuple[str, ...], error: type[EdgeSTError], message: str, small_folder: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(error, match=message):
            run("export", str(small_folder), str(tmp_path / "out"), *argv)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "calibration has 0 distinct texts"),
            (b"one\ntwo\n", "calibration has 2 distinct texts"),
            ("\n".join(f"a\t{text}" for text in TEXTS).encode(), "this model takes one text a line"),
            (b"\xff\xfe", "byte 1 is not UTF-8"),
        ],
    )
    def test_a_file_that_cannot_calibrate(
        self, content: bytes, message: str, small_folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "texts.txt").write_bytes(content)
        argv = ("--dtype", "int8", "--calibration", str(tmp_path / "texts.txt"))
        with pytest.raises(InputError, match=message):
            run("export", str(small_folder), str(tmp_path / "out"), *argv)
        assert not (tmp_path / "out").exists()

    def test_an_unknown_dtype(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            run("export", "model", str(tmp_path / "out"), "--dtype", "int4")
        assert "int4" in capsys.readouterr().err


class TestRefusedExports:
    def test_a_model_without_a_graph(self, zoo: Zoo, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="has no graph that int8 would make faster; leave int8 out"):
            export_model(zoo.original("bag"), tmp_path / "out", int8=Int8(), quiet=True)
        assert not (tmp_path / "out").exists()

    def test_a_model_without_large_products(self, small_folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        with pytest.raises(Int8MissedError, match="no MatMul with a constant matrix of 64 by 64 or more") as caught:
            export_model(small_folder, out, engines=["onnx"], int8=Int8(default=True), quiet=True)
        assert f"{out} has float32 without int8" in str(caught.value)
        assert caught.value.accepting is None
        assert open_model(out).info()["dtype"] == "float32"

    def test_a_data_set_that_tells_nothing(self, tmp_path: Path) -> None:
        same = SimilarityData("same", ["a red fox"] * 3, ["a red fox"] * 3, [0.0, 1.0, 0.5])
        with pytest.raises(
            Int8MissedError, match="on same spearman, of which no share can be kept; leave that set out"
        ):
            export_model(
                MODELS["bert"](tmp_path), tmp_path / "out", engines=["onnx"], int8=Int8(evaluation=[same]), quiet=True
            )
        assert open_model(tmp_path / "out").info()["dtype"] == "float32"
