"""variadic."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function, Parameter
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.helpers import Helper, before
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import has_type_comment, written_header
from tsrefactor.facts.types import NONE, TENSOR, UNKNOWN, Type, join, optional
from tsrefactor.facts.variadic_body import Body, Refused
from tsrefactor.source.edits import Edit, InsertAfter, RenameFunction, SpellOutParameters
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Safety, Target

from .base import Example, Finding, Rule, Settings

_HEAD = "import torch\nfrom torch import nn\n\n\n"
_DEFAULTS = Settings()
_NAMED = '''\
def _named(signature, **defaults):
    """A signature that names keyword arguments which came in its **kwargs."""
    *given, kwargs = signature.parameters.values()
    named = [{parameter}(name, {parameter}.KEYWORD_ONLY, default=d) for name, d in defaults.items()]
    return signature.replace(parameters=[*given, *named, kwargs])
'''
_ERROR = "can't take variable number of arguments"


def _example(before: str, after: str, model: str, settings: Settings = _DEFAULTS) -> Example:
    imports = ("import inspect\n\n" if "inspect." in after else "") + _HEAD
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(
        _HEAD + before, imports + after, inputs, Target.SCRIPT, error=_ERROR, model=model, recorded=True,
        settings=settings,
    )  # fmt: skip


class Variadic(Rule):
    """Give TorchScript a form of a function without `*args`, `**kwargs` and keyword-only defaults.

    TorchScript compiles functions with a fixed list of parameters. The new form has that list: `*args` becomes what the
    recorded calls passed, `**kwargs` goes, keyword-only parameters with defaults become plain ones. The function itself
    stays as it is in eager, for all its callers: TorchScript follows `__wrapped__` to the new form, and `__signature__`
    keeps the signature that `inspect` shows. Where the function never reads what it takes in `*args` and `**kwargs`,
    its body moves to the new form and the function calls that.

    Where a wrapper passes `**kwargs` on to its layer and recorded instances hold layers that take unlike keywords, a
    `Final` flag of the instance says what its layer takes, so that one new form is right for all of them. The signature
    then names these keywords: TorchScript reads defaults from there.

    With `--unsafe` the parameters are taken out of the function itself, which is shorter, where no recorded call
    passed anything in them: other callers may.

    Left alone: functions that are decorated or typed by a comment, and those that do more with `**kwargs` than pass it
    on, `.get` or `.pop` with a key. A scripted caller that passes more than the new form takes does not compile.

    Source: "Compiled functions can't take variable number of arguments or use keyword-only arguments with defaults",
    raised by torch/jit/frontend.py; `inspect.getsourcelines`, by which it reads a function, follows `__wrapped__`.
    """

    name = "variadic"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"variable-arguments"})
    examples = [
        _example(
            """\
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, features, **kwargs):
        x = self.fc(features)  # one score per class
        return torch.relu(x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, x):
        return self.head(x)
""",
            """\
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def _forward_impl(self, features):
        x = self.fc(features)  # one score per class
        return torch.relu(x)

    def forward(self, features, **kwargs):
        return self._forward_impl(features)

    # TorchScript takes no **kwargs: it compiles what is wrapped
    forward.__signature__ = inspect.signature(forward)
    forward.__wrapped__ = _forward_impl


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, x):
        return self.head(x)
""",
            "Model()",
        ),
        _example(
            """\
class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x, **kwargs):
        return self.fn(self.norm(x), **kwargs)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = PreNorm(4, nn.Linear(4, 4))

    def forward(self, x):
        return self.block(x) + x
""",
            """\
class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def _forward_scripted(self, x):
        return self.fn(self.norm(x))

    def forward(self, x, **kwargs):
        return self.fn(self.norm(x), **kwargs)

    # TorchScript takes no **kwargs: it compiles what is wrapped
    forward.__signature__ = inspect.signature(forward)
    forward.__wrapped__ = _forward_scripted


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = PreNorm(4, nn.Linear(4, 4))

    def forward(self, x):
        return self.block(x) + x
""",
            "Model()",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
""",
            """\
class Model(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def _forward_scripted(self, input):
        return self.module(input)

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)

    # TorchScript takes no *args, **kwargs: it compiles what is wrapped
    forward.__signature__ = inspect.signature(forward)
    forward.__wrapped__ = _forward_scripted
""",
            "Model(nn.Linear(4, 3))",
        ),
        _example(
            """\
class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x, *, scale: float = 1.0, **kwargs):
        return self.fn(x, **kwargs) * scale + x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Residual(nn.ReLU())

    def forward(self, x):
        return self.block(x - 0.5, scale=2.0)
""",
            """\
class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x, scale: float = 1.0):
        return self.fn(x) * scale + x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Residual(nn.ReLU())

    def forward(self, x):
        return self.block(x - 0.5, scale=2.0)
""",
            "Model()",
            Settings(unsafe=True),
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        answered = {d.place.line: d for d in self.diagnoses(file) if d.place is not None}
        helped = False
        for function in file.functions:
            if not _variable(function):
                continue
            header = range(function.node.lineno, function.node.body[0].lineno + 1)
            diagnosis = next((answered[line] for line in header if line in answered), None)
            seen = function.observed is not None and function.observed.scripted
            if diagnosis is None and not seen and function.name != "forward":
                continue
            message = f"TorchScript compiles no `{function.name}` with {_what(function)}"
            try:
                form = _Form(function)
            except Refused as reason:
                yield self.finding(function.node, f"{message}, and {reason}", answers=diagnosis)
                continue
            new = any(helper.is_new for helper in form.helpers)
            if helped and new:
                continue  # one at a time: the next ones use the same function
            helped |= new
            if diagnosis is None and not seen:
                yield self.finding(function.node, f"{message}; take them out where nothing is passed in them")
            elif settings.unsafe and not form.passed:
                edits = form.explicit()
                yield self.finding(function.node, message, *edits, answers=diagnosis, safety=Safety.UNSAFE)
            else:
                edits, imports = form.beside()
                caveat = form.caveat()
                yield self.finding(
                    function.node, message, *edits, imports=imports, caveat=caveat, answers=diagnosis
                )  # fmt: skip


def _variable(function: Function) -> list[Parameter]:
    """The parameters that TorchScript refuses."""
    return [
        p
        for p in function.parameters
        if p.kind in ("args", "kwargs") or (p.kind == "keyword" and p.default is not None)
    ]


def _what(function: Function) -> str:
    kinds = {p.kind for p in _variable(function)}
    written = {"args": "*args", "kwargs": "**kwargs"}
    return ", ".join(written[k] for k in written if k in kinds) or "keyword-only defaults"


class _Form:
    """The form of one function that TorchScript compiles. Raises `Refused`."""

    def __init__(self, function: Function):
        self.function, self.file = function, function.file
        self.star = next((p.name for p in function.parameters if p.kind == "args"), None)
        self.stars = next((p.name for p in function.parameters if p.kind == "kwargs"), None)
        self._check()
        recorded = dict(function.observed.arguments) if function.observed is not None else {}
        own = {p.name for p in function.parameters} | {function.self_name}
        passed = recorded.get(self.star, UNKNOWN) if self.star else UNKNOWN
        if passed.name != "Tuple":
            own.discard(self.star)  # `f(*input, **kwargs)` may be called as `f(input=x)`
            passed = UNKNOWN
        self.types = self._positional(passed)
        self.names = self._names()
        self.keywords: dict[str, Type] = {}
        if self.stars:
            self.keywords = {k: t for k, t in recorded.items() if k not in own and t != UNKNOWN}
        self.imports: set[Import] = set()
        self.body = Body(function, self.star, self.stars, self.names, list(self.keywords))
        self.defaults: dict[str, ast.Constant] = {}
        self.spelled = self._spelled()
        self.helpers = [] if self.body.takes is None else [self.body.takes]
        signature, self.signature_imports = self.file.spell("inspect.signature")
        self.signature = f"{signature}({function.name})"
        if self.defaults:  # TorchScript reads them from the signature
            parameter, more = self.file.spell("inspect.Parameter")
            self.signature_imports |= more
            named = Helper(self.file, _NAMED.format(parameter=parameter))
            given = ", ".join(f"{name}={ast.unparse(value)}" for name, value in self.defaults.items())
            self.signature = f"{named.name}({self.signature}, {given})"
            self.helpers.append(named)

    @property
    def passed(self) -> bool:
        """Whether a recorded call passed anything in the variadic parameters."""
        return bool(self.names or self.keywords)

    def _check(self) -> None:
        node = self.function.node
        if node.decorator_list:
            raise Refused("it is decorated")
        if has_type_comment(self.file, node):
            raise Refused("it is typed by a comment")
        if isinstance(node, ast.AsyncFunctionDef) or any(
            isinstance(n, (ast.Yield, ast.YieldFrom)) for n in self.function.nodes
        ):
            raise Refused("it is no plain function")
        if node.args.posonlyargs:
            raise Refused("it has positional-only parameters")

    def _positional(self, type_: Type) -> tuple[Type, ...]:
        """The types of what recorded calls passed in ``*args``."""
        if type_ == UNKNOWN:
            others = [p for p in self.function.parameters if p.kind == "positional"]
            if self.star and not others and self.function.observed is None:
                raise Refused("no recorded call shows what is passed in *args")
            return ()
        if type_.name != "Tuple" or not all(t.known for t in type_.args):
            raise Refused(f"the recorded calls pass no fixed list of values in *{self.star}")
        return type_.args

    def _names(self) -> list[str]:
        """A name for each value that ``*args`` takes: ``inputs`` → ``input``, or ``input1``, ``input2``."""
        node = self.function.node
        taken = {n.id for n in walk(node) if isinstance(n, ast.Name)} | {
            a.arg for a in walk(node) if isinstance(a, ast.arg)
        }
        stem = (self.star or "").rstrip("s").strip("_")
        stem = "input" if stem in ("", "arg", "input") else stem
        if len(self.types) == 1:
            return [fresh(taken - {self.star}, stem)]
        return [fresh(taken, f"{stem}{i + 1}") for i in range(len(self.types))]

    def _spelled(self) -> SpellOutParameters:
        """The edit of the header. What came in ``**kwargs`` and is never read may be left out by the callers."""
        positional = [self._parameter(n, t) for n, t in zip(self.names, self.types, strict=True)]
        if positional and any(p.kind == "positional" and p.default is not None for p in self.function.parameters):
            raise Refused(f"the values in *{self.star} follow parameters with defaults")
        keywords = [self._keyword(k, t) for k, t in self.keywords.items()]
        return SpellOutParameters(self.function.node, positional, keywords)

    def _keyword(self, name: str, type_: Type) -> str:
        """A parameter for a keyword. What a call may leave out has a default: one that is never read, one that not all
        layers take, one for which they have the same default.
        """
        default = self.body.defaults.get(name)
        if not self.body.edits or name in self.body.some:
            default = ast.Constant(None)
        if default is None:
            return self._parameter(name, type_)
        self.defaults[name] = default
        return f"{self._parameter(name, join(type_, self.function.type_of(default)))} = {ast.unparse(default)}"

    def _parameter(self, name: str, type_: Type) -> str:
        if type_ == TENSOR:
            return name
        if type_ in (NONE, optional(UNKNOWN)):
            type_ = optional(TENSOR)
        if not type_.known:
            raise Refused(f"`{name}` has no type of TorchScript in the recorded calls")
        spelled, imports = self.file.spell_type(type_)
        self.imports |= imports
        return f"{name}: {spelled}"

    # -- the edits -------------------------------------------------------------------------------------------------

    def explicit(self) -> list[Edit]:
        """The function itself without the parameters."""
        return [self.spelled, *self.body.edits, *self.body.around]

    def beside(self) -> tuple[list[Edit], frozenset[Import]]:
        """The function under another name, and after it what eager calls."""
        function, node = self.function, self.function.node
        unread = not self.body.edits and not self.names
        taken = members(function.cls) if function.cls is not None else self.file.module_names
        name = fresh(taken, f"_{function.name.strip('_')}_{'impl' if unread else 'scripted'}")
        comment = f"# TorchScript takes no {_what(function)}: it compiles what is wrapped"
        marks = f"{comment}\n{function.name}.__signature__ = {self.signature}\n{function.name}.__wrapped__ = {name}\n"
        pieces: dict[str, object] = {"header": written_header(function)}
        if unread:
            owner = f"{function.self_name}." if function.self_name else ""
            arguments = ", ".join(
                f"{p.name}={p.name}" if p.kind == "keyword" else p.name
                for p in function.parameters
                if p.kind in ("positional", "keyword")
            )
            body = f"return {owner}{name}({arguments})"
        else:
            body = "{body}"
            pieces["body"] = node.body
        gap = "\n" if function.cls is not None else "\n\n"
        eager = InsertAfter(node, f"{gap}{{header}}\n    {body}\n{gap}{{marks}}", {**pieces, "marks": marks})  # type: ignore[dict-item]
        edits = [RenameFunction(node, name), *self.explicit(), eager, *before(function, self.helpers)]
        return edits, self.signature_imports | self.imports | self.body.imports

    def caveat(self) -> str | None:
        """What a user of the scripted module must know."""
        if not self.passed:
            return None
        named = [f"`{name}`" for name in (*self.names, *self.keywords)]
        return f"scripted, `{self.function.name}` takes {', '.join(named)} and nothing more in {_what(self.function)}"
