"""tuple-of-list: further forms; what it must not touch."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules import Example
from tsrefactor.rules.tuple_of_list import TupleOfList
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\n"
MODEL = HEAD + "class Model(nn.Module):\n    def forward(self, x):\n        outs = [x * i for i in range(3)]\n"
SCRIPTING = "if torch.jit.is_scripting() else"


def _example(before: str, after: str) -> Example:
    inputs, error = "[(torch.rand(3, 4),)]", "cannot statically infer the expected size"
    return Example(MODEL + before, MODEL + after, inputs, Target.SCRIPT, error=error)


MORE = {
    "a variable that is returned": _example(
        "        parts = tuple(x + o for o in outs)\n        return parts\n",
        "        outputs = [x + o for o in outs]\n"
        f"        parts = outputs {SCRIPTING} tuple(outputs)\n        return parts\n",
    ),
    "the list's own variable": _example(
        "        outs = tuple(outs)\n        return outs[0], outs\n",
        f"        outs = outs {SCRIPTING} tuple(outs)\n        return outs[0], outs\n",
    ),
    "a value of a dict": _example(
        "        return {'outs': tuple(outs)}\n",
        f"        return {{'outs': (outs {SCRIPTING} tuple(outs))}}\n",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more(example, tmp_path):
    prove(TupleOfList(), example, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        MODEL + "        return torch.cat(tuple(outs))\n",
        MODEL + "        return tuple(o for o in outs if o.sum() > 0)\n",
        MODEL + "        return self.join(x, tuple(o + 1 for o in outs))\n",
        MODEL.replace("(self, x):", "(self, x) -> tuple:") + "        return tuple(outs)\n",
        MODEL.replace("class", "def tuple(x):\n    return x\n\n\nclass") + "        return tuple(outs)\n",
    ],
)
def test_left_alone(tmp_path, text):
    file = source(tmp_path / "model.py", text)
    line = text.splitlines()[-1].strip()
    assert findings(TupleOfList(), file, diagnosis(file, "size-of-list", line)) == []
