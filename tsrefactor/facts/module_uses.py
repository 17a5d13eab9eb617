"""What code does with the modules of a container: calls, loops, and questions whether one is None."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .definitions import Class, Function
from .filling import is_none
from .lives import Lives, Unclear
from .nodes import walk
from .placement import is_tried
from .registering import LOOKS

_ASKS = frozenset({"len", "enumerate", "zip", "reversed"})
_CHANGES = frozenset("append extend insert pop add_module register_module set_submodule __setitem__".split())
_HANDS_OUT = frozenset({*LOOKS, "apply", "get_submodule", "__getitem__", "__iter__"})


class Elsewhere(Exception):
    """A module, or the container, goes where its uses cannot be followed."""


def none_tests(cls: Class, attribute: str) -> list[tuple[Function, ast.Compare]]:
    """Where the class and its relatives ask whether a module of ``self.attribute`` is None, of those that are held by
    containers in it as well; not whether the container itself is. Raises `Elsewhere` where the source does not show
    all that is done with them, or where modules come into the container in another way than `filling` sees."""
    found: list[tuple[Function, ast.Compare]] = []
    for c in (cls, *cls.ancestors, *cls.subclasses):
        for method in c.methods.values():
            if nodes := method.self_attributes.get(attribute):
                found += [(method, test) for test in _Uses(method, c is cls).tests(nodes)]
    own = {n for f in cls.file.classes for m in f.methods.values() for n in m.self_attributes.get(attribute, ())}
    if any(n.attr == attribute and n not in own for n in cls.file.of(ast.Attribute)):
        raise Elsewhere  # another object's
    return list(dict.fromkeys(found))


class _Uses:
    """What one method does with them. ``fills``: its class is the one whose calls of ``append`` are known.

    ``depth`` is 0 for the container itself, 1 for what it holds, and so on.
    """

    def __init__(self, function: Function, fills: bool):
        self.function, self.fills = function, fills
        self.given: dict[ast.Name, int] = {}  # a binding that gets the container or a module → its depth
        self.lives: dict[str, Lives] = {}

    def tests(self, nodes: list[ast.Attribute]) -> list[ast.Compare]:
        found: list[ast.Compare] = []
        for node in nodes:
            if isinstance(node.ctx, ast.Load):
                found += self._of(node, 0)
            elif isinstance(self.function.file.parents[node], ast.AugAssign):
                raise Elsewhere
        for name, depth in self.given.items():
            stores = [n for n in self._life(name) if not isinstance(n.ctx, ast.Load)]
            if any(self.given.get(other) != depth for other in stores):
                raise Elsewhere  # the name may have something else there
        return found

    def _of(self, node: ast.expr, depth: int) -> Iterator[ast.Compare]:
        function = self.function
        parent = function.file.parents[node]
        if isinstance(parent, ast.Attribute):
            appends = parent.attr == "append" and isinstance(node, ast.Attribute) and self.fills
            if parent.attr in _HANDS_OUT or (parent.attr in _CHANGES and not (appends and self._is_appended(parent))):
                raise Elsewhere
        elif isinstance(parent, ast.Subscript) and parent.value is node and isinstance(parent.ctx, ast.Load):
            yield from self._of(parent, depth if isinstance(parent.slice, ast.Slice) else depth + 1)
        elif isinstance(parent, ast.Call) and parent.func is node:
            if is_tried(function, parent):
                raise Elsewhere  # a None that is called may be meant
        elif isinstance(parent, ast.Call) and (origin := function.file.origin(parent.func)) in _ASKS:
            if node not in parent.args:
                raise Elsewhere
            if origin != "len":
                yield from self._in_loop(parent, parent.args.index(node), origin, depth + 1)
        elif isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is node:
            yield from self._of_target(parent.target, depth + 1)
        elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            yield from self._of_target(parent.targets[0], depth)
        elif isinstance(parent, ast.Compare) and parent.left is node and is_none(parent.comparators[0]):
            if len(parent.ops) > 1 or not isinstance(parent.ops[0], (ast.Is, ast.IsNot)):
                raise Elsewhere
            if depth:
                yield parent
        else:
            raise Elsewhere

    def _is_appended(self, append: ast.Attribute) -> bool:
        call = self.function.file.parents[append]
        return isinstance(call, ast.Call) and call.func is append and len(call.args) == 1

    def _in_loop(self, call: ast.Call, at: int, origin: str, depth: int) -> Iterator[ast.Compare]:
        """The same for what a loop over ``enumerate``, ``zip`` or ``reversed`` gives names."""
        function = self.function
        loop, target = function.file.parents[call], None
        if isinstance(loop, ast.Call) and function.file.origin(loop.func) == "enumerate" and loop.args[:1] == [call]:
            outer = function.file.parents[loop]
            target = outer.target if isinstance(outer, (ast.For, ast.comprehension)) else None
            target = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
        elif isinstance(loop, (ast.For, ast.comprehension)):
            target = loop.target
        if origin == "reversed" and target is not None:
            yield from self._of_target(target, depth)
            return
        place = 1 if origin == "enumerate" else at
        if not isinstance(target, ast.Tuple) or len(target.elts) <= place:
            raise Elsewhere
        yield from self._of_target(target.elts[place], depth)

    def _of_target(self, target: ast.expr, depth: int) -> Iterator[ast.Compare]:
        """The same for the reads of a name that is given to modules; of each, where a tuple takes a container apart."""
        depth += isinstance(target, (ast.Tuple, ast.List))
        for name in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
            if not isinstance(name, ast.Name):
                raise Elsewhere
            if name not in self.given:
                self.given[name] = depth
                for read in self._life(name):
                    if isinstance(read.ctx, ast.Load):
                        yield from self._of(read, depth)

    def _life(self, binding: ast.Name) -> list[ast.Name]:
        """The bindings and reads of a name that see one another."""
        parents = self.function.file.parents
        around = parents[binding]
        while isinstance(around, (ast.Tuple, ast.List)):
            around = parents[around]
        if isinstance(around, ast.comprehension):
            return [n for n in walk(parents[around]) if isinstance(n, ast.Name) and n.id == binding.id]
        try:
            if binding.id not in self.lives:
                self.lives[binding.id] = Lives(self.function, binding.id)
        except Unclear:
            raise Elsewhere from None
        found = self.lives[binding.id].life(binding)
        if None in found:
            raise Elsewhere  # a parameter has it, or nothing
        return [n for n in found if n is not None]
