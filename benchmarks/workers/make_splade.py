"""Make a SPLADE model of BERT base's size with random weights, and export it for edge-st.

Arguments: a folder with a BERT tokenizer, the folder of the original, the folder of the export. Folders that exist are
kept. The bias of the last layer leaves each text about as many weights as a trained model has: a few hundred of 30,522.
"""

import sys
import tempfile
from pathlib import Path

BIAS = -2.1


def make(tokenizer: Path, original: Path) -> None:
    """Save the model to ``original`` with sentence-transformers."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    model = BertForMaskedLM(BertConfig())
    torch.nn.init.constant_(model.cls.predictions.bias, BIAS)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(tokenizer, model_max_length=256).save_pretrained(folder)
        transformer = Transformer(folder, transformer_task="fill-mask")
        SparseEncoder(modules=[transformer, SpladePooling("max")], device="cpu").save(str(original))


if __name__ == "__main__":
    tokenizer, original, exported = map(Path, sys.argv[1:])
    if not original.is_dir():
        make(tokenizer, original)
    if not exported.is_dir():
        from edge_st_export import export_model

        export_model(original, exported, quiet=True)
