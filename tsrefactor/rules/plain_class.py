"""plain-class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import OF_MODULES, members, parent_calls
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.registering import file_sees_children, registers_nothing
from tsrefactor.source.edits import AddBase, Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MAY_DEFINE = frozenset({"__init__", "__call__", "__repr__", "__str__", "__len__", "__contains__", "__getitem__"})
_LIKE_LAYERS = re.compile(r"Conv|Linear|Norm|Embed|Layer|Block|Dense|RNN|LSTM|GRU", re.IGNORECASE)
_HEAD = "import torch\nfrom torch import nn\n\n\n"


def _example(before: str, after: str, inputs: str, model: str = "Model()") -> Example:
    error = "failed to convert Python type"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, model=model, error=error)


class PlainClass(Rule):
    """Derive from `nn.Module` the class of an object that a module holds to call its methods.

    TorchScript holds an object of a plain class only where it can compile the whole class, `__init__` included, which
    then must derive from nothing and declare the types of its parameters. Of a submodule it compiles the methods that
    are called, and none of `__init__`. So a helper that computes on tensors (anchors, a box coder, a manifold) becomes
    a module: its class gets the base, its `__init__` the call of `super().__init__()`. It has no parameters, so the
    state_dict stays.

    Left alone: objects of which only fields are read (see object-attribute); classes that hold modules or parameters,
    or what may be some; that change their attributes after `__init__`; that have a name in common with `nn.Module`,
    other bases, decorators, or methods for operators; classes that compiled code makes objects of; files that look at
    the submodules of a module, or at `__dict__`; classes of another file than the module's.

    Source: `tryToInferType` of torch/csrc/jit/python/pybind_utils.h compiles the class of the object, with
    `can_compile_class` of torch/_jit_internal.py; `_compile_and_register_class` of torch/jit/_script.py.
    """

    name = "plain-class"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute"})
    needs_diagnosis = True
    examples = [
        _example(
            '''\
class BoxCoder:
    """Turns codes into boxes."""

    def __init__(self, weights=(10.0, 5.0), clip=4.0):
        self.weights = weights
        self.clip = clip  # of what is exponentiated

    def decode(self, codes, boxes):
        centre, size = self.weights
        scale = torch.exp(torch.clamp(codes[:, 1:] / size, max=self.clip))
        return torch.cat([boxes[:, :1] + codes[:, :1] / centre, boxes[:, 1:] * scale], dim=1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.coder = BoxCoder()

    def forward(self, x, boxes):
        return self.coder.decode(self.fc(x), boxes)
''',
            '''\
class BoxCoder(nn.Module):
    """Turns codes into boxes."""

    def __init__(self, weights=(10.0, 5.0), clip=4.0):
        super().__init__()
        self.weights = weights
        self.clip = clip  # of what is exponentiated

    def decode(self, codes, boxes):
        centre, size = self.weights
        scale = torch.exp(torch.clamp(codes[:, 1:] / size, max=self.clip))
        return torch.cat([boxes[:, :1] + codes[:, :1] / centre, boxes[:, 1:] * scale], dim=1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.coder = BoxCoder()

    def forward(self, x, boxes):
        return self.coder.decode(self.fc(x), boxes)
''',
            "[(torch.rand(3, 2), torch.rand(3, 2)), (torch.rand(4, 2), torch.rand(4, 2))]",
        ),
        # A class that derives from another one of the file; both objects of it are one.
        _example(
            """\
class Manifold(object):
    def __init__(self):
        self.eps = 1e-5

    def project(self, x, c):
        raise NotImplementedError


class Ball(Manifold):
    def __init__(self, least=1e-15):
        super(Ball, self).__init__()
        self.least = least

    def project(self, x, c: float):
        norm = x.norm(dim=-1, keepdim=True, p=2).clamp_min(self.least)
        longest = (1 - self.eps) / (c ** 0.5)
        return torch.where(norm > longest, x / norm * longest, x)


class Layer(nn.Module):
    def __init__(self, manifold, c=1.0):
        super().__init__()
        self.manifold, self.c = manifold, c
        self.weight = nn.Parameter(torch.ones(3, 3))

    def forward(self, x):
        return self.manifold.project(x @ self.weight, self.c)


class Model(nn.Sequential):
    def __init__(self):
        ball = Ball()
        super().__init__(Layer(ball), Layer(ball, c=2.0))
""",
            """\
class Manifold(nn.Module):
    def __init__(self):
        super().__init__()
        self.eps = 1e-5

    def project(self, x, c):
        raise NotImplementedError


class Ball(Manifold):
    def __init__(self, least=1e-15):
        super(Ball, self).__init__()
        self.least = least

    def project(self, x, c: float):
        norm = x.norm(dim=-1, keepdim=True, p=2).clamp_min(self.least)
        longest = (1 - self.eps) / (c ** 0.5)
        return torch.where(norm > longest, x / norm * longest, x)


class Layer(nn.Module):
    def __init__(self, manifold, c=1.0):
        super().__init__()
        self.manifold, self.c = manifold, c
        self.weight = nn.Parameter(torch.ones(3, 3))

    def forward(self, x):
        return self.manifold.project(x @ self.weight, self.c)


class Model(nn.Sequential):
    def __init__(self):
        ball = Ball()
        super().__init__(Layer(ball), Layer(ball, c=2.0))
""",
            "[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            cls = file.class_named(diagnosis.names.get("type", "").rpartition(".")[2])
            attribute = diagnosis.names["attribute"]
            if cls is None or cls.is_module or not _is_called(file, attribute, cls):
                continue
            root = cls.ancestors[-1] if cls.ancestors else cls
            family = [root, *root.subclasses]
            why = f"TorchScript cannot compile all of `{cls.name}`, of which `self.{attribute}` holds an object"
            reason = _refusal_of_class(family) or _refusal_of_file(file, family, attribute)
            begun = [] if reason else [_begun(c) for c in family]
            if reason is None and None in begun:
                reason = "an `__init__` does not call that of its parent at once"
            if reason is not None:
                yield self.finding(cls.node, f"{why}, and {reason}", answers=diagnosis)
                continue
            module, imports = file.spell("torch.nn.Module")
            based = Replace(root.node.bases[0], module) if root.node.bases else AddBase(root.node, module)
            yield self.finding(
                cls.node,
                f"{why}; derive `{root.name}` from `{module}`",
                based,
                *(edit for edits in begun for edit in edits or ()),
                imports=imports,
                presumed=not all(_stores_plain(c) for c in family),
                caveat=f"objects of `{root.name}` are submodules now, which a model lists and `apply` comes to",
                answers=diagnosis,
            )


def _is_called(file: FileFacts, attribute: str, cls: Class) -> bool:
    """Whether compiled code calls the object in the attribute, or a method of it, be it by a local name."""
    methods = {n for c in (cls, *cls.ancestors) for n in c.methods}
    for function in file.functions:
        for held in function.self_attributes.get(attribute, ()):
            read = file.parents[held]
            named = isinstance(read, ast.Assign) or (isinstance(read, ast.Attribute) and read.attr in methods)
            if named or (isinstance(read, ast.Call) and read.func is held):
                return True
    return False


# -- the class and those that it derives from, or that derive from it ---------------------------------------------


def _refusal_of_class(family: Sequence[Class]) -> str | None:
    root = family[0]
    for cls in family:
        node = cls.node
        if len(node.bases) > 1 or set(cls.foreign_bases) - {"object"} or node.keywords or node.decorator_list:
            return f"`{cls.name}` has other bases, or a decorator"
        special = [n for n in cls.methods if n.startswith("__") and n.endswith("__") and n not in _MAY_DEFINE]
        if special:
            return f"`{cls.name}` defines `{special[0]}`"
    taken = sorted(members(root) & (OF_MODULES - {"forward"}))
    if taken:
        return f"`nn.Module` has a `{taken[0]}`, too"
    for cls in family:
        for method in cls.methods.values():
            if method.name == "__init__" or _only_begins(method):
                continue
            if any(not isinstance(n.ctx, ast.Load) for nodes in method.self_attributes.values() for n in nodes):
                return f"`{method.name}` changes the object"
        if not all(_may_be_plain(m, v) for pairs in cls.assigned.values() for m, v in pairs):
            return f"`{cls.name}` may hold modules or parameters"
    return None


def _only_begins(method: Function) -> bool:
    """Whether nothing but `__init__` of the class and its relatives names a method."""
    cls = method.cls
    assert cls is not None
    inits = {c.methods.get("__init__") for c in (cls, *cls.ancestors, *cls.subclasses)}
    inside = {n for f in inits if f is not None for n in f.self_attributes.get(method.name, ())}
    named = [n for n in method.file.of(ast.Attribute) if n.attr == method.name]
    return bool(named) and all(n in inside for n in named)


def _stores_plain(cls: Class) -> bool:
    """Whether nothing that an object holds can be a module or a parameter, as far as the file shows."""
    return all(registers_nothing(m, v) or _is_given_plain(m, v) for pairs in cls.assigned.values() for m, v in pairs)


def _may_be_plain(method: Function, value: ast.expr | None) -> bool:
    """The same, or that of a parameter which may be anything: then the case has to prove it."""
    given = [p for p in method.parameters if isinstance(value, ast.Name) and p.name == value.id]
    return registers_nothing(method, value) or bool(given and given[0].annotation is None)


def _is_given_plain(method: Function, value: ast.expr | None) -> bool:
    """Whether all calls in the file that make an object give that parameter what is no module and no parameter."""
    cls, file = method.cls, method.file
    place = next((i for i, p in enumerate(method.parameters) if isinstance(value, ast.Name) and p.name == value.id), -1)
    if cls is None or method.name != "__init__" or place < 0:
        return False
    parameter = method.parameters[place]
    names, found = {c.name for c in (cls, *cls.subclasses)}, []
    for function in file.all_functions:
        for call in function.of(ast.Call):
            if file.origin(call.func) not in names:
                continue
            if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
                return False
            given = next((k.value for k in call.keywords if k.arg == parameter.name), None)
            given = given or (call.args[place] if place < len(call.args) else parameter.default)
            found.append(given is not None and registers_nothing(function, given))
    return bool(found) and all(found) and not any(c.methods.get("__init__") for c in cls.subclasses)


def _begun(cls: Class) -> list[Edit] | None:
    """What makes `__init__` call its parent's before it sets anything; None where that cannot be."""
    init = cls.methods.get("__init__")
    if init is None:
        return []
    calls = [c for c in parent_calls(init) if c.method == "__init__"]
    stores = [n for nodes in init.self_attributes.values() for n in nodes]
    if not calls:
        if any("__init__" in c.methods for c in cls.ancestors) or not init.code:
            return None
        return [InsertBefore(init.code[0], "super().__init__()")]
    first = init.file.statement_of(calls[0].node)
    sure = calls[0].named != "object" and len(calls) == 1 and first in init.node.body
    return [] if sure and all(n.lineno > first.lineno for n in stores) else None


# -- the file ------------------------------------------------------------------------------------------------------


def _refusal_of_file(file: FileFacts, family: Sequence[Class], attribute: str) -> str | None:
    """What else keeps objects of these classes from being submodules of the modules that hold them."""
    names = {c.name for c in family}
    modules = [c for c in file.classes if c.is_module]
    by_name = any(True for c in family for m in c.methods.values() for _ in m.calls("setattr", "delattr"))
    if by_name or file.mentions("__dict__", "vars(", "__slots__"):
        return "the file looks at what objects hold by names"
    if any(file.origin(c.func) in names for f in file.functions for c in f.of(ast.Call)):
        return "compiled code makes such objects"
    if file_sees_children(file):
        return "the file looks at the submodules of a module"
    if file.mentions("apply(") and any(map(_LIKE_LAYERS.search, names)):
        return "what `apply` is given may take it for a layer"
    held = [n for n in file.of(ast.Attribute) if n.attr == attribute and isinstance(file.parents[n], ast.Attribute)]
    if any(isinstance(file.parents[n].ctx, ast.Store) for n in held):  # type: ignore[attr-defined]
        return "code elsewhere changes the object"
    early = any(_held_early(c) for c in modules if attribute in c.assigned)
    return "a module holds it before it calls `super().__init__()`" if early else None


def _held_early(cls: Class) -> bool:
    """Whether the constructor of a module makes something its own before it may hold submodules."""
    init = cls.methods.get("__init__")
    if init is None:
        return False
    begun = [c.node.lineno for c in parent_calls(init) if c.method == "__init__"]
    stores = (n for nodes in init.self_attributes.values() for n in nodes if isinstance(n.ctx, ast.Store))
    return not begun or any(n.lineno < begun[0] for n in stores)
