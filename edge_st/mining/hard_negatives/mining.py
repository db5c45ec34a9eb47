"""Mining of hard negatives: texts that a model ranks near a query although they do not answer it."""

from collections.abc import Sequence
from typing import Any

from .candidates import Search, choose, find_candidates, rescore
from .data import read_pairs
from .embeddings import embed
from .encoding import Encoding, Prompt
from .formats import resolve_format, table
from .report import describe_pairs, report
from .selection import Selection, given_limits, resolve_selection


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
) -> Any:
    """For each query, texts that ``model`` ranks near the query and that are not among its positives.

    ``dataset`` holds pairs of a query and a positive: a dictionary of columns, a list of dictionaries, or an object
    with ``column_names`` that returns a column by its name, such as a ``datasets.Dataset``. Queries and positives are
    its first two columns, or those named. A query that occurs in several rows has several positives.

    Candidates are the positives of all queries and the texts of ``corpus``, ranked by their similarity to the query.
    Left out are the query's own positives (unless ``include_positives``) and scores above ``max_score`` or below
    ``min_score``. ``absolute_margin`` leaves out scores that are not at least so much lower than the lowest score of
    the query's positives; ``relative_margin`` is such a margin as a fraction of that score. If any of these limits is
    given, ``cross_encoder`` scores candidates and positives again. Of what is left, the ranks from ``range_min`` up to
    but not including ``range_max`` are considered. The first ``num_negatives`` of these are taken; with
    ``sampling_strategy="random"`` as many at random (``random.seed`` makes that repeatable).

    Returns a dictionary of columns, or a ``datasets.Dataset`` where ``dataset`` is one. By ``output_format`` they are,
    after the query: "triplet" positive and "negative"; "n-tuple" positive, "negative_1", "negative_2" …, without
    queries for which too few were found; "labeled-pair" text and "label" (1 or 0); "labeled-list" list of texts and
    "labels". ``output_scores`` adds the similarities as "scores" to the first two, and puts "score" or "scores" in the
    place of the labels.

    ``faiss_batch_size`` queries are searched at once, or fewer to save memory; ``use_faiss`` searches by faiss.
    ``use_multi_process`` encodes in several processes. ``verbose`` prints what was found. ``cache_folder`` stores the
    embeddings for the next call with the same model, prompts and texts. ``as_triplets`` and ``margin`` are older names.

    Raises OptionError for an argument outside its values, InputError and InputTypeError for data that are not pairs of
    texts, PackageMissingError for ``use_faiss`` without faiss. Source: sentence-transformers' function of this name;
    de Souza P. Moreira et al., NV-Retriever (2024).
    """
    limits = given_limits(absolute_margin, relative_margin, max_score, min_score, margin)
    given = Selection(range_min, range_max, limits, num_negatives, sampling_strategy, include_positives)
    form = resolve_format(output_format, output_scores, as_triplets, given)
    for_queries, for_corpus = Prompt(query_prompt_name, query_prompt), Prompt(corpus_prompt_name, corpus_prompt)
    encoding = Encoding(batch_size, for_queries, for_corpus, use_multi_process, cache_folder, verbose)
    search = Search(faiss_batch_size, use_faiss)

    pairs = read_pairs(dataset, anchor_column_name, positive_column_name, corpus)
    form.check_columns(pairs.anchor, pairs.positive)
    selection = resolve_selection(given, pairs.max_positives, cross_encoder)
    if verbose:
        describe_pairs(pairs, selection if range_max is None else None)
    embedded = embed(model, pairs, encoding)
    candidates = find_candidates(model, pairs, embedded, selection, search)
    if cross_encoder is not None and selection.limits:
        candidates = rescore(cross_encoder, pairs, candidates, encoding)
    chosen = choose(pairs, candidates, selection)
    mined = table(form, pairs, chosen)
    if verbose:
        report(pairs, chosen, selection, form, rows=len(mined[pairs.anchor]))
    make = getattr(type(dataset), "from_dict", None) if hasattr(dataset, "column_names") else None
    return mined if make is None else make(mined)
