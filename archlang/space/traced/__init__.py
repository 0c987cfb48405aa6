"""Python as it is: functions that ask for choices while they run, as spaces.

function ──run──▶ decisions, as they are asked ──remember──▶ a tree ──▶ TracedSpace, which all searchers take
asking.py (choose, …) · sites.py, addresses.py: names from the source · run.py, memory.py · searchable.py
"""
