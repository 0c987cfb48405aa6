"""Training a supernet by a method, and going on with it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.backend import engines
from archlang.diagnostics import ArchError, error
from archlang.evaluate.data import Source, load_data
from archlang.evaluate.fitting import fit_data
from archlang.ir.weights import read_notes, read_weights, write_weights
from archlang.relax.feeding import Feeding
from archlang.relax.history import Epoch
from archlang.relax.methods import method_of
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.outcome import Found, Relaxed
from archlang.relax.progress import Listener, ProgressBar, Silent
from archlang.relax.questions import questions
from archlang.relax.session import Session
from archlang.study.origin import space_from_record, space_record, versions

if TYPE_CHECKING:
    from archlang.space import Space

KIND = "archlang supernet"
FORMAT = 1
PAUSE = 30.0  # seconds from one time that a selection is kept to the next


def train_supernet(
    space: Space,
    data: Source = "digits",
    *,
    method: str = "darts",
    settings: Mapping[str, Any] | None = None,
    loss: str = "cross_entropy",
    validation: float = 0.2,
    seed: int = 0,
    backend: str = "torch",
    device: str = "cpu",
    threads: int = 1,
    store: str | Path | None = None,
    progress: bool | Listener = False,
) -> Relaxed:
    """Train all programs of a space in one network, and take the best from it.

    `method` is one of `METHODS`, `settings` change what it says (`epochs`, `weights.lr`: see `Method`). `data` is
    as for `train`: of its training samples a part trains the weights, the rest the architecture; the
    validation samples are for measuring and selecting. A space whose configuration has `supernet: bool` is made
    with it, unless that is set. `device` is one that the backend knows (`cuda`), `threads` are those of the CPU (0
    leaves them to the framework). With `store` the training is kept in that file after every epoch; an interrupt
    from the keyboard ends it with `interrupted`, and `resume` goes on with it.

    ArchError: E0805 no such device, E1001 the space cannot be mixed, E1002 no such method, E1003 the data cannot be
    shared out, and what `load_data` and `fit_data` raise.
    """
    record = {
        "format": FORMAT,
        "space": space_record(space),
        "method": method,
        "settings": dict(settings or {}),
        "data": str(data) if isinstance(data, str | Path) else None,
        "loss": loss,
        "validation": validation,
        "seed": seed,
        "backend": backend,
        "device": device,
        "threads": threads,
        "versions": versions(),
    }
    return _Run(space, data, record, store, _listener(progress)).go()


def resume(
    store: str | Path, *, data: Source | None = None, space: Space | None = None, progress: bool | Listener = False
) -> Relaxed:
    """Go on with a training that was kept in a file, exactly as if it had never stopped. Arrays have to be given
    again. ArchError: E1004 the file holds no training of a supernet, E0904 the space is another."""
    return _taken_up(store, data, space, _listener(progress)).go(resumes=True)


def read_supernet(store: str | Path, *, data: Source | None = None, space: Space | None = None) -> Relaxed:
    """A training that was kept in a file, as it is now: nothing is trained. Arguments and errors are those of
    `resume`."""
    return _taken_up(store, data, space, Silent()).read()


def _taken_up(store: str | Path, data: Source | None, space: Space | None, listener: Listener) -> _Run:
    record = read_record(store)
    source = data if data is not None else record["data"]
    if source is None:
        raise ArchError(error("E1004", f"the training in `{store}` needs its data again", hints=["give `data=…`"]))
    known = space_from_record(record["space"]) if space is None else space
    return _Run(known, source, record, store, listener)


def read_record(store: str | Path) -> dict[str, Any]:
    """What a file says of the training that it holds; ArchError (E1004) when it holds none."""
    text = read_notes(store).get(KIND)
    record: dict[str, Any] = json.loads(text) if text is not None else {}
    if record.get("format") != FORMAT:
        raise ArchError(error("E1004", f"`{store}` does not hold the training of a supernet"))
    return record


def supernet_space(space: Space) -> Space:
    """The space as its supernet is made: with `supernet=true` where its configuration has that."""
    names = {parameter.name for parameter in space.declaration.config}
    if "supernet" in names and "supernet" not in space.config:
        space = space.configured(supernet=True)
    return space


class _Run:
    def __init__(
        self, space: Space, data: Source, record: Mapping[str, Any], store: str | Path | None, listener: Listener
    ):
        self._space, self._store, self._listener = space, store, listener
        self._record = dict(record)
        self._method = method = method_of(record["method"], record["settings"])
        used = supernet_space(space)
        used = used.partial(method.partial) if method.partial > 1 else used
        seed = record["seed"]
        loaded = load_data(data, record["validation"])
        fitted = fit_data(loaded, used.sample(seed=0).graph, record["loss"])
        if self._record.setdefault("data_digest", loaded.digest) != loaded.digest:
            raise ArchError(error("E1004", "the data is not that which the training began with"))
        made = engines(record["backend"])
        supernet = made.supernet(used, seed, method.apart, method.kernel_transform)
        asked = questions(supernet.varied) if isinstance(method.sampler, Mixture) else ()
        first = method.sampler.parameters(asked, np.random.default_rng(seed))
        device = record.get("device", "cpu")  # files of earlier versions know no other
        engine = made.engine(supernet, first, method.weights, method.architecture, record["loss"], seed, device)
        feeding = Feeding.of(fitted, engine, method.batch_size, method.share_of_weights, seed)
        self._session = Session(method, used, engine, asked, Random(seed), feeding, derived=space)
        self._session.stepped = lambda step, loss: listener.stepped(step, feeding.steps, loss)
        self._session.selecting = self._selecting
        self._history: list[Epoch] = []
        self._found: list[Found] = []
        self._saved = time.monotonic()

    def _restore(self) -> None:
        """Take up the state in the store."""
        assert self._store is not None
        self._history = [Epoch.from_json(epoch) for epoch in self._record.get("history", ())]
        self._found = [Found.from_json(found) for found in self._record.get("found", ())]
        self._session.notes.update(self._record.get("notes", {}))
        self._session.progress = len(self._history) / self._method.epochs
        self._session.engine.set_state(read_weights(self._store))

    def go(self, resumes: bool = False) -> Relaxed:
        """Train, and select; `resumes`: what is in the store is gone on with."""
        with self._session.engine.running(self._record["threads"]):
            if resumes:
                self._restore()
            return self._go()

    def read(self) -> Relaxed:
        """What is in the store."""
        with self._session.engine.running(self._record["threads"]):
            self._restore()
        return self._relaxed(not self._found)

    def _relaxed(self, interrupted: bool) -> Relaxed:
        return Relaxed(self._space, self._session, self._record, tuple(self._history), tuple(self._found), interrupted)

    def _go(self) -> Relaxed:
        method, session = self._method, self._session
        interrupted = False
        self._listener.begin(self._record["method"], self._space.name, method.epochs, self._history)
        try:
            for number in range(len(self._history), method.epochs):
                epoch = self._epoch(number)
                self._history.append(epoch)
                self._save()
                self._listener.told(epoch)
            if not self._found:
                self._listener.selecting("begun")
                self._found = method.selection.select(session)
                self._save()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._listener.end()
        return self._relaxed(interrupted)

    def _epoch(self, number: int) -> Epoch:
        session, started = self._session, time.perf_counter()
        loss = session.train_epoch(number)
        measured, likelihoods = session.measure(), session.likelihoods()
        return Epoch(number, loss, measured, likelihoods, time.perf_counter() - started)

    def _selecting(self, done: str) -> None:
        if time.monotonic() - self._saved > PAUSE:
            self._save()
        self._listener.selecting(done)

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._store is None:
            return
        Path(self._store).parent.mkdir(parents=True, exist_ok=True)
        self._record["history"] = [epoch.as_json() for epoch in self._history]
        self._record["notes"] = self._session.notes
        self._record["found"] = [found.as_json() for found in self._found]
        write_weights(self._store, self._session.engine.state(), {KIND: json.dumps(self._record)})


def _listener(progress: bool | Listener) -> Listener:
    if isinstance(progress, bool):
        return ProgressBar() if progress else Silent()
    return progress
