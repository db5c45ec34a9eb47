"""Cutting files into passages: size, places to cut, line numbers."""

import re

from edge_st.cli.passages import ENOUGH_WORDS, MAX_WORDS, Passage, split_passages


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


def test_nothing_in_an_empty_or_blank_file() -> None:
    assert split_passages("") == []
    assert split_passages("\n \n\t\n") == []


def test_short_paragraphs_are_joined_and_long_enough_ones_are_not() -> None:
    enough = words(ENOUGH_WORDS)
    assert split_passages("one\n\ntwo") == [Passage(1, "one\n\ntwo")]
    assert split_passages(f"{enough}\n\ntwo") == [Passage(1, enough), Passage(3, "two")]
    assert [passage.line for passage in split_passages(f"one\n\n{words(MAX_WORDS)}")] == [1, 3]


def test_a_heading_begins_a_passage_and_stays_with_its_text() -> None:
    text = "intro\n# First\nunder the first\n\n\n## Second ##\n\nunder the second\n#hashtag, no heading"
    assert split_passages(text) == [
        Passage(1, "intro"),
        Passage(2, "# First\n\nunder the first"),
        Passage(6, "## Second ##\n\nunder the second\n#hashtag, no heading"),
    ]


def test_fenced_code_is_not_read_as_headings_or_paragraphs() -> None:
    code = "```sh\n# install\n\nmake\n```"
    assert split_passages(f"before\n\n{code}\n\nafter") == [Passage(1, f"before\n\n{code}\n\nafter")]


def test_a_long_paragraph_is_cut_at_sentence_ends_with_the_right_lines() -> None:
    lines = [f"Sentence {number} has exactly seven words inside." for number in range(100)]
    passages = split_passages("\n\n" + "\n".join(lines))
    assert len(passages) == 4
    assert "\n".join(passage.text for passage in passages).split("\n") == lines
    for passage in passages:
        first = re.match(r"Sentence (\d+)", passage.text)
        assert first is not None
        assert passage.line == int(first[1]) + 3
        assert passage.text.endswith("inside.")
        assert len(passage.text.split()) <= MAX_WORDS


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    passages = split_passages(words(MAX_WORDS * 2 + 10))
    assert [len(passage.text.split()) for passage in passages] == [MAX_WORDS, MAX_WORDS, 10]


def test_scripts_without_spaces_count_by_character_and_end_sentences_with_their_own_signs() -> None:
    passages = split_passages("今日は天気がいいです。" * 60)
    assert len(passages) > 2
    assert all(len(passage.text) <= MAX_WORDS + 60 for passage in passages)
    assert all(passage.text.endswith("。") for passage in passages)


def test_no_text_is_lost() -> None:
    text = "\n\n".join(words(number % 250, f"w{number}.") for number in range(1, 400, 7))
    joined = " ".join(passage.text for passage in split_passages(text))
    assert joined.split() == text.split()
