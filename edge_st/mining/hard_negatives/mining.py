"""Mining of texts that a model holds to be near to a query although they do not answer it."""

import logging
from collections.abc import Sequence
from typing import Any

from edge_st_runtime.checks import check_count

from ..external_indexes import import_faiss
from .candidates import Chosen, choose, find_candidates, rescore
from .data import Pairs, read_pairs
from .embeddings import embed
from .formats import Format, Table, resolve_format, table
from .report import describe_pairs, report, report_missing
from .settings import Encoding, Selection, resolve_selection

logger = logging.getLogger(__name__)


def mine_hard_negatives(
    dataset: Any,
    model: Any,
    anchor_column_name: str | None = None,
    positive_column_name: str | None = None,
    corpus: Sequence[str] | None = None,
    cross_encoder: Any = None,
    range_min: int = 0,
    range_max: int | None = None,
    max_score: float | None = None,
    min_score: float | None = None,
    absolute_margin: float | None = None,
    relative_margin: float | None = None,
    num_negatives: int = 3,
    sampling_strategy: str = "top",
    query_prompt_name: str | None = None,
    query_prompt: str | None = None,
    corpus_prompt_name: str | None = None,
    corpus_prompt: str | None = None,
    include_positives: bool = False,
    output_format: str = "triplet",
    output_scores: bool = False,
    batch_size: int = 32,
    faiss_batch_size: int = 16384,
    use_faiss: bool = False,
    use_multi_process: Sequence[str] | bool = False,
    verbose: bool = True,
    cache_folder: str | None = None,
    as_triplets: bool | None = None,
    margin: float | None = None,
) -> dict[str, list[Any]]:
    """For each query of (query, positive) pairs, texts that ``model`` finds near to it and that are not its positives.

    ``dataset`` is a dictionary of columns, a list of dictionaries, or what has ``column_names`` and gives columns by
    name, such as a ``datasets.Dataset``; queries and positives are its first two columns, or those named. Queries that
    occur several times have several positives. Candidates are the positives of all queries and ``corpus``, by rank of
    their similarity to the query from ``range_min`` up to ``range_max``. Left out are the query's own positives
    (unless ``include_positives``), and what scores above ``max_score``, below ``min_score``, less than
    ``absolute_margin`` below the lowest of the query's positives, or less than the fraction ``relative_margin`` of that
    score below it. ``cross_encoder`` scores candidates and positives anew where there is such a limit. Of what is left
    the ``num_negatives`` first are taken, or with ``sampling_strategy="random"`` as many by ``random.sample``, which
    ``random.seed`` makes repeatable.

    Returns a dictionary of columns: "triplet" (query, positive, "negative"), "n-tuple" (query, positive, "negative_1"
    …, where all were found), "labeled-pair" (query, text, "label" 1 or 0) or "labeled-list" (query, texts, "labels").
    With ``output_scores`` the similarities are in "scores", of "labeled-pair" in "score", in place of the labels.

    ``faiss_batch_size`` queries are searched at once, or fewer where that would take much memory; ``use_faiss`` uses
    faiss. ``use_multi_process`` encodes in several processes. ``verbose`` prints what was found. ``cache_folder``
    keeps the embeddings for the next call with the same model, prompts and texts. ``as_triplets`` and ``margin`` are
    older names.

    Raises OptionError for arguments outside their values, InputError and InputTypeError for data that are no pairs of
    texts, PackageMissingError for ``use_faiss`` without faiss. Source: sentence-transformers' function of this name;
    de Souza P. Moreira et al., NV-Retriever (2024).
    """
    check_count("batch_size", batch_size)
    check_count("faiss_batch_size", faiss_batch_size)
    if margin is not None:
        logger.warning(
            "margin is deprecated; use absolute_margin or relative_margin. absolute_margin is now %s", margin
        )
        absolute_margin = margin
    given = Selection(
        range_min=range_min,
        range_max=range_max,
        max_score=max_score,
        min_score=min_score,
        absolute_margin=absolute_margin,
        relative_margin=relative_margin,
        num_negatives=num_negatives,
        sampling_strategy=sampling_strategy,
        include_positives=include_positives,
    )
    form = resolve_format(output_format, output_scores, as_triplets, given)
    encoding = Encoding(
        batch_size=batch_size,
        query_prompt_name=query_prompt_name,
        query_prompt=query_prompt,
        corpus_prompt_name=corpus_prompt_name,
        corpus_prompt=corpus_prompt,
        use_multi_process=use_multi_process,
        verbose=verbose,
        cache_folder=cache_folder,
    )
    if use_faiss:
        import_faiss()
    pairs = read_pairs(dataset, anchor_column_name, positive_column_name, corpus)
    form.check_columns(pairs.anchor, pairs.positive)
    selection = resolve_selection(given, pairs.most, cross_encoder)
    if verbose:
        describe_pairs(pairs, selection if range_max is None else None)
    embedded = embed(model, pairs, encoding)
    candidates = find_candidates(model, pairs, embedded, selection, faiss_batch_size, use_faiss=use_faiss)
    if cross_encoder is not None and selection.limits:
        candidates = rescore(cross_encoder, pairs, candidates, encoding)
    return _finished(pairs, choose(pairs, candidates, selection), selection, form, verbose=verbose)


def _finished(pairs: Pairs, chosen: Chosen, selection: Selection, form: Format, *, verbose: bool) -> Table:
    found = table(form, pairs, chosen)
    if verbose:
        report(pairs, chosen, form.kept(pairs, chosen), selection)
        report_missing(form.most(pairs) - len(found[pairs.anchor]), form.most(pairs), selection)
    return found
