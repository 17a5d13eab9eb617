"""The user's files as this process loaded them, maybe under a task's overlay."""

from __future__ import annotations

import linecache
from pathlib import Path

from ..facts.file import FileFacts
from ..source.document import Document
from ..source.file import SourceFile


def facts_of(file: str) -> FileFacts:
    """The static facts of a loaded file."""
    return FileFacts(Document(SourceFile(Path(file), "".join(linecache.getlines(file)), "utf-8", False, "\n")))
