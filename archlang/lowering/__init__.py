"""What backends have in common.

    graph ──raise──▶ blocks ──┬─ children ──▶ the framework's modules   (each backend)
                              └─ emit ──────▶ Python source             (emitting.py)

A backend declares what each op is in its framework (`declared`) and how the framework's source is
written (`dialect`); initial values are drawn alike for all (`initial`).
"""
