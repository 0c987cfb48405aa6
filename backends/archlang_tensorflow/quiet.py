"""Importing TensorFlow without what its C++ parts print on every start, whatever they are told."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_CHATTER = ("WARNING: All log messages before absl::InitializeLog()", "I0000 ", "To enable the following instructions")


@contextmanager
def without_chatter() -> Iterator[None]:
    """Holds back what is written to the standard error stream, and passes on all but that."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no such stream
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            sys.stderr.write("".join([line for line in lines if not line.startswith(_CHATTER)]))
