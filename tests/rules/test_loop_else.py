"""loop-else: which breaks count, comments, and what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.loop_else import LoopElse

HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"


def file_of(body, tmp_path):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return source(tmp_path / "model.py", HEAD + lines)


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (  # the inner loop's own break leaves the outer one alone
            "for i in x:\n    for j in i:\n        break\nelse:\n    x = i",
            "for i in x:\n    for j in i:\n        break\nx = i",
        ),
        (  # that of its `else` does not
            "for i in x:\n    while i:\n        i -= 1\n    else:\n        break\nelse:  # none\n    x = i",
            "found = False\nfor i in x:\n    while i:\n        i -= 1\n    found = True\n    break\n"
            "if not found:  # none\n    x = i",
        ),
        (
            "for found in x:\n    try:\n        pass\n    except ValueError:\n        break\nelse:\n    x = 1",
            "left = False\nfor found in x:\n    try:\n        pass\n    except ValueError:\n        left = True\n"
            "        break\nif not left:\n    x = 1",
        ),
    ],
)
def test_breaks(body, after, tmp_path):
    lines = "".join(f"        {line}\n" for line in after.splitlines())
    assert rewritten(LoopElse(), file_of(body, tmp_path)) == HEAD + lines


@pytest.mark.parametrize(
    "body",
    [
        "for i in x: pass\nelse: x = 1",
        "for i in x:\n    if i: break\nelse:\n    x = 1",
        "for i in x:\n    y = '''\n    '''\nelse:\n    x = 1",
    ],
)
def test_what_stays(body, tmp_path):
    [finding] = findings(LoopElse(), file_of(body, tmp_path))
    assert not finding.fixable
