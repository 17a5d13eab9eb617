"""listed-modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.filling import is_left
from tsrefactor.facts.inlining import written
from tsrefactor.facts.kept import is_stored_once
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Replace, verbatim
from tsrefactor.source.excerpt import excerpt, trailing_comment
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WIDTH = 100  # characters of a list that is written out
_LINES = 16  # lines of a loop that is written out
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.FunctionDef)
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.near = nn.Linear(4, 4)
        self.far = nn.Linear(4, 4)
        self.heads = [self.near, self.far]

"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="failed to convert Python type: 'list'")


class ListedModules(Rule):
    """Name the modules that a plain list gathers, where the list is used.

    `self.heads = [self.near, self.far]` holds modules that are registered under names of their own; TorchScript sees
    none of them in a plain list, and a ModuleList would add keys to the state_dict. `self.heads[1]` becomes
    `self.far`, and a comprehension or a short loop over the list is written out.

    Left alone: lists that are changed, or used in another way as well; modules that are set more than once; long loops
    and those with `break` or `continue`.

    Source: "failed to convert Python type: 'list' to a TorchScript type", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "listed-modules"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute"})
    examples = [
        _example(
            """\
    def forward(self, x):
        y = torch.stack([torch.relu(head(x)) for head in self.heads])
        return y.sum(0) + self.heads[-1](x) / len(self.heads)  # the last once more
""",
            """\
    def forward(self, x):
        y = torch.stack([torch.relu(self.near(x)), torch.relu(self.far(x))])
        return y.sum(0) + self.far(x) / 2  # the last once more
""",
        ),
        _example(
            """\
    def forward(self, x):
        outs = []
        # one after the other
        for i, head in enumerate(self.heads):
            x = head(x) * (i + 1)
            outs.append(x)
        return torch.cat(outs)
""",
            """\
    def forward(self, x):
        outs = []
        # one after the other
        x = self.near(x) * (0 + 1)
        outs.append(x)
        x = self.far(x) * (1 + 1)
        outs.append(x)
        return torch.cat(outs)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        for cls in (c for c in file.classes if c.is_module):
            for attribute, values in cls.assigned.items():
                method, made = values[0]
                if len(values) > 1 or method.name != "__init__" or not isinstance(made, ast.List) or len(made.elts) < 2:
                    continue
                names = [method.self_attribute(e) for e in made.elts]
                if None not in names and len(set(names)) == len(names):
                    yield from self._named(cls, method, attribute, [n for n in names if n is not None])

    def _named(self, cls: Class, init: Function, attribute: str, names: Sequence[str]) -> Iterator[Finding]:
        reads = _reads(cls, attribute)
        if not reads or not all(_is_module(cls, n) for n in names):
            return
        message = f"TorchScript sees no modules in a plain list (`{attribute}`)"
        made = cls.assigned[attribute][0][1]
        store = init.file.statement_of(made) if made is not None else init.node
        alone = not isinstance(store, ast.Assign) or len(store.targets) == 1
        straight = alone and init.file.parents[store] is init.node
        if not straight or not all(is_stored_once(cls, n) for n in (attribute, *names)):
            yield self.finding(reads[0][1], f"{message}, and it, or what it holds, may be another one later")
            return
        if not all(_only_looks(init.file, n) for n in _of_family(cls, attribute)):
            yield self.finding(reads[0][1], f"{message}, and it is changed, or passed on")
            return
        if any(f.cls in cls.ancestors for f, _ in reads):
            yield self.finding(reads[0][1], f"{message}, and a parent reads it, of its other heirs too")
            return
        if any(n.startswith("__") for n in names) and any(f.cls is not cls for f, _ in reads):
            yield self.finding(reads[0][1], f"{message}, and only `{cls.name}` knows the names of what it holds")
            return
        edits: list[Edit] = []
        for function, read in reads:
            edit = _written_out(function, read, [f"{function.self_name}.{n}" for n in names])
            if edit is None:
                yield self.finding(read, f"{message}, and this use is no plain index or short loop")
                return
            edits.append(edit)
        caveat = f"a module put in the place of `{names[0]}` later is used at once, which `{attribute}` would not hold"
        named = ", ".join(f"`{init.self_name}.{n}`" for n in names)
        yield self.finding(reads[0][1], f"{message}; name {named}", *edits, caveat=caveat)


def _reads(cls: Class, attribute: str) -> list[tuple[Function, ast.expr]]:
    """Where methods that TorchScript compiles read the list."""
    family = (cls, *cls.ancestors, *cls.subclasses)
    methods = dict.fromkeys(m for c in family for m in cls.file.methods_of(c) if m.name != "__init__")
    return [(m, n) for m in methods for n in m.self_attributes.get(attribute, ()) if isinstance(n.ctx, ast.Load)]


def _of_family(cls: Class, attribute: str) -> Iterator[ast.Attribute]:
    """Where the file names the attribute, but for methods of other classes that name it on their instance."""
    family = {c.node for c in (cls, *cls.ancestors, *cls.subclasses)}
    selves = {f.self_name for f in cls.file.all_functions}
    for node in cls.file.of(ast.Attribute):
        around: ast.AST = node
        while node.attr == attribute and not isinstance(around, (ast.ClassDef, ast.Module)):
            around = cls.file.parents[around]
        own = isinstance(node.value, ast.Name) and node.value.id in selves and isinstance(around, ast.ClassDef)
        if node.attr == attribute and (not own or around in family):
            yield node


def _only_looks(file: FileFacts, node: ast.Attribute) -> bool:
    """Whether a mention of the list is the assignment that makes it, or goes over it or reads an element."""
    match file.parents[node]:
        case ast.Assign() | ast.AnnAssign():
            return isinstance(node.ctx, ast.Store)
        case ast.Starred():
            return True
        case ast.For(iter=over) | ast.comprehension(iter=over):
            return over is node
        case ast.Subscript(ctx=context):
            return isinstance(context, ast.Load)
        case ast.Call(func=called):
            return file.origin(called) in ("len", "enumerate", "zip", "reversed")
    return False


def _is_module(cls: Class, name: str) -> bool:
    """Whether the constructor makes the attribute by calling a class, as far as its name tells."""
    values = [v for c in (cls, *cls.ancestors) for _, v in c.assigned.get(name, ())]
    origins = [cls.file.origin(v.func).rpartition(".")[2] if isinstance(v, ast.Call) else "" for v in values]
    return bool(values) and all(o.lstrip("_")[:1].isupper() and o not in ("Parameter", "Tensor") for o in origins)


def _written_out(function: Function, read: ast.expr, modules: Sequence[str]) -> Edit | None:
    """The edit of one use of the list; None where the use is another."""
    file, parent = function.file, function.file.parents[read]
    around, number, module = parent, None, getattr(parent, "target", None)
    if isinstance(parent, ast.Subscript) and parent.value is read and isinstance(parent.ctx, ast.Load):
        index = _literal(parent.slice)
        known = index is not None and -len(modules) <= index < len(modules)
        return Replace(parent, modules[index]) if index is not None and known else None
    if isinstance(parent, ast.Call) and parent.args == [read] and not parent.keywords:
        called = file.origin(parent.func)
        if called == "len":
            return Replace(parent, str(len(modules)))
        if called != "enumerate":
            return None
        around = file.parents[parent]
        target = getattr(around, "target", None)
        if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
            return None
        number, module = target.elts
    if not isinstance(module, ast.Name) or not isinstance(number, ast.Name | None):
        return None
    rounds = [{module.id: text} | ({number.id: str(i)} if number is not None else {}) for i, text in enumerate(modules)]
    if isinstance(around, ast.For) and around.iter in (read, parent):
        return _loop(function, around, rounds)
    comprehension = file.parents[around]
    if isinstance(around, ast.comprehension) and isinstance(comprehension, ast.ListComp):
        return _list(function, comprehension, rounds)
    return None


def _literal(node: ast.expr) -> int | None:
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    value = node.operand if negative else node  # type: ignore[attr-defined]
    if not isinstance(value, ast.Constant) or type(value.value) is not int:
        return None
    return -value.value if negative else value.value


def _changes(nodes: Sequence[ast.AST], texts: dict[str, str]) -> dict[ast.expr, str] | None:
    """The new source of the loop's variables; None where something binds them again."""
    inside = [n for node in nodes for n in walk(node)]
    named = [n for n in inside if isinstance(n, ast.Name) and n.id in texts]
    if any(isinstance(n, _SCOPES) for n in inside) or any(not isinstance(n.ctx, ast.Load) for n in named):
        return None
    dotted = {n.value for n in inside if isinstance(n, ast.Attribute)}
    if any(n in dotted and texts[n.id].isdigit() for n in named):  # ``1.real`` is no expression
        return None
    return {n: texts[n.id] for n in named}


def _list(function: Function, made: ast.ListComp, rounds: Sequence[dict[str, str]]) -> Edit | None:
    if len(made.generators) > 1 or made.generators[0].ifs or made.elt.lineno != made.elt.end_lineno:
        return None
    elements = []
    for texts in rounds:
        changes = _changes([made.elt], texts)
        if changes is None:
            return None
        elements.append(written(function.file.source, made.elt, changes))
    text = f"[{', '.join(elements)}]"
    return Replace(made, verbatim(text)) if len(text) <= _WIDTH else None


def _loop(function: Function, loop: ast.For, rounds: Sequence[dict[str, str]]) -> Edit | None:
    lines = (loop.body[-1].end_lineno or loop.lineno) - loop.body[0].lineno + 1
    after = function.flow.live_after(loop)
    if loop.orelse or is_left(loop.body) or lines * len(rounds) > _LINES or after & rounds[0].keys():
        return None
    bodies = []
    for texts in rounds:
        changes = _changes(loop.body, texts)
        if changes is None:
            return None
        try:
            bodies.append(excerpt(function.file.source, loop.body, changes))
        except ValueError:
            return None
    source, first = function.file.source, loop.body[0]
    above = re.findall("#.*", source.text[source.span(loop.iter)[1] : source.span(first)[0]])
    beside = [] if isinstance(first, _BLOCKS) else [trailing_comment(source, first)]
    return Replace([loop], verbatim("\n".join([*above, *filter(None, beside), *bodies])))
