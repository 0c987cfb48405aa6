"""Where a call stands in the source of a Python function, and what its value is bound to there.

Files are read once. A call is found by where it ends, which the interpreter knows of each instruction;
without a source (typed at a bare prompt) nothing is known of it.
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import attrs

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# What is given to these is bound to what they give.
TRANSPARENT = (
    *("abs", "bool", "enumerate", "float", "frozenset", "int", "len", "list", "map", "max", "min", "next", "print"),
    *("range", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip"),
)
ASKING = ("choose", "integer", "real")
ADDING = frozenset(("add", "append", "appendleft", "extend", "insert"))


@attrs.frozen(eq=False)
class Loop:
    """A loop around a call; `counter` is the variable that numbers its turns, "" where none does."""

    counter: str


@attrs.frozen
class Binding:
    """What a value is bound to: a name; or an argument of a call, by its `name` or its `position`. Of that call
    the `label` (with its ordinal), the `function` as it is written, and how many `loops` are around it.
    `returned`: it is what a function gives."""

    name: str = ""
    label: str = ""
    function: ast.expr | None = None
    position: int | None = None
    loops: int = 0
    returned: bool = False


@attrs.frozen(eq=False)
class Site:
    """A call in a function: the name of what is called ("" where it has none), the `ordinal` among the calls of
    that name (0 where it is the only one), what its value is bound to, the ordinal among the calls of that
    name whose values are bound alike, the loops around it, and its place in the order of evaluation. Not
    `read`: its source is not there, and the ordinals are those among all calls."""

    callee: str
    ordinal: int
    binding: Binding
    alike: int
    loops: tuple[Loop, ...]
    order: int
    read: bool = True


def numbered(name: str, ordinal: int) -> str:
    return f"{name}#{ordinal}" if ordinal else name


def site_of(frame: FrameType) -> Site:
    """The call that a frame is making."""
    end = _end(frame.f_code, frame.f_lasti)
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    found = _sites(source).get(end) if end is not None else None
    return found or _unread(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=20_000)
def _unread(code: CodeType, instruction: int) -> Site:
    """A call of which there is no source."""
    before = [each.opname for each in dis.get_instructions(code) if each.offset <= instruction]
    number = sum(name in ("CALL", "CALL_KW", "CALL_FUNCTION_EX") for name in before)
    return Site("", number, Binding(), number, (), instruction, read=False)


@lru_cache(maxsize=20_000)
def _end(code: CodeType, instruction: int) -> tuple[int, int] | None:
    """The line and column where the expression of an instruction ends."""
    for number, (_, line, _, column) in enumerate(code.co_positions()):
        if number == instruction // 2:
            return None if line is None or column is None else (line, column)
    return None


@lru_cache(maxsize=64)
def _sites(source: str) -> dict[tuple[int, int], Site]:
    """The calls of a source, by where they end."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    return _Reader(tree).sites


class _Reader:
    """Reads the calls of a tree."""

    def __init__(self, tree: ast.Module):
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._known_loops: dict[ast.AST, Loop] = {}
        order = {node: place for place, node in enumerate(_evaluated(tree)) if isinstance(node, ast.Call)}
        calls = sorted(order, key=_place)
        scopes = {call: self._scope(call) for call in calls}
        self._ordinals = _ordinals({call: (scopes[call], _name(call.func)) for call in calls})
        bindings = {call: self._bound(call) for call in calls}
        alike = _ordinals({call: (scopes[call], _kind(call), bindings[call]) for call in calls})
        self.sites = {
            (call.end_lineno or 0, call.end_col_offset or 0): Site(
                _name(call.func),
                self._ordinals[call],
                bindings[call],
                alike[call],
                tuple(self._loops(call)),
                order[call],
            )
            for call in calls
        }

    def _up(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """The nodes around one, each after the child that leads to it, up to the function."""
        while node in self._parents:
            parent = self._parents[node]
            yield node, parent
            if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
                return
            node = parent

    def _scope(self, call: ast.Call) -> ast.AST:
        """The function, class or module in whose run a call is made."""
        node: ast.AST = call
        while node in self._parents:
            child, node = node, self._parents[node]
            if isinstance(node, ast.ClassDef) or (isinstance(node, FUNCTIONS) and not isinstance(child, ast.arguments)):
                break
        return node

    def _loops(self, call: ast.Call) -> Iterator[Loop]:
        """The loops around a call, the outermost first."""
        found: list[Loop] = []
        for child, parent in self._up(call):
            if isinstance(parent, ast.For | ast.AsyncFor) and child is not parent.iter and child not in parent.orelse:
                found.append(self._loop(parent, _counter(parent.target, parent.iter, parent.body)))
            elif isinstance(parent, ast.While) and child not in parent.orelse:
                found.append(self._loop(parent, ""))
            elif isinstance(parent, COMPREHENSIONS):
                inner = [each for each in parent.generators if child is not each]
                if child in parent.generators:
                    place = _at(parent.generators, child)
                    inner = parent.generators[:place]
                    if not _within(call, parent.generators[place].iter):
                        inner = parent.generators[: place + 1]
                found += [self._loop(each, _counter(each.target, each.iter, [])) for each in reversed(inner)]
        return reversed(found)

    def _loop(self, node: ast.AST, counter: str) -> Loop:
        return self._known_loops.setdefault(node, Loop(counter))

    def _bound(self, call: ast.Call) -> Binding:
        """What a call's value is bound to."""
        for child, parent in self._up(call):
            match parent:
                case ast.keyword(arg=str(name)):
                    around = self._parents[parent]
                    if not isinstance(around, ast.Call) or _name(around.func) in ("dict", ""):
                        return Binding(name)
                    if _name(around.func) not in TRANSPARENT:
                        return self._argument(around, name)
                case ast.Call(func=function, args=args) if child in args:
                    if isinstance(function, ast.Attribute) and function.attr in ADDING:
                        return Binding(_name(function.value))
                    if _name(function) not in TRANSPARENT:
                        return self._argument(parent, "", _at(args, child))
                case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
                    return Binding(_target(target, parent.value, call))
                case ast.AugAssign(target=target) | ast.NamedExpr(target=target):
                    return Binding(_name(target))
                case ast.Dict(keys=keys, values=values) if child in values:
                    key = keys[_at(values, child)]
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        return Binding(key.value)
                case ast.arguments():
                    return Binding(_parameter(parent, child))
                case ast.Return() | ast.Lambda():
                    return Binding(returned=child is call)
                case ast.stmt():
                    break
        return Binding()

    def _argument(self, around: ast.Call, name: str, position: int | None = None) -> Binding:
        label = numbered(_name(around.func), self._ordinals[around])
        return Binding(name, label, around.func, position, len(list(self._loops(around))))


def _ordinals(kinds: dict[ast.Call, Any]) -> dict[ast.Call, int]:
    """The number of each call among those of its kind, from 1; 0 for the only one."""
    totals, seen = Counter(kinds.values()), Counter[Any]()
    found = {}
    for call, kind in kinds.items():
        seen[kind] += 1
        found[call] = seen[kind] if totals[kind] > 1 else 0
    return found


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes, in the order in which they are evaluated in one turn of a loop."""
    children = list(ast.iter_child_nodes(node))
    match node:
        case ast.IfExp(test, body, orelse):
            children = [test, body, orelse]
        case ast.DictComp(key, value, generators):
            children = [*generators, key, value]
        case ast.ListComp(part, generators) | ast.SetComp(part, generators) | ast.GeneratorExp(part, generators):
            children = [*generators, part]
        case ast.Assign(targets, value):
            children = [value, *targets]
    for child in children:
        yield from _evaluated(child)
    yield node


def _kind(call: ast.Call) -> str:
    """What is called; all that ask for a decision are of one kind."""
    name = _name(call.func)
    return "choose" if name in ASKING else name


def _place(call: ast.Call) -> tuple[int, int, int, int]:
    """The order of the text; of calls that begin at one place the outer first."""
    return call.lineno, call.col_offset, -(call.end_lineno or 0), -(call.end_col_offset or 0)


def _target(target: ast.expr, value: ast.expr | None, part: ast.AST) -> str:
    """What a part of a value is bound to: `a, b = f(), g()` binds two."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, item in zip(target.elts, value.elts, strict=True):
            if any(each is part for each in ast.walk(item)):
                return _name(one)
    return _name(target)


def _at(nodes: Sequence[ast.AST | None], node: ast.AST) -> int:
    return next(place for place, each in enumerate(nodes) if each is node)


def _within(node: ast.AST, part: ast.AST) -> bool:
    return any(each is node for each in ast.walk(part))


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(str(key))):
            return key
        case ast.Subscript(value=value) | ast.Starred(value=value):
            return _name(value)
    return ""


def _parameter(arguments: ast.arguments, default: ast.AST) -> str:
    """The parameter whose default value this is."""
    placed = [*arguments.posonlyargs, *arguments.args]
    if default in arguments.defaults:
        return placed[len(placed) - len(arguments.defaults) + _at(arguments.defaults, default)].arg
    if default in arguments.kw_defaults:
        return arguments.kwonlyargs[_at(arguments.kw_defaults, default)].arg
    return ""


def _counter(target: ast.expr, over: ast.expr, body: list[ast.stmt]) -> str:
    """The variable of a loop that numbers its turns: of `range` and of `enumerate`, unless its body sets it."""
    match over, target:
        case (ast.Call(func=ast.Name("range")), ast.Name(name)):
            pass
        case (ast.Call(func=ast.Name("enumerate")), ast.Tuple(elts=[ast.Name(name), *_])):
            pass
        case _:
            return ""
    stored = (node for each in body for node in ast.walk(each) if isinstance(node, ast.Name))
    return "" if any(node.id == name and isinstance(node.ctx, ast.Store) for node in stored) else name
