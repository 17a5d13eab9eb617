"""try-block: which forms it writes, and what it refuses."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.rewrite import rewrite
from tsrefactor.rules import Example, Settings
from tsrefactor.rules.try_block import TryBlock
from tsrefactor.source.document import Document
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
INPUTS = "[(torch.rand(2, 3, 4),), (torch.rand(3, 1, 4),)]"


def proven(before, after, tmp_path):
    error = "try blocks aren't supported"
    prove(TryBlock(), Example(HEAD + before, HEAD + after, INPUTS, Target.SCRIPT, error=error, recorded=True), tmp_path)


def test_a_handler_that_goes_on_is_partial(tmp_path):
    before = """\
    def forward(self, x):
        try:
            return torch.cat([x, x.flip(0)])
        except RuntimeError:  # of odd sizes
            return x
"""
    after = """\
    def forward(self, x):
        if torch.jit.is_scripting():
            return torch.cat([x, x.flip(0)])
        else:
            return self._try_forward(x)

    def _try_forward(self, x):
        try:
            return torch.cat([x, x.flip(0)])
        except RuntimeError:  # of odd sizes
            return x
"""
    proven(before, after, tmp_path)
    [finding] = found(tmp_path, before, ["try", "[x"])
    assert finding.partial and finding.caveat is None


def test_the_handler_that_runs_reached(tmp_path):
    before = """\
    def forward(self, x):
        try:
            y = extension.double(x)
        except Exception:
            y = x * 2
        return y
"""
    after = """\
    def forward(self, x):
        if torch.jit.is_scripting():
            y = x * 2
        else:
            y = self._try_y(x)
        return y

    def _try_y(self, x):
        try:
            y = extension.double(x)
        except Exception:
            y = x * 2
        return y
"""
    proven(before, after, tmp_path)
    [finding] = found(tmp_path, before, ["try", "extension", "x * 2"])
    assert finding.caveat == "TorchScript never tries `y = extension.double(x)`" and not finding.partial
    assert finding.presumed


def test_an_effect_alone(tmp_path):
    before = """\
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 4)

    def forward(self, x):
        try:
            self.rnn.flatten_parameters()
        except Exception:
            pass
        return self.rnn(x)[0]
"""
    after = """\
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 4)

    def forward(self, x):
        if not torch.jit.is_scripting():
            self._try_forward()
        return self.rnn(x)[0]

    def _try_forward(self):
        try:
            self.rnn.flatten_parameters()
        except Exception:
            pass
"""
    proven(before, after, tmp_path)


def test_a_name_that_the_handler_leaves_unbound(tmp_path):
    before = """\
    def forward(self, x):
        try:
            y = x * 2
        except ValueError:
            print('no numbers')
        return y
"""
    after = """\
    def forward(self, x):
        if torch.jit.is_scripting():
            y = x * 2
        else:
            y = self._try_y(x)
        return y

    def _try_y(self, x):
        try:
            y = x * 2
        except ValueError:
            print('no numbers')
        return y
"""
    proven(before, after, tmp_path)


def found(tmp_path, body, reached):
    file = source(tmp_path / "model.py", HEAD + body)
    start = HEAD.count("\n") + 1
    seen = FunctionObservations(str(file.path), "Model.forward", start, "")
    seen.lines = {n for n, line in enumerate(file.lines, 1) if any(part in line for part in reached)}
    observations = Observations({(str(file.path), "Model.forward", start): seen})
    return findings(
        TryBlock(), file, diagnosis(file, "unsupported-syntax", "try", construct="try"), observations=observations
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("try:\n    y = self.a(x)\nexcept ValueError:\n    z = 0\nreturn y if x > 1 else z", "`y` may not be bound"),
        (
            "for i in x:\n    try:\n        y = i\n    except ValueError:\n        break\nreturn x",
            "jumps out of a loop",
        ),
        ("try:\n    return x\nexcept ValueError:\n    pass\nreturn x + 1", "returns on some paths only"),
        ("try:\n    y = (lambda t: t)(x)\nexcept ValueError:\n    y = 0\nreturn y", "cannot parse"),
        (
            "try:\n    y = x\nexcept ValueError:\n    y = 0 #\nexcept KeyError:\n    y = 1 #\nreturn y",
            "reached a handler",
        ),
        ("try:\n    y = x\nexcept ValueError:\n    z = y = 0 #\nreturn y", "binds other names"),
        ("try:\n    y = 1 / n\nexcept ZeroDivisionError:\n    y = 0\nreturn y", "computes with numbers"),
        ("try:\n    y = math.sqrt(x)\nexcept (TypeError, ValueError):\n    y = 0\nreturn y", "computes with numbers"),
        ("try:\n    y = 1 / 2\nexcept:\n    y = 0\nreturn y", "computes with numbers"),
        ("try:\n    y = x\n    y = y + 1\nexcept ValueError:\n    y = 0 #\nreturn y", "reached a handler"),
    ],
)
def test_what_stays(body, reason, tmp_path):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    [finding] = found(tmp_path, f"    def forward(self, x):\n{lines}", ["try", "#"])
    assert not finding.fixable and reason in finding.message


@pytest.mark.parametrize(
    ("tried", "after"),
    [
        ("a = self.a\nexcept:\n    a = None", "a = getattr(self, 'a', None)"),
        ("return self.a\nexcept AttributeError:\n    return x", "return getattr(self, 'a', x)"),
    ],
)
def test_an_attribute_that_may_be_missing(tried, after, tmp_path):
    lines = "".join(f"        {line}\n" for line in ("try:\n    " + tried).splitlines())
    file = source(tmp_path / "model.py", f"{HEAD}    def forward(self, x):\n{lines}")
    told = diagnosis(file, "unsupported-syntax", "try", construct="try")
    written = rewrite(Document(file), [TryBlock()], Settings(Target.SCRIPT), None, [told]).document.text
    assert written == f"{HEAD}    def forward(self, x):\n        {after}\n"


PROPERTY = "    @property\n    def a(self):\n        return self.table['a']\n\n"


@pytest.mark.parametrize(
    ("before", "tried"),
    [
        (PROPERTY, "a = self.a\nexcept Exception:\n    a = None"),
        ("    def __getattr__(self, name):\n        return {}[name]\n\n", "a = self.a\nexcept:\n    a = None"),
        ("", "a = self.a\nexcept AttributeError:\n    a = UNKNOWN"),
        ("", "a = self.a  # maybe\nexcept AttributeError:\n    a = None"),
    ],
)
def test_no_default_for(before, tried, tmp_path):
    lines = "".join(f"        {line}\n" for line in ("try:\n    " + tried).splitlines())
    [finding] = found(tmp_path, f"{before}    def forward(self, x):\n{lines}        return a\n", ["try"])
    assert not any("getattr(" in getattr(e, "template", "") for e in finding.edits)


TRY = "        try:\n            y = x\n        except ValueError:\n            y = 0 * x\n        return y\n"


def moved(text, tmp_path, *at):
    file = source(tmp_path / "model.py", text)
    told = [diagnosis(file, "unsupported-syntax", t, construct="try") for t in at]
    return rewrite(Document(file), [TryBlock()], Settings(Target.SCRIPT), None, told).document.text


def test_names_beside_a_base_of_another_file(tmp_path):
    text = f"import torch\nfrom other import Base\n\n\nclass Sub(Base):\n    def forward(self, x):\n{TRY}"
    assert "def _sub_try_y(self, x):" in moved(text, tmp_path, "try:")
    text = text.replace("from other import Base", "from torch.nn import Linear as Base")
    assert "def _try_y(self, x):" in moved(text, tmp_path, "try:")


def test_names_in_a_base_and_a_subclass(tmp_path):
    one, two = TRY.replace("y = x", "y = x + 1"), TRY.replace("y = x", "y = x + 2")
    text = f"{HEAD}    def forward(self, x):\n{one}\n\nclass Sub(Model):\n    def forward(self, x):\n{two}"
    after = moved(text, tmp_path, "y = x + 1", "y = x + 2")
    assert after.count("def _try_y(self, x):") == after.count("def _try_y_2(self, x):") == 1


def test_private_names_of_a_static_method(tmp_path):
    text = f"{HEAD}    @staticmethod\n    def f(x):\n{TRY.replace('y = x', 'y = Model.__g(x)')}"
    assert moved(text, tmp_path, "try:") == text
