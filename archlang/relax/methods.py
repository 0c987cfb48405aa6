"""Named methods: presets of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.relax.method import Method
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.selections.argmax import Argmax
from archlang.settings import read_settings

# The settings are those of each paper's search on CIFAR-10 or, where it has none, of its main experiment.
METHODS: dict[str, Method] = {
    # Liu et al. 2019
    "darts": Method(sampler=Softmax(null=True), selection=Argmax()),
}


def method_of(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """The method of that name with some settings changed: `epochs`, or those of a part, `weights.lr`,
    `sampler.temperature`. ArchError: E1002 there is no such method, or it has no such setting."""
    method = METHODS.get(name)
    if method is None:
        hints = did_you_mean(name, METHODS) or (f"there are {', '.join(METHODS)}",)
        raise ArchError(error("E1002", f"there is no method `{name}`", hints=hints))
    changed: Method = _changed(method, dict(settings or {}), f"the method `{name}`")
    return changed


def _changed(part: Any, settings: Mapping[str, Any], of: str) -> Any:
    """A part with some settings changed, those of parts in it by dotted names."""
    inner: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    for name, value in settings.items():
        head, dot, rest = name.partition(".")
        if dot and attrs.has(type(getattr(part, head, None))):
            inner.setdefault(head, {})[rest] = value
        else:
            own[name] = value
    fields = [field.name for field in attrs.fields(type(part))]
    kept = {name: getattr(part, name) for name in fields if name not in own}
    for name, changes in inner.items():
        kept[name] = _changed(kept[name], changes, f"`{name}` of {of}")
    return read_settings(type(part), {**kept, **own}, of, "E1002", "E1002")
