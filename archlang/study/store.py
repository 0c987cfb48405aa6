"""Studies in a database: a SQLite file, or whatever a SQLAlchemy URL names.

A trial is written when it is asked and when it is told, each in a transaction of its own, so that a
process may be killed at any point: what was told is there, and what was asked but not told is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import StaticPool

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.searchers import NO_CONSTRAINTS, Constraint, Constraints, Objective
from archlang.study.record import INTERRUPTED, RUNNING, StudyRecord, StudySummary, Trial

SCHEMA = 1

_tables = sa.MetaData()
STORE = sa.Table(
    "archlang_store",
    _tables,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)
STUDY = sa.Table(
    "study",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("space", sa.Text, nullable=False),
    sa.Column("evaluator", sa.Text, nullable=False),
    sa.Column("searcher", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("objectives", sa.Text, nullable=False),
    sa.Column("constraints", sa.Text),
    sa.Column("trials", sa.Integer, nullable=False),
    sa.Column("reuse", sa.Boolean, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
)
TRIAL = sa.Table(
    "trial",
    _tables,
    sa.Column("study_id", sa.Integer, sa.ForeignKey("study.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("asked", sa.Integer, nullable=False),
    sa.Column("told", sa.Integer),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("choices", sa.Text, nullable=False),
    sa.Column("fidelity", sa.Float, nullable=False, server_default="1"),
    sa.Column("metrics", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("curve", sa.Text),
    sa.Column("started", sa.String(40), nullable=False),
    sa.Column("seconds", sa.Float),
    # One event is one ask or one tell: a second process on the same study runs into these.
    sa.UniqueConstraint("study_id", "asked"),
    sa.UniqueConstraint("study_id", "told"),
)


@attrs.define(eq=False)
class Store:
    """An open database of studies. Make one with `open_store`."""

    location: str
    engine: sa.Engine = attrs.field(repr=False)

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """The names of the studies, oldest first."""
        with self._reading() as connection:
            return [row.name for row in connection.execute(sa.select(STUDY.c.name).order_by(STUDY.c.id))]

    def summaries(self) -> list[StudySummary]:
        """All studies, oldest first, with the number of their trials in each state."""
        counted = sa.select(TRIAL.c.study_id, TRIAL.c.state, sa.func.count().label("count"))
        with self._reading() as connection:
            studies = connection.execute(sa.select(STUDY).order_by(STUDY.c.id)).all()
            counts = connection.execute(counted.group_by(TRIAL.c.study_id, TRIAL.c.state)).all()
        found = []
        for row in studies:
            record = self._record(row)
            found.append(
                StudySummary(
                    name=record.name,
                    created=record.created,
                    space=record.space["name"],
                    searcher=record.searcher,
                    objectives=record.objectives,
                    trials=record.trials,
                    states={count.state: count[2] for count in counts if count.study_id == row.id},
                )
            )
        return found

    def only_study(self, name: str | None) -> StudyRecord:
        """The study of that name, or without a name the one study of the store; else ArchError (E0908)."""
        names = self.names()
        if name is None and len(names) == 1:
            name = names[0]
        if name is None:
            what = f"holds {len(names)} studies" if names else "holds no study"
            known = ", ".join(f"`{other}`" for other in names)
            raise ArchError(
                error("E0908", f"`{self.location}` {what}", hints=[f"name one of {known}"] if names else [])
            )
        if name not in names:
            hints = did_you_mean(name, names) or (f"it holds {', '.join(f'`{other}`' for other in names) or 'none'}",)
            raise ArchError(error("E0908", f"`{self.location}` holds no study `{name}`", hints=hints))
        with self._reading() as connection:
            return self._record(connection.execute(sa.select(STUDY).where(STUDY.c.name == name)).one())

    def create(self, record: StudyRecord) -> None:
        """Add a study; ArchError (E0909) when one of that name is there already."""
        row = {
            "name": record.name,
            "created": record.created,
            "space": json.dumps(record.space),
            "evaluator": json.dumps(record.evaluator),
            "searcher": record.searcher,
            "settings": json.dumps(record.settings),
            "seed": record.seed,
            "objectives": json.dumps([attrs.asdict(objective) for objective in record.objectives]),
            "constraints": json.dumps(attrs.asdict(record.constraints)) if record.constraints.limits else None,
            "trials": record.trials,
            "reuse": record.reuse,
            "versions": json.dumps(record.versions),
        }
        try:
            with self._writing() as connection:
                connection.execute(STUDY.insert().values(row))
        except exc.IntegrityError as clash:
            raise ArchError(
                error(
                    "E0909",
                    f"`{self.location}` already holds a study `{record.name}`",
                    hints=(
                        f"go on with it: `archlang resume {self.location} --name {record.name}`",
                        "or give the new study another name, or another store",
                    ),
                )
            ) from clash

    def set_trials(self, name: str, trials: int) -> None:
        """Change how many trials a study is to have."""
        with self._writing() as connection:
            connection.execute(STUDY.update().where(STUDY.c.name == name).values(trials=trials))

    def trials(self, name: str) -> list[Trial]:
        """The trials of a study in the order of their numbers."""
        wanted = sa.select(TRIAL).join(STUDY).where(STUDY.c.name == name).order_by(TRIAL.c.number)
        with self._reading() as connection:
            rows = connection.execute(wanted).all()
        try:
            return [_trial(row) for row in rows]
        except (ValueError, TypeError, KeyError) as found:
            raise damaged(self.location, str(found)) from found

    def ask(self, name: str, trial: Trial) -> None:
        """Write a trial that begins."""
        row = {
            "study_id": self._id(name),
            "number": trial.number,
            "asked": trial.asked,
            "state": trial.state,
            "choices": trial.choices_json,
            "fidelity": trial.fidelity,
            "started": trial.started,
        }
        try:
            with self._writing() as connection:
                connection.execute(TRIAL.insert().values(row))
        except exc.IntegrityError as clash:
            raise _contended(name) from clash

    def restart(self, name: str, trial: Trial) -> None:
        """Write that a trial is begun again."""
        self._update(name, trial, state=RUNNING, started=trial.started)

    def interrupt(self, name: str, trial: Trial) -> None:
        """Write that a trial was cut short."""
        # The interrupt may have come just after the trial was told: then it stays as told.
        with self._writing() as connection:
            connection.execute(TRIAL.update().where(self._open(name, trial)).values(state=INTERRUPTED))

    def tell(self, name: str, trial: Trial) -> None:
        """Write what came of a trial."""
        try:
            self._update(
                name,
                trial,
                told=trial.told,
                state=trial.state,
                metrics=json.dumps(dict(trial.metrics)),
                error=trial.error,
                curve=json.dumps([dict(point) for point in trial.curve]),
                seconds=trial.seconds,
            )
        except exc.IntegrityError as clash:
            raise _contended(name) from clash

    def _update(self, name: str, trial: Trial, **values: Any) -> None:
        with self._writing() as connection:
            if connection.execute(TRIAL.update().where(self._open(name, trial)).values(values)).rowcount != 1:
                raise _contended(name)

    def _open(self, name: str, trial: Trial) -> sa.ColumnElement[bool]:
        """Picks the trial while it is not told."""
        return (TRIAL.c.study_id == self._id(name)) & (TRIAL.c.number == trial.number) & TRIAL.c.told.is_(None)

    def _id(self, name: str) -> sa.ScalarSelect[Any]:
        return sa.select(STUDY.c.id).where(STUDY.c.name == name).scalar_subquery()

    def _record(self, row: Any) -> StudyRecord:
        try:
            return StudyRecord(
                name=row.name,
                created=row.created,
                space=_object(row.space, "name", "module", "digest", "config", "texts"),
                evaluator=_object(row.evaluator, "kind"),
                searcher=row.searcher,
                settings=_object(row.settings),
                seed=row.seed,
                objectives=_objectives(row.objectives),
                constraints=_constraints(row.constraints),
                trials=row.trials,
                reuse=row.reuse,
                versions=_object(row.versions),
            )
        except (ValueError, TypeError, KeyError) as found:
            raise damaged(self.location, str(found)) from found

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except exc.DatabaseError as found:
            raise damaged(self.location, str(found.orig)) from found

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self.engine.begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DatabaseError as found:
            raise _unwritable(self.location, str(found.orig)) from found


def open_store(location: str | Path | None, create: bool = False) -> Store:
    """The store in a SQLite file or at a SQLAlchemy URL; None is a new one in memory.

    Without `create` the store must be there. ArchError: E0905 there is none, or it is damaged or no
    store of archlang's; E0906 it cannot be written; E0907 another version of archlang wrote it.
    """
    if location is None:
        url, shown = make_url("sqlite://"), "memory"
        create = True
    elif "://" in str(location):
        url, shown = _parsed(str(location)), str(location)
        shown = url.render_as_string(hide_password=True)
    else:
        shown = str(location)
        url = URL.create("sqlite", database=str(Path(location).expanduser().absolute()))
        _prepare_file(Path(location).expanduser(), shown, create)
    engine = _engine(url, shown)
    store = Store(shown, engine)
    try:
        _check_schema(store, create)
    except BaseException:
        store.close()
        raise
    return store


def _parsed(location: str) -> URL:
    try:
        return make_url(location)
    except exc.ArgumentError as found:
        raise ArchError(
            error("E0905", f"`{location}` is no database URL", hints=("write a file path, or `dialect://host/name`",))
        ) from found


def _engine(url: URL, shown: str) -> sa.Engine:
    in_memory = url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
    options: dict[str, Any] = {}
    if in_memory:
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    try:
        engine = sa.create_engine(url, **options)
    except (exc.ArgumentError, ModuleNotFoundError) as found:
        raise ArchError(
            error("E0905", f"the store `{shown}` cannot be opened: {found}", hints=("install the database's driver",))
        ) from found
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Waits for other writers; syncs at each commit; with the write-ahead log readers never wait."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _prepare_file(path: Path, shown: str, create: bool) -> None:
    if path.is_dir():
        raise ArchError(error("E0905", f"the store `{shown}` is a folder", hints=("give the path of a file",)))
    if path.exists():
        return
    if not create:
        raise ArchError(
            error("E0905", f"there is no store `{shown}`", hints=("`archlang search … --store PATH` makes one",))
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as found:
        raise _unwritable(shown, found.strerror or str(found)) from found


def _check_schema(store: Store, create: bool) -> None:
    """Make the tables of a new store, or see that they are there and of this version."""
    try:
        with store.engine.connect() as connection:
            tables = sa.inspect(connection).get_table_names()
            found: Mapping[str, str] = {}
            if STORE.name in tables:
                found = {row.key: row.value for row in connection.execute(sa.select(STORE))}
    except exc.OperationalError as problem:
        if "unable to open" in str(problem.orig):
            raise _unwritable(store.location, str(problem.orig)) from problem
        raise damaged(store.location, str(problem.orig)) from problem
    except exc.DatabaseError as problem:
        raise damaged(store.location, str(problem.orig)) from problem
    if not tables and create:
        _create_tables(store)
    elif STORE.name not in tables:
        what = "is an empty database" if not tables else f"holds other tables ({', '.join(sorted(tables)[:4])})"
        raise ArchError(error("E0905", f"`{store.location}` is no store of studies: it {what}"))
    elif found.get("schema") != str(SCHEMA):
        raise ArchError(
            error(
                "E0907",
                f"`{store.location}` has the schema version {found.get('schema')}, this archlang reads {SCHEMA}",
                hints=("use the version of archlang that wrote it, or another store",),
            )
        )
    elif missing := {STUDY.name, TRIAL.name} - set(tables):
        raise damaged(store.location, f"the table {sorted(missing)[0]} is missing")


def _create_tables(store: Store) -> None:
    try:
        if store.engine.dialect.name == "sqlite":
            with store.engine.connect() as connection:
                connection.execute(sa.text("PRAGMA journal_mode = WAL"))
        with store.engine.begin() as connection:
            _tables.create_all(connection)
            connection.execute(STORE.insert().values(key="schema", value=str(SCHEMA)))
    except exc.IntegrityError:
        _check_schema(store, create=False)  # another process made them at the same time
    except exc.DatabaseError as found:
        if "already exists" not in str(found.orig):
            raise _unwritable(store.location, str(found.orig)) from found
        _check_schema(store, create=False)


def _object(text: str, *fields: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError(f"expected an object, found {text[:40]}")
    for field in fields:
        if field not in found:
            raise ValueError(f"the field `{field}` is missing in {text[:40]}")
    return found


def _objectives(text: str) -> tuple[Objective, ...]:
    found = tuple(Objective(**objective) for objective in json.loads(text))
    if not found:
        raise ValueError("a study has no objectives")
    return found


def _constraints(text: str | None) -> Constraints:
    if text is None:
        return NO_CONSTRAINTS
    found = _object(text, "limits")
    return Constraints(**{**found, "limits": tuple(Constraint(**limit) for limit in found["limits"])})


def _metrics(text: str | None) -> dict[str, Any]:
    found = _object(text) if text else {}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"the metric `{name}` is {value!r}")
    return found


def _trial(row: Any) -> Trial:
    return Trial(
        number=row.number,
        choices=_object(row.choices),
        choices_json=row.choices,
        fidelity=row.fidelity,
        state=row.state,
        asked=row.asked,
        told=row.told,
        metrics=_metrics(row.metrics),
        error=row.error or "",
        curve=tuple(json.loads(row.curve)) if row.curve else (),
        started=row.started,
        seconds=row.seconds or 0.0,
    )


def damaged(location: str, why: str) -> ArchError:
    """The error (E0905) for a store that does not hold what it should."""
    return ArchError(
        error("E0905", f"`{location}` cannot be read as a store of studies", notes=(why,), hints=("check the path",))
    )


def _unwritable(location: str, why: str) -> ArchError:
    return ArchError(
        error("E0906", f"the store `{location}` cannot be written", notes=(why,), hints=("give another path",))
    )


def _contended(name: str) -> ArchError:
    return ArchError(
        error(
            "E0914",
            f"another process runs the study `{name}`",
            notes=("what it and this one have told so far is in the store",),
            hints=("let one of them finish",),
        )
    )
