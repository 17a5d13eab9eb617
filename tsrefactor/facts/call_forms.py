"""How a value is called, and the parameters that a function needs which takes its place."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tsrefactor.source.imports import Import

from .definitions import Function
from .file import FileFacts
from .names import fresh
from .nodes import walk
from .types import NONE, TENSOR, join_all

LITERALS = (ast.Constant, ast.Tuple, ast.List, ast.UnaryOp)


class NotNameable(Exception):
    """Why a function stays as it is, as the end of "…, and it takes `**kwargs`"."""


@dataclass(frozen=True)
class Declared:
    """A parameter: its name, how it is declared, and how it is passed on to what the function calls."""

    name: str
    written: str
    passed: str


@dataclass
class CallForm:
    """The calls of one value, each with the function it stands in. ``imports``: what the annotations need."""

    file: FileFacts
    calls: list[tuple[Function, ast.Call]]
    imports: set[Import] = field(default_factory=set)

    @property
    def is_plain(self) -> bool:
        """Whether no call passes anything by `*` or `**`."""
        return all(
            all(k.arg for k in c.keywords) and not any(isinstance(a, ast.Starred) for a in c.args)
            for _, c in self.calls
        )

    @property
    def counts(self) -> set[int]:
        """How many arguments the calls pass by position."""
        return {len(c.args) for _, c in self.calls}

    @property
    def keywords(self) -> list[str]:
        return list(dict.fromkeys(k.arg for _, c in self.calls for k in c.keywords if k.arg))

    def given(self, place: int | str) -> list[tuple[Function, ast.expr]]:
        """What the calls pass at a position, or under a keyword, and the functions they stand in."""
        if isinstance(place, int):
            return [(f, c.args[place]) for f, c in self.calls if place < len(c.args)]
        return [(f, k.value) for f, c in self.calls for k in c.keywords if k.arg == place]

    # -- the parameters of a function in its place. All raise NotNameable. ---------------------------------------------

    def of_lambda(self, node: ast.Lambda) -> list[Declared]:
        """Those of a lambda; for its ``**kwargs`` what the calls pass there."""
        a = node.args
        if a.vararg or a.kwonlyargs or a.posonlyargs:
            raise NotNameable("it takes `*args` or parameters by keyword only")
        return self._named(a) + (self._of_kwargs(a) if a.kwarg else [])

    def _of_kwargs(self, a: ast.arguments) -> list[Declared]:
        names = [k for k in self.keywords if k not in {p.arg for p in a.args}]
        if not names or any(len(self.given(k)) < len(self.calls) for k in names):
            raise NotNameable("its calls pass different `**kwargs`")
        return [self._declared(k, self.given(k), None, passed=f"{k}={k}") for k in names]

    def _named(self, a: ast.arguments) -> list[Declared]:
        defaults = [None] * (len(a.args) - len(a.defaults)) + list(a.defaults)
        return [
            self._declared(p.arg, [*self.given(i), *self.given(p.arg)], default)
            for i, (p, default) in enumerate(zip(a.args, defaults, strict=True))
        ]

    def of_target(self, target: Function, bound: int, named: Collection[str]) -> list[Declared]:
        """What a partial of a function of the file still takes: ``bound`` arguments and the ``named`` are given."""
        free = [p for p in target.parameters if p.kind in ("positional", "keyword")][bound:]
        most = max(self.counts, default=0)
        by_place = [p.name for p in free[:most] if p.kind == "positional"]
        open_ = {p.name for p in free} - {*named, *by_place}
        if len(by_place) < most or set(by_place) & set(named) or not open_ >= set(self.keywords):
            raise NotNameable("its calls do not fit what it calls")
        found = []
        for parameter in (p for p in free if p.name not in named):
            name = parameter.name
            given = self.given(by_place.index(name) if name in by_place else name)
            passed = name if name in by_place else f"{name}={name}"
            found.append(self._declared(name, given, parameter.default, parameter.annotation, passed))
        return found

    def of_calls(self, named: Collection[str]) -> list[Declared]:
        """What one of torch's functions is called with, where the ``named`` arguments are given."""
        if len(self.counts) != 1 or any(len(self.given(k)) < len(self.calls) for k in self.keywords):
            raise NotNameable("its calls pass different arguments")
        if set(self.keywords) & set(named):
            raise NotNameable("its calls pass what is given already")
        found: list[Declared] = []
        defined = {s.name for s in self.file.tree.body if isinstance(s, (ast.FunctionDef, ast.ClassDef))}
        taken = {*named, *self.keywords, *self.file.imports.origins, *self.file.assigned} | defined
        for place in range(*self.counts):
            given = self.given(place)
            names = {v.id if isinstance(v, ast.Name) else "x" for _, v in given}
            name = fresh({p.name for p in found} | taken, names.pop() if len(names) == 1 else "x")
            found.append(self._declared(name, given, None))
        return found + [self._declared(k, self.given(k), None, passed=f"{k}={k}") for k in self.keywords]

    def _declared(
        self,
        name: str,
        given: Iterable[tuple[Function, ast.expr]],
        default: ast.expr | None,
        annotation: ast.expr | None = None,
        passed: str = "",
    ) -> Declared:
        """A parameter, annotated as the author did, or as its default and its calls show."""
        if default is not None and not all(isinstance(n, LITERALS) for n in walk(default)):
            raise NotNameable(f"the default of `{name}` is computed")
        segment = self.file.source.segment
        if annotation is not None:
            type_ = segment(annotation)
        else:
            by_default = [(f, default) for f, _ in self.calls[:1] if default is not None]
            type_ = self._type(name, [*given, *by_default])
        text = f"{name}: {type_}" if type_ else name
        if default is not None:
            text += f" = {segment(default)}" if type_ else f"={segment(default)}"
        return Declared(name, text, passed or name)

    def _type(self, name: str, values: Iterable[tuple[Function, ast.expr]]) -> str:
        """The annotation that such values need; "" where that is none."""
        type_ = join_all(function.type_of(value) for function, value in values)
        if "Module" in type_.names():
            raise NotNameable(f"`{name}` is a module, which TorchScript passes to no function")
        if not type_.known or type_ in (TENSOR, NONE):
            return ""
        text, imports = self.file.spell_type(type_)
        self.imports |= imports
        return text
