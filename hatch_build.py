"""Puts the grammar and the standard library into wheels; an editable install reads them in place."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"] = {"grammar": "archlang/_data/grammar", "stdlib": "archlang/_data/stdlib"}
