"""Helpers that take layers, and what can stand for them where TorchScript passes no modules."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from tsrefactor.source.edits import Edit, InsertAfter, Piece, Replace, verbatim
from tsrefactor.source.excerpt import excerpt, indented
from tsrefactor.source.imports import Import

from .callers import callee
from .definitions import Function, Parameter
from .family import bound_in_body, members
from .flow import root_name
from .inlining import NotInlinable, bound_around, is_plain, substituted, written
from .names import fresh
from .nodes import walk
from .signatures import Signatures

_INLINED = 88  # characters of an expression that is written out at each call
_COPIED = 100  # lines that the copies of a helper may have together


class NotForModules(Exception):
    """Why a helper keeps its parameter."""


@dataclass(frozen=True)
class LayerCall:
    caller: Function
    node: ast.Call


@dataclass
class LayerHelper:
    """A function that calls one of its parameters, and its calls in one class (of a nested one: in one function).

    ``given``: names that forms of other helpers get; it grows by those of this one.
    """

    function: Function
    calls: list[LayerCall]
    is_nested: bool
    given: set[str]
    imports: set[Import] = field(default_factory=set)

    def check(self) -> None:
        """Raises NotForModules where none of its calls may change."""
        helper, caller = self.function, self.calls[0].caller
        a = helper.node.args
        if a.vararg or a.kwarg or a.posonlyargs or a.kwonlyargs or helper.node.decorator_list:
            raise NotForModules("it takes more than plain parameters, or is decorated")
        named = [n for n in walk(helper.node) if isinstance(n, ast.Name)]
        if any(n.id in called_parameters(helper) and not isinstance(n.ctx, ast.Load) for n in named):
            raise NotForModules("it binds the parameter again")
        if isinstance(helper.node, ast.AsyncFunctionDef) or any(
            isinstance(n, (ast.Yield, ast.YieldFrom, ast.FunctionDef, ast.Lambda, ast.Nonlocal, ast.Global))
            for s in helper.node.body for n in walk(s)
        ):  # fmt: skip
            raise NotForModules("it yields, or has a scope of its own inside")
        own = {p.name for p in helper.parameters} | ({n.id for n in named} if helper.cls is None else set())
        if any(p.default is not None and not self._is_settled(p.default) for p in helper.parameters):
            raise NotForModules("a default of its parameters is computed where it is defined")
        elsewhere = helper.cls is not caller.cls and _is_mangled(helper)
        if caller.self_name in own - ({caller.self_name} if self.is_nested else set()) or elsewhere:
            raise NotForModules(f"it means something else inside the class, or has a `{caller.self_name}` of its own")
        if helper.cls is not None:
            assert caller.cls is not None
            family = (caller.cls, *caller.cls.ancestors, *caller.cls.subclasses)
            if any((helper.name in c.methods and c is not helper.cls) or helper.name in c.assigned for c in family):
                raise NotForModules("a relative has another of this name")
            special = any(n.id in ("super", "__class__") for n in named)
            if helper.self_name != caller.self_name or special:
                raise NotForModules("it is bound to its own class")
        if self.is_nested:
            same = [n for n in caller.nodes if isinstance(n, ast.FunctionDef) and n.name == helper.name]
            if len(same) > 1 or any(p.name == caller.self_name for p in helper.parameters):
                raise NotForModules("its name, or that of the instance, is bound again")
            inside, uses = set(walk(helper.node)), {c.node.func for c in self.calls}
            loads = [n for n in walk(caller.node) if isinstance(n, ast.Name) and n.id == helper.name]
            if any(n not in uses or n in inside for n in loads):
                raise NotForModules("it is passed on as a value, or called by another function in there")

    def _is_settled(self, default: ast.expr) -> bool:
        """Whether a default is the same wherever it is written: a literal, or a name of the file's own."""
        node = default.operand if isinstance(default, ast.UnaryOp) else default
        if isinstance(node, ast.Tuple):
            return all(map(self._is_settled, node.elts))
        other = set().union(*(bound_in_body(f.cls) for f in (self.function, self.calls[0].caller) if f.cls is not None))
        other |= set().union(*(c.caller.flow.local_names for c in self.calls))
        return isinstance(node, ast.Constant) or (is_plain(node) and root_name(node) not in other)

    @property
    def takes_layers(self) -> bool:
        """Whether a call gives an attribute of the class for a parameter that is called."""
        names = [p.name for p in self.function.parameters]
        return any(
            _is_layer(call.caller, value)
            for call in self.calls
            for name, value in [
                *zip(names, call.node.args, strict=False),
                *((k.arg, k.value) for k in call.node.keywords),
            ]
            if name in called_parameters(self.function)
        )

    def _given(self, call: ast.Call) -> dict[str, ast.expr]:
        """Parameter → what a call gives for it, as far as it does."""
        names = [p.name for p in self.function.parameters]
        if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            raise NotForModules("it is called with `*` or `**`")
        return dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}

    # -- one expression: written out -----------------------------------------------------------------------------------

    def inlined(self) -> tuple[list[Edit], str] | None:
        """The edits that write it out at its calls, where it is one expression and all of them allow that."""
        body = _body(self.function)
        value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
        if value is None or len(ast.unparse(value)) > _INLINED or not _shows(value):
            return None
        edits: list[Edit] = []
        inner = [c for c in self.calls if not self._inside(c.node)]  # those around them: when these are written out
        free = self.function.flow.reads([ast.Expr(value)]) - {p.name for p in self.function.parameters}
        for call in inner:
            elsewhere = bound_around(call.caller, call.node)
            elsewhere |= set() if self.is_nested else call.caller.flow.local_names - {call.caller.self_name}
            values = {p.name: p.default for p in self.function.parameters} | self._given(call.node)
            if free & elsewhere or any(v is None or not _shows(v) for v in values.values()):
                return None
            try:
                changes = substituted(call.caller, value, {n: v for n, v in values.items() if v is not None})
            except NotInlinable:
                return None
            text = written(self.function.file.source, value, changes)
            edits.append(Replace(call.node, verbatim(text)))
        edits += [Replace([self.function.node], "")] if self.is_nested and inner == self.calls else []
        return edits, f"write `{ast.unparse(value)}` where it is called"

    def _inside(self, node: ast.expr) -> list[LayerCall]:
        """The calls of the helper inside an argument or a call, but for those inside one of them."""
        below = [c for c in self.calls if c.node is not node and c.node in set(walk(node))]
        return [c for c in below if not any(o is not c and c.node in set(walk(o.node)) for o in below)]

    # -- anything longer: a form for each layer ------------------------------------------------------------------------

    def copied(self) -> tuple[list[Edit], str]:
        """The edits that make a form of it for each layer, and call that. Raises NotForModules."""
        caller = self.calls[0].caller
        assert caller.cls is not None
        taken = members(caller.cls) | self.given | (caller.flow.local_names if self.is_nested else set())
        names: dict[tuple[str, ...], str] = {}
        copies: list[str] = []
        pieces: dict[str, Piece | ast.expr | str] = {}
        reason = NotForModules("it is not called")
        made: dict[ast.Call, tuple[str, dict[str, ast.expr]]] = {}
        for call in self.calls:
            try:
                layers = self._layers(call.caller, self._given(call.node))
            except NotForModules as error:
                if self.is_nested:
                    raise
                reason = error
                continue
            key = tuple(ast.unparse(v) for v in layers.values())
            if key not in names:
                bare = _joined(self.function.name.strip("_"), _named(next(iter(layers.values()))))
                names[key] = fresh(taken, bare if self.is_nested else f"_{bare}")
                taken.add(names[key])
                copies.append(self._copy(names[key], layers, f"body{len(names)}", pieces))
            called = names[key] if self.is_nested else f"{call.caller.self_name}.{names[key]}"
            made[call.node] = called, layers
        if not made:
            raise reason
        inside = {c.node for node in made for c in self._inside(node)} & made.keys()
        edits = [self._changed(node, made) for node in made if node not in inside]
        lines = (self.function.node.end_lineno or 0) - self.function.node.lineno + 1
        if lines * len(names) > _COPIED:
            raise NotForModules(f"{len(names)} copies of its {lines} lines would be needed")
        if self.is_nested:
            edits.append(Replace([self.function.node], "\n\n".join(copies), pieces))
        else:
            own = self.function.cls is caller.cls
            anchor = self.function.node if own else caller.node
            edits.append(InsertAfter(anchor, "\n" + "\n\n".join(copies), pieces))
        self.given.update(names.values())
        listed = ", ".join(f"`{n}`" for n in names.values())
        return edits, f"make {listed} of it"

    def _layers(self, caller: Function, given: dict[str, ast.expr]) -> dict[str, ast.expr]:
        """The parameters that are called → the layers of the class that stand for them."""
        found: dict[str, ast.expr] = {}
        for parameter in self.function.parameters:
            if parameter.name not in called_parameters(self.function):
                continue
            value = given.get(parameter.name, parameter.default)
            if value is None or not _is_lasting(caller, value):
                raise NotForModules(f"`{ast.unparse(value) if value else parameter.name}` is no attribute of the class")
            found[parameter.name] = value
        run = [self.function]  # and what it runs itself
        for function in run:
            called = (callee(function, call) for call in function.of(ast.Call))
            run += [c for c in dict.fromkeys(called) if c is not None and c not in run]
        uses = (n for f in run for named in f.self_attributes.values() for n in named)
        stored = {n.attr for n in uses if not isinstance(n.ctx, ast.Load)}
        if any(isinstance(n, ast.Attribute) and n.attr in stored for v in found.values() for n in walk(v)):
            raise NotForModules("it sets the attribute that it is given")
        if not any(root_name(v) == caller.self_name for v in found.values()):
            raise NotForModules("it is given functions")
        if any(root_name(v) in self.function.flow.local_names - {caller.self_name} for v in found.values()):
            raise NotForModules("a name that it is given means something else inside it")
        texts = "".join(map(ast.unparse, found.values()))
        if set("'\"") & set(texts) and any(isinstance(n, ast.JoinedStr) for n in walk(self.function.node)):
            raise NotForModules("an f-string in it may not hold quotes")
        return found

    def _copy(self, name: str, layers: dict[str, ast.expr], key: str, pieces: dict[str, Piece | ast.expr | str]) -> str:
        node, caller = self.function.node, self.calls[0].caller
        kept = [p for p in self.function.parameters if p.name not in layers]
        parameters = [self._parameter(p) for p in kept]
        parameters = parameters if self.is_nested else [caller.self_name or "", *parameters]
        texts = {n: ast.unparse(v) for n, v in layers.items()}
        body = node.body if self.is_nested else _body(self.function)
        named = [n for s in body for n in walk(s) if isinstance(n, ast.Name) and n.id in texts]
        changes: dict[ast.expr, str] = {n: texts[n.id] for n in named}
        file, code = self.function.file, f"    {{{key}}}"
        if file.top_level_of(node) is file.top_level_of(caller.node):
            pieces[key] = Piece(body, changes)
        else:
            try:
                text = excerpt(file.source, body, changes)
            except ValueError as error:
                raise NotForModules(str(error)) from error
            code = verbatim(indented(text, "    "))
        pieces[f"head_{key}"] = ", ".join(parameters)
        returns = ""
        if node.returns is not None:
            returns = f" -> {ast.unparse(node.returns)}"
        return f"def {name}({{head_{key}}}){returns}:\n{code}"

    def _parameter(self, parameter: Parameter) -> str:
        """A parameter as the helper has it, with the annotation that TorchScript needs."""
        source = self.function.file.source
        default = source.segment(parameter.default) if parameter.default is not None else None
        text = source.segment(parameter.annotation) if parameter.annotation is not None else None
        wanted = Signatures(self.function.file).wanted(self.function, parameter) if text is None else None
        if wanted is not None and wanted.type is not None and not wanted.presumed:
            text, imports = self.function.file.spell_type(wanted.type)
            self.imports |= imports
        annotated = f"{parameter.name}: {text}" if text is not None else parameter.name
        return annotated if default is None else f"{annotated}{' = ' if text is not None else '='}{default}"

    def _changed(self, call: ast.Call, made: dict[ast.Call, tuple[str, dict[str, ast.expr]]]) -> Edit:
        """A call of the form for its layers; calls of the helper in its arguments change with it."""
        pieces: dict[str, Piece] = {}
        parts = []
        for i, (name, argument) in enumerate(self._kept(call, made[call][1])):
            changes: dict[ast.expr, str] = {
                c.node: self._text(c.node, made) for c in self._inside(argument) if c.node in made
            }
            if argument in made:
                changes = {argument: self._text(argument, made)}
            pieces[f"a{i}"] = Piece(argument, changes)
            parts.append(f"{name}{{a{i}}}")
        return Replace(call, f"{made[call][0]}({', '.join(parts)})", pieces)

    def _kept(self, call: ast.Call, layers: dict[str, ast.expr]) -> list[tuple[str, ast.expr]]:
        names = [p.name for p in self.function.parameters]
        placed = [("", a) for n, a in zip(names, call.args, strict=False) if n not in layers]
        return placed + [(f"{k.arg}=", k.value) for k in call.keywords if k.arg not in layers]

    def _text(self, node: ast.expr, made: dict[ast.Call, tuple[str, dict[str, ast.expr]]]) -> str:
        """The new source of an expression with calls of the helper in it."""
        if isinstance(node, ast.Call) and node in made:
            parts = [name + self._text(argument, made) for name, argument in self._kept(node, made[node][1])]
            return f"{made[node][0]}({', '.join(parts)})"
        changes: dict[ast.expr, str] = {c.node: self._text(c.node, made) for c in self._inside(node)}
        return written(self.function.file.source, node, changes)


def called_parameters(function: Function) -> set[str]:
    """The parameters that a function calls."""
    named = {c.func.id for c in function.of(ast.Call) if isinstance(c.func, ast.Name)}
    return named & {p.name for p in function.parameters} if named else set()


def _body(function: Function) -> list[ast.stmt]:
    """What a function does, without its docstring."""
    body = function.node.body
    documented = ast.get_docstring(function.node, clean=False) is not None and len(body) > 1
    return body[1:] if documented else body


def _shows(value: ast.expr) -> bool:
    """Whether an argument is written on one line."""
    return value.lineno == value.end_lineno


def _is_mangled(function: Function) -> bool:
    """Whether a name in it means another inside another class."""
    names = (n.attr for n in walk(function.node) if isinstance(n, ast.Attribute))
    return any(n.startswith("__") and not n.endswith("__") for n in names)


def _is_layer(caller: Function, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and root_name(node) == caller.self_name


def _is_lasting(caller: Function, node: ast.expr) -> bool:
    """Whether it is the same for the whole call: an attribute of `self`, one of a list by its number, a function."""
    if caller.file.origin(node) and root_name(node) not in caller.flow.local_names:
        return True
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            return False
        node = node.value
    return isinstance(node, ast.Name) and node.id == caller.self_name


def _named(node: ast.expr) -> str:
    """What to call the layer: ``conv1`` for ``self.conv1``, ``layers_0`` for ``self.layers[0]``."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return f"{_named(node.value)}_{re.sub(r'[^a-zA-Z0-9]', '', str(node.slice.value))}"
    return node.attr.strip("_") if isinstance(node, ast.Attribute) else ast.unparse(node)


def _joined(helper: str, layer: str) -> str:
    """A name of both, where words that both end in stand once: ``maybe_norm``, ``fc_norm`` → ``maybe_fc_norm``."""
    words, last = helper.split("_"), layer.split("_")
    while len(words) > 1 and last and words[-1] == last[-1]:
        words.pop()
        last.pop()
    return f"{'_'.join(words)}_{layer}"
