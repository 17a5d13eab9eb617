"""copied-list: what it must not touch."""

import pytest

from tests.rules.tracing import findings, model, rewritten, trace_follows
from tsrefactor.rules.base import Settings
from tsrefactor.rules.copied_list import CopiedList
from tsrefactor.vocabulary import Target

RULE = [CopiedList()]


@pytest.mark.parametrize(
    "body",
    [
        "rows = [x, x + 1]\nmore = copy.deepcopy(rows)",  # tensors are copied, too
        "pairs = [[1, 2]]\nmore = copy.deepcopy(pairs)",
        "shape = x.shape\nmore = copy.deepcopy(shape)",  # a torch.Size
        "shape = list(x.shape)\nmore = copy.deepcopy(shape, {})",
        "list = tuple\nshape = [1, 2]\nmore = copy.deepcopy(shape)",
        "shape = [1, 2]\nif x.dim() > 2:\n    shape = x.shape\nmore = copy.deepcopy(shape)",
        "shape = list(x.shape)\nmore = shape.copy()",
    ],
)
@pytest.mark.parametrize("target", [Target.SCRIPT, Target.TRACE])
def test_left_alone(body, target):
    assert findings(RULE, model(f"{body}\nreturn x", before="import copy\n\n\n"), Settings(target)) == []


def test_a_trace_follows_what_holds_no_sizes():
    text = model("shape = [1, 2]\nreturn x.view(copy.deepcopy(shape))", before="import copy\n\n\n")
    assert findings(RULE, text, Settings(Target.TRACE)) == []
    assert len(findings(RULE, text)) == 1


def test_a_trace_follows_the_sizes_of_the_copy(tmp_path):
    body = "shape = list(x.size())\nwanted = copy.deepcopy(shape)\nwanted[1] = 1\nreturn x[:, :1].expand(*wanted) * 1"
    after = rewritten(RULE, model(body, before="import copy\n\n\n"), Settings(Target.TRACE)).document.text
    assert "wanted = list(shape)\n" in after
    assert trace_follows(after, "[(torch.rand(2, 3),), (torch.rand(4, 5),)]", tmp_path)
