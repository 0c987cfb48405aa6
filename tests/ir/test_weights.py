"""Weight files: what is written is read, by others too; what is no weight file is refused."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from archlang.diagnostics import ArchError
from archlang.ir.weights import Array, read_weights, write_weights

DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name != "__metadata__")
ARRAYS = st.sampled_from([order + kind for kind in DTYPES for order in "<>"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
)


@given(st.dictionaries(NAMES, ARRAYS, max_size=4), st.booleans())
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Array], turned: bool
) -> None:
    path = tmp_path_factory.mktemp("weights") / "weights"
    given = {name: array.T if turned else array for name, array in weights.items()}
    write_weights(path, given)
    found = read_weights(path)
    assert found.keys() == given.keys()
    for name, array in given.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_the_file_is_in_the_safetensors_format(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_weights(path, {"stage[0]/ä:b.kernel": kernel.T})
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    assert json.loads(data[8 : 8 + size]) == {
        "stage[0]/ä:b.kernel": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}
    }
    assert data[8 + size :] == np.array([0, 3, 1, 4, 2, 5], "<f4").tobytes()


def file(head: Any, data: int = 0) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


def entry(dtype: str, shape: list[int], first: int, last: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"short", id="short"),
        pytest.param(b"\xff" * 20, id="long header"),
        pytest.param(file([]), id="no object"),
        pytest.param(file(b"{"), id="no JSON"),
        pytest.param(file({"a": [1]}), id="no entry"),
        pytest.param(file({"a": entry("F32", [9], 0, 36)}, 4), id="truncated"),
        pytest.param(file({"a": entry("F32", [1], 0, 4)}, 9), id="more than it says"),
        pytest.param(file({"a": entry("F32", [2], 0, 4)}, 4), id="other size"),
        pytest.param(file({"a": entry("X", [9], 0, 36)}, 36), id="unknown type"),
        pytest.param(file({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, 12), id="overlapping"),
        pytest.param(file({"a": entry("F32", [-1], 0, 4)}, 4), id="negative"),
        pytest.param(file({"a": entry("F32", [2**40, 2**40], 0, 4)}, 4), id="huge"),
        pytest.param(file({"a": entry("F32", [1] * 100, 0, 4)}, 4), id="too many dimensions"),
        pytest.param(file({"a": entry("C64", [1], 0, 8)}, 8), id="complex"),
        pytest.param(pickle.dumps({"a": np.zeros(3)}), id="pickle"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights"
    path.write_bytes(data)
    with pytest.raises(ArchError, match=r"is not a weight file: [\w`]") as caught:
        read_weights(path)
    assert caught.value.diagnostics[0].code == "E0806"
    assert "Error while" not in str(caught.value)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_numbers_that_numpy_alone_does_not_have(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "weights"
    size = {"BF16": 16, "F8_E4M3": 8}[kind]
    path.write_bytes(file({"a": entry(kind, [8], 0, size)}, size))
    with pytest.raises(ArchError, match=f"`a` holds numbers of the type {kind}: convert them"):
        read_weights(path)


def test_files_that_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(ArchError, match=r"cannot read weights from `.*gone`: No such file"):
        read_weights(tmp_path / "gone")
    with pytest.raises(ArchError, match=r"cannot read weights from `.*`: Is a directory"):
        read_weights(tmp_path)
    with pytest.raises(ArchError, match=r"cannot write weights to `.*`: Is a directory"):
        write_weights(tmp_path, {})
    with pytest.raises(ArchError, match=r"cannot write weights to `.*`: No such file"):
        write_weights(tmp_path / "gone" / "weights", {})
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, signal, sys
import numpy as np
from archlang.diagnostics import ArchError
from archlang.ir.weights import write_weights

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_weights(sys.argv[1], {"a": np.ones(100_000)})
except ArchError as problem:
    print(problem)
"""


def test_a_write_that_fails_halfway_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    write_weights(path, {"a": np.zeros(3)})
    run = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert "cannot write weights" in run.stdout
    assert "File too large" in run.stdout
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(read_weights(path)["a"], np.zeros(3))


def test_who_may_read_other_new_files_may_read_weights(tmp_path: Path) -> None:
    path, other = tmp_path / "weights", tmp_path / "other"
    other.touch()
    write_weights(path, {"a": np.zeros(3)})
    assert path.stat().st_mode == other.stat().st_mode


def test_a_link_is_written_through(tmp_path: Path) -> None:
    path, link = tmp_path / "weights", tmp_path / "link"
    write_weights(path, {"a": np.zeros(3)})
    link.symlink_to(path)
    write_weights(link, {"a": np.ones(3)})
    assert link.is_symlink()
    np.testing.assert_array_equal(read_weights(path)["a"], np.ones(3))
