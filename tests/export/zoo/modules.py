"""The zoo's modules: poolings, Dense, word vectors, routers, prompts."""

from collections.abc import Mapping

from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Dropout,
    LayerNorm,
    Normalize,
)
from torch import nn
from transformers import Qwen3ForCausalLM

from edge_st_runtime.modules.pooling import POOLING
from tests.export.originals import HIDDEN
from tests.export.zoo.building import (
    BPE_TOKENS,
    CHAT,
    EOS_TOKENS,
    LEFT,
    MERGING,
    NO_POOLING_MODE,
    POOLING_FILE,
    PROMPTS,
    QWEN3,
    ROBERTA,
    XLM,
    Case,
    but,
    dense_first,
    halve,
    into_subfolder,
    pickle_modules,
    replace,
    saved,
)

POOLINGS: Mapping[str, Case] = {
    "-".join(modes): Case("BERT", ", ".join(modes), saved(pooling=modes))
    for modes in (*((mode,) for mode in POOLING), ("mean", "max", "cls"), ("weightedmean", "lasttoken"))
}

ACTIVATIONS: Mapping[str, Case] = {
    f"dense-{kind.__name__.lower()}": Case(
        "BERT",
        f"mean, Dense with {kind.__name__}",
        saved(modules=lambda kind=kind: (Dense(HIDDEN, 24, activation_function=kind()),)),
    )
    for kind in (nn.Tanh, nn.Identity, nn.GELU, nn.ReLU, nn.SiLU, nn.Sigmoid, nn.PReLU)
}

MODULES: Mapping[str, Case] = {
    "many-modules": Case(
        "BERT",
        "mean, Dense, Dropout, LayerNorm, Dense, Normalize",
        saved(modules=lambda: (Dense(HIDDEN, 24), Dropout(0.3), LayerNorm(24), Dense(24, 12, bias=False), Normalize())),
    ),
    "pickled-modules": Case(
        "BERT",
        "mean, Dense and LayerNorm as pickles",
        saved(pickle_modules, modules=lambda: (Dense(HIDDEN, 24), LayerNorm(24))),
    ),
    "old-pooling": Case(
        "BERT",
        "mean and max in the old spelling",
        saved(
            replace(POOLING_FILE, **but(NO_POOLING_MODE, pooling_mode_mean_tokens=True, pooling_mode_max_tokens=True))
        ),
    ),
    "old-layout": Case(
        "BERT in 0_Transformer",
        "cls in the old spelling",
        saved(
            replace(POOLING_FILE, **but(NO_POOLING_MODE, pooling_mode_cls_token=True)), into_subfolder("Transformer")
        ),
    ),
    "dense-on-tokens": Case(
        "BERT",
        "Dense on token embeddings, mean",
        saved(dense_first, modules=lambda: (Dense(HIDDEN, HIDDEN, module_input_name="token_embeddings"),)),
    ),
    "half": Case("BERT in float16", "mean, Dense", saved(halve, modules=lambda: (Dense(HIDDEN, 24),))),
    "transformer-alone": Case("BERT without modules.json", "mean by default", saved(only_transformer=True, limit=None)),
    "chat-alone": Case(
        "Qwen3ForCausalLM with a chat template, without modules.json",
        "lasttoken by default, of a message",
        saved(
            **but(QWEN3, tokens=EOS_TOKENS | LEFT | {"chat_template": CHAT}),
            model_class=Qwen3ForCausalLM,
            only_transformer=True,
        ),
    ),
    "causal-alone": Case(
        "Qwen3ForCausalLM without modules.json",
        "lasttoken by default",
        saved(**QWEN3, model_class=Qwen3ForCausalLM, only_transformer=True),
    ),
}

PROMPTED: Mapping[str, Case] = {
    "prompts": Case("BERT", "mean, prompts", saved(**but(PROMPTS, include_prompt=True))),
    "without-prompt": Case("BERT", "mean without the prompt", saved(**PROMPTS)),
    "without-prompt-left": Case(
        "RoBERTa, padded on the left",
        "mean without the prompt",
        saved(**but(ROBERTA, tokens=BPE_TOKENS | LEFT), **PROMPTS),
    ),
    "without-prompt-bpe": Case(
        "RoBERTa", "mean without a prompt that merges with the text", saved(**ROBERTA, **MERGING)
    ),
    "without-prompt-unigram": Case(
        "XLM-RoBERTa, Unigram", "mean without a prompt that merges with the text", saved(**XLM, **MERGING)
    ),
}
