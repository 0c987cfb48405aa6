"""Loading data: every layout that is taken, and every way in which one is refused."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate import load_data


def refused(source: Any) -> str:
    with pytest.raises(ArchError) as found:
        load_data(source)
    return str(found.value)


@pytest.fixture
def arrays() -> tuple[Any, Any]:
    random = np.random.RandomState(0)
    return random.rand(50, 4).astype(np.float32), np.arange(50) % 5


def test_digits() -> None:
    data = load_data("digits")
    x, y = data.train
    held_x, held_y = data.validation
    assert x.shape[1:] == (1, 8, 8)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    assert len(x) + len(held_x) == 1797
    assert abs(len(held_x) / 1797 - 0.2) < 0.005
    shares = np.bincount(held_y) / np.bincount(np.concatenate([y, held_y]))
    assert (abs(shares - 0.2) < 0.01).all(), "every class in proportion"


def test_split_is_the_same_each_time_and_another_with_another_seed() -> None:
    assert load_data("digits").digest == load_data("digits").digest == "6c4f180c7ea8b3a0"
    assert load_data("digits", seed=1).digest != load_data("digits").digest


def test_missing_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    message = refused("digits")
    assert message.startswith("error[E0919]: the data set `digits` needs the package `sklearn`")
    assert "pip install archlang[data]" in message


def test_two_arrays_and_four(arrays: Any) -> None:
    x, y = arrays
    data = load_data((x, y), validation=0.4)
    assert (len(data.train[0]), len(data.validation[0])) == (30, 20)
    assert np.bincount(data.validation[1]).tolist() == [4] * 5
    data = load_data((x[:30], y[:30], x[30:], y[30:]))
    assert np.array_equal(data.validation[0], x[30:])
    assert "E0702" in refused((x, y, x))


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("x_train", "y_train")])
def test_npz_layouts(tmp_path: Path, arrays: Any, names: tuple[str, str]) -> None:
    np.savez(tmp_path / "data.npz", **dict(zip(names, arrays, strict=True)))
    data = load_data(tmp_path / "data.npz")
    assert (len(data.train[0]), len(data.validation[0]), data.test) == (40, 10, None)


def test_npz_with_validation_and_test(tmp_path: Path, arrays: Any) -> None:
    x, y = arrays
    parts = {"train": slice(0, 20), "val": slice(20, 30), "test": slice(30, 50)}
    named = {f"{axis}_{part}": array[rows] for part, rows in parts.items() for axis, array in (("x", x), ("y", y))}
    np.savez(tmp_path / "data.npz", **named)
    data = load_data(tmp_path / "data.npz")
    assert data.test is not None
    assert [len(pair[0]) for pair in (data.train, data.validation, data.test)] == [20, 10, 20]


def test_npz_of_several_data_sets(tmp_path: Path, arrays: Any) -> None:
    x, y = arrays
    path = tmp_path / "data.npz"
    np.savez(path, A_x_train=x, A_y_train=y, B_x_train=x[:20], B_y_train=y[:20])
    assert len(load_data(f"{path}:B").train[0]) == 15
    message = refused(path)
    assert "its arrays are `A_x_train` float32[50, 4]" in message
    assert f"choose one, as in `{path}:A`" in message
    assert "E0702" in refused(f"{path}:C")


def test_labels_that_are_texts() -> None:
    x = np.zeros((40, 2), np.float32)
    data = load_data((x, np.array(["dog", "cat"] * 20)))
    assert data.classes == ("cat", "dog")
    assert data.train[1].dtype == np.int64
    assert set(data.train[1]) == {0, 1}
    message = refused((x[:2], np.array(["a", "b"]), x[:2], np.array(["a", "z"])))
    assert message == "error[E0705]: the validation labels of `arrays` have `z`, which no training sample has"


def test_data_that_is_not_there(tmp_path: Path) -> None:
    assert refused("digit") == ("error[E0701]: the data `digit` does not exist\n  = help: did you mean `digits`?")
    assert "does not exist" in refused(tmp_path / "none.npz")
    assert "is not a file" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_file_that_is_no_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    assert f"error[E0702]: `{path}`" in refused(path)


def test_truncated_npz(tmp_path: Path, arrays: Any) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=arrays[0], y=arrays[1])
    path.write_bytes(path.read_bytes()[:-200])
    assert "error[E0702]" in refused(path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object), y=np.zeros(1), allow_pickle=True)
    assert f"`{path}` holds pickled objects" in refused(path)


def test_single_array(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.zeros(3))
    (tmp_path / "data.npy").rename(tmp_path / "data.npz")
    assert "holds a single array" in refused(tmp_path / "data.npz")


def test_arrays_that_do_not_go_together(arrays: Any) -> None:
    x, y = arrays
    assert "the arrays of `arrays` have 50 inputs but 49 targets" in refused((x, y[:49]))
    assert "hold no samples" in refused((x[:0], y[:0]))
    assert "too few" in refused((x[:1], y[:1]))
    broken = x.copy()
    broken[7, 2] = np.nan
    assert "not finite in sample 7" in refused((broken, y))
    assert "of type object" in refused((np.array([None] * 50), y))


@pytest.mark.skipif("ARCHLANG_DATA" not in os.environ, reason="ARCHLANG_DATA is not set")
def test_real_files() -> None:
    folder = Path(os.environ["ARCHLANG_DATA"])
    mnist = load_data(folder / "mnist_first12k.npz")
    assert mnist.train[0].shape == (8000, 28, 28)
    assert mnist.test is not None
    assert len(mnist.test[0]) == 2000
    gun = load_data(f"{folder / 'ucr_small.npz'}:GunPoint")
    assert gun.train[0].shape[1:] == (1, 150)
    assert gun.classes == ("1", "2")
    for name in ("fsdd_720.npz", "cora.npz"):
        assert "does not hold a data set" in refused(folder / name)
