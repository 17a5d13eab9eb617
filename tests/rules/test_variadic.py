import pytest

from tests.rules.more_examples.variadic import MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.facts.observations import ClassObservations, FunctionObservations, Observations
from tsrefactor.facts.types import TENSOR
from tsrefactor.rules.variadic import Variadic

KW = "    def forward(self, x, **kw):\n"
HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(Variadic(), example, tmp_path)


def found(tmp_path, method):
    file = source(tmp_path / "m.py", HEAD + method)
    return findings(Variadic(), file, diagnosis(file, "variable-arguments", "def forward"))


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("    @wrapped\n    def forward(self, x, **kw):\n        return x\n", "decorated"),
        (KW + "        # type: (Tensor) -> Tensor\n        return x\n", "typed by a comment"),
        (KW + "        for k in kw:\n            x = x + kw[k]\n        return x\n", "reads `kw`"),
        (KW + "        kw = dict(kw)\n        return f(x, **kw)\n", "assigns `kw`"),
        (KW + "        return f(g(x, **kw), **kw)\n", "one another"),
        (KW + "        return f(x, lambda kw: kw)\n", "parameter of the same name"),
        ("    def forward(self, *args):\n        return f(*args)\n", "no recorded call"),
        (KW + "        yield x\n", "no plain function"),
    ],
)  # fmt: skip
def test_function_that_keeps_its_parameters(method, why, tmp_path):
    [advice] = found(tmp_path, method)
    assert not advice.fixable
    assert why in advice.message


def test_without_a_run_or_an_error_it_is_advice(tmp_path):
    file = source(tmp_path / "m.py", HEAD + KW + "        return x\n")
    [advice] = findings(Variadic(), file)
    assert not advice.fixable


def test_helper_that_nothing_shows_to_be_scripted_is_left_alone(tmp_path):
    text = "import torch\n\n\ndef plot(x, **kw):\n    return torch.relu(x)\n"
    assert findings(Variadic(), source(tmp_path / "m.py", text)) == []


def test_name_that_the_class_has_is_not_taken(tmp_path):
    file = source(
        tmp_path / "m.py",
        HEAD + "    def _forward_impl(self):\n        pass\n\n    def forward(self, x, **kw):\n        return x\n",
    )
    after = rewritten(Variadic(), file, diagnosis(file, "variable-arguments", "def forward"))
    assert "forward.__wrapped__ = _forward_impl_2\n" in after


def of_layers(tmp_path, store, *layers):
    """What the rule makes of a wrapper around layers that take these keywords, in recorded runs all of them."""
    text = HEAD.replace("Model", "Wrapper") + f"    def __init__(self, fn):\n        {store}\n\n" + KW + CALL
    names = [f"L{i}" for i in range(len(layers))]
    for name, takes in zip(names, layers, strict=True):
        text += f"\n\nclass {name}(nn.Module):\n    def forward(self, x, {takes}):\n        return x\n"
    file = source(tmp_path / "m.py", text)
    path, line = str(file.path), text[: text.index("def forward")].count("\n") + 1
    passed = {"x": TENSOR} | dict.fromkeys(("a", "b", "c", "d"), TENSOR)
    forward = FunctionObservations(path, "Wrapper.forward", line, scripted=True, arguments=passed)
    wrapper = ClassObservations(path, "Wrapper", len(layers), children={"fn": {f"m.{name}" for name in names}})
    seen = Observations({(path, "Wrapper.forward", line): forward}, {(path, "Wrapper"): wrapper})
    [found] = findings(Variadic(), file, observations=seen)
    return found


CALL = "        return self.fn(x, **kw)\n"
OF_ONE = ["a, b, c, d"]


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([*OF_ONE, "a", "b", "c", "d"], "more than 3 ways"),
        ([*OF_ONE, "a, b, c, d=1.0"], ""),
        ([*OF_ONE, "a, b, c", "a, b, c, d=1.0"], "a default that is not None"),
    ],
)
def test_layers_that_take_unlike_keywords(layers, why, tmp_path):
    found = of_layers(tmp_path, "self.fn = fn", *layers)
    assert why in found.message
    assert found.fixable == (not why)


@pytest.mark.parametrize("store", ["self.add_module('fn', fn)", "self.fn = fn\n        return"])
def test_flag_needs_a_place_in_init(store, tmp_path):
    found = of_layers(tmp_path, store, *OF_ONE, "a, b, c")
    assert not found.fixable
    assert "only some of the layers" in found.message
