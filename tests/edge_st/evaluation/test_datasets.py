"""Sentence pairs and triplets from files: what is read, and the errors for what cannot be read."""

import json
from pathlib import Path

import pytest

from edge_st.evaluation.datasets import PairData, SimilarityData, TripletData, read_dataset
from edge_st_runtime.errors import InputError, OptionError

BOM = b"\xef\xbb\xbf"
SCORES = SimilarityData("a", ["one", "two"], ["eins", "zwei"], [4.5, 0.0])
PAIRS = PairData("a", ["one", "two"], ["eins", "zwei"], [1, 0])
TRIPLETS = TripletData("a", ["one", "two"], ["eins", "zwei"], ["vier", "fünf"])


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def objects(*rows: dict[str, object]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def refusal(path: Path) -> str:
    """The message of the InputError from reading, without the path that it begins with."""
    with pytest.raises(InputError) as caught:
        read_dataset(path)
    assert str(caught.value).startswith(f"{path}:")
    return str(caught.value).removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("ending", "content", "expected"),
    [
        ("tsv", "4.5\tone\teins\n0\ttwo\tzwei\n", SCORES),
        ("tsv", "1\tone\teins\n\n0.0\ttwo\tzwei", PAIRS),
        ("tsv", "one\teins\tvier\ntwo\tzwei\tfünf\n", TRIPLETS),
        ("tsv", "id\tsentence2\tsentence1\tscore\n7\teins\tone\t4.5\n8\tzwei\ttwo\t0\n", SCORES),
        ("tsv", "anchor\tpositive\tnegative\none\teins\tvier\ntwo\tzwei\tfünf\n", TRIPLETS),
        ("csv", "sentence1,sentence2,score\none,eins,4.5\n\ntwo,zwei,0\n", SCORES),
        ("csv", "id,sentence1,sentence2,label\n7,one,eins,1\n8,two,zwei,0\n", PAIRS),
        ("CSV", "negative,anchor,positive\nvier,one,eins\nfünf,two,zwei", TRIPLETS),
        ("jsonl", '{"sentence1": "one", "sentence2": "eins", "score": 4.5}\n \n'
                  '{"sentence1": "two", "sentence2": "zwei", "score": 0}', SCORES),
        ("ndjson", '{"sentence1": "one", "sentence2": "eins", "label": 1, "id": 7}\n'
                   '{"sentence1": "two", "sentence2": "zwei", "label": 0}\n', PAIRS),
        ("jsonl", '{"anchor": "one", "positive": "eins", "negative": "vier"}\n'
                  '{"anchor": "two", "positive": "zwei", "negative": "fünf"}\n', TRIPLETS),
    ],
)  # fmt: skip
@pytest.mark.parametrize("crlf", [False, True], ids=["lf", "crlf"])
@pytest.mark.parametrize("mark", [b"", BOM], ids=["", "bom"])
def test_files(tmp_path: Path, ending: str, content: str, expected: object, *, crlf: bool, mark: bytes) -> None:
    text = content.replace("\n", "\r\n") if crlf else content
    assert read_dataset(write(tmp_path / f"a.{ending}", mark + text.encode())) == expected


ODD = ['say "hi"', '"', "a\u2028b", "nul\0", "a,b", " padded ", "carriage\rreturn"]


def test_a_tsv_quotes_nothing_and_breaks_lines_at_newlines_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "".join(f"{i % 6}\t{text}\tb\n" for i, text in enumerate(ODD)))
    assert read_dataset(str(path)) == SimilarityData("a", ODD, ["b"] * 7, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0])


def test_a_csv_text_may_hold_anything_in_quotes(tmp_path: Path) -> None:
    texts = [*ODD, "two\nlines", "tab\t"]
    rows = "".join(f'{i % 6},"{text.replace(chr(34), chr(34) * 2)}",b\n' for i, text in enumerate(texts))
    found = read_dataset(write(tmp_path / "a.csv", f"score,sentence1,sentence2\n{rows}"))
    assert isinstance(found, SimilarityData)
    assert found.sentences1 == texts


def test_a_name_that_is_only_a_splits_comes_after_the_folders(tmp_path: Path) -> None:
    (tmp_path / "stsb").mkdir()
    names = [read_dataset(write(tmp_path / "stsb" / name, "a\tb\tc\n")).name for name in ("dev.tsv", "own.tsv")]
    assert names == ["stsb-dev", "own"]


def test_many_lines_are_read_at_once(tmp_path: Path) -> None:
    found = read_dataset(write(tmp_path / "a.tsv", "".join(f"{i % 50 / 10}\ta {i}\tb {i}\n" for i in range(100_000))))
    assert isinstance(found, SimilarityData)
    assert (len(found.scores), found.sentences2[-1], found.scores[-1]) == (100_000, "b 99999", 4.9)


COLUMNS = (
    "expected the columns sentence1, sentence2, score; or sentence1, sentence2, label; or anchor, positive, negative"
)
LAYOUTS = "expected score TAB sentence1 TAB sentence2, or the texts anchor TAB positive TAB negative, or a header line"
UNEQUAL = "expected different ones, else nothing can be measured"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", f" no rows; {COLUMNS}"),
        ("\n\r\n\n", f" no rows; {COLUMNS}"),
        ("score\tsentence1\tsentence2\n", f" no rows; {COLUMNS}"),
        ("card_arrival\tWhere is it?\n", f"1: 2 columns; {LAYOUTS}"),
        ("\t\t\n", "1: anchor is blank; expected a text"),
        ("a\tb\t5\nc\td\t1\n", f"1: ends with '5'; {LAYOUTS}"),
        ("1\ta\tb\n\n2\ta\n", "3: 2 columns; expected 3: score, sentence1, sentence2"),
        ("1\ta\tb\n2\ta\tb\tc\n", "2: 4 columns; expected 3: score, sentence1, sentence2"),
        ("1\ta\tb\nx\ta\tb\n", f"2: begins with 'x', {{path}}:1 with '1'; {LAYOUTS}"),
        ("similarity\ttext1\ttext2\n1\ta\tb\n", f"2: begins with '1', {{path}}:1 with 'similarity'; {LAYOUTS}"),
        ("sentence1\tsentence2\tscore\na\tb\tx\n", "2: score is 'x'; expected a number from 0 to 5"),
        ("sentence1\tsentence2\tlabel\na\tb\t0\na\tb\t2\n", "3: label is 2.0; expected 0 or 1"),
        ("1\ta\tb\n5.1\ta\tb\n", "2: score is 5.1; expected a number from 0 to 5"),
        ("1\ta\tb\n-1\ta\tb\n", "2: score is -1.0; expected a number from 0 to 5"),
        ("1\ta\tb\nnan\ta\tb\n", "2: score is nan; expected a number from 0 to 5"),
        ("1\ta\tb\n-inf\ta\tb\n", "2: score is -inf; expected a number from 0 to 5"),
        ("1\ta\t \n", "1: sentence2 is blank; expected a text"),
        (b"1\ta\tb\n1\t\xff\tb\n", "2: byte 3 is not UTF-8; convert the file, for example with iconv"),
        ("2.5\ta\tb\n2.50\ta\tb\n", f" every score is 2.5; {UNEQUAL}"),
        ("1\ta\tb\n1\ta\tb\n", f" every score is 1; {UNEQUAL}"),
    ],
)
def test_a_wrong_tsv_is_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    path = write(tmp_path / "a.tsv", content)
    assert refusal(path) == message.format(path=path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", f" no rows; {COLUMNS}"),
        ("sentence1,sentence2,score\n", f" no rows; {COLUMNS}"),
        ("3.5,a,b\n", f"1: found the columns '3.5', 'a', 'b'; {COLUMNS}"),
        ("sentence1, sentence2, score\n", f"1: found the columns 'sentence1', ' sentence2', ' score'; {COLUMNS}"),
        ("sentence1,sentence2,score\na,b\n", "2: 2 columns; expected 3: sentence1, sentence2, score"),
        ('anchor,positive,negative\n"two\nlines",b,c\na,b,\n', "4: negative is blank; expected a text"),
        (
            'anchor,positive,negative\na,b,c\n"a,b,c\na,b,c\n',
            "3: no row of CSV (unexpected end of data); expected quotes in pairs, doubled within a field",
        ),
        (
            'anchor,positive,negative\n"a" x,b,c\n',
            "2: no row of CSV (',' expected after '\"'); expected quotes in pairs, doubled within a field",
        ),
        (b"anchor,positive,negative\na,b,\xe9\n", "2: byte 5 is not UTF-8; convert the file, for example with iconv"),
        ("sentence1,sentence2,label\na,b,1\nc,d,1\n", f" every label is 1; {UNEQUAL}"),
    ],
)
def test_a_wrong_csv_is_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    assert refusal(write(tmp_path / "a.csv", content)) == message


PAIR: dict[str, object] = {"sentence1": "a", "sentence2": "b"}
EXAMPLE = 'expected an object such as {"sentence1": "a text", "sentence2": "a text", "score": 2.5}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n \n", f" no rows; {COLUMNS}"),
        ("{\n", f"(Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); {EXAMPLE}"),
        ("[1]\n", f"1: a JSON list; {EXAMPLE}"),
        (objects({"text1": "a"}), f"1: found the columns 'text1'; {COLUMNS}"),
        ("{}", f"1: found the columns none; {COLUMNS}"),
        (objects(PAIR | {"score": 1}, PAIR), "2: no field 'score'; it has sentence1, sentence2"),
        (objects(PAIR | {"score": 1}, {"score": 1}), "2: no field 'sentence1'; it has score"),
        (objects(PAIR | {"sentence2": 7, "score": 1}), "1: field 'sentence2' is int; expected a string"),
        (objects(PAIR | {"sentence2": "\t", "score": 1}), "1: sentence2 is blank; expected a text"),
        (
            objects(PAIR | {"sentence1": "a \ud800", "score": 1}),
            "1: field 'sentence1' holds a lone surrogate; remove it: text.encode('utf-8', 'ignore').decode()",
        ),
        (objects(PAIR | {"score": "3"}), "1: score is '3'; expected a number from 0 to 5"),
        (objects(PAIR | {"score": None}), "1: score is None; expected a number from 0 to 5"),
        (objects(PAIR | {"score": float("nan")}), "1: score is nan; expected a number from 0 to 5"),
        (objects(PAIR | {"score": 10**400}), "expected a number from 0 to 5"),
        (objects(PAIR | {"label": True}), "1: label is True; expected 0 or 1"),
        (objects(PAIR | {"label": [1]}), "1: label is [1]; expected 0 or 1"),
        (objects(PAIR | {"label": 0.5}), "1: label is 0.5; expected 0 or 1"),
    ],
)
def test_a_wrong_jsonl_is_refused(tmp_path: Path, content: str, message: str) -> None:
    assert refusal(write(tmp_path / "a.jsonl", content)).endswith(message)


@pytest.mark.parametrize("name", ["a.txt", "a.parquet", "a"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "1\ta\tb\n")
    message = f"{path} has the ending {path.suffix!r}; expected .tsv, .csv, .jsonl, .ndjson or a folder"
    with pytest.raises(OptionError) as caught:
        read_dataset(path)
    assert str(caught.value) == message


def test_a_path_where_nothing_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such file or folder: "):
        read_dataset(tmp_path / "none.tsv")


@pytest.mark.parametrize(("highest", "scale"), [(1.0, 1), (0.4, 1), (1.2, 5), (5.0, 5)])
def test_scores_of_up_to_1_are_on_a_scale_of_1(tmp_path: Path, highest: float, scale: int) -> None:
    data = read_dataset(write(tmp_path / "a.tsv", f"0.2\ta\tb\n{highest}\tc\td\n"))
    assert isinstance(data, SimilarityData)
    assert data.scale == scale
