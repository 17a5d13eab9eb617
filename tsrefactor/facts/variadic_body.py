"""The body of a function without its ``*args`` and ``**kwargs``: what came in them has names of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tsrefactor.source.edits import Edit, InsertAfter, Replace, kept_arguments
from tsrefactor.source.imports import Import

from .attributes import Declaration
from .declaring import declared
from .definitions import Function
from .family import members
from .flags import last_store
from .helpers import Helper
from .names import fresh
from .nodes import walk
from .taking import Division, Undivided, divided
from .types import BOOL

_TAKES = '''\
def _takes(layer, *names):
    """Whether the forward of a layer takes arguments of these names, as TorchScript compiles it."""
    forward = getattr(layer, "forward", None)
    return forward is not None and set(names) <= set({signature}({unwrap}(forward)).parameters)
'''


class Refused(Exception):
    """Why a function keeps its variadic parameters."""


@dataclass
class Body:
    """The edits of one function's body, ``names`` in the place of ``*star`` and ``keywords`` in that of ``**stars``.

    ``edits`` are those of the body; ``around`` those that the class and the file need for them, and ``imports`` what
    these do. ``defaults``: the keywords' that all layers have which they are passed on to; ``some``: the keywords that
    only some of the layers take; ``takes``: the function that asks a layer for some. Raises `Refused`.
    """

    function: Function
    star: str | None
    stars: str | None
    names: Sequence[str]
    keywords: Sequence[str]
    edits: list[Edit] = field(default_factory=list)
    around: list[Edit] = field(default_factory=list)
    imports: set[Import] = field(default_factory=set)
    defaults: dict[str, ast.Constant] = field(default_factory=dict)
    some: set[str] = field(default_factory=set)
    takes: Helper | None = None

    def __post_init__(self) -> None:
        self.file = self.function.file
        self._flags: dict[str, str] = {}
        self._assigned: dict[ast.stmt, list[str]] = {}
        own = {self.star, self.stars} - {None}
        reads = [n for s in self.function.node.body for n in walk(s) if isinstance(n, ast.Name) and n.id in own]
        if any(isinstance(n, ast.arg) and n.arg in own for s in self.function.node.body for n in walk(s)):
            raise Refused("a function inside it has a parameter of the same name")
        done: list[ast.AST] = []
        for name in reads:
            if not isinstance(name.ctx, ast.Load):
                raise Refused(f"it assigns `{name.id}`")
            place = self._passes_on(name)
            if place is not None:
                if place not in done:
                    done.append(place)
                    self.edits.append(self._call(place))
            elif name.id == self.star:
                listed = ", ".join(self.names) + ("," if len(self.names) == 1 else "")
                self.edits.append(Replace(name, f"({listed})"))
            else:
                self.edits.append(self._look_up(name))
        nested = {n for call in done for n in walk(call) if n is not call}
        if any(call in nested for call in done):
            raise Refused("it passes them on inside one another's arguments")
        self.around += self._around()

    def _passes_on(self, name: ast.Name) -> ast.Call | None:
        """The call that takes ``*args`` or ``**kwargs`` as they are."""
        above = self.file.parents[name]
        call = self.file.parents[above] if isinstance(above, (ast.Starred, ast.keyword)) else None
        if isinstance(above, ast.keyword) and above.arg is not None:
            return None
        return call if isinstance(call, ast.Call) else None

    def _call(self, call: ast.Call) -> Replace:
        attribute = self.function.self_attribute(call.func)
        if attribute is None or not self.keywords or not any(k.arg is None for k in call.keywords):
            return Replace(call, *self._passing(call, self.keywords))
        try:
            division = divided(self.function, attribute, self.keywords)
        except Undivided as reason:
            raise Refused(str(reason)) from None
        self.defaults |= division.defaults
        if not division.some:
            return Replace(call, *self._passing(call, self.keywords))
        self.some |= set(division.some)
        return self._divided(call, attribute, division)

    def _passing(self, call: ast.Call, keywords: Sequence[str]) -> tuple[str, dict[str, ast.expr]]:
        """A call with names in the place of the variadic arguments: a template, and its pieces."""
        parts, pieces = kept_arguments(call.args, call.keywords)
        positional, named = parts[: len(call.args)], parts[len(call.args) :]
        left: list[str] = []
        for part, argument in zip(positional, call.args, strict=True):
            if isinstance(argument, ast.Starred) and _is_name(argument.value, self.star):
                left += self.names
                del pieces[part[1:-1]]
            elif isinstance(argument, ast.Starred):
                left.append("*" + part)
                pieces[part[1:-1]] = argument.value
            else:
                left.append(part)
        for i, (part, keyword) in enumerate(zip(named, call.keywords, strict=True)):
            if keyword.arg is None and _is_name(keyword.value, self.stars):
                left += [f"{name}={name}" for name in keywords]
                del pieces[f"k{i}"]
            else:
                left.append(part)
        return f"{{function}}({', '.join(left)})", {"function": call.func, **pieces}

    def _look_up(self, name: ast.Name) -> Replace:
        """What ``kwargs[key]``, ``kwargs.get(key, default)`` and ``key in kwargs`` are for the recorded keys."""
        above = self.file.parents[name]
        call = self.file.parents[above]
        if isinstance(above, ast.Attribute) and above.attr in ("get", "pop") and isinstance(call, ast.Call):
            key = _text(call.args[0]) if call.args and call.func is above and not call.keywords else None
            if key is not None and key in self.keywords:
                return Replace(call, key)
            if key is not None and len(call.args) == 2:
                return Replace(call, "{default}", {"default": call.args[1]})
            if key is not None and above.attr == "get":
                return Replace(call, "None")
        if isinstance(above, ast.Subscript) and _text(above.slice) in self.keywords:
            return Replace(above, _text(above.slice) or "")
        tested = isinstance(above, ast.Compare) and isinstance(above.ops[0], (ast.In, ast.NotIn))
        if isinstance(above, ast.Compare) and tested and above.comparators == [name] and _text(above.left) is not None:
            given = _text(above.left) in self.keywords
            return Replace(above, str(given == isinstance(above.ops[0], ast.In)))
        raise Refused(f"it reads `{self.stars}`")

    # -- layers that take unlike keywords ------------------------------------------------------------------------------

    def _divided(self, call: ast.Call, attribute: str, division: Division) -> Replace:
        """The statement once for each way in which the layers take what it passes on."""
        statement = self.file.statement_of(call)
        if not isinstance(statement, (ast.Return, ast.Assign, ast.AugAssign, ast.Expr)):
            raise Refused(f"only some of the layers at `{attribute}` take what it passes on")
        returns = isinstance(statement, ast.Return)
        lines: list[str] = []
        for way in division.ways:
            flag = f"{self.function.self_name}.{self._flag(attribute, way)}"
            lines.append(f"{'elif' if lines and not returns else 'if'} {flag}:")
            lines += _indented(self._taking(statement, call, division, way))
        leaving = self._taking(statement, call, division, ())
        lines += leaving if returns else ["else:", *_indented(leaving)]
        return Replace([statement], "{text}", {"text": "\n".join(lines)})

    def _taking(self, statement: ast.stmt, call: ast.Call, division: Division, way: Sequence[str]) -> list[str]:
        """The statement for layers that take these of the keywords; as in eager, nothing else may be given."""
        given = [f"assert {k} is not None" for k in way if k in division.required]
        left = [f"{k} is None" for k in division.some if k not in way]
        passed = [k for k in self.keywords if k not in division.some or k in way]
        unused = [f"assert {' and '.join(left)}"] if left else []
        return [*unused, *given, self._written(statement, call, passed)]

    def _written(self, statement: ast.stmt, call: ast.Call, keywords: Sequence[str]) -> str:
        segment = self.file.source.segment
        template, pieces = self._passing(call, keywords)
        new = template.format(**{name: segment(piece) for name, piece in pieces.items()})
        whole, old = segment(statement), segment(call)
        if whole.count(old) != 1 or "\n" in whole:
            raise Refused("it passes them on in a statement that is not simple")
        return whole.replace(old, new)

    def _flag(self, attribute: str, way: Sequence[str]) -> str:
        """The attribute that says whether a layer takes these keywords; makes its edits."""
        cls = self.function.cls
        init = cls.methods.get("__init__") if cls is not None else None
        anchor = last_store(init, [attribute]) if init is not None else None
        if cls is None or init is None or anchor is None:
            raise Refused(f"only some of the layers at `{attribute}` take what it passes on")
        wanted = f"{attribute.strip('_')}_takes_{'_and_'.join(way)}"
        if wanted not in self._flags:
            name = self._flags[wanted] = fresh(members(cls) | set(self._flags.values()), wanted)
            asked = ", ".join([f"{init.self_name}.{attribute}", *map(repr, way)])
            self._assigned.setdefault(anchor, []).append(f"{init.self_name}.{name} = {self._helper()}({asked})")
        return self._flags[wanted]

    def _around(self) -> Iterator[Edit]:
        """What the class needs for the flags."""
        cls = self.function.cls
        if cls is None or not self._flags:
            return
        declarations = [Declaration(cls, name, BOOL, True, cls.node, "") for name in self._flags.values()]
        edits, imports = declared(cls, declarations)
        if not edits:
            raise Refused("its class declares nothing Final that TorchScript would read")
        self.imports |= imports
        yield from edits
        for anchor, lines in self._assigned.items():
            yield InsertAfter(anchor, "{text}", {"text": "\n".join(lines)})

    def _helper(self) -> str:
        """The function that asks a layer: the one that an earlier edit made, or a new one."""
        signature, imports = self.file.spell("inspect.signature")
        unwrap, more = self.file.spell("inspect.unwrap")
        helper = self.takes = Helper(self.file, _TAKES.format(signature=signature, unwrap=unwrap))
        self.imports |= imports | more if helper.is_new else set()
        return helper.name


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _is_name(node: ast.expr, name: str | None) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
