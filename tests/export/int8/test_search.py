"""The gate, and the search for what must stay float32."""

from collections.abc import Mapping, Set
from types import MappingProxyType

import pytest

from edge_st_export.folder.parity import GraphReport
from edge_st_export.int8.gate import Gate, parse_gate
from edge_st_export.int8.quality import Quality
from edge_st_export.int8.search import Allowance, Attempt, best, search, table
from edge_st_runtime.errors import OptionError

DAMAGE = {"a": 0.01, "b": 0.2, "c": 0.05, "d": 0.0, "e": 0.1, "f": 0.001, "g": 0.0, "h": 0.0}
ENOUGH = Allowance(minutes=60)


def attempt(
    mean: float,
    p1: float = 1.0,
    agreement: float = 1.0,
    left: int = 0,
    shares: Mapping[str, float] = MappingProxyType({}),
) -> Attempt:
    report = GraphReport("onnx/model_int8.onnx", "onnx", "int8", (), 0.5, mean, 0.1, 1.0, 1.0)
    return Attempt(left, len(DAMAGE), report, Quality(mean, p1, agreement), shares)


def measured(left: Set[str]) -> Attempt:
    """What is lost is the sum of the groups' damage."""
    return attempt(1 - sum(value for key, value in DAMAGE.items() if key not in left), left=len(left))


class TestSearch:
    def test_all_in_int8_where_that_passes(self) -> None:
        asked: list[str] = []

        def damage(key: str) -> float:
            asked.append(key)
            return DAMAGE[key]

        tried = search(list(DAMAGE), Gate(cosine=0.6), measured, damage, ENOUGH)
        assert ([each.left for each in tried], asked) == ([0], [])

    @pytest.mark.parametrize(("cosine", "lefts"), [(0.83, [0, 1]), (0.9, [0, 1, 2]), (0.98, [0, 1, 2, 4])])
    def test_the_worst_are_left_out_first(self, cosine: float, lefts: list[int]) -> None:
        gate, asked = Gate(cosine=cosine), list[Set[str]]()

        def measure(left: Set[str]) -> Attempt:
            asked.append(left)
            return measured(left)

        tried = search(list(DAMAGE), gate, measure, DAMAGE.__getitem__, ENOUGH)
        assert [each.left for each in tried] == lefts
        assert [set("beca"[:count]) for count in lefts] == asked
        assert not tried[-1].shortfall(gate)

    def test_no_more_than_half(self) -> None:
        gate = Gate(cosine=0.9999)
        tried = search(list(DAMAGE), gate, measured, DAMAGE.__getitem__, ENOUGH)
        assert [each.left for each in tried] == [0, 1, 2, 4]
        assert tried[-1].shortfall(gate)
        assert best(tried, gate) is tried[-1]

    def test_without_time_there_is_one_attempt(self) -> None:
        tried = search(list(DAMAGE), Gate(cosine=0.98), measured, DAMAGE.__getitem__, Allowance(minutes=0))
        assert [each.left for each in tried] == [0]

    def test_a_single_group_has_no_half(self) -> None:
        assert len(search(["b"], Gate(), lambda _: attempt(0.5), DAMAGE.__getitem__, ENOUGH)) == 1


class TestAttempts:
    @pytest.mark.parametrize(
        ("found", "passes"),
        [
            (attempt(0.995, 0.99, 0.98), True),
            (attempt(0.9949, 0.99, 0.98), False),
            (attempt(0.995, 0.989, 0.98), False),
            (attempt(0.995, 0.99, 0.979), False),
            (attempt(float("nan")), False),
            (attempt(1.0, shares={"sets ndcg@10": 0.98}), True),
            (attempt(1.0, shares={"sets ndcg@10": 0.96}), False),
            (attempt(1.0, shares={"sets ndcg@10": 0.98, "pairs spearman": 0.99}), False),
            (attempt(1.0, shares={"a set ndcg@10": float("nan")}), False),
        ],
    )
    def test_every_part_of_the_gate_counts(self, found: Attempt, passes: bool) -> None:
        assert (found.shortfall(Gate(shares={"ndcg": 0.97})) == 0) is passes

    def test_the_table_has_what_was_kept(self) -> None:
        tried = [attempt(0.9), attempt(0.99, 0.97, left=2, shares={"sets ndcg@10": 0.5})]
        head, first, second = (line.split() for line in table(tried).splitlines())
        assert " ".join(head) == "engine in float32 cosine mean p1 agreement odd texts sets ndcg@10 kept"
        assert first == ["onnx", "0", "of", "8", "0.90000", "1.0000", "1.0000", "0.5000", "-"]
        assert second == ["onnx", "2", "of", "8", "0.99000", "0.9700", "1.0000", "0.5000", "0.5000"]

    def test_the_row_of_the_record(self) -> None:
        assert attempt(0.99, 0.97, left=2, shares={"sets ndcg@10": 0.5}).entry() == {
            "engine": "onnx",
            "float32_products": 2,
            "products": 8,
            "cosine_mean": 0.99,
            "cosine_p1": 0.97,
            "agreement": 1.0,
            "odd_cosine_min": 0.5,
            "sets ndcg@10": 0.5,
        }


class TestGate:
    def test_as_it_is_written(self) -> None:
        gate = parse_gate("cosine=0.99, p1=0.9,agreement=0.8,ndcg=0.98,spearman=1")
        assert (gate.cosine, gate.p1, gate.agreement) == (0.99, 0.9, 0.8)
        assert gate.shares == {"ndcg": 0.98, "spearman": 1.0}
        assert parse_gate(str(gate)) == gate

    def test_what_is_not_named(self) -> None:
        gate = parse_gate("ndcg=0.9")
        assert (gate.cosine, gate.p1, gate.agreement) == (Gate().cosine, Gate().p1, Gate().agreement)
        assert (gate.share("ndcg@10"), gate.share("spearman")) == (0.9, 0.995)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("0.99", r"the gate has '0\.99'; expected NAME=NUMBER, such as cosine="),
            ("", "the gate has ''"),
            ("cosine", "the gate has 'cosine'"),
            ("cosine=high", "the gate has 'cosine=high'"),
            ("cosine=0.99,", "the gate has ''"),
            ("recall=0.9", "the gate has no 'recall'; expected cosine, p1, agreement, ndcg, spearman, ap, accuracy"),
            ("worst=0.9", "the gate has no 'worst'; expected cosine, p1"),
            ("cosine=1.01", r"the gate's cosine is 1\.01; expected a share above 0"),
            ("p1=0", r"the gate's p1 is 0\.0"),
            ("ndcg=nan", "the gate's ndcg is nan"),
            ("cosine=0.99,cosine=0.9", "the gate has 'cosine' twice"),
        ],
    )
    def test_errors(self, text: str, message: str) -> None:
        with pytest.raises(OptionError, match=message):
            parse_gate(text)

    def test_a_lowered_gate_is_just_passed(self) -> None:
        found = attempt(0.98765, 0.995, 0.9, shares={"a ndcg@10": 0.97, "b ndcg@10": 0.9876, "c spearman": 1.01})
        lowered = Gate(shares={"ndcg": 0.99}).lowered(found.quality, found.shares)
        assert str(lowered) == "cosine=0.9876,p1=0.99,agreement=0.9,ndcg=0.97,spearman=0.995"
        assert not found.shortfall(parse_gate(str(lowered)))
