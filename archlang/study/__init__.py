"""Studies: searches that are run, kept in a store, and gone on with."""

from archlang.study.progress import Listener, ProgressBar
from archlang.study.record import StudyRecord, StudySummary, Trial
from archlang.study.runner import resume, search
from archlang.study.store import Store, open_store
from archlang.study.study import Study, list_studies, read_study

__all__ = [
    "Listener",
    "ProgressBar",
    "Store",
    "Study",
    "StudyRecord",
    "StudySummary",
    "Trial",
    "list_studies",
    "open_store",
    "read_study",
    "resume",
    "search",
]
