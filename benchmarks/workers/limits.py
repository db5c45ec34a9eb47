"""The speed of one large matrix multiplication in float32, bfloat16 and int8.

float32 and int8 (MatMulIntegerToFloat) run on ONNX Runtime, bfloat16 on OpenVINO. The arguments are the number of
threads, and "cpu_" to count the seconds that they compute, or "". Printed is JSON with the operations per second by
precision; a multiplication and an addition count as two operations.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZE, RUNS = 2048, 12


def main() -> None:
    """Measure and print."""
    threads, clock = int(sys.argv[1]), time.process_time if sys.argv[2] else time.perf_counter
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    found = {name: 2 * SIZE**3 / min(_seconds(made(threads), clock)) for name, made in MULTIPLICATIONS.items()}
    print(json.dumps(found), file=answers, flush=True)


def _seconds(run: Callable[[], Any], clock: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(RUNS):
        start = clock()
        run()
        times.append(clock() - start)
    return times[2:]


def _float32(threads: int) -> Callable[[], Any]:
    return _onnx(threads, "MatMul", "", np.ones((SIZE, SIZE), np.float32), [_matrix().astype(np.float32)])


def _int8(threads: int) -> Callable[[], Any]:
    scale = np.full(1, 0.01, np.float32)
    constants = [_matrix(), scale, scale, np.full(1, 128, np.uint8), np.zeros(1, np.int8)]
    given = np.ones((SIZE, SIZE), np.uint8)
    return _onnx(threads, "MatMulIntegerToFloat", "com.microsoft", given, constants)


def _matrix() -> Any:
    return np.random.default_rng(0).integers(-100, 100, (SIZE, SIZE), np.int8)


def _onnx(threads: int, operator: str, domain: str, given: Any, constants: list[Any]) -> Callable[[], Any]:
    import onnx
    import onnxruntime
    from onnx import helper

    names = [f"constant_{place}" for place in range(len(constants))]
    inputs = ["given", *names]
    kind = helper.np_dtype_to_tensor_dtype(given.dtype)
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["product"], domain=domain)],
        "product",
        [helper.make_tensor_value_info("given", kind, given.shape)],
        [helper.make_tensor_value_info("product", onnx.TensorProto.FLOAT, [SIZE, SIZE])],
        [onnx.numpy_helper.from_array(value, name) for name, value in zip(names, constants, strict=True)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"given": given})


def _bfloat16(threads: int) -> Callable[[], Any]:
    import openvino as ov
    from openvino import opset13 as ops

    given = ops.parameter([SIZE, SIZE], np.float32)
    product = ops.matmul(given, ops.constant(_matrix().astype(np.float32)), False, False)
    config = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads}
    model = ov.Model([product], [given])  # pyright: ignore[reportGeneralTypeIssues] - its stub binds another class
    compiled = ov.Core().compile_model(model, "CPU", config)
    request, values = compiled.create_infer_request(), np.ones((SIZE, SIZE), np.float32)
    return lambda: request.infer({0: values}, share_inputs=True, share_outputs=True)


MULTIPLICATIONS = {"float32": _float32, "bfloat16": _bfloat16, "int8": _int8}


if __name__ == "__main__":
    main()
