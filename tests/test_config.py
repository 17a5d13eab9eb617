from pathlib import Path

import pytest

from tsrefactor.config import load
from tsrefactor.errors import UserError
from tsrefactor.vocabulary import ContainerStyle, Placement, Target


def write(folder: Path, table: str, head: str = "[tool.tsrefactor]\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(head + table)
    return folder


def test_defaults(tmp_path):
    config = load(tmp_path)
    assert (config.src, config.exclude, config.rules, config.ignore) == (["."], [], None, [])
    assert (config.target, config.placement, config.container_style) == (Target.SCRIPT, None, ContainerStyle.CALL)
    assert (config.timeout, config.import_timeout, config.memory, config.unsafe) == (60.0, 60.0, 8.0, False)
    assert config.jobs >= 1
    assert config.source_paths == [tmp_path]


def test_every_key(tmp_path):
    write(
        tmp_path,
        'src = ["models", "lib"]\nexclude = ["*_pb2.py"]\nrules = ["len-to-shape"]\nignore = ["super-call"]\n'
        'target = "any"\nplacement = "module"\ncontainer-style = "annotation"\njobs = 3\ntimeout = 5\nmemory = 1.5\n'
        "import-timeout = 9.5\nunsafe = true\n",
    )
    config = load(tmp_path)
    assert (config.exclude, config.rules, config.ignore) == (["*_pb2.py"], ["len-to-shape"], ["super-call"])
    assert (config.target, config.placement, config.unsafe) == (Target.ANY, Placement.MODULE, True)
    assert (config.jobs, config.timeout, config.import_timeout, config.memory) == (3, 5.0, 9.5, 1.5)
    assert config.container_style is ContainerStyle.ANNOTATION
    assert config.source_paths == [tmp_path / "models", tmp_path / "lib"]


def test_the_nearest_file_with_the_table_holds(tmp_path, monkeypatch):
    write(tmp_path, "jobs = 7\n")
    write(tmp_path / "a/b", "", head="[project]\nname = 'x'\n")
    (tmp_path / "a/b/c").mkdir()
    assert load(tmp_path / "a/b/c").jobs == 7
    assert load(tmp_path / "a/b/c").root == tmp_path
    write(tmp_path / "a", "jobs = 5\n")
    monkeypatch.chdir(tmp_path / "a/b/c")
    assert load().jobs == 5


@pytest.mark.parametrize(
    ("table", "line", "told"),
    [
        ("\njob = 3\n", 3, "unknown key job in tool.tsrefactor; did you mean jobs? allowed: src, exclude, "),
        (
            "container_style = 'call'\n",
            2,
            "unknown key container_style in tool.tsrefactor; did you mean container-style?",
        ),
        ("zzz = 1\n", 2, "unknown key zzz in tool.tsrefactor; allowed: "),
        (
            "target = 'scirpt'\n",
            2,
            "target = 'scirpt' in tool.tsrefactor; did you mean script? allowed: script, trace, any",
        ),
        ("placement = 1\n", 2, "placement = 1 in tool.tsrefactor; allowed: inner, module"),
        ("src = 'models'\n", 2, "src = 'models' in tool.tsrefactor; it should be a valid list"),
        ("exclude = [1]\n", 2, "exclude = 1 in tool.tsrefactor; it should be a valid string"),
        ("jobs = 0\n", 2, "jobs = 0 in tool.tsrefactor; it should be greater than or equal to 1"),
        ("jobs = '4'\n", 2, "jobs = '4' in tool.tsrefactor; it should be a valid integer"),
        ("jobs = true\n", 2, "jobs = True in tool.tsrefactor; it should be a valid integer"),
        ("timeout = -1\n", 2, "timeout = -1 in tool.tsrefactor; it should be greater than 0"),
        ("memory = inf\n", 2, "memory = inf in tool.tsrefactor; it should be a finite number"),
        ("unsafe = 'yes'\n", 2, "unsafe = 'yes' in tool.tsrefactor; it should be a valid boolean"),
    ],
)
def test_a_wrong_key_or_value_is_explained(tmp_path, table, line, told):
    write(tmp_path, table)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}:{line}: {told}")


def test_files_that_cannot_be_read(tmp_path):
    write(tmp_path, "jobs = \n")
    with pytest.raises(UserError, match=r"pyproject.toml: is not TOML: .*line 2"):
        load(tmp_path)
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.tsrefactor]\nsrc = ['\xe9']\n")
    with pytest.raises(UserError, match=r"pyproject.toml: cannot be read"):
        load(tmp_path)
    write(tmp_path, "", head="[tool]\ntsrefactor = 3\n")
    with pytest.raises(UserError, match="is not a table"):
        load(tmp_path)
