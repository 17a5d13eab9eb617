"""super-call: every form for a class of torch.nn against that class, refusals, and odd forms."""

import pytest
import torch
from torch import nn

from tests.forked import forked
from tests.rules.more_examples.super_call import MORE
from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.super_call import BATCH_NORMS, FORWARDS, SuperCall

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"
IMAGE, VOLUME, SIGNAL = (2, 4, 6, 6), (2, 4, 6, 6, 6), (2, 4, 6)
ARGUMENTS = {
    **{f"Conv{n}d": (4, 8, 3) for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": (4, 8, 3, 2, 1, 1) for n in (1, 2, 3)},
    **{f"{kind}Pool{n}d": (2,) for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax") for n in (1, 2, 3)},
    **{f"{kind}Pad{n}d": (1,) for kind in ("Zero", "Reflection", "Replication") for n in (1, 2, 3)},
    **{f"ConstantPad{n}d": (1, 0.5) for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": (4,) for n in (1, 2, 3)},
    "Bilinear": (6, 6, 3), "Embedding": (9, 3), "Fold": ((4, 5), 2), "GroupNorm": (2, 4), "LayerNorm": (6,),
    "Linear": (6, 3),
    "LogSoftmax": (1,), "PixelShuffle": (2,), "RMSNorm": (6,), "Softmax": (1,), "Unfold": (2,), "Upsample": (None, 2),
    "UpsamplingNearest2d": (None, 2), "UpsamplingBilinear2d": (None, 2),
}  # fmt: skip


def inputs_of(name):
    torch.manual_seed(0)
    if name in ("Embedding",):
        return (torch.randint(0, 9, (2, 3)),)
    if name == "Fold":
        return (torch.rand(2, 8, 12),)
    if name == "NLLLoss":
        return torch.rand(3, 4).log_softmax(1), torch.tensor([0, 2, 1])
    if name == "CosineEmbeddingLoss":
        return torch.rand(3, 4), torch.rand(3, 4), torch.tensor([1, -1, 1])
    if name == "CosineSimilarity":
        return torch.rand(3, 4), torch.rand(3, 4)
    wanted = len({digit for digit in "012" if "{" + digit + "}" in FORWARDS.get(name, "{0}")})
    shape = {"1": SIGNAL, "2": IMAGE, "3": VOLUME}.get(name[-2] if name.endswith("d") else "", IMAGE)
    return tuple(torch.rand(shape) for _ in range(wanted))


def compare(path, text, name, arguments):
    """Rewritten eager equals torch's own, in both modes with its buffers; scripted equals eager."""
    path.write_text(text)
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location("idiom", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["idiom"] = module
    spec.loader.exec_module(module)
    inputs = inputs_of(name)
    torch.manual_seed(0)
    plain = getattr(nn, name)(*arguments)
    torch.manual_seed(0)
    model = module.Model(*arguments)
    results = []
    for training in (True, False):
        for m in (plain, model):
            torch.manual_seed(1)
            results.append(m.train(training)(*inputs))
    same = all(torch.equal(a, b) for a, b in (results[:2], results[2:]))
    buffers = all(torch.equal(a, b) for a, b in zip(plain.buffers(), model.buffers(), strict=True))
    scripted = torch.jit.script(model.eval())
    return same, buffers, torch.allclose(scripted(*inputs), results[3])


@pytest.mark.parametrize("name", sorted({*FORWARDS, *BATCH_NORMS}))
def test_form_of_a_torch_class_does_what_the_class_does(name, tmp_path):
    torch.set_num_threads(1)
    wanted = len(inputs_of(name))
    names = ", ".join("abc"[:wanted])
    before = (
        HEAD + f"class Model(nn.{name}):\n    def forward(self, {names}):\n        return super().forward({names})\n"
    )
    after = rewritten(SuperCall(), source(tmp_path / "model.py", before))
    assert "super()" not in after.replace("by super()", "")
    assert forked(compare, tmp_path / "idiom.py", after, name, ARGUMENTS.get(name, ())) == (True, True, True)


def advice(tmp_path, text):
    found = findings(SuperCall(), source(tmp_path / "model.py", HEAD + text))
    assert [f.fixable for f in found] == [False], found
    return found[0].message


def test_parent_in_another_file_is_left_alone(tmp_path):
    text = (
        "from parts import Base\n\n\nclass Model(Base):\n    def forward(self, x):\n        return super().forward(x)\n"
    )
    assert "`Base` lies in another file" in advice(tmp_path, text)


def test_class_of_the_name_of_an_import(tmp_path):
    head = HEAD.replace("import torch\n", "import torch\nfrom torch.nn import Conv2d\n")
    body = "class Conv2d(nn.Conv2d):\n    def forward(self, x):\n        return super(Conv2d, self).forward(x) + 1\n"
    text = rewritten(SuperCall(), source(tmp_path / "model.py", head + body))
    assert "return self._conv_forward(x, self.weight, self.bias) + 1" in text


def test_several_bases_are_left_alone(tmp_path):
    text = (
        "class Mixin:\n    pass\n\n\n"
        "class Model(Mixin, nn.Linear):\n    def forward(self, x):\n        return super().forward(x)\n"
    )
    assert "several base classes" in advice(tmp_path, text)


def test_a_class_that_another_mixes_in_is_left_alone(tmp_path):
    text = (
        "class A(nn.Linear):\n    def forward(self, x):\n        return super().forward(x)\n\n\n"
        "class B(A, nn.Bilinear):\n    pass\n"
    )
    assert "`B` has several base classes" in advice(tmp_path, text)


def test_torch_class_without_one_call_is_left_alone(tmp_path):
    text = "class Model(nn.LSTM):\n    def forward(self, x):\n        return super().forward(x)\n"
    assert "torch.nn.LSTM.forward" in advice(tmp_path, text)


@pytest.mark.parametrize(
    ("parent", "why"),
    [("    def forward(self, *xs):", "takes *args"), ("    @torch.no_grad()\n    def forward(self, x):", "decorated")],
)
def test_parent_that_cannot_be_shared_is_left_alone(parent, why, tmp_path):
    text = (
        f"class A(nn.Module):\n{parent}\n        return 1\n\n\n"
        "class B(A):\n    def forward(self, x):\n        return super().forward(x)\n"
    )
    assert why in advice(tmp_path, text)


def test_set_up_code_is_left_alone(tmp_path):
    text = HEAD + (
        "class Model(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 3)\n\n"
        "    def train(self, mode=True):\n        return super().train(mode)\n\n"
        "    def extra_repr(self):\n        return super().extra_repr()\n"
    )
    assert findings(SuperCall(), source(tmp_path / "model.py", text)) == []


def test_signature_docstring_and_comments_of_the_parent_stay(tmp_path):
    before = HEAD + (
        "class A(nn.Module):\n"
        "    def forward(self, x, scale: float = 1.0, *,\n"
        "                bias: int = 2) -> torch.Tensor:  # noqa\n"
        "        '''Scales.'''\n"
        "        # first\n"
        "        return x * scale + bias\n"
        "        # last\n"
        "\n"
        "    # the next\n"
        "    def other(self):\n"
        "        return 1\n\n\n"
        "class B(A):\n    def forward(self, x):\n        return super(B, self).forward(x, bias=3)\n"
    )
    after = rewritten(SuperCall(), source(tmp_path / "model.py", before))
    assert after == HEAD + (
        "class A(nn.Module):\n"
        "    def _forward_impl(self, x, scale: float = 1.0, *,\n"
        "                bias: int = 2) -> torch.Tensor:  # noqa\n"
        "        '''Scales.'''\n"
        "        # first\n"
        "        return x * scale + bias\n"
        "        # last\n"
        "\n"
        "    def forward(self, x, scale: float=1.0, *, bias: int=2) -> torch.Tensor:\n"
        "        return self._forward_impl(x, scale, bias=bias)\n"
        "\n"
        "    # the next\n"
        "    def other(self):\n"
        "        return 1\n\n\n"
        "class B(A):\n    def forward(self, x):\n        return self._forward_impl(x, bias=3)\n"
    )


def test_name_that_a_child_has_is_not_taken(tmp_path):
    before = HEAD + (
        "class A(nn.Module):\n    def forward(self, x):\n        return x + 1\n\n\n"
        "class B(A):\n    def forward(self, x):\n        return super().forward(x)\n\n"
        "    def _forward_impl(self, x):\n        return x - 1\n"
    )
    after = rewritten(SuperCall(), source(tmp_path / "model.py", before))
    assert "        return self._a_forward(x)\n\n    def _forward_impl" in after


def test_helper_called_through_super_in_forward(tmp_path):
    before = HEAD + (
        "class A(nn.Module):\n    def embed(self, x):\n        return x + 1\n\n\n"
        "class B(A):\n    def forward(self, x):\n        return self.embed(x) + super().embed(x)\n\n"
        "    def embed(self, x):\n        return x - 1\n"
    )
    after = rewritten(SuperCall(), source(tmp_path / "model.py", before))
    assert "return self.embed(x) + self._embed_impl(x)" in after
    assert "    def embed(self, x):\n        return self._embed_impl(x)\n" in after


_VARIADIC = HEAD + (
    "class A(nn.Module):\n    def _forward_impl(self, x, w):\n        return x * w\n\n"
    "    def forward(self, x, w, **kwargs):\n        return self._forward_impl(x, w)\n\n\n"
)


def test_parent_that_drops_its_keyword_arguments(tmp_path):
    text = _VARIADIC + "class B(A):\n    def forward(self, x):\n        return super().forward(x, w=x)\n"
    after = rewritten(SuperCall(), source(tmp_path / "model.py", text))
    assert after == text.replace("super().forward(x, w=x)", "self._forward_impl(x, w=x)")


@pytest.mark.parametrize("given", ["x, w=x, more=1", "x, x, **kwargs", "*xs", "x, x, x"])
def test_call_that_passes_more_than_the_shared_method_takes(given, tmp_path):
    text = _VARIADIC + f"class B(A):\n    def forward(self, x):\n        return super().forward({given})\n"
    [found] = findings(SuperCall(), source(tmp_path / "model.py", text))
    assert not found.fixable
    assert "passes more than `A._forward_impl` takes" in found.message


def test_sequential_in_an_expression(tmp_path):
    before = HEAD + (
        "class Model(nn.Sequential):\n    def forward(self, x):\n"
        "        return super().forward(x.transpose(1, 2)).transpose(1, 2)  # mixed\n"
    )
    after = rewritten(SuperCall(), source(tmp_path / "model.py", before))
    assert after == HEAD + (
        "class Model(nn.Sequential):\n    def forward(self, x):\n"
        "        out = x.transpose(1, 2)\n        for module in self:\n            out = module(out)\n"
        "        return out.transpose(1, 2)  # mixed\n"
    )


def test_sequential_in_a_condition_is_left_alone(tmp_path):
    text = (
        "class Model(nn.Sequential):\n    def forward(self, x):\n        return x if x.dim() else super().forward(x)\n"
    )
    assert "no loop" in advice(tmp_path, text)


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(SuperCall(), example, tmp_path)
