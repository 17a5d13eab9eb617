"""distribution-class."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.distribution_sites import Made, Sites, is_number, sites_of
from tsrefactor.facts.distributions import written
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.helpers import Helper, before
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import UNKNOWN
from tsrefactor.source.edits import Edit, Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn
from torch.distributions import Categorical, Normal, kl_divergence


"""
_NORMAL = '''\
class ScriptNormal:
    """torch.distributions.Normal, as TorchScript takes it."""

    def __init__(self, loc: torch.Tensor, scale: torch.Tensor):
        self.loc, self.scale = torch.broadcast_tensors(loc, scale)

'''
_LOG_PROB = """\
    def log_prob(self, value):
        variance = self.scale**2
        return -((value - self.loc) ** 2) / (2 * variance) - self.scale.log() - 0.9189385332046727

"""
_ENTROPY = """\
    def entropy(self):
        return 1.4189385332046727 + torch.log(self.scale)

"""
_DISTANCE = """\
    def kl_divergence(self, loc, scale):
        ratio = (self.scale / scale).pow(2)
        distance = ((self.loc - loc) / scale).pow(2)
        return 0.5 * (ratio + distance - 1 - ratio.log())

"""
_CATEGORICAL = '''\
class ScriptCategoricalLogits:
    """torch.distributions.Categorical, as TorchScript takes it."""

    def __init__(self, logits: torch.Tensor):
        self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self.probs = torch.softmax(self.logits, dim=-1)

    def entropy(self):
        logits = self.logits.clamp(min=-3.4028234663852886e38)
        return -(logits * self.probs).sum(-1)


'''


def _example(before: str, after: str, classes: str) -> Example:
    forward = "class Model(nn.Module):\n    def forward(self, x, y):\n"
    return Example(
        _HEAD + forward + before,
        _HEAD + classes + forward + after,
        "[(torch.rand(2, 4) + 1, torch.rand(2, 4) + 1), (torch.rand(3, 4) + 1, torch.rand(3, 4) + 1)]",
        Target.SCRIPT,
        error=r"\*args|varargs",
    )


class DistributionClass(Rule):
    """Make a distribution of a small class that TorchScript compiles.

    TorchScript compiles no class of torch.distributions. The file gets a class with those methods that it uses, which
    do what those of torch do, and `dist = Normal(mean, std)` is made of it under TorchScript. Eager keeps the
    distribution of torch, with its checks of arguments and samples, which the scripted model does without. There are
    such classes for `Normal`, `Categorical` and `Bernoulli`, and `kl_divergence` of normals.

    Left alone: distributions that are returned, passed on or kept in attributes; samples of a given shape.

    Source: "Compiled functions can't take variable number of arguments or use keyword-only arguments with defaults",
    raised by torch/jit/frontend.py for `Distribution`; torch/distributions/normal.py.
    """

    name = "distribution-class"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"variable-arguments"})
    examples = [
        _example(
            """\
        dist = Normal(x, y)  # of actions
        return dist.log_prob(x + 0.5), dist.entropy().sum(-1)
""",
            """\
        if torch.jit.is_scripting():
            dist = ScriptNormal(x, y)
        else:
            dist = Normal(x, y)  # of actions
        return dist.log_prob(x + 0.5), dist.entropy().sum(-1)
""",
            _NORMAL + _LOG_PROB + _ENTROPY + "\n",
        ),
        _example(
            """\
        p = x + 1
        q = Normal(x, 1)
        return kl_divergence(q, Normal(y, p)).mean()
""",
            """\
        p = x + 1
        if torch.jit.is_scripting():
            q = ScriptNormal(x, torch.full_like(x, 1))
        else:
            q = Normal(x, 1)
        return (q.kl_divergence(y, p) if torch.jit.is_scripting() else kl_divergence(q, Normal(y, p))).mean()
""",
            _NORMAL + _DISTANCE + "\n",
        ),
        _example(
            """\
        return Categorical(logits=x * y).entropy()
""",
            """\
        return (ScriptCategoricalLogits(x * y) if torch.jit.is_scripting() else Categorical(logits=x * y)).entropy()
""",
            _CATEGORICAL,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("Normal(", "Categorical(", "Bernoulli(") or not file.mentions("distributions"):
            return
        found = {f: sites for f in file.all_functions if (sites := sites_of(f)) is not None}
        used: dict[str, set[str]] = {}  # in the whole file: one class is to do for all
        for sites in found.values():
            for cls, members in sites.used.items():
                used.setdefault(cls, set()).update(members)
        for function in (f for f in file.functions if f in found):
            finding = self._made(function, found[function], used)
            if finding is not None:
                yield finding
                return  # the next ones use the same classes

    def _made(self, function: Function, sites: Sites, used: dict[str, set[str]]) -> Finding | None:
        file = function.file
        made = [*sites.variables.values(), *sites.inline.values()]
        if not made:
            return None
        needed: set[Import] = set()
        spelt = {}
        for origin in ("torch", "torch.jit.is_scripting", "torch.full_like", "torch.nn.functional"):
            spelt[origin], imports = file.spell(origin)
            needed |= imports if origin != "torch.nn.functional" or _asks_functional(sites) else set()
        names = (spelt["torch"], spelt["torch.nn.functional"])
        helpers = {m.cls: Helper(file, written(m.cls, m.distribution, used[m.cls], *names)) for m in made}
        scripting = f"{spelt['torch.jit.is_scripting']}()"
        edits: list[Edit] = []
        for statement, m in sites.variables.items():
            target = ast.unparse(statement.targets[0])
            text, pieces = _construction(function, m, helpers[m.cls].name, spelt["torch.full_like"])
            text = f"if {scripting}:\n    {target} = {text}\nelse:\n    {{again}}"
            edits.append(Replace([statement], text, {**pieces, "again": [statement]}))
        within = {n for call in sites.divergences for n in walk(call)}
        for call, m in sites.inline.items():
            if call not in within:
                text, pieces = _construction(function, m, helpers[m.cls].name, spelt["torch.full_like"])
                edits.append(Replace(call, f"({text} if {scripting} else {{again}})", {**pieces, "again": call}))
        for call in sites.divergences:
            p, q = call.args
            first = sites.inline.get(p) if isinstance(p, ast.Call) else None
            second = sites.inline.get(q) if isinstance(q, ast.Call) else None
            text, pieces = "{p}", {"p": p}
            if first is not None:
                text, pieces = _construction(function, first, helpers[first.cls].name, spelt["torch.full_like"])
            given = "{q}.loc, {r}.scale"
            more: Pieces = {"q": q, "r": q}
            if second is not None:
                given, more = "{q}, {r}", {"q": second.arguments["loc"], "r": second.arguments["scale"]}
            text = f"({text}.kl_divergence({given}) if {scripting} else {{again}})"
            edits.append(Replace(call, text, {**pieces, **more, "again": call}))
        message = f"TorchScript compiles no distribution of torch; make `{helpers[made[0].cls].name}` there"
        return self.finding(
            made[0].call,
            message,
            *edits,
            *before(function, list(helpers.values())),
            imports=needed,
            presumed=any(function.type_of(a) == UNKNOWN for m in made for a in m.arguments.values()),
        )


def _asks_functional(sites: Sites) -> bool:
    return any(cls.startswith("ScriptBernoulli") for cls in sites.used)


def _construction(function: Function, made: Made, cls: str, full_like: str) -> tuple[str, dict[str, ast.expr]]:
    """A template that makes the class, and its pieces; numbers become tensors as the other parameter is."""
    pieces: dict[str, ast.expr] = {}
    texts = []
    for name, value in made.arguments.items():
        pieces[name] = value
        other = next((v for v in made.arguments.values() if v is not value), value)
        if is_number(function, value):
            pieces[f"{name}_as"] = other
        texts.append(f"{full_like}({{{name}_as}}, {{{name}}})" if f"{name}_as" in pieces else f"{{{name}}}")
    return f"{cls}({', '.join(texts)})", pieces
