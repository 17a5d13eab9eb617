"""weight-norm."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import INT, TENSOR, list_of, optional, tuple_of
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_NORMS = {
    "WeightNorm": ("torch.nn.utils.weight_norm", "torch.nn.utils.weight_norm.weight_norm"),
    "SpectralNorm": ("torch.nn.utils.spectral_norm", "torch.nn.utils.spectral_norm.spectral_norm"),
}
_ORIGINS = {origin for each in _NORMS.values() for origin in each}


class WeightNorm(Rule):
    """Give TorchScript the hooks of `weight_norm` and `spectral_norm` as functions.

    torch.nn.utils.weight_norm and spectral_norm put an object among a layer's pre-hooks. TorchScript compiles
    functions as hooks, and stops at an object. `__prepare_scriptable__`, which torch.jit.script calls first, exchanges
    the objects for typed functions that compute the same; torchaudio prepares its weight-normed models in this way. Up
    to then the model is what it was: values, `weight_g` and `weight_v`, `remove_weight_norm`. The scripted model has
    the same state_dict keys and trains like the original. A transposed convolution gets the computation in its
    `forward`, because a hook of TorchScript would need `output_size` at every call.

    Left alone: hooks for another parameter than `weight`, `spectral_norm` of transposed convolutions, classes that have
    a `__prepare_scriptable__` of their own.

    Source: `get_hook_stubs` in torch/jit/_recursive.py reads `hook.__name__`: "'WeightNorm' object has no attribute
    '__name__'"; `call_prepare_scriptable_func` in torch/jit/_script.py calls `__prepare_scriptable__`.
    """

    name = "weight-norm"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"hook-object"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
import torch
from torch import nn
from torch.nn.utils import weight_norm


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = weight_norm(nn.Linear(4, 3))

    def forward(self, x):
        return torch.relu(self.fc(x))  # positive
""",
            after="""\
from typing import Tuple

import torch
from torch import nn
from torch.nn.utils import weight_norm
from torch.nn.utils.weight_norm import WeightNorm


def _weight_norm_hook(self, inputs: Tuple[torch.Tensor]) -> None:
    self.weight = torch._weight_norm(self.weight_v, self.weight_g, self.weight_norm_dim)


def _make_hooks_scriptable(module):
    \"\"\"Put functions in the place of the hook objects, which TorchScript cannot compile.\"\"\"
    for layer in module.modules():
        for key, hook in layer._forward_pre_hooks.items():
            if isinstance(hook, WeightNorm) and hook.name == "weight":
                layer.weight_norm_dim = hook.dim
                layer._forward_pre_hooks[key] = _weight_norm_hook


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = weight_norm(nn.Linear(4, 3))

    def forward(self, x):
        return torch.relu(self.fc(x))  # positive

    def __prepare_scriptable__(self):
        _make_hooks_scriptable(self)
        return self
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            error="'WeightNorm' object has no attribute '__name__'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        answered = [d for d in file.diagnoses if d.kind in self.answers and d.names.get("hook") in _NORMS]
        if not answered:
            return
        used = [norm for norm, origins in _NORMS.items() if any(file.origin(n) in origins for n in _names(file.tree))]
        if not used:
            return
        classes = [c for c in _builders(file) if not _covered(c, file)]
        message = "TorchScript compiles no object as a hook; exchange it for a function before"
        if not classes:
            first = next(n for n in _names(file.tree) if file.origin(n) in _ORIGINS)
            yield self.finding(first, f"{message}, but no class of this file can do it", answers=answered[0])
            return
        if any(norm in file.module_names and norm not in file.imports.origins for norm in used):
            yield self.finding(classes[0].node, f"{message}, but the file gives {used[0]} another meaning")
            return
        name = fresh(file.module_names, "_make_hooks_scriptable")
        helpers, imports = _helpers(file, used, name)
        edits: list[Edit] = [InsertBefore(classes[0].node, "{helpers}", {"helpers": helpers})]
        for cls in classes:
            method = f"\ndef __prepare_scriptable__(self):\n    {name}(self)\n    return self\n"
            edits.append(InsertAfter(cls.node.body[-1], method))
        yield self.finding(
            classes[0].node,
            message,
            *edits,
            imports=imports,
            answers=answered[0],
            caveat="remove_weight_norm and remove_spectral_norm work before torch.jit.script, not after: they look for "
            "the objects",
        )


def _names(tree: ast.AST) -> Iterator[ast.expr]:
    return (n for n in walk(tree) if isinstance(n, (ast.Name, ast.Attribute)) and isinstance(n.ctx, ast.Load))


def _builders(file: FileFacts) -> list[Class]:
    """The classes at module level whose methods put a norm on a layer, themselves or by a function that they call."""
    named = {id(f.node): {file.origin(n) for n in _names(f.node)} for f in file.all_functions}
    functions = {f.qualname for f in file.all_functions if f.cls is None and named[id(f.node)] & _ORIGINS}
    while True:
        more = {
            f.qualname for f in file.all_functions if f.cls is None and named[id(f.node)] & functions
        } - functions  # fmt: skip
        if not more:
            break
        functions |= more
    wanted = _ORIGINS | functions
    return [
        c for c in file.classes
        if c.is_module and c.node in file.tree.body and any(named[id(m.node)] & wanted for m in c.methods.values())
    ]  # fmt: skip


def _covered(cls: Class, file: FileFacts) -> bool:
    """Whether a class has the method, by itself or from a class that gets it."""
    builders = _builders(file)
    return cls.method("__prepare_scriptable__") is not None or any(a in builders for a in cls.ancestors)


def _helpers(file: FileFacts, used: list[str], name: str) -> tuple[str, frozenset[Import]]:
    """The hooks as functions, the function that puts them in place, and their imports."""
    inputs, imports = file.spell_type(tuple_of([TENSOR]))
    size, more = file.spell_type(optional(list_of(INT)))
    functional, third = file.spell("torch.nn.functional")
    needed = imports | third | {Import("torch")}
    text = file.source.text
    transposed = [n for n in (1, 2, 3) if f"ConvTranspose{n}d" in text and "WeightNorm" in used]
    parts = []
    for norm in used:
        module = "torch.nn.utils.weight_norm" if norm == "WeightNorm" else "torch.nn.utils.spectral_norm"
        needed |= {Import(module, norm)}
        parts.append((_WEIGHT_HOOK if norm == "WeightNorm" else _SPECTRAL_HOOK).format(inputs=inputs, F=functional))
    for n in transposed:
        needed |= more | {Import("types")}
        parts.append(_TRANSPOSED.format(n=n, size=size, F=functional))
    return "\n\n".join([*parts, _put_in_place(file, used, transposed, name)]), needed


def _put_in_place(file: FileFacts, used: list[str], transposed: list[int], name: str) -> str:
    hooks = "list(layer._forward_pre_hooks.items())" if transposed else "layer._forward_pre_hooks.items()"
    lines = [
        f"def {name}(module):",
        '    """Put functions in the place of the hook objects, which TorchScript cannot compile."""',
        "    for layer in module.modules():",
        f"        for key, hook in {hooks}:",
    ]
    if "WeightNorm" in used:
        lines += [
            '            if isinstance(hook, WeightNorm) and hook.name == "weight":',
            "                layer.weight_norm_dim = hook.dim",
        ]
        for i, n in enumerate(transposed):
            layer = file.spell(f"torch.nn.ConvTranspose{n}d")[0]
            lines += [
                f"                {'el' if i else ''}if isinstance(layer, {layer}):",
                f"                    layer.forward = types.MethodType(_weight_norm_conv_transpose{n}d, layer)",
                "                    del layer._forward_pre_hooks[key]",
            ]
        indent = " " * (20 if transposed else 16)
        lines += ["                else:"] * bool(transposed)
        lines += [f"{indent}layer._forward_pre_hooks[key] = _weight_norm_hook"]
    if "SpectralNorm" in used:
        lines += [
            '            if isinstance(hook, SpectralNorm) and hook.name == "weight":',
            "                layer.spectral_norm_dim = hook.dim",
            "                layer.spectral_norm_eps = hook.eps",
            "                layer.spectral_norm_iterations = hook.n_power_iterations",
            "                layer._forward_pre_hooks[key] = _spectral_norm_hook",
        ]
    return "\n".join(lines) + "\n"


_WEIGHT_HOOK = """\
def _weight_norm_hook(self, inputs: {inputs}) -> None:
    self.weight = torch._weight_norm(self.weight_v, self.weight_g, self.weight_norm_dim)
"""
_SPECTRAL_HOOK = """\
def _spectral_norm_hook(self, inputs: {inputs}) -> None:
    u, v = self.weight_u, self.weight_v
    matrix = self.weight_orig.movedim(self.spectral_norm_dim, 0).flatten(1)
    if self.training:
        with torch.no_grad():
            for _ in range(self.spectral_norm_iterations):
                v = {F}.normalize(torch.mv(matrix.t(), u), dim=0, eps=self.spectral_norm_eps, out=v)
                u = {F}.normalize(torch.mv(matrix, v), dim=0, eps=self.spectral_norm_eps, out=u)
            u, v = u.clone(), v.clone()  # the buffers change again in the next call, before this one's backward
    self.weight = self.weight_orig / torch.dot(u, torch.mv(matrix, v))
"""
_TRANSPOSED = """\
def _weight_norm_conv_transpose{n}d(self, input, output_size: {size} = None):
    self.weight = torch._weight_norm(self.weight_v, self.weight_g, self.weight_norm_dim)
    output_padding = self._output_padding(
        input, output_size, self.stride, self.padding, self.kernel_size, {n}, self.dilation
    )
    return {F}.conv_transpose{n}d(
        input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
    )
"""
