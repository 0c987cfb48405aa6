"""Reports on studies: tables for a terminal, and one HTML page."""

from archlang.report.html import html_report, write_report
from archlang.report.text import as_text, front_table, studies_table, study_overview, trials_table

__all__ = ["as_text", "front_table", "html_report", "studies_table", "study_overview", "trials_table", "write_report"]
