"""What one function binds its names to and puts into them, and what a class registers, read off the source."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from .nodes import walk
from .types import INT, TOP, UNKNOWN, Type, list_of

if TYPE_CHECKING:
    from .definitions import Class, Function


_REGISTER = ("register_buffer", "register_parameter")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_TESTS = frozenset({"isinstance", "hasattr", "type", "issubclass", "torch.is_tensor", "callable"})
_CONTAINERS = frozenset({"list", "tuple", "str", "dict", "set"})
Bound = dict[str, list["ast.expr | Type"]]


class Element(ast.expr):
    """What iterating over an expression gives: no syntax of Python's, so it has a node of its own."""

    _fields = ("over",)

    def __init__(self, over: ast.expr):
        super().__init__()
        self.over = over


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_TEXT = (ast.ExceptHandler, ast.Import, ast.ImportFrom, ast.MatchAs, ast.MatchStar, ast.MatchMapping)
"""What binds names that the syntax keeps as text."""
_BINDING = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor, ast.NamedExpr, ast.withitem),
    *(ast.Global, ast.Nonlocal, ast.Lambda, *_DEFINITIONS, *_TEXT),
)
"""What binds names."""


def starts_empty(function: Function, value: ast.expr | Type) -> bool:
    """Whether a value is an empty list: ``[]``, or ``torch.jit.annotate(List[int], [])``."""
    if isinstance(value, ast.Call) and function.file.origin(value.func) == "torch.jit.annotate":
        value = value.args[-1]
    return isinstance(value, ast.List) and not value.elts


class Bindings:
    """The names of one function. Those that a comprehension binds are its own (`inner`), not the function's."""

    def __init__(self, function: Function):
        self.function = function
        self._inner: dict[ast.comprehension, Bound] = {}
        self._mentions: dict[str, set[str]] = {}
        self._closures: dict[str, set[str]] = {}

    @cached_property
    def values(self) -> Bound:
        """name → the expressions bound to it (or a type: the unknown or the top where no expression stands for it)."""
        found: Bound = {}
        for node in self.function.of(*_BINDING):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._bind(found, target, value)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    found.setdefault(name, []).append(self.function.file.annotated(annotation))
                case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                    found.setdefault(name, []).append(ast.BinOp(target, op, value))
                case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
                    self._bind_loop(found, target, over)
                case ast.NamedExpr(target=ast.Name(id=name), value=value):
                    found.setdefault(name, []).append(value)
                case ast.withitem(optional_vars=ast.expr() as target):
                    self._bind_all(found, target)
                case ast.Global(names=names) | ast.Nonlocal(names=names):
                    for name in names:
                        found.setdefault(name, []).append(UNKNOWN)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                    self._bind_scope(found, node)
                case _:
                    self._bind_text(found, node)
        return found

    def _bind_scope(self, found: Bound, node: ast.AST) -> None:
        """A nested function or class: its name, and what it binds of the function's names."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.setdefault(node.name, []).append(TOP)
        for inner in walk(node):
            if isinstance(inner, ast.Nonlocal):
                for name in inner.names:
                    found.setdefault(name, []).append(UNKNOWN)

    def _bind_text(self, found: Bound, node: ast.AST) -> None:
        """Names that the syntax keeps as text: of handlers, imports and patterns."""
        names: list[str | None] = []
        match node:
            case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
                names = [name]
            case ast.MatchMapping(rest=name):
                names = [name]
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names = [(a.asname or a.name).partition(".")[0] for a in aliases]
        for bound in names:
            if bound is not None:
                found.setdefault(bound, []).append(TOP)

    def _bind(self, found: Bound, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Starred) and isinstance(target.value, ast.Name):
            found.setdefault(target.value.id, []).append(list_of(UNKNOWN))
        elif isinstance(target, (ast.Tuple, ast.List)):
            plain = not any(isinstance(t, ast.Starred) for t in target.elts)
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts) and plain:
                for t, v in zip(target.elts, value.elts, strict=True):
                    self._bind(found, t, v)
                return
            starred = False
            for i, t in enumerate(target.elts):
                starred |= isinstance(t, ast.Starred)
                index = i - len(target.elts) if starred else i
                self._bind(found, t, ast.Subscript(value, ast.Constant(index)))

    def _bind_loop(self, found: Bound, target: ast.expr, over: ast.expr) -> None:
        name = self.function.file.origin(over.func) if isinstance(over, ast.Call) else ""
        args = over.args if isinstance(over, ast.Call) else []
        pair = isinstance(target, ast.Tuple) and len(target.elts) == 2
        if name in ("range", "enumerate", "zip") and self.shadows(name):
            self._bind_all(found, target, UNKNOWN)
        elif name == "range" and isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(INT)
        elif name == "enumerate" and pair and args:
            assert isinstance(target, ast.Tuple)
            if isinstance(target.elts[0], ast.Name):
                found.setdefault(target.elts[0].id, []).append(INT)
            self._bind_loop(found, target.elts[1], args[0])
        elif name == "zip" and isinstance(target, ast.Tuple) and len(args) == len(target.elts):
            for t, a in zip(target.elts, args, strict=True):
                self._bind_loop(found, t, a)
        else:
            self._bind(found, target, Element(over))

    def _bind_all(self, found: Bound, target: ast.expr, type_: Type = TOP) -> None:
        for node in walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.setdefault(node.id, []).append(type_)

    def shadows(self, name: str) -> bool:
        """Whether a builtin's name is bound by the file or the function: it is not the builtin then."""
        if not name or "." in name:
            return False
        return name in self.function.file.module_names or name in self._bound

    @cached_property
    def _bound(self) -> set[str]:
        names = {n.id for n in self.function.of(ast.Name) if not isinstance(n.ctx, ast.Load)}
        text: Bound = {}
        for node in self.function.of(*_TEXT):
            self._bind_text(text, node)
        defined = {d.name for d in self.function.of(*_DEFINITIONS)}
        return names.union(text, defined, (p.name for p in self.function.parameters))

    @cached_property
    def comprehended(self) -> set[str]:
        """Names that some comprehension of the function binds."""
        return {n.id for c in self.function.of(ast.comprehension) for n in walk(c.target) if isinstance(n, ast.Name)}

    def inner(self, node: ast.Name) -> list[ast.expr | Type] | None:
        """What the comprehension around a name binds to it; None for a name of the function's own."""
        parents = self.function.file.parents
        if node.id not in self.comprehended or node not in parents:
            return None
        child: ast.AST = node
        above = parents[node]
        while above is not self.function.node and above in parents:
            if isinstance(above, _COMPREHENSIONS):
                scope = above.generators
                if child in scope:  # in its iterable a generator sees only those before it
                    at = scope.index(child)
                    scope = scope[: at + (_field_of(child, node, parents) != "iter")]
                for generator in reversed(scope):
                    if node.id in self._generated(generator):
                        return self._generated(generator)[node.id]
            child, above = above, parents[above]
        return None

    def _generated(self, generator: ast.comprehension) -> Bound:
        if generator not in self._inner:
            self._inner[generator] = {}
            self._bind_loop(self._inner[generator], generator.target, generator.iter)
        return self._inner[generator]

    def cycle(self, name: str) -> list[str]:
        """The names that a name is bound to and that are bound to it, itself too, in the order of the source."""
        reached = self._reached(name)
        if name not in reached:
            return [name]
        return [n for n in self.values if n in reached and name in self._reached(n)] or [name]

    def _reached(self, name: str) -> set[str]:
        """Names that what is bound to a name, or put into it, is made of: at any remove."""
        if name not in self._closures:
            found: set[str] = set()
            stack = [name]
            while stack:
                new = self._mentioned(stack.pop()) - found
                found |= new
                stack += new
            self._closures[name] = found
        return self._closures[name]

    def _mentioned(self, name: str) -> set[str]:
        if name not in self._mentions:
            put = [self.function.file.statement_of(n) for n in self.mutations.get(name, ())]
            values = [v for v in self.values.get(name, ()) if isinstance(v, ast.expr)]
            self._mentions[name] = {
                n.id for v in (*values, *put) for n in walk(v) if isinstance(n, ast.Name) and n.id in self.values
            }
        return self._mentions[name]

    @cached_property
    def tested(self) -> dict[str, bool]:
        """Names whose kind the function asks for; true for those that it tests against list, tuple, str, dict."""
        found: dict[str, bool] = {}
        for node in self.function.calls(*_TESTS):
            if node.args and isinstance(node.args[0], ast.Name):
                kinds = {self.function.file.origin(n).rpartition(".")[2].lower() for a in node.args[1:]
                         for n in walk(a) if isinstance(n, (ast.Name, ast.Attribute))}  # fmt: skip
                name = node.args[0].id
                found[name] = found.get(name, False) or bool(kinds & _CONTAINERS)
        return found

    @cached_property
    def first_store(self) -> dict[str, tuple[int, int]]:
        """name → where the statement that first rebinds it ends: uses before that are of the given value."""
        found: dict[str, tuple[int, int]] = {}
        for node in self.function.of(ast.Name):
            if not isinstance(node.ctx, ast.Load):
                statement = self.function.file.statement_of(node)
                plain = isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign))
                end = statement if plain else node
                place = (end.end_lineno or 0, end.end_col_offset or 0)
                found[node.id] = min(found.get(node.id, place), place)
        return found

    @cached_property
    def mutations(self) -> dict[str, list[ast.Call | ast.Subscript]]:
        """name → the calls and the assignments to an index that put something into it."""
        found: dict[str, list[ast.Call | ast.Subscript]] = {}
        for node in self.function.of(ast.Call, ast.Subscript):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, []).append(node)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.attr in ("append", "extend", "insert", "update")
                and node.args
            ):
                found.setdefault(node.func.value.id, []).append(node)
        return found


def buffers(cls: Class) -> set[str]:
    """Names given to ``self.register_buffer`` and ``register_parameter`` with something that is not None."""
    names = set()
    for method in cls.methods.values():
        for node in method.of(ast.Call):
            if method.self_attribute(node.func) not in _REGISTER or not node.args:
                continue
            name, *rest = [*node.args, *(k.value for k in node.keywords if k.arg in ("tensor", "param"))]
            none = rest and isinstance(rest[0], ast.Constant) and rest[0].value is None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and not none:
                names.add(name.value)
    return names


def _field_of(generator: ast.AST, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    """The field of a generator that holds a node."""
    while parents[node] is not generator:
        node = parents[node]
    assert isinstance(generator, ast.comprehension)
    return "iter" if node is generator.iter else "target" if node is generator.target else "ifs"
