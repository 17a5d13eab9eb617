"""scripting-guard: what goes under the guard, and what is left alone."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.scripting_guard import ScriptingGuard
from tsrefactor.vocabulary import Target

RULE = ScriptingGuard()
HEAD = "import logging\nimport warnings\n\nimport torch\nfrom torch import nn\n\nLOGGER = logging.getLogger()\n\n\n"


def model(body):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return HEAD + f"class Model(nn.Module):\n    def forward(self, x):\n{lines}"


def body_of(text):
    return "".join(line[8:] or "\n" for line in text.partition("def forward(self, x):\n")[2].splitlines(True)).strip()


def made(tmp_path, body, at=None, kind="unknown-builtin-op"):
    file = source(tmp_path / "model.py", model(body))
    return body_of(rewritten(RULE, file, *([diagnosis(file, kind, at)] if at else [])))


@pytest.mark.parametrize(
    "statement",
    [
        "LOGGER.info('%s', x.shape)",
        "self.logger.warning_once('x')",
        "self._log.debug('x')",
        "logging.warning('x')",
        "print('x', end='')",
        "warnings.warn('x', DeprecationWarning)",
        "warnings.warn('x', category=UserWarning)",
        "torch.cuda.empty_cache()",
        "self.decoder.rnn.flatten_parameters()",
        "x.register_hook(self.keep)",
        "print(x.cpu().numpy())",
    ],
)
def test_effects_that_never_compile(tmp_path, statement):
    assert made(tmp_path, f"{statement}\nreturn x") == f"if not torch.jit.is_scripting():\n    {statement}\nreturn x"


@pytest.mark.parametrize("statement", ["print(x.storage())", "warnings.warn(NOTE)", "assert x.is_pinned_to(2), 'x'"])
def test_effects_that_the_compiler_complains_about(tmp_path, statement):
    assert made(tmp_path, f"{statement}\nreturn x") == f"{statement}\nreturn x"
    guarded = f"if not torch.jit.is_scripting():\n    {statement}\nreturn x"
    assert made(tmp_path, f"{statement}\nreturn x", statement) == guarded


def test_statements_that_follow_one_another_share_a_guard(tmp_path):
    body = (
        "if x.dim() > 1:\n    LOGGER.info('a')\n    LOGGER.info('b')\n\nLOGGER.info('c')\nx = x + 1\nLOGGER.info('d')"
    )
    assert made(tmp_path, body) == (
        "if x.dim() > 1:\n    if not torch.jit.is_scripting():\n        LOGGER.info('a')\n        LOGGER.info('b')\n\n"
        "if not torch.jit.is_scripting():\n    LOGGER.info('c')\nx = x + 1\n"
        "if not torch.jit.is_scripting():\n    LOGGER.info('d')"
    )


@pytest.mark.parametrize(
    "body",
    [
        "print('x', x.shape)\nreturn x",
        "warnings.warn('x', stacklevel=2)\nreturn x",
        "assert x.dim() == 2\nreturn x",
        "y = LOGGER.info('x')\nreturn y",
        "return self.catalog.log(x)",
        "torch.log(x)\nreturn x",
        "self.blog.info(x)\nreturn x",
        "torch.manual_seed(0)\nreturn x",
        "if not torch.jit.is_scripting():\n    LOGGER.info('x')\nreturn x",
        "if torch.jit.is_scripting():\n    x = x + 1\nelse:\n    LOGGER.info('x')\nreturn x",
    ],
)
def test_lookalikes_are_left_alone(tmp_path, body):
    assert findings(RULE, source(tmp_path / "model.py", model(body))) == []


def test_where_torchscript_compiles_is_no_guard(tmp_path):
    body = "if torch.jit.is_scripting():\n    LOGGER.info('x')\nreturn x"
    assert len(findings(RULE, source(tmp_path / "model.py", model(body)))) == 1


def test_caveats(tmp_path):
    file = source(tmp_path / "model.py", model("assert x.f()\nx.register_hook(f)\nLOGGER.info('x')\nreturn x"))
    found = findings(RULE, file, diagnosis(file, "no-attribute-on-type", "x.f()"))
    assert [f.caveat for f in found] == ["TorchScript does not check `x.f()`; TorchScript does not set the hook"]


@pytest.mark.parametrize("argument", ["f'{x:.2f}'", "{1, 2}", "lambda: 1", "**self.more"])
def test_what_cannot_be_parsed_is_only_told(tmp_path, argument):
    found = findings(RULE, source(tmp_path / "model.py", model(f"LOGGER.info({argument})\nreturn x")))
    assert [f.fixable for f in found] == [False] and "nor parse" in found[0].message


def test_print_of_what_torchscript_has_not(tmp_path):
    before = model("print(torch.typename(x))\nreturn x * 2")
    after = model("if not torch.jit.is_scripting():\n    print(torch.typename(x))\nreturn x * 2")
    example = Example(before, after, "[(torch.rand(2, 3),), (torch.rand(4, 3),)]", Target.SCRIPT, error="typename")
    prove(RULE, example, tmp_path)


CHECKS = """\
def same(*args):
    \"""All of them are one value.\"""
    values = (arg for arg in args)
    first = next(values)
    assert all(value == first for value in values), 'not the same: ' + str(args)


def known(kind):
    if kind == 'a':
        return
    raise ValueError(kind)


def counted(*args):
    assert args
    return len(args)


def changed(x, *args):
    assert args
    x.add_(1)


def told(*args):
    assert args
    tell(args)


"""


def checked(tmp_path, body, name):
    file = source(tmp_path / "model.py", model(body).replace("class Model", CHECKS + "class Model"))
    return body_of(rewritten(RULE, file, diagnosis(file, "variable-arguments", f"def {name}(")))


def test_functions_that_only_check(tmp_path):
    body = "b, n = x.shape\nsame(b, n)\nsame(n, b)\nreturn x"
    guarded = "b, n = x.shape\nif not torch.jit.is_scripting():\n    same(b, n)\n    same(n, b)\nreturn x"
    assert checked(tmp_path, body, "same") == guarded
    assert "if not torch.jit.is_scripting():\n    known('a')" in checked(tmp_path, "known('a')", "known")


@pytest.mark.parametrize("name", ["counted", "changed", "told"])
def test_functions_that_do_more(tmp_path, name):
    body = f"{name}(x, x)\nreturn x"
    assert checked(tmp_path, body, name) == body
