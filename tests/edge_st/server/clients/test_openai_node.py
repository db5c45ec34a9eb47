"""OpenAI's client for JavaScript."""

import shutil

import numpy as np
import pytest

from edge_st import SentenceTransformer
from tests.support.clients import close, run_node

pytestmark = pytest.mark.slow
SCRIPT = """
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "http://localhost:8080/v1", apiKey: "none", maxRetries: 0 });
const asked = { model: "all-MiniLM-L6-v2", input: ["How warm is it?", "Is it raining?"] };
const create = async (options) => await client.embeddings.create({ ...asked, ...options });
const vectors = async (options) => (await create(options)).data.map((each) => each.embedding);
let refused;
try {
  await create({ model: "nobody" });
} catch (error) {
  refused = [error.constructor.name, error.status, error.code, error.param];
}
const models = [];
for await (const each of client.models.list()) models.push(each.id);
const [base64, floats] = [await vectors({}), await vectors({ encoding_format: "float" })];
console.log(JSON.stringify({ base64, floats, refused, models }));
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm; install Node.js")
def test_javascript(address: str, dense: SentenceTransformer) -> None:
    found = run_node("openai", SCRIPT, address)
    close(found["floats"], dense.encode(["How warm is it?", "Is it raining?"], normalize_embeddings=True))
    assert np.array_equal(np.float32(found["base64"]), np.float32(found["floats"]))
    assert found["refused"] == ["NotFoundError", 404, "model_not_found", "model"]
    assert found["models"][:1] == ["all-MiniLM-L6-v2"]
