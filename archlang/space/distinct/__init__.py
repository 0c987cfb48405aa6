"""How many different networks the programs of a space are, after canonicalisation.

    varied graph --cut--> fragments --rows--> structures --picks--> networks --split--> words --> count
       varied.py            rows.py   structures.py      networks.py    letters.py      counting.py

A program's network is read off as `program.canonical_hash` sees it. Nothing is taken on trust: the
count is exact, or it comes as bounds with the reason.
"""
