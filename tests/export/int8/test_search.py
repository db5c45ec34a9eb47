"""The gate, and the search for what must stay float32."""

from collections.abc import Mapping, Set
from types import MappingProxyType

import pytest

from edge_st_export import ExportError
from edge_st_export.folder.parity import GraphReport
from edge_st_export.int8.gate import Gate, parse_gate
from edge_st_export.int8.search import Attempt, search, table
from edge_st_runtime.errors import OptionError

DAMAGE = {"a": 0.01, "b": 0.2, "c": 0.05, "d": 0.0, "e": 0.1, "f": 0.001, "g": 0.0, "h": 0.0}


def attempt(
    mean: float, worst: float = 1.0, left: int = 0, shares: Mapping[str, float] = MappingProxyType({})
) -> Attempt:
    report = GraphReport("onnx/model_int8.onnx", "onnx", "int8", (), worst, mean, 0.1, 1.0, 1.0)
    return Attempt(left, len(DAMAGE), report, shares)


def measured(left: Set[str]) -> Attempt:
    """What is lost is the sum of the groups' damage."""
    return attempt(1 - sum(value for key, value in DAMAGE.items() if key not in left), left=len(left))


class TestSearch:
    def test_all_in_int8_where_that_passes(self) -> None:
        asked: list[str] = []

        def damage(key: str) -> float:
            asked.append(key)
            return DAMAGE[key]

        left, tried = search(list(DAMAGE), Gate(cosine=0.6), measured, damage)
        assert (left, len(tried), asked) == (frozenset(), 1, [])

    @pytest.mark.parametrize(("cosine", "expected"), [(0.83, "b"), (0.9, "be"), (0.98, "beca")])
    def test_the_worst_are_left_out_first(self, cosine: float, expected: str) -> None:
        left, tried = search(list(DAMAGE), Gate(cosine=cosine), measured, DAMAGE.__getitem__)
        assert left == set(expected)
        assert [each.left for each in tried] == [0, 1, 2, 4][: len(tried)]
        assert tried[-1].left == len(expected)

    def test_no_more_than_half(self) -> None:
        with pytest.raises(ExportError) as caught:
            search(list(DAMAGE), Gate(cosine=0.9999), measured, DAMAGE.__getitem__)
        message = str(caught.value)
        assert "reaches the gate cosine=0.9999,worst=0.95, so nothing was written" in message
        (note,) = caught.value.__notes__
        assert [line.split()[1] for line in note.splitlines() if " of 8" in line] == ["0", "1", "2", "4"]
        assert "--calibration" in message

    def test_a_single_group_has_no_half(self) -> None:
        with pytest.raises(ExportError) as caught:
            search(["b"], Gate(), lambda _: attempt(0.5), DAMAGE.__getitem__)
        assert "0 of 8" in caught.value.__notes__[0]


class TestAttempts:
    @pytest.mark.parametrize(
        ("found", "passes"),
        [
            (attempt(0.995, 0.95), True),
            (attempt(0.9949, 0.95), False),
            (attempt(0.995, 0.949), False),
            (attempt(float("nan"), 1.0), False),
            (attempt(1.0, 1.0, shares={"sets ndcg@10": 0.98}), True),
            (attempt(1.0, 1.0, shares={"sets ndcg@10": 0.96}), False),
            (attempt(1.0, 1.0, shares={"sets ndcg@10": 0.98, "pairs spearman": 0.99}), False),
            (attempt(1.0, 1.0, shares={"a set ndcg@10": float("nan")}), False),
        ],
    )
    def test_every_part_of_the_gate_counts(self, found: Attempt, passes: bool) -> None:
        assert found.passes(Gate(shares={"ndcg": 0.97})) is passes

    def test_the_table_has_what_was_kept(self) -> None:
        lines = table([attempt(0.9), attempt(0.99, 0.97, 2, {"sets ndcg@10": 0.5})]).splitlines()
        assert lines[0].split() == ["engine", "in", "float32", "cosine", "mean", "worst", "sets", "ndcg@10", "kept"]
        assert lines[1].split() == ["onnx", "0", "of", "8", "0.90000", "1.0000", "-"]
        assert lines[2].split() == ["onnx", "2", "of", "8", "0.99000", "0.9700", "0.5000"]

    def test_the_row_of_the_record(self) -> None:
        assert attempt(0.99, 0.97, 2, {"sets ndcg@10": 0.5}).entry() == {
            "engine": "onnx",
            "float32_products": 2,
            "products": 8,
            "cosine_mean": 0.99,
            "cosine_min": 0.97,
            "sets ndcg@10": 0.5,
        }


class TestGate:
    def test_as_it_is_written(self) -> None:
        gate = parse_gate("cosine=0.99, worst=0.9,ndcg=0.98,spearman=1")
        assert (gate.cosine, gate.worst, dict(gate.shares)) == (0.99, 0.9, {"ndcg": 0.98, "spearman": 1.0})
        assert parse_gate(str(gate)) == gate

    def test_what_is_not_named(self) -> None:
        gate = parse_gate("ndcg=0.9")
        assert (gate.cosine, gate.worst) == (Gate().cosine, Gate().worst)
        assert (gate.share("ndcg@10"), gate.share("spearman")) == (0.9, 0.995)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("0.99", r"the gate has '0\.99'; expected NAME=NUMBER, such as cosine="),
            ("", "the gate has ''"),
            ("cosine", "the gate has 'cosine'"),
            ("cosine=high", "the gate has 'cosine=high'"),
            ("cosine=0.99,", "the gate has ''"),
            ("recall=0.9", "the gate has no 'recall'; expected cosine, worst, ndcg, spearman, ap, accuracy"),
            ("cosine=1.01", r"the gate's cosine is 1\.01; expected a share above 0"),
            ("worst=0", r"the gate's worst is 0\.0"),
            ("ndcg=nan", "the gate's ndcg is nan"),
            ("cosine=0.99,cosine=0.9", "the gate has 'cosine' twice"),
        ],
    )
    def test_errors(self, text: str, message: str) -> None:
        with pytest.raises(OptionError, match=message):
            parse_gate(text)
