"""Functions without a definition that modules hold: what they read, where they stand, what they might be called."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from .call_forms import NotNameable
from .definitions import Function
from .flow import root_name
from .held import Held, HeldFunctions
from .nodes import walk
from .registering import LOOKS


@dataclass
class Anonymous:
    """A lambda, a partial, or a function that TorchScript takes only by its name, and what the file does with it.

    ``alternatives``: how many values the attribute may hold, as far as the file shows them. ``taken``: names that were
    given away already. ``given``: those of functions, by what the functions are; ``key``: what this one is.
    """

    held: HeldFunctions
    value: Held
    alternatives: int
    taken: set[str]
    given: dict[tuple[str, ...], str]
    key: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self.node, self.around, self.file = self.value.node, self.value.around, self.held.file
        self.form = self.held.form(self.value.cls, self.value.attribute)

    def check_scope(self) -> None:
        """Raises NotNameable where names in it may be neither those of the function around it nor of the file."""
        inside: ast.AST = self.node
        while not isinstance(inside, ast.Module):
            outer = self.file.parents[inside]
            if isinstance(outer, ast.Lambda) or (
                isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef))
                and outer is not (self.around.node if self.around is not None else None)
                and inside is not outer.args
            ):
                raise NotNameable("it stands in a function inside a function")
            inside = outer

    def captured(self, expressions: Iterable[ast.expr], own: set[str]) -> list[str]:
        """Names of the function around that the new one reads, `self` too, in the order of the text.

        Raises NotNameable where one is bound again inside it.
        """
        if self.around is None:
            return []
        names = [n for e in expressions for n in walk(e) if isinstance(n, ast.Name)]
        read = set().union(*(self.around.flow.reads(ast.Expr(e)) for e in expressions)) - own
        captured = [n for n in dict.fromkeys(n.id for n in names) if n in read & self.around.flow.local_names]
        if any(n.id in captured and not isinstance(n.ctx, ast.Load) for n in names):
            raise NotNameable("a name in it is bound again inside it")
        return captured

    def is_of_file(self, node: ast.expr) -> bool:
        """Whether it is a (dotted) name that means the same everywhere in the file."""
        root = root_name(node)
        return bool(self.file.origin(node)) and not (self.around and root in self.around.flow.local_names)

    @property
    def may_be_a_module(self) -> bool:
        """Whether the attribute may hold a layer as well: constructors set it, and nothing looks at the layers."""
        cls, name = self.value.cls, self.value.attribute
        family = (cls, *cls.ancestors, *cls.subclasses)
        methods = [m for c in family for m in c.methods.values()]
        stores = [(m, n) for m in methods for n in m.self_attributes.get(name, ()) if not isinstance(n.ctx, ast.Load)]
        if any(m.name != "__init__" or not _is_ready(m, n) for m, n in stores):
            return False
        looked = any(name in m.self_attributes for m in methods for name in LOOKS)
        return not looked and self.held.only_called(cls, name)

    @property
    def is_repeated(self) -> bool:
        """Whether the assignment stands in anything but branches of the constructor."""
        outer = self.file.parents[self.value.store] if self.value.store is not None else None
        while isinstance(outer, ast.If):
            outer = self.file.parents[outer]
        return not isinstance(outer, ast.FunctionDef)

    @property
    def wanted(self) -> str:
        """The attribute's name; the key under which it stands in a table; what it calls where it is one of several."""
        table, wanted = self.file.parents[self.node], self.value.attribute
        if self.alternatives > 1 and not isinstance(self.node, ast.Lambda):
            called = self.node.args[0] if isinstance(self.node, ast.Call) else self.node
            wanted = self.file.origin(called).rpartition(".")[2]
        if isinstance(table, ast.Dict):
            key = table.keys[table.values.index(self.node)]
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier():
                wanted = key.value
        return wanted.strip("_")

    @property
    def owner(self) -> str:
        """The attribute of the statement in which it stands, else the one that holds it."""
        statement = self.file.statement_of(self.node)
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        return (target.attr if isinstance(target, ast.Attribute) else self.value.attribute).strip("_")


def _is_ready(method: Function, store: ast.Attribute) -> bool:
    """Whether the constructor of the parent has run before."""
    calls = (c for c in method.of(ast.Call) if c.lineno < store.lineno)
    return any(isinstance(c.func, ast.Attribute) and c.func.attr == "__init__" for c in calls)
