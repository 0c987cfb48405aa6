"""Loading data sets: arrays, `.npz` files, and the digits that scikit-learn ships."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.extras import required

Array = NDArray[Any]
Pair = tuple[Array, Array]
Source = str | Path | Sequence[Any]

NAMED = ("digits",)
LAYOUTS = "`x` and `y`; `x_train`, `y_train` and optionally `x_val`, `y_val`, `x_test`, `y_test`"


@attrs.frozen(eq=False)
class Data:
    """A data set: pairs of inputs and targets, samples along the first dimension.

    Searches compare programs on `validation`; `test` is not looked at unless asked for. `classes`
    holds the labels' texts where they were texts in the source: label k stands for `classes[k]`.
    """

    name: str
    train: Pair
    validation: Pair
    test: Pair | None = None
    classes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A hash of all that the data set holds."""
        digest = hashlib.sha256()
        for pair in (self.train, self.validation, self.test):
            for array in pair or ():
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
            digest.update(b"|")
        return digest.hexdigest()[:16]


def load_data(source: Source, validation: float = 0.2, seed: int = 0) -> Data:
    """The data set that a source names, split where it comes unsplit.

    `source` is "digits" (scikit-learn's load_digits: float32 [n, 1, 8, 8] in 0..1, 10 classes), the path
    of an `.npz` file (`file.npz:NAME` for the arrays whose names begin with `NAME_`), arrays `(x, y)`,
    or `(x_train, y_train, x_val, y_val)`. Without validation arrays the share `validation` of the
    training samples is set apart, every class in proportion, drawn with `seed`.
    ArchError: E0701 no such data, E0702 not readable as such, E0919 scikit-learn is missing.
    """
    if isinstance(source, str | Path):
        if str(source) in NAMED:
            return _whole(str(source), *_digits(), None, validation, seed)
        return _from_file(str(source), validation, seed)
    arrays = tuple(np.asarray(array) for array in source)
    if len(arrays) == 2:
        return _whole("arrays", *arrays, None, validation, seed)
    if len(arrays) == 4:
        x_train, y_train, x_val, y_val = arrays
        return _split("arrays", (x_train, y_train), (x_val, y_val), None)
    raise ArchError(
        error(
            "E0702",
            f"{len(arrays)} arrays do not make a data set",
            hints=("give `(x, y)` or `(x_train, y_train, x_val, y_val)`",),
        )
    )


def _digits() -> Pair:
    # By name, so that the core is seen to import nothing of scikit-learn's.
    digits = required("sklearn.datasets", "the data set `digits`", "data").load_digits()
    return (digits.images[:, None] / 16).astype(np.float32), digits.target.astype(np.int64)


def _from_file(text: str, validation: float, seed: int) -> Data:
    path, _, prefix = text.partition(".npz:")
    path = path + ".npz" if prefix else path
    if not Path(path).is_file():
        hints = did_you_mean(text, NAMED) or (f"data is the path of an .npz file, or one of: {', '.join(NAMED)}",)
        what = "is not a file" if Path(path).exists() else "does not exist"
        raise ArchError(error("E0701", f"the data `{path}` {what}", hints=hints))
    arrays = _read(path)
    if prefix:
        begin = f"{prefix}_"
        chosen = {name.removeprefix(begin): array for name, array in arrays.items() if name.startswith(begin)}
        if not chosen:
            hints = did_you_mean(prefix, _prefixes(arrays)) or (f"its arrays are {_listed(arrays)}",)
            raise ArchError(error("E0702", f"`{path}` has no arrays whose names begin with `{prefix}_`", hints=hints))
        arrays = chosen
    if {"x_train", "y_train"} <= arrays.keys():
        train = (arrays["x_train"], arrays["y_train"])
        test = (arrays["x_test"], arrays["y_test"]) if {"x_test", "y_test"} <= arrays.keys() else None
        if {"x_val", "y_val"} <= arrays.keys():
            return _split(text, train, (arrays["x_val"], arrays["y_val"]), test)
        return _whole(text, *train, test, validation, seed)
    if {"x", "y"} <= arrays.keys():
        return _whole(text, arrays["x"], arrays["y"], None, validation, seed)
    if len(arrays) == 2:
        first, second = arrays.values()
        if len(first.shape) > 1 and first.shape[:1] == second.shape[:1]:
            return _whole(text, first, second, None, validation, seed)
    advice = [f"a data set has the arrays {LAYOUTS}; or two arrays, inputs first, with a sample an entry"]
    prefixes = _prefixes(arrays)
    if prefixes:
        advice.append(f"it holds several data sets: choose one, as in `{path}:{prefixes[0]}`")
    raise ArchError(
        error("E0702", f"`{text}` does not hold a data set", notes=(f"its arrays are {_listed(arrays)}",), hints=advice)
    )


def _read(path: str) -> dict[str, Array]:
    """The arrays of an `.npz` file; pickled objects are refused, since reading them runs code."""
    try:
        with Path(path).open("rb") as opened:  # np.load leaves open what it cannot read
            file = np.load(opened, allow_pickle=False)
            if isinstance(file, np.ndarray):
                hints = ("save inputs and labels together: `np.savez(path, x=x, y=y)`",)
                raise ArchError(error("E0702", f"`{path}` holds a single array", hints=hints))
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as found:
        text = str(found).partition("\n")[0]
        pickled = text.startswith("Object arrays")
        why = "holds pickled objects" if pickled else "cannot be read as .npz"
        # What is no .npz at all numpy takes for a pickle, and it advises to load it unsafely.
        notes = [text] if text and (pickled or "allow_pickle" not in text) else []
        raise ArchError(error("E0702", f"`{path}` {why}", notes=notes)) from found


def _prefixes(arrays: dict[str, Array]) -> list[str]:
    """The names of the data sets that a file of several holds."""
    return [name.removesuffix("_x_train") for name in arrays if name.endswith("_x_train")]


def _listed(arrays: dict[str, Array]) -> str:
    shown = [f"`{name}` {array.dtype}{list(array.shape)}" for name, array in list(arrays.items())[:8]]
    return ", ".join(shown) + (f" and {len(arrays) - 8} more" if len(arrays) > 8 else "")


def _whole(name: str, x: Array, y: Array, test: Pair | None, validation: float, seed: int) -> Data:
    """A data set whose validation samples are taken from the given ones."""
    _check_pair(name, "", x, y)
    if not 0 < validation < 1:
        raise ArchError(error("E0706", f"the validation share is {validation}, expected a number between 0 and 1"))
    if len(x) < 2:
        raise ArchError(
            error(
                "E0702", f"`{name}` has {len(x)} sample{'s' * (len(x) != 1)}, too few to set some apart for validation"
            )
        )
    held = _held_out(y, validation, seed)
    return _split(name, (x[~held], y[~held]), (x[held], y[held]), test)


def _held_out(y: Array, share: float, seed: int) -> NDArray[np.bool_]:
    """Which samples validate: the share of every class (of all, where the targets are no labels)."""
    # RandomState, not default_rng: its stream is frozen, so a split stays the same in all versions of numpy.
    random = np.random.RandomState(seed)
    held = np.zeros(len(y), dtype=bool)
    labels = y if y.ndim == 1 and y.dtype.kind in "iubUS" else np.zeros(len(y), dtype=np.int64)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        held[members[: round(share * len(members))]] = True
    if not held.any():
        held[random.randint(len(y))] = True
    return held


def _split(name: str, train: Pair, validation: Pair, test: Pair | None) -> Data:
    pairs = {"train": train, "validation": validation} | ({"test": test} if test else {})
    for part, (x, y) in pairs.items():
        _check_pair(name, part, x, y)
    classes: tuple[str, ...] = ()
    if train[1].dtype.kind in "US":
        names = np.unique(train[1])
        classes = tuple(str(label) for label in names)
        for part, (x, y) in pairs.items():
            strange = np.setdiff1d(y, names)
            if len(strange):
                raise ArchError(
                    error("E0705", f"the {part} labels of `{name}` have `{strange[0]}`, which no training sample has")
                )
            pairs[part] = (x, np.searchsorted(names, y).astype(np.int64))
    return Data(name, pairs["train"], pairs["validation"], pairs.get("test"), classes)


def _check_pair(name: str, part: str, x: Array, y: Array) -> None:
    where = f"the {part} arrays of `{name}`" if part else f"the arrays of `{name}`"
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ArchError(
            error(
                "E0702",
                f"{where} have {_count(x)} inputs but {_count(y)} targets",
                hints=("a sample is an entry of both",),
            )
        )
    if len(x) == 0:
        raise ArchError(error("E0702", f"{where} hold no samples"))
    for what, array, kinds in (("inputs", x, "iufb"), ("targets", y, "iufbUS")):
        if array.dtype.kind not in kinds:
            raise ArchError(error("E0702", f"the {what} of {where} are of type {array.dtype}, expected numbers"))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
            raise ArchError(error("E0702", f"the {what} of {where} are not finite in sample {bad}"))


def _count(array: Array) -> str:
    return str(len(array)) if array.ndim else "a single number as"
