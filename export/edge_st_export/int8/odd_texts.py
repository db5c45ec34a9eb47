"""Odd texts to calibrate on beside ordinary ones: their activations reach where those of ordinary texts never do.

A blank text sends other values through a model than any sentence, and so do a word that is repeated and a lone emoji.
What calibration never saw is clipped. These are other texts than those of the comparison, which stay a test.
"""

from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.text.tokens import TextOrPair

_ODD = (
    "",
    "   ",
    "\r\n\r\n",
    "!",
    "...",
    "-",
    "b",
    "7",
    "red " * 300,
    "one two " * 150,
    "the the the the",
    "z" * 400,
    "q w e r t y " * 20,
    "8 6 4 2 " * 50,
    "🚲",
    "🎈🎈🎈 party 🎂",
    "请问最近的邮局在哪里？",
    "駅まで歩いて十分です。",
    "우체국은 어디에 있습니까?",
    "Где находится вокзал?",
    "أين أقرب صيدلية؟",
    "\ue001\ue002",
    "<html><body></body></html>",
    '{"list": [1, 2, {"empty": null}]}',
    "CAPITALS ONLY AND NO STOP",
)
_STEP = 7


def odd_texts(model_type: str) -> list[TextOrPair]:
    """The odd texts for a model of this class, or pairs of them for a CrossEncoder."""
    if model_type == CROSS_ENCODER:
        return list(zip(_ODD, _ODD[_STEP:] + _ODD[:_STEP], strict=True))
    return list(_ODD)
