"""module-by-index: forms, and what is left alone."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.module_by_index import ModuleByIndex

RULE = ModuleByIndex()
INIT = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.n, self.m = n, n
        self.count = n
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(n)])
        self.pair = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.weights = nn.ParameterList([nn.Parameter(torch.ones(4)) for _ in range(n)])
        self.grown = nn.ModuleList()
        for _ in range(n):
            self.grown.append(nn.Linear(4, 4))

    def forward(self, x, k: int = 2):
"""


def model(body: str) -> str:
    return INIT + "".join(f"        {line}\n" if line else "\n" for line in body.splitlines())


def loop(head: str, *body: str) -> str:
    return model("\n".join([head, *(f"    {line}" for line in body), "return x"]))


@pytest.mark.parametrize(
    "text",
    [
        loop("for i in range(self.count):", "x = self.layers[i](x)", "if i == k:", "    break"),
        loop("for i in range(self.count):", "if i == k:", "    continue", "x = self.layers[i](x)"),
        loop("for i in range(self.count):", "x = self.layers[i](x)", "i = i + 1"),
        loop("for i in range(1, k):", "y = self.layers[i](x)").replace("return x", "return y"),
        model("for i in range(self.count):\n    x = self.layers[i](x)\nelse:\n    x = x + 1\nreturn x"),
    ],
)
def test_loops_that_cannot_go_over_the_container(text, tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", text))
    assert " = self._call_layer(i, x)\n" in after and "for i in range(" in after


def test_containers_whose_modules_are_replaced_are_left_alone(tmp_path):
    file = source(tmp_path / "model.py", model("for i in range(self.count):\n    self.layers[i] = None\nreturn x"))
    [found] = findings(RULE, file)
    assert not found.fixable and "is changed" in found.message


def test_loops_over_the_container_are_left_to_module_index(tmp_path):
    file = source(tmp_path / "model.py", loop("for i in range(self.count):", "x = self.layers[i](x)"))
    assert findings(RULE, file) == []


def test_index_from_the_end(tmp_path):
    file = source(tmp_path / "model.py", model("return self.layers[len(self.layers) - 1](x)"))
    assert rewritten(RULE, file) == model("return self.layers[-1](x)")


def test_any_index_may_be_negative(tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model("return self.layers[k](x) + self.grown[k](x)")))
    assert "return self._call_layer(k, x) + self._call_grown(k, x)" in after
    assert "if i == index or i - len(self.layers) == index:" in after
    assert after.count("def _call_layer(") == after.count("def _call_grown(") == 1


def test_parameters_by_index(tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model("return x * self.weights[k]")))
    assert "return x * self._get_weight(k)" in after
    assert "for i, weight in enumerate(self.weights):" in after


def test_types_of_arguments_that_are_no_tensors(tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model("return self.layers[k](x, k)")))
    assert "def _call_layer(self, index: int, x, k: int):" in after


def test_arguments_of_several_names_are_called_x(tmp_path):
    body = "y, z = x + 1, x\ny = self.layers[k](y)\nz = self.layers[k](z)\nreturn y + z"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert "y = self._call_layer(k, y)\n        z = self._call_layer(k, z)" in after
    assert "def _call_layer(self, index: int, x):" in after


def test_methods_and_attributes_of_modules(tmp_path):
    body = "y = self.layers[k].encode(x, scale=2)\nreturn y * self.layers[k].head.weight + self.layers[k][0](y)"
    file = source(tmp_path / "model.py", model(body))
    assert [f.presumed for f in findings(RULE, file)] == [True]  # nothing says that the attribute is no module
    after = rewritten(RULE, file)
    assert "y = self._call_layer_encode(k, x, scale=2)\n" in after
    assert "return y * self._get_layer_head_weight(k) + self._call_layer_0(k, y)\n" in after
    assert "    def _call_layer_encode(self, index: int, x, scale: int):\n" in after
    assert "return layer.encode(x, scale=scale)\n" in after


def test_a_module_that_a_variable_holds(tmp_path):
    body = "layer = self.layers[k - 1]\nx = layer(x)\nif k > 1:\n    x = layer(layer(x))\nreturn x"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert "        index = k - 1\n        x = self._call_layer(index, x)\n" in after
    assert "x = self._call_layer(index, self._call_layer(index, x))\n" in after


@pytest.mark.parametrize(
    ("key", "between"),
    [
        ("k", "k = k + 1"),
        ("int(torch.randint(3, (1,)))", "x = x + 1"),
        ("self.pick()", "x = x + 1"),
        ("self.m - 1", "self.m += 1"),
        ("self.m - 1", "self.step()"),  # it sets self.m
        ("x.size(0) - 1", "x.resize_(1, 4)"),
    ],
)
def test_a_key_that_may_have_another_value_later_is_computed_where_it_was(key, between, tmp_path):
    body = f"layer = self.layers[{key}]\n{between}\nx = layer(x)\nreturn x"
    text = model(body) + "\n    def step(self):\n        self.m = self.m + 1\n"
    after = rewritten(RULE, source(tmp_path / "model.py", text))
    assert f"        index = {key}\n        {between}\n        x = self._call_layer(index, x)\n" in after


def test_a_random_key_is_drawn_once_for_all_rounds_of_a_loop(tmp_path):
    body = "layer = self.layers[int(torch.randint(3, (1,)))]\nfor _ in range(k):\n    x = layer(x)\nreturn x"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert "index = int(torch.randint(3, (1,)))\n        for _ in range(k):\n" in after
    assert "x = self._call_layer(index, x)\n" in after


@pytest.mark.parametrize("key", ["self.count - 1", "len(self.pair) - k", "x.size(0) - 1"])
def test_a_key_that_stays_the_same_is_written_where_the_module_is_used(key, tmp_path):
    body = f"layer = self.layers[{key}]\ny = x + 1\nreturn layer(y)"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert f"        y = x + 1\n        return self._call_layer({key}, y)\n" in after


@pytest.mark.parametrize("declared", ["count: Final[int]", "__constants__ = ['count']"])
@pytest.mark.parametrize("index", ["self.count", "-self.count"])
def test_constants_of_the_class_are_left_alone(declared, index, tmp_path):
    text = model(f"return self.layers[{index}](x)")
    assert "self._call_layer(" in rewritten(RULE, source(tmp_path / "model.py", text))
    text = text.replace("class Model(nn.Module):\n", f"class Model(nn.Module):\n    {declared}\n\n")
    assert findings(RULE, source(tmp_path / "model.py", text)) == []


@pytest.mark.parametrize(
    "body",
    [
        "layer = self.layers[k]\nreturn run(layer, x)",
        "return run(self.layers[k], x)",
        "return self.layers[k](*x)",
        "self.layers[k].scale = 2\nreturn x",
        "return self.other[k].layers[k](x)",
    ],
)
def test_modules_that_go_other_ways_are_left_alone(body, tmp_path):
    assert not any(f.fixable for f in findings(RULE, source(tmp_path / "model.py", model(body))))


def test_a_container_of_an_attribute(tmp_path):
    file = source(tmp_path / "model.py", model("return self.encoder.layers[k](x)"))
    assert findings(RULE, file) == []
    after = rewritten(RULE, file, diagnosis(file, "integer-literal-index", "self.encoder.layers[k]"))
    assert "return self._call_layer(k, x)" in after and "for i, layer in enumerate(self.encoder.layers):" in after


@pytest.mark.parametrize("head", ["range(k, -1, -1)", "reversed(range(k))", "range(k)", "range(2, k)"])
def test_indices_that_are_never_negative(head, tmp_path):
    body = f"for i in {head}:\n    x = self.layers[i](x)\n    if i == 2:\n        break\nreturn x"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert "            if i == index:\n" in after and "x = self._call_layer(i, x)\n" in after


@pytest.mark.parametrize("index", ["0", "-1", "1:"])
def test_literals_are_left_alone(index, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", model(f"return self.layers[{index}](x)"))) == []
