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
