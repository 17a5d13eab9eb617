"""Further examples of variadic."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\n"
MARKS = """
    # TorchScript takes no {what}: it compiles what is wrapped
    forward.__signature__ = inspect.signature(forward)
    forward.__wrapped__ = {name}
"""


def example(before: str, after: str, inputs: str, model: str) -> Example:
    return Example(
        HEAD + before, "import inspect\n\n" + HEAD + after, inputs, Target.SCRIPT, model=model, recorded=True,
        error="variable number of arguments",
    )  # fmt: skip


TAKES = '''\
def _takes(layer, *names):
    """Whether the forward of a layer takes arguments of these names, as TorchScript compiles it."""
    forward = getattr(layer, "forward", None)
    return forward is not None and set(names) <= set(inspect.signature(inspect.unwrap(forward)).parameters)


def _named(signature, **defaults):
    """A signature that names keyword arguments which came in its **kwargs."""
    *given, kwargs = signature.parameters.values()
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=d) for name, d in defaults.items()]
    return signature.replace(parameters=[*given, *named, kwargs])


'''
UNLIKE = """\
import torch
from torch import nn
{imports}


class Scale(nn.Module):
    def forward(self, x, factor: Optional[float] = None):
        return x if factor is None else x * factor


class Shift(nn.Module):
    def forward(self, x, by: float, factor: Optional[float] = None):
        return x + by if factor is None else x * factor + by


{wrapper}

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.shift, self.act = Residual(Scale()), Residual(Shift()), Residual(nn.ReLU())

    def forward(self, x):
        return self.act(self.shift(self.scale(x, factor=2.0), by=1.0, factor=x.size(0) * 1.0))
"""


MORE = {
    "layers that take unlike keywords": Example(
        UNLIKE.format(
            imports="from typing import Optional",
            wrapper="""\
class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x, **kwargs):
        y = self.fn(x, **kwargs)  # of any layer
        return y + x
""",
        ),
        UNLIKE.format(
            imports="import inspect\nfrom typing import Optional, Final",
            wrapper=TAKES
            + """\
class Residual(nn.Module):
    fn_takes_factor_and_by: Final[bool]
    fn_takes_factor: Final[bool]

    def __init__(self, fn):
        super().__init__()
        self.fn = fn
        self.fn_takes_factor_and_by = _takes(self.fn, 'factor', 'by')
        self.fn_takes_factor = _takes(self.fn, 'factor')

    def _forward_scripted(self, x, factor: Optional[float] = None, by: Optional[float] = None):
        if self.fn_takes_factor_and_by:  # of any layer
            assert by is not None
            y = self.fn(x, factor=factor, by=by)
        elif self.fn_takes_factor:
            assert by is None
            y = self.fn(x, factor=factor)
        else:
            assert factor is None and by is None
            y = self.fn(x)
        return y + x

    def forward(self, x, **kwargs):
        y = self.fn(x, **kwargs)  # of any layer
        return y + x

    # TorchScript takes no **kwargs: it compiles what is wrapped
    forward.__signature__ = _named(inspect.signature(forward), factor=None, by=None)
    forward.__wrapped__ = _forward_scripted
""",
        ),
        "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        Target.SCRIPT,
        recorded=True,
        error="variable number of arguments",
    ),
    "keyword-only defaults, one required": example(
        before="""\
class Attend(nn.Module):
    def forward(
        self,
        x,
        *,
        bias: float = 1.0,
        context,
    ):  # all by name
        return x + context + bias


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = Attend()

    def forward(self, x):
        return self.attend(x, context=x, bias=0.5)
""",
        after="""\
class Attend(nn.Module):
    def _forward_impl(
        self,
        x,
        context,
        bias: float = 1.0,
    ):  # all by name
        return x + context + bias

    def forward(
        self,
        x,
        *,
        bias: float = 1.0,
        context,
    ):
        return self._forward_impl(x, bias=bias, context=context)
"""
        + MARKS.format(what="keyword-only defaults", name="_forward_impl")
        + """

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = Attend()

    def forward(self, x):
        return self.attend(x, context=x, bias=0.5)
""",
        inputs="[(torch.rand(2, 4),)]",
        model="Model()",
    ),
    "keys that are looked up, values in a list": example(
        before="""\
class Model(nn.Module):
    def forward(self, *xs, **kwargs):
        # joined, then scaled
        scale = kwargs.get('scale', 2.0)
        return torch.cat(xs, dim=kwargs.pop('dim', 0)) * scale
""",
        after="""\
class Model(nn.Module):
    def _forward_scripted(self, x1, x2):
        # joined, then scaled
        scale = 2.0
        return torch.cat((x1, x2), dim=0) * scale

    def forward(self, *xs, **kwargs):
        # joined, then scaled
        scale = kwargs.get('scale', 2.0)
        return torch.cat(xs, dim=kwargs.pop('dim', 0)) * scale
"""
        + MARKS.format(what="*args, **kwargs", name="_forward_scripted"),
        inputs="[(torch.rand(2, 4), torch.rand(3, 4))]",
        model="Model()",
    ),
    "what recorded calls pass by name": example(
        before="""\
class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *input, **kwargs):
        return self.module(*input, **kwargs)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Wrapper(nn.Linear(4, 3))

    def forward(self, x):
        return self.inner(input=x)
""",
        after="""\
class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def _forward_scripted(self, input):
        return self.module(input=input)

    def forward(self, *input, **kwargs):
        return self.module(*input, **kwargs)
"""
        + MARKS.format(what="*args, **kwargs", name="_forward_scripted")
        + """

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Wrapper(nn.Linear(4, 3))

    def forward(self, x):
        return self.inner(input=x)
""",
        inputs="[(torch.rand(2, 4),)]",
        model="Model()",
    ),
    "function": example(
        before="""\
def passthrough(x, **kwargs):
    return x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = passthrough

    def forward(self, x):
        return self.drop(passthrough(x) + 1)
""",
        after="""\
def _passthrough_impl(x):
    return x


def passthrough(x, **kwargs):
    return _passthrough_impl(x)


# TorchScript takes no **kwargs: it compiles what is wrapped
passthrough.__signature__ = inspect.signature(passthrough)
passthrough.__wrapped__ = _passthrough_impl


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = passthrough

    def forward(self, x):
        return self.drop(passthrough(x) + 1)
""",
        inputs="[(torch.rand(2, 4),)]",
        model="Model()",
    ),
}
