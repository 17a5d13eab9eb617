"""object-attribute: relatives, names, what a flag prunes; what it must not touch."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.observations import ClassObservations, Observations
from tsrefactor.facts.types import BOOL, INT, MODULE, TENSOR
from tsrefactor.rules import Example
from tsrefactor.rules.object_attribute import ObjectAttribute
from tsrefactor.vocabulary import Target

HEAD = "from types import SimpleNamespace\n\nimport torch\nfrom torch import nn\n\n\n"


def _example(before: str, after: str, model: str) -> Example:
    return Example(
        HEAD + before, HEAD + after, "[(torch.rand(3, 4),), (torch.rand(2, 4),)]", Target.SCRIPT,
        error="failed to convert Python type", model=model, recorded=True,
    )  # fmt: skip


BASE = """\
class Base(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config


class Model(Base):
    def __init__(self, config):
        super().__init__(config)
"""
FIELDS = """\
class Model(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
"""
MORE = {
    "the base class stores it": _example(
        BASE + "\n    def forward(self, x):\n        return x * self.config.width\n",
        BASE + "        self.width = self.config.width\n\n    def forward(self, x):\n        return x * self.width\n",
        model="Model(SimpleNamespace(width=2))",
    ),
    "names of modules, names of two objects, keys that are no names": _example(
        FIELDS + "\n    def forward(self, x):\n"
        "        x = x * self.cfg['type'] + self.cfg['a']['n'] - self.cfg['b']['n'] + self.cfg['BIAS-1']\n"
        "        return x\n",
        FIELDS + "        self.cfg_type = cfg['type']\n        self.n = cfg['a']['n']\n"
        "        self.b_n = cfg['b']['n']\n        self.bias_1 = cfg['BIAS-1']\n\n    def forward(self, x):\n"
        "        x = x * self.cfg_type + self.n - self.b_n + self.bias_1\n"
        "        return x\n",
        model="Model({'type': 2, 'a': {'n': 1}, 'b': {'n': 3}, 'BIAS-1': 0.5})",
    ),
    "a named tuple whose field has several types": Example(
        HEAD.replace("types import SimpleNamespace", "collections import namedtuple")
        + 'Args = namedtuple("Args", "stride")\n\n\n'
        + FIELDS.replace("Model", "Block")
        + "\n    def forward(self, x):\n        return x + len(str(self.cfg.stride))\n"
        "\n\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = Block(Args(1)), Block(Args([1]))\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x))\n",
        HEAD.replace("types import SimpleNamespace", "collections import namedtuple")
        + 'Args = namedtuple("Args", "stride")\n\n\n'
        + FIELDS.replace("Model", "Block")
        + "        self.stride = cfg.stride\n"
        "\n    def forward(self, x):\n        return x + len(str(self.stride))\n"
        "\n\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = Block(Args(1)), Block(Args([1]))\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x))\n",
        "[(torch.rand(3, 4),)]",
        Target.SCRIPT,
        error="no attribute or method 'stride'",
        recorded=True,
    ),
    "instances of several kinds": _example(
        FIELDS.replace("Model", "Block") + "\n    def forward(self, x):\n        if self.cfg.scale is not None:\n"
        "            x = x * self.cfg.scale\n        return x\n\n\nclass Model(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = Block(SimpleNamespace(scale=None)), Block(SimpleNamespace(scale=2.0))\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x))\n",
        FIELDS.replace("Model", "Block") + "        self.scale = cfg.scale\n\n    def forward(self, x):\n"
        "        if self.scale is not None:\n            x = x * self.scale\n        return x\n\n\n"
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = Block(SimpleNamespace(scale=None)), Block(SimpleNamespace(scale=2.0))\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x))\n",
        model="Model()",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more(example, tmp_path):
    prove(ObjectAttribute(), example, tmp_path)


FORWARD = "\n    def forward(self, x):\n        return x * self.cfg.n\n"


def found(tmp_path, text, **fields):
    """What the rule finds where TorchScript complains of ``self.cfg``, with these fields recorded."""
    file = source(tmp_path / "model.py", HEAD + text)
    seen = ClassObservations(str(file.path), "Model", 1, attributes={f"cfg.{n}": t for n, t in fields.items()})
    told = diagnosis(file, "unconvertible-attribute", "self.cfg.n", module="Model", attribute="cfg", type="C")
    observations = Observations(classes={(str(file.path), "Model"): seen})
    return findings(ObjectAttribute(), file, told, observations=observations)


def test_a_plain_field_is_found(tmp_path):
    [one] = found(tmp_path, FIELDS + FORWARD, n=INT)
    assert one.fixable
    assert one.caveat == "`Model` reads `cfg.n` once, in `__init__`: a later change of the object has no effect"


@pytest.mark.parametrize("type_", [MODULE, TENSOR])
def test_modules_and_tensors_stay_in_the_object(tmp_path, type_):
    assert found(tmp_path, FIELDS + FORWARD, n=type_) == []


def test_a_field_that_no_run_shows_stays(tmp_path):
    assert found(tmp_path, FIELDS + FORWARD, other=BOOL) == []


@pytest.mark.parametrize(
    "more",
    [
        "\n    def grow(self):\n        self.cfg.n += 1\n",
        "\n    def grow(self):\n        self.cfg.update(n=2)\n",
        "\n    def grow(self):\n        setattr(self.cfg, 'n', 2)\n",
        "\n    def load(self, cfg):\n        self.cfg = cfg\n",
        "\n\ndef freeze(model):\n    model.cfg.n = 0\n",
        "\n\nclass Other(Model):\n    def __init__(self):\n        nn.Module.__init__(self)\n",
    ],
)
def test_what_may_change_is_left_alone(tmp_path, more):
    assert found(tmp_path, FIELDS + FORWARD + more, n=INT) == []


@pytest.mark.parametrize(
    "constructor",
    [
        "        self.cfg = None\n        if cfg is not None:\n            self.cfg = cfg\n",
        "        if cfg is not None:\n            self.cfg = cfg\n",
        "        if cfg is None:\n            return\n        self.cfg = cfg\n",
    ],
)
def test_an_object_that_is_not_always_there_is_left_alone(tmp_path, constructor):
    text = FIELDS.replace("        self.cfg = cfg\n", constructor)
    assert found(tmp_path, text + FORWARD, n=INT) == []


def test_what_others_do_to_their_own_is_no_change(tmp_path):
    more = "\n\nclass Other:\n    def grow(self, model):\n        self.cfg.n = 1\n        model.cfg.m = 2\n"
    assert found(tmp_path, FIELDS + FORWARD + more, n=INT) != []


def test_an_object_that_is_passed_on_is_left_alone(tmp_path):
    file = source(tmp_path / "model.py", HEAD + FIELDS + "\n    def forward(self, x):\n        return f(x, self.cfg)\n")
    told = diagnosis(file, "unconvertible-attribute", "self.cfg)", module="Model", attribute="cfg", type="C")
    assert findings(ObjectAttribute(), file, told) == []
