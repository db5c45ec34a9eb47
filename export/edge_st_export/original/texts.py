"""The comparison texts and pairs, on which an exported model is compared with its original."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from edge_st_runtime.model.classes import CROSS_ENCODER, MULTI_VECTOR_ENCODER, SPARSE_ENCODER
from edge_st_runtime.text.tokens import TextOrPair

ORDINARY = (
    "A heron waits in the shallow water below the weir.",
    "How do I reset the password of my router?",
    "The committee postponed its decision until the budget is settled.",
    "Two children are flying a red kite on the beach.",
    "Fresh basil should be added at the very end.",
    "What is the capital of Mongolia?",
    "The bridge was closed to lorries after the inspection.",
    "She plays the cello in a small orchestra.",
    "Interest rates fell for the third month in a row.",
    "Der Zug nach Leipzig hat vierzig Minuten Verspätung.",
    "La boulangerie du coin ferme le lundi.",
    "Install the package, then restart the service.",
    "The patient reports mild pain in the left shoulder when lifting the arm.",
    "Water boils at a lower temperature in the mountains.",
    "He never answered the letter.",
    "Which of these two phones has the better camera?",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "The tenant shall give notice in writing no later than three months before the end of the term.",
    "Queue the jobs by priority, and run those of equal priority in the order in which they came.",
    "An old map of the harbour hung above the desk, its corners curled and its ink nearly gone.",
    "yes",
    "Good morning!",
    "best way to learn guitar at home without a teacher",
    "The function returns None if the key is not present, so check the result before you use it.",
)

DIFFICULT = (
    "",
    " ",
    "\n",
    "\t \r\n \u00a0\u3000",
    ".",
    "?!",
    "a",
    "I",
    "MiXeD CaSe TeXt, SHOUTED and whispered",
    "0",
    "3.14159 1,000,000 -273.15 6.02e23 0x1F 12:45 2024-02-29",
    "🦊",
    "Coffee ☕ and croissants 🥐 on Sunday 🎉🎉🎉",
    "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽",
    "今日は天気がいいので散歩に行きます。",
    "我们明天早上八点在火车站见面。",
    "내일은 비가 올 것 같아요.",
    "السماء صافية هذا المساء",
    "שלום, מה שלומך היום?",
    "ولد محمد in 1985 في القاهرة",
    "Завтра обещают снег.",
    "Ο καφές είναι έτοιμος.",
    "हिन्दी में एक छोटा वाक्य",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m",
    "Z\u0351\u036ba\u0343\u0368l\u0367g\u0311o\u034f",
    "İstanbul ıssız ŞİŞLİ ß ẞ ﬁne ﬂag Ǆ",
    "null\x00byte and bell\x07 and escape\x1b[31m",
    "soft\u00adhyphen zero\u200bwidth\ufeff mark\u200e\u200f\u2066",
    "[CLS] [SEP] [PAD] [MASK] [UNK]",
    "<s> </s> <pad> <mask> <unk> <|endoftext|>",
    "def f(x):\n\treturn {k: v for k, v in x.items() if v is not None}  # keep",
    "SELECT name FROM users WHERE id = 7 AND note LIKE '%edge%';",
    "https://example.org/path/to?query=value&other=%C3%A9#fragment",
    "user.name+tag@example.org @mention #hashtag $PATH C:\\Temp\\file.txt",
    "line one\nline two\r\nline three\ttabbed",
    "   leading and trailing spaces   ",
    "don't  can't   it's—really—“quoted”… «so»",
    "\U0001d4d7\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8 ｆｕｌｌ ｗｉｄｔｈ ① ½ №",
    "\ufffd \U0010fffd \ue000",
    "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4,
    "x" * 300,
    "again and " * 120,
    "A long report, of which only the beginning fits. " + "It lists every meeting, every name and every sum. " * 60,
)

#: for models that read so much: on ONNX Runtime its attention is computed in another way
LONG = " ".join(ORDINARY * 3)
_LONG_TOKENS = 1000

#: the record stores the original's vectors of these, so that a folder can be checked without the original
GOLDEN = (*ORDINARY[:6], "İstanbul ıssız ŞİŞLİ ß ẞ ﬁne ﬂag Ǆ", DIFFICULT[-1])
#: of these it stores the vectors of every token, which take more room
GOLDEN_TOKENS = (GOLDEN[1], GOLDEN[5], GOLDEN[6])
ALL = ORDINARY + DIFFICULT
#: each text with one of the others
PAIRS = tuple(zip(ALL, ALL[31:] + ALL[:31], strict=True))
GOLDEN_PAIRS = tuple(pair for pair in PAIRS if GOLDEN[2] in pair or set(pair) & set(GOLDEN[-2:])) + PAIRS[:2]
_CANDIDATES = (0, 1, 5, 11, 20)


@cache
def questions() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Passages, each with the queries that it answers."""
    entries = json.loads(files("edge_st_export.original").joinpath("questions.json").read_text(encoding="utf-8"))
    return tuple((entry["passage"], tuple(entry["queries"])) for entry in entries)


def ranked_pairs() -> list[tuple[str, str]]:
    """Each query of `questions` with five passages, one of which answers it."""
    passages = [passage for passage, _ in questions()]
    return [
        (query, passages[(place + step) % len(passages)])
        for place, (_, queries) in enumerate(questions())
        for query in queries
        for step in _CANDIDATES
    ]


def texts_for(model_type: str, limit: int = 0) -> list[TextOrPair]:
    """The comparison texts for a model of this class that reads ``limit`` tokens, or the pairs for a CrossEncoder."""
    if model_type == CROSS_ENCODER:
        return [*PAIRS, *ranked_pairs()]
    long = [LONG] if limit >= _LONG_TOKENS else []
    if model_type in (SPARSE_ENCODER, MULTI_VECTOR_ENCODER):
        return [*ALL, *long, *(text for passage, queries in questions() for text in (passage, *queries))]
    return [*ALL, *long]


def texts_of_task(texts: Sequence[TextOrPair], task: str | None) -> tuple[TextOrPair, ...]:
    """Those of ``texts`` that a model of queries and documents is asked for with ``task``.

    The queries of `questions` are no documents, nor the passages queries; without a task they are neither.
    """
    passages = {passage for passage, _ in questions()}
    queries = {query for _, asked in questions() for query in asked}
    others = {"query": passages, "document": queries}.get(task or "", passages | queries)
    return tuple(text for text in texts if text not in others)


def is_golden(text: TextOrPair, *, tokens: bool = False) -> bool:
    """Whether the record stores what the original gives for this text or pair, or for its ``tokens``."""
    if tokens:
        return text in GOLDEN_TOKENS
    return text in (GOLDEN if isinstance(text, str) else GOLDEN_PAIRS)
