"""The page of a comparison: its content, and that no text in it can break it."""

import re
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st.comparison.page import write_page
from edge_st.comparison.results import Difference, Example, Interval, Result
from edge_st_runtime.errors import OptionError, PackageMissingError
from tests.support.comparison_results import VARIANTS, plausible, result

NO_SCORES = np.zeros(0, dtype=np.float32)
ODD = (
    "</title><script>alert(\"x\")</script> &amp; 'q' \x00\x1b[0m\x85\ufffe عربي 🙂 \ud800 {{ 7 * 7 }} $x$ http://a.b/c"
)
SHOWN = "</title><script>alert(\"x\")</script> &amp; 'q' [0m عربي 🙂 \ufffd {{ 7 * 7 }} $x$ http://a.b/c"


class Reader(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.attributes if name in names]


@pytest.fixture
def written(tmp_path: Path) -> "Written":
    return Written(tmp_path / "page.html")


class Written:
    """Writes a page and reads it again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, *results: Result, title: str = "A title") -> Reader:
        write_page(results, self.path, title)
        return Reader(self.path.read_text(encoding="utf-8"))


def single(**changes: Any) -> Result:
    return replace(result(VARIANTS[0], "some data", 0.8421, None), **changes)


def against(change: float, p_value: float) -> Result:
    return single(difference=Difference(Interval(change, change - 0.01, change + 0.01), p_value))


def test_every_data_set_has_its_table_and_charts(written: Written) -> None:
    page = written(*plausible())
    assert page.tags["h2"] == 2
    assert page.tags["table"] == 4
    assert page.tags["svg"] == page.values("role").count("img") == 2 * (1 + 4)
    assert page.values("lang") == ["en"]
    assert set(page.values("scope")) == {"col", "row"}
    for shown in ("0.8421", "0.8211 to 0.8611", "38,214", "182.4 MB", "1,536", "ndcg@10", "mrr@10", "recall@100"):
        assert shown in page.text
    for shown in ("−0.0044", "−0.0079 to −0.0009, p = 0.032", "p < 0.001", "p = 0.71"):
        assert shown in page.text
    for shown in ("Renewing certificates", "balanced accuracy", "bootstrap", "randomization test", "0.05"):
        assert shown in page.text


@pytest.mark.parametrize(
    ("change", "p_value", "verdict"),
    [
        (0.02, 0.0499, "better"),
        (-0.02, 0.01, "worse"),
        (0.02, 0.05, "no difference shown"),
        (-0.02, float("nan"), "no difference shown"),
    ],
)
def test_the_verdict_is_the_tests(written: Written, change: float, p_value: float, verdict: str) -> None:
    page = written(single(), against(change, p_value))
    assert [value for value in page.values("class") if value.startswith("verdict")] == [f"verdict {verdict}"]
    assert ("p = 0.0499" in page.text) is (p_value == 0.0499)


def test_a_single_result_has_no_difference(written: Written) -> None:
    page = written(single())
    assert "Differences are to" not in page.text
    assert "verdict better" not in page.values("class")
    assert page.tags["svg"] == 2


def test_nothing_comes_from_elsewhere(written: Written) -> None:
    page = written(*plausible(), title=ODD)
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object", "embed", "base", "image"}
    assert all(value.startswith("#") for value in page.values("src", "href", "xlink:href"))
    source = written.path.read_text(encoding="utf-8")
    assert all(target.startswith("#") for target in re.findall(r"url\((.)", source))
    assert "@import" not in source
    assert "default-src 'none'; style-src 'unsafe-inline'" in page.values("content")


def test_ids_are_unique_and_found(written: Written) -> None:
    page = written(*plausible())
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 100
    source = written.path.read_text(encoding="utf-8")
    targets = {*re.findall(r'href="#([^"]+)"', source), *re.findall(r"url\(#([^)]+)\)", source)}
    assert targets | set(page.values("aria-labelledby")) <= set(ids)


def test_odd_texts_are_shown_as_they_are(written: Written) -> None:
    odd = replace(VARIANTS[0], label=ODD, model=ODD, engine=ODD, dtype=ODD, precision=ODD)
    worst = (Example(ODD, 0.0, 1.0, (ODD, ODD)),)
    one = single(variant=odd, data=ODD, measure=ODD, metrics={ODD: 0.5}, worst=worst)
    page = written(one, replace(one, difference=Difference(Interval(0, 0, 0), 1.0)), title=ODD)
    assert page.tags["script"] == 0
    assert page.text.count(SHOWN) > 20
    assert any(SHOWN in value for value in page.values("aria-label"))
    assert page.tags["svg"] == 3


def test_missing_and_invalid_scores(written: Written) -> None:
    page = written(single(known=NO_SCORES, random=NO_SCORES))
    assert "There are no histograms" in page.text
    assert page.tags["svg"] == 1
    known = np.array([np.nan, 0.9, 0.8, np.inf], dtype=np.float32)
    random = np.array([0.1, np.nan, 0.2, -np.inf], dtype=np.float32)
    page = written(single(known=known, random=random), single(known=known, random=random[1:2]))
    assert "Threshold 0.5: 100.0 % of the known pairs" in " ".join(page.text.split())
    assert "There are no scores of both kinds" in page.text
    assert page.tags["svg"] == 2


@pytest.mark.parametrize("value", [0.0, 0.5, -7e30])
def test_scores_that_are_all_the_same(written: Written, value: float) -> None:
    page = written(single(known=np.full(3, value, np.float32), random=np.full(2, value, np.float32)))
    assert "No threshold separates these pairs better than chance." in page.text


def test_unknown_numbers_do_not_break_it(written: Written) -> None:
    nan = float("nan")
    unknown = replace(VARIANTS[0], texts_per_second=nan, dimension=None, vector_bytes=None)
    page = written(single(variant=unknown, quality=Interval(nan, nan, nan), metrics={"map": nan}, worst=()))
    assert "There is no chart" in page.text
    assert "nan" not in page.text
    assert "None" not in page.text
    page = written(single(quality=Interval(0.5, nan, nan)), single(variant=replace(VARIANTS[1], texts_per_second=0.0)))
    assert page.tags["svg"] == 3


def test_the_same_results_give_the_same_page(written: Written) -> None:
    def dateless() -> str:
        written(*plausible())
        return re.sub(r"Made on \S+ \S+ UTC", "", written.path.read_text(encoding="utf-8"))

    assert dateless() == dateless()


def test_a_user_s_own_chart_style_is_neither_used_nor_changed(written: Written) -> None:
    import matplotlib as mpl

    written(*plausible())
    usual = written.path.stat().st_size
    with mpl.rc_context({"svg.fonttype": "path", "axes.facecolor": "#ff0000"}):
        written(*plausible())
        assert mpl.rcParams["svg.fonttype"] == "path"
    assert written.path.stat().st_size == usual


def test_many_variants_in_one_place_are_numbered_apart(written: Written) -> None:
    written(*(single() for _ in range(12)))
    source = written.path.read_text(encoding="utf-8")
    texts = re.findall(r'id="chart1-number-\d+">.*?<text [^>]*? x="([^"]+)" y="([^"]+)"[^>]*>(\d+)<', source, re.DOTALL)
    assert [int(number) for *_, number in texts] == list(range(1, 13))
    places = np.array([(float(x), float(y)) for x, y, _ in texts])
    distances = np.linalg.norm(places[:, None] - places, axis=2)[~np.eye(12, dtype=bool)]
    assert distances.min() > 12


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for path, message in (
        (tmp_path, "is a folder; give the name of a file"),
        (tmp_path / "no" / "page.html", "does not exist: .*; make it first"),
        (tmp_path / "file" / "page.html", "does not exist: .*; make it first"),
    ):
        with pytest.raises(OptionError, match=message):
            write_page([single()], path, "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "edge_st.comparison.charts", raising=False)
    monkeypatch.delattr("edge_st.comparison.charts", raising=False)
    with pytest.raises(PackageMissingError, match=r'pip install "edge-st\[report\]"'):
        write_page([single()], tmp_path / "page.html", "")
