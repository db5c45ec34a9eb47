"""Make a SentenceTransformer of bge-base's size and shape with random weights, and export it with int8.

Arguments: a folder with a BERT tokenizer, the folder of the original, the folder of the export. Folders that exist are
kept. The gate for int8 is open: the loss with random weights says nothing about a trained model.
"""

import sys
import tempfile
from pathlib import Path

ANYTHING = 1e-6


def make(tokenizer: Path, original: Path) -> None:
    """Save the model to ``original`` with sentence-transformers: CLS pooling, normalized."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        BertModel(BertConfig()).save_pretrained(folder)
        AutoTokenizer.from_pretrained(tokenizer, model_max_length=512).save_pretrained(folder)
        modules = [Transformer(folder), Pooling(768, "cls"), Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save(str(original))


if __name__ == "__main__":
    tokenizer, original, exported = map(Path, sys.argv[1:])
    if not original.is_dir():
        make(tokenizer, original)
    if not exported.is_dir():
        from edge_st_export import Gate, Int8, export_model

        export_model(
            original, exported, int8=Int8(gate=Gate(cosine=ANYTHING, p1=ANYTHING, agreement=ANYTHING)), quiet=True
        )
