"""Where the ops of a program come from, so that its text can be read on its own."""

from __future__ import annotations

from archlang.ir.graph import Graph
from archlang.semantics.modules import ModuleScope
from archlang.syntax import ast
from archlang.syntax.format import format_item


def declarations_for(module: ModuleScope, graph: Graph) -> tuple[list[str], list[str]]:
    """The library modules that declare the graph's ops, and the texts of what the user's own
    modules declare beside theirs (ops, functions and constants)."""
    origins: dict[str, ModuleScope] = {}
    for name in dict.fromkeys(node.operation.name for node in graph.nodes):
        found = module.find(name) or module.library("std.nn").find(name)
        if found is not None:
            origins[found[0].name] = found[0]
    uses: dict[str, None] = {}
    items: dict[str, None] = {}
    pending = list(origins.values())
    for origin in pending:
        if origin.name.startswith("std."):
            uses.setdefault(origin.name)
            continue
        for declaration in origin.declarations():
            if isinstance(declaration, ast.Op | ast.Def | ast.Constant):
                items.setdefault(format_item(declaration))
        pending += [used for used in origin.imports.values() if used not in pending]
    return list(uses), list(items)
