"""An embedding service as many write it: FastAPI and sentence-transformers, in one process for each core.

SERVICE_MODEL is the model's folder, SERVICE_BACKEND "onnx" or "torch", SERVICE_GRAPH the ONNX file in the folder; it is
empty where the model is to be exported first. Run it by ``uvicorn fastapi_service:app --workers CORES``.
"""

import os
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class Request(BaseModel):
    """Texts to embed."""

    texts: list[str]


class Answer(BaseModel):
    """Their embeddings."""

    embeddings: list[list[float]]


def _opened() -> SentenceTransformer:
    folder, backend, graph = (os.environ[f"SERVICE_{name}"] for name in ("MODEL", "BACKEND", "GRAPH"))
    if backend == "torch":
        torch.set_num_threads(1)
        return SentenceTransformer(folder, device="cpu", backend="torch")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    given: dict[str, Any] = {"provider": "CPUExecutionProvider", "session_options": options, "export": not graph}
    if graph:
        given["file_name"] = graph
    return SentenceTransformer(folder, device="cpu", backend="onnx", model_kwargs=given)


app = FastAPI()
model = _opened()


@app.post("/embed")
def embed(request: Request) -> Answer:
    """The embeddings of the texts, normalized."""
    return Answer(embeddings=model.encode(request.texts, normalize_embeddings=True).tolist())


@app.get("/health")
def health() -> dict[str, str]:
    """Whether the service is there."""
    return {"status": "ok"}
