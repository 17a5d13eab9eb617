"""tensor-by-name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.computed_names import defined, pattern, prefix
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.dispatch import method_name
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Edit, InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ADDS = frozenset({"register_buffer", "register_parameter", "register_module", "add_module"})
_MAKERS = frozenset(
    "Tensor arange cat cos empty exp eye from_numpy full full_like linspace logspace ones ones_like rand rand_like"
    " randint randn randn_like randperm sin stack tensor tril triu zeros zeros_like".split()
)
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
"""


def _example(before: str, after: str) -> Example:
    """An example of the methods of a model, from where its tensors are registered."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    error = "getattr's second argument must be a string literal"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class TensorByName(Rule):
    """Find a buffer through a small method where its name is computed.

    `getattr(self, f"noise_{i}")` names a tensor with a value; TorchScript takes only literals. It does loop over
    `named_buffers()`: a method compares the names, and gives the buffer. So for those of a submodule,
    `getattr(self.noises, f"noise_{i}")`. state_dict keys stay.

    Left alone: names under which the class is not seen to register a buffer, or may register something else or a
    tensor that it has elsewhere; getattr with a default; parameters, over whose names TorchScript does not loop.

    Source: "getattr's second argument must be a string literal", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "tensor-by-name"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"getattr-name"})
    examples = [
        _example(
            """\
        for i in range(depth):
            self.register_buffer(f'scale{i}', torch.full((4,), i + 0.5))

    def forward(self, x):
        for i in range(self.depth):
            x = x * getattr(self, f'scale{i}')  # one by one
        return x
""",
            """\
        for i in range(depth):
            self.register_buffer(f'scale{i}', torch.full((4,), i + 0.5))

    def forward(self, x):
        for i in range(self.depth):
            x = x * self._get_scale(f'scale{i}')  # one by one
        return x

    def _get_scale(self, name: str):
        for key, buffer in self.named_buffers():
            if key == name:
                return buffer
        raise AttributeError(name)
""",
        ),
        _example(
            """\
        self.noises = nn.Module()
        for i in range(depth):
            self.noises.register_buffer('noise_%d' % i, torch.rand(4))

    def forward(self, x):
        noise = [getattr(self.noises, 'noise_%d' % i) for i in range(self.depth)]
        return x + noise[0] * noise[-1]
""",
            """\
        self.noises = nn.Module()
        for i in range(depth):
            self.noises.register_buffer('noise_%d' % i, torch.rand(4))

    def forward(self, x):
        noise = [self._get_noise('noise_%d' % i) for i in range(self.depth)]
        return x + noise[0] * noise[-1]

    def _get_noise(self, name: str):
        for key, buffer in self.noises.named_buffers():
            if key == name:
                return buffer
        raise AttributeError(name)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("getattr") or not file.mentions("register_buffer") or file.mentions("_buffers["):
            return
        given: dict[Class, dict[str, str]] = {cls: {} for cls in file.classes}  # new methods: where each looks
        for cls in file.classes:
            groups: dict[tuple[str, str], list[tuple[Function, ast.Call]]] = {}
            for function in file.methods_of(cls):
                for call in function.of(ast.Call) if function.self_name is not None else ():
                    if _names_buffer(cls, function, call):
                        word = prefix(function, call.args[1]).strip("_").lower()
                        groups.setdefault((ast.unparse(call.args[0]), word), []).append((function, call))
            for (owner, word), sites in groups.items():
                kin = {r for c in (cls, *cls.subclasses) for r in (c, *c.ancestors)}
                taken = {n for r in kin for n, at in given.get(r, {}).items() if r is cls or at != owner}
                name = method_name(cls, taken, f"_get_{word if word.isidentifier() else 'buffer'}")
                given[cls][name] = owner
                yield self._finding(owner, name, sites)

    def _finding(self, owner: str, name: str, sites: list[tuple[Function, ast.Call]]) -> Finding:
        last = max((function for function, _ in sites), key=lambda f: f.node.lineno)
        method = f"\ndef {name}(self, name: str):\n    for key, buffer in {owner}.named_buffers():\n"
        method += "        if key == name:\n            return buffer\n    raise AttributeError(name)"
        edits: list[Edit] = [InsertAfter(last.node, "{method}", {"method": method})]
        edits += [Replace(call, f"self.{name}({{key}})", {"key": call.args[1]}) for _, call in sites]
        message = f"TorchScript finds tensors only by literal names; call `{name}`, a method that looks for the buffer"
        return self.finding(sites[0][1], message, *edits)


def _names_buffer(cls: Class, function: Function, call: ast.Call) -> bool:
    """Whether ``getattr(owner, key)`` gives a buffer, for self and its submodules."""
    if function.file.origin(call.func) != "getattr" or len(call.args) != 2 or function.self_name != "self":
        return False
    owner, key = call.args
    own = isinstance(owner, ast.Name) and owner.id == "self"
    if isinstance(key, ast.Constant) or not (own or function.self_attribute(owner) is not None):
        return False
    wanted, text, registered = pattern(function, key), ast.unparse(owner), False
    for method in (m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values()):
        for adds in method.of(ast.Call):
            name, as_buffer = _added(method, adds, text)
            if name is not None and pattern(method, name) == wanted:
                if not as_buffer or not _is_made(method, adds):
                    return False
                registered = True
        if any(re.fullmatch(wanted, n.attr) for n in method.of(ast.Attribute) if _sets(n, text)):
            return False  # what is set there may be no buffer, or a buffer that has another name too
    return registered and wanted != ".+"


def _sets(node: ast.Attribute, owner: str) -> bool:
    return isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == owner


def _added(method: Function, call: ast.Call, owner: str) -> tuple[ast.expr | None, bool]:
    """The name under which a call adds something to a module, and whether that is a buffer."""
    func, args = call.func, call.args
    if isinstance(func, ast.Attribute) and func.attr in _ADDS and ast.unparse(func.value) == owner and args:
        return args[0], func.attr == "register_buffer"
    sets = method.file.origin(func) == "setattr" and len(args) == 3 and ast.unparse(args[0]) == owner
    return (args[1] if sets else None), False


def _is_made(method: Function, call: ast.Call) -> bool:
    """Whether a call registers a tensor that is made for it: `named_buffers` leaves out one that was there before."""
    value = call.args[1] if len(call.args) > 1 else None
    made = defined(method, value) if value is not None else None
    if made is None or not _is_new(method, made):
        return False
    if made is value:
        return True
    block = method.file.block_of(method.file.statement_of(call))
    reads = [n for n in method.of(ast.Name) if isinstance(value, ast.Name) and n.id == value.id]
    return method.file.statement_of(made) in block and len(reads) == 2  # where it is bound, and here


def _is_new(method: Function, node: ast.expr) -> bool:
    """Whether an expression makes a tensor; `w.float()` may be `w` itself."""
    if not isinstance(node, ast.Call):
        return False
    head, _, name = method.file.origin(node.func).rpartition(".")
    if head == "torch":
        return name in _MAKERS
    func = node.func
    return isinstance(func, ast.Attribute) and (func.attr == "clone" or _is_new(method, func.value))
