"""The tokenizer of a route, of whichever kind it is."""

from typing import Any

from ..files.reading import reading
from ..text.tokenizer import TextTokenizer
from ..text.tokens import Tokenizer
from .consistency import check_vocabulary
from .route import BAG, SPARSE_STATIC, STATIC, WORDS, Route


def open_tokenizer(route: Route) -> tuple[Tokenizer, int | None]:
    """The tokenizer of a route, and its limit in tokens (None: no limit).

    Raises MissingFileError, DamagedFileError where it knows more tokens than the transformer has embeddings for, and
    OptionError for a limit that leaves no room for a text.
    """
    if route.kind in (WORDS, BAG):
        from ..text.word_tokenizer import read_bag_tokenizer, read_word_tokenizer

        with reading(route.path):
            return (read_bag_tokenizer if route.kind == BAG else read_word_tokenizer)(route.path), None
    with reading(route.path / "tokenizer_config.json"):
        tokenizer = _read_tokenizer(route)
    if route.kind != STATIC:
        check_vocabulary(route.path, tokenizer.size, route.rows.get("input_ids"), tokenizer.added)
    limit = tokenizer.own_limit if route.kind == STATIC else route.max_seq_length(tokenizer.model_max_length)
    tokenizer.check_limit(limit)
    return tokenizer, limit


def _read_tokenizer(route: Route) -> Any:
    if route.messages is not None:
        from ..text.chat import ChatTokenizer

        return ChatTokenizer(route.path, route.messages, route.template_arguments)
    if route.model2vec:
        from ..text.model2vec import Model2VecTokenizer

        return Model2VecTokenizer(route.path)
    special = route.kind not in (STATIC, SPARSE_STATIC)
    return TextTokenizer(route.path, lower_case=route.lower_case, special_tokens=special)
