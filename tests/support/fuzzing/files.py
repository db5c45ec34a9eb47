"""One change of a file in a folder: of its bytes, of what its format holds, or of the file itself."""

import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import onnx

from tests.support.fuzzing.tokenizers import change_tokenizer
from tests.support.fuzzing.values import NUMBERS, change
from tests.support.tiny_models import write_header

Change: TypeAlias = Callable[[Path, random.Random], object]
_TEXTS = (
    *('{"a": 1, "a": []}', "﻿{}", "[" * 100_000, '{"a":' * 50_000, "9" * 5000, "1e400", "NaN", "{}x", "null", '"'),
    '{"x": "\\ud800"}',
)


# bytes


def _flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 2, 8])):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(
        content[: chance.choice([0, 1, len(content) // 2, len(content) - 1, chance.randrange(len(content) + 1)])]
    )


def _splice(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.choice([0, 1, 8, 500]))
    new = chance.choice([b"", b"\xff" * 8, b"\0" * 64, content[start:end] * 3, chance.randbytes(20)])
    path.write_bytes(content[:start] + new + content[end:])


def _text(path: Path, chance: random.Random) -> None:
    path.write_text(chance.choice(_TEXTS), encoding="utf-8")


BYTES: tuple[Change, ...] = (_flip, _flip, _cut, _splice)


# formats


def _json(path: Path, chance: random.Random) -> None:
    path.write_text(
        json.dumps(change(json.loads(path.read_bytes().decode(errors="replace"), strict=False), chance)),
        encoding="utf-8",
    )


def _safetensors(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    if chance.random() < 0.15:
        wrong = chance.choice([0, 1, length - 1, length + 1, len(content), 2**31, 2**63, 2**64 - 1])
        path.write_bytes(wrong.to_bytes(8, "little") + content[8:])
        return
    described = json.loads(header)
    tensors = [name for name in described if name != "__metadata__"]
    name = chance.choice(tensors)
    if chance.random() < 0.5:
        described = change(described, chance)
    else:
        key = chance.choice(["dtype", "shape", "data_offsets"])
        values: dict[str, Sequence[Any]] = {
            "dtype": ["F64", "F16", "BF16", "I8", "U64", "BOOL", "F8_E4M3", "x", None, 5, []],
            "shape": [[], [0], [-1, 2], [2**62, 4], [1.0, 2], ["1"], None, [*described[name]["shape"], 1], [1] * 70],
            "data_offsets": [
                [0, 0],
                [8, 4],
                [-4, 8],
                [0, 2**63],
                [0],
                [0, 1, 2],
                None,
                [0.0, 4.0],
                ["0", "4"],
                [True, 4],
            ],
        }
        described[name][key] = chance.choice(values[key])
    write_header(path, json.dumps(described).encode(), data)


def _proto(path: Path, chance: random.Random) -> None:
    """A change of one field of an ONNX graph."""
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    kind = chance.randrange(8)
    if kind == 0:
        chance.choice(graph.initializer).dims[:] = chance.choice([[], [-1], [2**40], [2**31, 2**31], [0, 5], [3, 3, 3]])
    elif kind == 1:
        chance.choice(graph.initializer).data_type = chance.choice([0, 2, 6, 7, 8, 10, 11, 16, 99])
    elif kind == 2:
        node = chance.choice(graph.node)
        node.op_type = chance.choice(
            ["Identity", "Loop", "If", "ConstantOfShape", "Nope", "", "Gather", "TopK", "Reshape"]
        )
    elif kind == 3:
        node = chance.choice(graph.node)
        node.input[:] = chance.choice(
            [[], [""], list(node.output), [*node.input, "nothing"], list(reversed(node.input))]
        )
    elif kind == 4:
        del graph.node[chance.randrange(len(graph.node))]
    elif kind == 5:
        value = chance.choice([*graph.input, *graph.output])
        dim = value.type.tensor_type.shape.dim.add() if chance.random() < 0.5 else value.type.tensor_type.shape.dim[0]
        dim.dim_value = chance.choice([0, 1, -1, 7, 2**40])
    elif kind == 6:
        value = chance.choice([*graph.input, *graph.output])
        value.type.tensor_type.elem_type = chance.choice([0, 1, 6, 8, 10, 99])
        value.name = chance.choice([value.name, "", "x", "input_ids", "logits"])
    else:
        _external(chance.choice(graph.initializer), chance)
    path.write_bytes(model.SerializeToString())


def _external(tensor: onnx.TensorProto, chance: random.Random) -> None:
    location = chance.choice(["../secret", "/etc/passwd", "weights.bin", "", "model.onnx", "../../tokenizer.json"])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    del tensor.external_data[:]
    offset, length = (str(chance.choice([0, 4, -1, 2**40, "x", 2**64])) for _ in range(2))
    for key, value in {"location": location, "offset": offset, "length": length}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def _numbers(path: Path, chance: random.Random) -> None:
    """Another number in a text file, such as an OpenVINO graph."""
    text = path.read_text(encoding="utf-8", errors="replace")
    digits = [place for place, letter in enumerate(text) if letter.isdigit()]
    if not digits:
        return
    place = chance.choice(digits)
    path.write_text(text[:place] + str(chance.choice(NUMBERS[:-1])) + text[place + 1 :], encoding="utf-8")


FORMATS: dict[str, Sequence[Change]] = {
    ".json": (_json, _json, _json, _json, _json, _text),
    ".safetensors": (_safetensors, _safetensors, _safetensors),
    ".onnx": (_proto, _proto),
    ".xml": (_numbers, _numbers),
}


# the file itself


def _gone(path: Path, chance: random.Random) -> None:
    path.unlink()


def _swapped(path: Path, chance: random.Random) -> None:
    others = [each for each in path.parent.rglob("*") if each.is_file() and each != path]
    if others:
        other = chance.choice(sorted(others))
        mine, its = path.read_bytes(), other.read_bytes()
        path.write_bytes(its)
        if chance.random() < 0.5:
            other.write_bytes(mine)


def _in_its_place(path: Path, chance: random.Random) -> None:
    """A folder, a link or a pipe instead of the file."""
    path.unlink()
    kind = chance.randrange(6)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path.name)
    elif kind == 2:
        path.symlink_to("nowhere")
    elif kind == 3:
        os.mkfifo(path)
    elif kind == 4:
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(".")


def _beside(path: Path, chance: random.Random) -> None:
    """Files that no model needs, with names that are no text."""
    name = chance.choice(
        [b"\xff\xfe.onnx", b"\xff.json", b"a\nb.xml", b"model.onnx_data", b"x\x1b[31m", b"edge_st.json.part"]
    )
    (path.parent / os.fsdecode(name)).write_bytes(b"x")


FILES: tuple[Change, ...] = (_gone, _gone, _swapped, _in_its_place, _in_its_place, _beside)


def change_file(path: Path, chance: random.Random) -> str:
    """Change ``path`` in one way; returns the name of the change."""
    kinds: list[Sequence[Change]] = [BYTES, FILES]
    if path.suffix in FORMATS:
        kinds += [FORMATS[path.suffix]] * 3
    if path.name == "tokenizer.json":
        kinds += [(change_tokenizer,)] * 5
    chosen = chance.choice(chance.choice(kinds))
    chosen(path, chance)
    return chosen.__name__.strip("_")
