"""What FlagEmbedding gives for texts: run as a program in an environment that has it, which needs nothing of ours.

Usage: python flag_embedding.py MODEL QUESTIONS.json ANSWERS.npz
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(model: str, questions: str, answers: str) -> None:
    """Answer the questions in a JSON file, each with its name; lists of arrays are stored one by one."""
    from FlagEmbedding.inference.embedder.encoder_only.m3 import M3Embedder

    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    flag = M3Embedder(model, use_fp16=False, devices="cpu", colbert_dim=asked["colbert_dim"])
    found: dict[str, Any] = {}
    for name, options in asked["encode"].items():
        encoded = flag.encode(
            asked["texts"], return_dense=True, return_sparse=True, return_colbert_vecs=True, **options
        )
        found[f"{name}/dense"] = encoded["dense_vecs"]
        lexical = [{token: float(weight) for token, weight in each.items()} for each in encoded["lexical_weights"]]
        found[f"{name}/lexical"] = np.array(json.dumps(lexical))
        found |= {f"{name}/colbert/{place}": each for place, each in enumerate(encoded["colbert_vecs"])}
        if name == "alone":
            tokens = flag.convert_id_to_token(encoded["lexical_weights"])
            found["tokens"] = np.array(json.dumps([{k: float(v) for k, v in each.items()} for each in tokens]))
            matrix = flag.compute_lexical_matching_score(encoded["lexical_weights"], encoded["lexical_weights"])
            found["lexical matching"] = matrix
    for name, options in asked["compute_score"].items():
        pairs = [tuple(pair) for pair in asked["pairs"]]
        found |= {f"score {name}/{kind}": np.array(each) for kind, each in flag.compute_score(pairs, **options).items()}
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
