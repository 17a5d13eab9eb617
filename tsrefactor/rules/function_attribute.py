"""function-attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tsrefactor.facts.anonymous import Anonymous
from tsrefactor.facts.call_forms import LITERALS, Declared, NotNameable
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.held import UNREADABLE, HeldFunctions
from tsrefactor.facts.kept import NotKept, check_plain, is_stored_once, kept_values
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.operations import is_operation
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Piece, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


"""


def _example(before: str, after: str, model: str = "Model()", imports: str = "") -> Example:
    inputs = "[(torch.rand(2, 4, 6, 6),), (torch.rand(3, 4, 8, 8),)]"
    head = imports + _HEAD
    error = "failed to compile it|failed to convert Python type|single top-level function"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error=error, model=model, recorded=True)


class FunctionAttribute(Rule):
    """Give a lambda or a partial that a module holds and calls a `def` of its own.

    TorchScript compiles functions that a module holds, but none without a definition that it can read: no lambda, no
    `functools.partial`, and of `torch.nn.functional` not `interpolate` and the max pools. They become functions of the
    file, in front of the class; `lambda x: x` becomes `nn.Identity()`, `lambda x: F.silu(x)` becomes `F.silu`. Those
    that read `self` or values of the constructor become methods, and what they read is kept on `self`; where the
    attribute holds other functions, too, and they do not read `self`, they become small layers. Lambdas are also found
    where the file hands them to the constructor: as an argument, a default, or in a table.

    Refused: functions that read `self` although other branches, instances or classes set the attribute to something
    else; `*args`; calls of unlike forms; values of the constructor that change later or are
    no plain numbers, strings and lists of these.

    Source: "This function exists as an attribute on the Python module, but we failed to compile it" and "failed to
    convert Python type: 'functools.partial'", raised by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "function-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        {"function-attribute-failed", "unconvertible-attribute", "lambda-function", "variable-arguments"}
    )
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self, act="shifted", skip=False):
        super().__init__()
        if act == "shifted":
            self.act = lambda x: F.elu(x) + 1  # always positive
        else:
            self.act = lambda x: F.silu(x)
        self.pool = nn.MaxPool2d(2) if skip else lambda x: x

    def forward(self, x):
        return self.act(self.pool(x))
""",
            """\
def _act(x):
    return F.elu(x) + 1


class Model(nn.Module):
    def __init__(self, act="shifted", skip=False):
        super().__init__()
        if act == "shifted":
            self.act = _act  # always positive
        else:
            self.act = F.silu
        self.pool = nn.MaxPool2d(2) if skip else nn.Identity()

    def forward(self, x):
        return self.act(self.pool(x))
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, scale=2.0, flow=nn.Tanh()):
        super().__init__()
        self.flow = flow
        self.slope = lambda x: 1 - self.flow(x * scale) ** 2

    def forward(self, x):
        return x * self.slope(x)
""",
            """\
class Model(nn.Module):
    def __init__(self, scale=2.0, flow=nn.Tanh()):
        super().__init__()
        self.flow = flow
        self.scale = scale

    def slope(self, x):
        return 1 - self.flow(x * self.scale) ** 2

    def forward(self, x):
        return x * self.slope(x)
""",
        ),
        _example(
            """\
def shrink(x, by: float, bias: float = 0.0):
    return x * by + bias


class Model(nn.Module):
    def __init__(self, by: float, down: bool):
        super().__init__()
        self.shrink = partial(shrink, by=by)
        if down:
            self.resize = partial(F.interpolate, scale_factor=0.5)
        else:
            self.resize = partial(F.max_pool2d, kernel_size=1, stride=2)

    def forward(self, x):
        return self.shrink(self.resize(x), bias=1.0)
""",
            """\
def shrink(x, by: float, bias: float = 0.0):
    return x * by + bias


def _max_pool2d(x):
    return F.max_pool2d(x, kernel_size=1, stride=2)


def _interpolate(x):
    return F.interpolate(x, scale_factor=0.5)


class Model(nn.Module):
    def __init__(self, by: float, down: bool):
        super().__init__()
        self.by = by
        if down:
            self.resize = _interpolate
        else:
            self.resize = _max_pool2d

    def shrink(self, x, bias: float = 0.0):
        return shrink(x, by=self.by, bias=bias)

    def forward(self, x):
        return self.shrink(self.resize(x), bias=1.0)
""",
            model="Model(0.5, True)",
            imports="from functools import partial\n\n",
        ),
        _example(
            """\
class Apply(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x)


class Model(nn.Module):
    def __init__(self, channels=2, stride=2):
        super().__init__()
        self.shortcut = Apply(lambda x: F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, channels, channels)))
        self.flat = nn.Sequential(nn.ReLU(), Apply(lambda x: x.flatten(1)))

    def forward(self, x):
        return self.flat(self.shortcut(x))
""",
            """\
class Apply(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x)


class _Shortcut(nn.Module):
    def __init__(self, stride, channels):
        super().__init__()
        self.stride = stride
        self.channels = channels

    def forward(self, x):
        return F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.channels, self.channels))


def _fn(x):
    return x.flatten(1)


class Model(nn.Module):
    def __init__(self, channels=2, stride=2):
        super().__init__()
        self.shortcut = Apply(_Shortcut(stride, channels))
        self.flat = nn.Sequential(nn.ReLU(), Apply(_fn))

    def forward(self, x):
        return self.flat(self.shortcut(x))
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("lambda", "partial", "interpolate", "max_pool", "upsample"):
            return
        held = HeldFunctions(file)
        given: dict[tuple[str, ...], str] = {}
        found: dict[object, tuple[_Mend, str, str, list[Edit]]] = {}
        for mend, message in self._unread(held, given):
            try:
                written, edits = mend.mended()
            except (NotNameable, NotKept) as reason:
                yield self.finding(mend.node, f"{message}, and {reason}")
                continue
            key = mend.key or mend.node
            if key in found:  # the same function once more
                found[key][3].extend(edits)
            else:
                found[key] = mend, message, written, edits
        for mend, message, written, edits in found.values():
            yield self.finding(mend.node, f"{message}; write `{written}`", *edits, imports=mend.form.imports)

    def _unread(self, held: HeldFunctions, given: dict[tuple[str, ...], str]) -> Iterator[tuple[_Mend, str]]:
        """What TorchScript cannot read of the functions that modules hold and call, in the order of the text."""
        found: dict[ast.expr, tuple[_Mend, str]] = {}
        taken: set[str] = set()
        for cls, name in held.called():
            values = held.values(cls, name)
            for value in values:
                message = _refused(held.file, value.node, alone=len(values) == 1)
                if message:
                    found.setdefault(value.node, (_Mend(held, value, len(values), taken, given), message))
        yield from sorted(found.values(), key=lambda m: (m[0].node.lineno, m[0].node.col_offset))


def _refused(file: FileFacts, node: ast.expr, alone: bool) -> str | None:
    """What keeps TorchScript from compiling a function that a module holds; None where nothing of this rule does."""
    if isinstance(node, ast.Lambda):
        return "TorchScript compiles no lambda that a module holds"
    if isinstance(node, ast.Call) and file.origin(node.func) == "functools.partial" and node.args:
        return "TorchScript compiles no partial that a module holds"
    if not alone and file.origin(node) in UNREADABLE:
        return f"TorchScript compiles `{ast.unparse(node)}` only where it is called by this name"
    return None


class _Mend(Anonymous):
    """What takes the place of a function that TorchScript cannot read."""

    def mended(self) -> tuple[str, list[Edit]]:
        """What is written in its place, and the edits. Raises NotNameable, NotKept."""
        self.check_scope()
        if not self.form.is_plain:
            raise NotNameable("it is called with `*` or `**`")
        if not isinstance(self.node, ast.Lambda):
            return self._defined(*self._partial())
        if plain := self._plain(self.node):
            return plain, [Replace(self.node, plain)]
        parameters = self.form.of_lambda(self.node)
        body = "{body}" if self.node.args.kwarg is None else self._spelled_out(self.node, parameters)
        return self._defined(parameters, body, {"body": self.node.body})

    def _spelled_out(self, node: ast.Lambda, parameters: list[Declared]) -> str:
        """The body of a lambda with `name=name` for what the calls pass in its `**kwargs`."""
        assert node.args.kwarg is not None
        name, source = node.args.kwarg.arg, self.file.source
        passed = ", ".join(p.passed for p in parameters if "=" in p.passed)
        stars = [k for k in walk(node.body) if isinstance(k, ast.keyword) and k.arg is None]
        mine = [k for k in stars if isinstance(k.value, ast.Name) and k.value.id == name]
        if len(mine) != sum(isinstance(n, ast.Name) and n.id == name for n in walk(node.body)):
            raise NotNameable(f"it does more with `{name}` than pass it on")
        if self.captured([node.body], {p.name for p in parameters} | {name}):
            raise NotNameable(f"it takes `**{name}` and reads values of the function around it")
        start, end = source.span(node.body)
        text = source.text[start:end]
        for keyword in reversed(mine):
            first, last = source.span(keyword)
            text = text[: first - start] + passed + text[last - start :]
        deeper = self.file.statement_of(node).col_offset - 4  # than the body of a function is
        text = text.replace("\n" + " " * deeper, "\n") if deeper > 0 else text
        return verbatim(text)

    # -- what needs no definition ------------------------------------------------------------------------------------

    def _plain(self, node: ast.Lambda) -> str | None:
        """What a lambda is, when it does no more than pass its arguments on."""
        names, body = [p.arg for p in node.args.args], node.body
        if ast.unparse(node.args) != ", ".join(names) or self.form.keywords:
            return None
        if isinstance(body, ast.Name) and [body.id] == names and self._may_be_identity:
            spelled, imports = self.file.spell("torch.nn")
            self.form.imports |= imports
            return f"{spelled}.Identity()"
        passed_on = isinstance(body, ast.Call) and [ast.unparse(v) for v in body.args] == names and not body.keywords
        if passed_on and isinstance(body, ast.Call) and self.is_of_file(body.func):
            origin = self.file.origin(body.func)
            if (is_operation(origin) and origin not in UNREADABLE) or self.file.function_named(origin) is not None:
                return self.file.source.segment(body.func)
        return None

    @property
    def _may_be_identity(self) -> bool:
        return self.value.store is not None and self.form.counts == {1} and self.may_be_a_module

    # -- its definition ----------------------------------------------------------------------------------------------

    def _defined(self, parameters: list[Declared], body: str, parts: dict[str, ast.expr]) -> tuple[str, list[Edit]]:
        captured = self.captured(parts.values(), {p.name for p in parameters})
        header = ", ".join(p.written for p in parameters)
        if captured:
            return self._reading(header, body, parts, captured)
        self.key = header, body, *map(ast.dump, parts.values())
        if self.key in self.given:
            return self.given[self.key], [Replace(self.node, self.given[self.key])]
        name = self.given[self.key] = fresh(self.file.module_names | self.taken, f"_{self.wanted}")
        self.taken.add(name)
        definition = f"def {name}({header}):\n    return {body}"
        before = self.file.top_level_of(self.node)
        return name, [InsertBefore(before, definition, parts), Replace(self.node, name)]

    def _reading(
        self, header: str, body: str, parts: dict[str, ast.expr], captured: list[str]
    ) -> tuple[str, list[Edit]]:
        """Its form as a method, or, where the attribute holds others too and it does not read `self`, as a layer."""
        try:
            return self._method(header, body, parts, captured)
        except NotNameable:
            if self.around is None or self.around.self_name in captured or not self.may_be_a_module:
                raise
        return self._layer(header, body, parts, captured)

    def _layer(self, header: str, body: str, parts: dict[str, ast.expr], captured: list[str]) -> tuple[str, list[Edit]]:
        """Its form as a layer that keeps what it reads."""
        assert self.around is not None
        for name in captured:
            check_plain(self.around, name)
        words = "".join(word.capitalize() for word in self.owner.split("_"))
        name = fresh(self.file.module_names | self.taken, f"_{words}")
        self.taken.add(name)
        module, imports = self.file.spell("torch.nn")
        self.form.imports |= imports
        stores = "\n        ".join(f"self.{n} = {n}" for n in captured)
        parameters = f"self, {header}" if header else "self"
        template = (
            f"class {name}({module}.Module):\n    def __init__(self, {', '.join(captured)}):\n"
            f"        super().__init__()\n        {stores}\n\n"
            f"    def forward({parameters}):\n        return {body}"
        )
        pieces = _written(parts, {n: f"self.{n}" for n in captured})
        made = f"{name}({', '.join(captured)})"
        return made, [InsertBefore(self.file.top_level_of(self.node), template, pieces), Replace(self.node, made)]

    def _method(
        self, header: str, body: str, parts: dict[str, ast.expr], captured: list[str]
    ) -> tuple[str, list[Edit]]:
        """Its form as a method under the attribute's name, when it is all that the attribute ever holds."""
        init, store, cls, name = self.around, self.value.store, self.value.cls, self.value.attribute
        if init is None or init.name != "__init__":
            raise NotNameable(f"it reads `{captured[0]}` of the function around it")
        if store is None or len(store.targets) != 1 or store.value is not self.node or self.is_repeated:
            raise NotNameable(f"it reads `{captured[0]}`, and is not all that the attribute holds")
        if store not in init.node.body and self.file.mentions(f"'{name}'", f'"{name}"'):
            raise NotNameable(f"it reads `{captured[0]}`, and the file asks whether there is a `{name}`")
        shared = any(name in c.methods or name in c.annotations for c in (cls, *cls.ancestors, *cls.subclasses))
        if self.alternatives != 1 or shared or not is_stored_once(cls, name):
            raise NotNameable(f"it reads `{captured[0]}`, and `{name}` may hold something else")
        kept = kept_values(init, [n for n in captured if n != init.self_name], self.node)
        pieces = _written(parts, kept.written)
        parameters = f"{init.self_name}, {header}" if header else init.self_name
        edits: list[Edit] = [Replace([store], "\n".join(kept.stores)), *(Replace([s], "") for s in kept.idle)]
        edits.append(InsertAfter(init.node, f"\ndef {name}({parameters}):\n    return {body}", pieces))
        return f"def {name}({parameters})", edits

    def _partial(self) -> tuple[list[Declared], str, dict[str, ast.expr]]:
        """Parameters, body and the author's pieces of the function that stands for a partial."""
        node = self.node
        called, bound, keywords = node, [], []
        if isinstance(node, ast.Call):
            called, *bound = node.args
            keywords = node.keywords
        if any(isinstance(v, ast.Starred) for v in bound) or not all(k.arg for k in keywords):
            raise NotNameable("it is made with `*` or `**`")
        origin = self.file.origin(called)
        if not self.is_of_file(called) or origin.rpartition(".")[2][:1].isupper():
            raise NotNameable(f"`{ast.unparse(called)}` is no function of the file or of torch")
        self._check_bound([*bound, *(k.value for k in keywords)])
        target = self.file.function_named(origin)
        named = {k.arg or "": k.value for k in keywords}
        parameters = self.form.of_target(target, len(bound), named) if target is not None else self.form.of_calls(named)
        parts = {"f": called} | {f"b{i}": v for i, v in enumerate(bound)} | {f"k_{n}": v for n, v in named.items()}
        given = [f"{{b{i}}}" for i in range(len(bound))]
        given += [p.passed for p in parameters if "=" not in p.passed]
        given += [f"{n}={{k_{n}}}" for n in named] + [p.passed for p in parameters if "=" in p.passed]
        return parameters, f"{{f}}({', '.join(given)})", parts

    def _check_bound(self, values: Iterable[ast.expr]) -> None:
        """A partial computes its arguments once: they must be the same whenever they are computed."""
        for value in values:
            simple = self.is_of_file(value) or isinstance(value, ast.Name)
            attribute = self.around.self_attribute(value) if self.around is not None else None
            literal = all(isinstance(n, LITERALS) for n in walk(value))
            if not simple and not literal and not (attribute and is_stored_once(self.value.cls, attribute)):
                raise NotNameable(f"`{ast.unparse(value)}` is computed once, where it is made")


def _written(parts: dict[str, ast.expr], names: dict[str, str]) -> dict[str, Piece]:
    """The author's code with other source for some names."""
    return {
        key: Piece(part, {n: names[n.id] for n in walk(part) if isinstance(n, ast.Name) and n.id in names})
        for key, part in parts.items()
    }
