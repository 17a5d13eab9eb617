"""Functions that modules hold: where the value of an attribute that is called comes from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .call_forms import CallForm
from .callers import callee
from .definitions import Class, Function
from .family import parent_calls
from .file import FileFacts

_TABLES = ("get", "pop")
UNREADABLE = frozenset(
    "torch.nn.functional." + name
    for name in (
        *("interpolate", "upsample", "upsample_nearest", "upsample_bilinear"),
        *(f"{kind}max_pool{d}d" for kind in ("", "adaptive_", "fractional_") for d in (1, 2, 3)),
    )
)
"""Functions that TorchScript compiles where they are called by name, and not where a module holds them."""


@dataclass(frozen=True, eq=False)
class Held:
    """An expression whose value an attribute may hold.

    ``around``: the function in which it stands, None at the top level of the file and in a class body. ``store``: the
    assignment to the attribute, where the expression stands right there (also as an arm of a conditional expression).
    """

    cls: Class
    attribute: str
    node: ast.expr
    around: Function | None
    store: ast.Assign | None = None


class HeldFunctions:
    """The functions that the modules of one file hold."""

    def __init__(self, file: FileFacts):
        self.file = file

    def called(self) -> Iterator[tuple[Class, str]]:
        """Classes and the attributes that code which TorchScript sees calls on their instances."""
        given: set[tuple[Class, str]] = set()
        for function in self.file.functions:
            if function.cls is None or not function.cls.is_module:
                continue
            for name, uses in function.self_attributes.items():
                if (function.cls, name) not in given and any(self._calls(use) for use in uses):
                    given.add((function.cls, name))
                    yield function.cls, name

    def _calls(self, use: ast.Attribute) -> bool:
        parent = self.file.parents[use]
        return isinstance(parent, ast.Call) and parent.func is use

    def form(self, cls: Class, name: str) -> CallForm:
        """How the class and its relatives call the attribute on self."""
        calls = [
            (f, self.file.parents[n])
            for f in self.file.all_functions
            if f.cls in (cls, *cls.ancestors, *cls.subclasses)
            for n in f.self_attributes.get(name, ())
            if self._calls(n)
        ]
        return CallForm(self.file, [(f, c) for f, c in calls if isinstance(c, ast.Call)])

    def only_called(self, cls: Class, name: str) -> bool:
        """Whether the class and its relatives only set the attribute on self and call it, and nothing else sets it."""
        family = (cls, *cls.ancestors, *cls.subclasses)
        own = [n for c in family for m in c.methods.values() for n in m.self_attributes.get(name, ())]
        stores = [n for n in self.file.of(ast.Attribute) if n.attr == name and not isinstance(n.ctx, ast.Load)]
        selves = {f.self_name for f in self.file.all_functions}
        foreign = [n for n in stores if not isinstance(n.value, ast.Name) or n.value.id not in selves]
        return not foreign and all(not isinstance(n.ctx, ast.Load) or self._calls(n) for n in own)

    def values(self, cls: Class, name: str) -> list[Held]:
        """The expressions from which the attribute gets its value, as far as the file shows them."""
        found: list[Held] = []
        seen: set[ast.AST] = set()
        for c in (cls, *cls.ancestors, *cls.subclasses):
            for method, value in c.assigned.get(name, ()):
                if value is not None:
                    store = self.file.statement_of(value)
                    start = Held(c, name, value, method, store if isinstance(store, ast.Assign) else None)
                    found += self._traced(start, seen)
        return found

    def _traced(self, held: Held, seen: set[ast.AST]) -> Iterator[Held]:
        node, around = held.node, held.around
        if node in seen:
            return
        seen.add(node)
        if isinstance(node, (ast.IfExp, ast.BoolOp)):
            arms = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
            for arm in arms:
                yield from self._traced(Held(held.cls, held.attribute, arm, around, held.store), seen)
            return
        yield held
        for value, place in self._origins(node, around):
            yield from self._traced(Held(held.cls, held.attribute, value, place), seen)

    def _origins(self, node: ast.expr, around: Function | None) -> Iterator[tuple[ast.expr, Function | None]]:
        """What a name, an entry of a table or a call of the file's own function may stand for."""
        if isinstance(node, ast.Name):
            yield from self._bound(node.id, around)
        elif isinstance(node, ast.Subscript):
            yield from self._entries(node.value, around)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TABLES:
            yield from self._entries(node.func.value, around)
            yield from ((default, around) for default in node.args[1:])
        elif isinstance(node, ast.Call):
            called = self.chooser(node, around)
            for returned in called.of(ast.Return) if called is not None else ():
                if returned.value is not None:
                    yield returned.value, called

    def chooser(self, call: ast.Call, around: Function | None) -> Function | None:
        """The function of the file, or the method of the class, that a call gets the value from."""
        if around is not None:
            return callee(around, call)
        return self.file.function_named(call.func.id) if isinstance(call.func, ast.Name) else None

    def _entries(self, table: ast.expr, around: Function | None) -> Iterator[tuple[ast.expr, Function | None]]:
        tables = [(table, around)]
        if isinstance(table, ast.Name):
            tables = list(self._bound(table.id, around))
        for node, place in tables:
            if isinstance(node, ast.Dict):
                yield from ((value, place) for value in node.values)
            elif isinstance(node, (ast.List, ast.Tuple)):
                yield from ((value, place) for value in node.elts)

    def _bound(self, name: str, around: Function | None) -> Iterator[tuple[ast.expr, Function | None]]:
        """What a name may be bound to: in the function, as its parameter, or at the top level of the file."""
        if around is not None and name in around.flow.local_names:
            for assign in around.of(ast.Assign):
                if any(isinstance(t, ast.Name) and t.id == name for t in assign.targets):
                    yield assign.value, around
            yield from self._passed(name, around)
        else:
            yield from ((value, None) for value in self.file.assigned.get(name, ()))

    def _passed(self, name: str, function: Function) -> Iterator[tuple[ast.expr, Function | None]]:
        """The default of a parameter, and what the calls of a constructor in the file pass for it."""
        parameters = [p for p in function.parameters if p.kind in ("positional", "keyword")]
        for place, parameter in enumerate(parameters):
            if parameter.name != name:
                continue
            if parameter.default is not None:
                yield parameter.default, None
            for call, around in self._constructions.get(function, ()):
                by_name = [k.value for k in call.keywords if k.arg == name]
                given = call.args[place : place + 1] if parameter.kind == "positional" else []
                if any(isinstance(a, ast.Starred) for a in call.args[: place + 1]):
                    given = []
                yield from ((value, around) for value in (*given, *by_name))

    @cached_property
    def _constructions(self) -> dict[Function, list[tuple[ast.Call, Function | None]]]:
        """Constructor → the calls that run it: of its class by name, and from the constructors of heirs."""
        found: dict[Function, list[tuple[ast.Call, Function | None]]] = {}
        inside = {n: f for f in self.file.all_functions for n in f.of(ast.Call)}
        for call in self.file.of(ast.Call):
            cls = self.file.class_named(self.file.origin(call.func))
            init = cls.method("__init__") if cls is not None else None
            if init is not None:
                found.setdefault(init, []).append((call, inside.get(call)))
        for function in self.file.all_functions:
            if function.name == "__init__" and function.cls is not None:
                for parent in parent_calls(function):
                    for cls in function.cls.ancestors if parent.method == "__init__" and not parent.named else ():
                        if "__init__" in cls.methods:
                            found.setdefault(cls.methods["__init__"], []).append((parent.node, function))
                            break
        return found
