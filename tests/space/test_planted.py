"""Spaces of 10^20 programs and more with one mistake each: found, with its smallest cause and the
number of programs that it breaks; and nothing is found once it is mended. What is expected is
worked out by hand, from how many choices each part of a space has."""

from __future__ import annotations

from pathlib import Path
from random import Random

import attrs
import pytest

from archlang.diagnostics import ArchError
from archlang.semantics.decision import Decision, Pick
from archlang.space.choices import show_pick
from archlang.space.resolver import EachAnew
from tests.space.test_against_enumeration import space_in

FOLDER = Path(__file__).parent / "planted"


@attrs.frozen
class Planted:
    """A mistake: its code, its smallest cause, the programs that have it and all of them; what mends
    it, as text that stands once in the file and text in its place; and all programs then."""

    code: str
    cause: dict[str, str]
    programs: int
    of: int
    mend: tuple[str, str]
    mended: int = attrs.field()

    @mended.default
    def _as_before(self) -> int:
        return self.of


STAGE = 9**2 + 9**3 + 9**4  # 2 to 4 units, each with one of 3 kernels and of 3 expansions
GROUPED = 9**3 + 9**4 + 9**5 + 9**6  # 3 to 6 units of 3 kernels and 3 gates
RATED = 6**2 + 6**3 + 6**4 + 6**5  # 2 to 5 units of 3 kernels and 2 activations

PLANTED = {
    "attention_heads": Planted(
        # Broken with a width of 256 or 320 and 6 heads in one of 14 layers; 9 more choices in each.
        "E0313",
        {"dim": "256", "layer[0].heads": "6"},
        2 * ((3 * 9) ** 14 - (2 * 9) ** 14),
        3 * (3 * 9) ** 14,
        ("choose [4, 6, 8]", "choose [4, 8, 16]"),
    ),
    "cropped_edge": Planted(
        "E0313", {"crop": "12", "stride": "2"}, 18**16, 8 * 18**16, ("[0, 4, 8, 12]", "[0, 2, 4, 8]")
    ),
    "deep_tree": Planted(
        # Trees of at most 4 splits with 3 kernels each; a leaf has 2. Only the deepest leaf is too small.
        "E0313",
        {"region:split/region:split/region:split/region:split/region:leaf.kernel": "3"},
        3**4 * 36**13,
        (2 + 3 * (2 + 3 * (2 + 3 * (2 + 3 * 2)))) * 36**13,
        ("conv2d(c, kernel=choose [1, 3], padding=0)", "conv2d(c, kernel=choose [1, 2], padding=0)"),
    ),
    "dilated_series": Planted(
        "E0313",
        {"kernel": "5", "levels": "7"},
        36 ** (7 + 12),
        3 * sum(36 ** (levels + 12) for levels in (4, 5, 6, 7)),
        ("f32[n, 8, 256]", "f32[n, 8, 512]"),
    ),
    "empty_loop": Planted(
        # Without a value nothing else is asked: the broken program makes these two choices alone.
        "E0208",
        {"blocks": "2", "taken": "2"},
        1,
        8 * 36**13 + 1,
        ("taken = choose 0..2", "taken = choose 0..1"),
        3 * 2 * 36**13,
    ),
    "flat_features": Planted(
        "E0302",
        {"features": "pooled", "head": "conv"},
        9**21,
        4 * 9**21,
        ("conv: conv2d(10, kernel=1) >> global_avg_pool", "conv: flatten >> linear(32) >> relu >> linear(10)"),
    ),
    "fractional_width": Planted(
        # The pick is the position in a list that is computed.
        "E0301",
        {"unit#2.out": "1"},
        6 * 18**16,
        18**17,
        ("[1, 1.5, 2]", "[1, 4, 2]"),
    ),
    "grouped_width": Planted(
        "E0313", {"cardinality": "32", "width": "48"}, GROUPED**4, 15 * GROUPED**4, ("[32, 48, 64]", "[32, 96, 64]")
    ),
    "growing_rate": Planted(
        "E0313", {"first": "0.2", "step": "0.12"}, 72**14, 9 * 72**14, ("[0.05, 0.1, 0.12]", "[0.05, 0.1, 0.11]")
    ),
    "missing_ratio": Planted(
        "E0307", {"stage.depth": "5"}, RATED**5 * 6**5, RATED**6, ("[4, 8, 16]", "[4, 8, 16, 32]")
    ),
    "neck_pool": Planted(
        # A feature pyramid, or one with a path back and 2 ways down; 4 depths for each of 3 heads.
        "E0304",
        {"neck:pan/and_back.down": "pool"},
        STAGE**5 * 3 * 4**3,
        STAGE**5 * 3 * (1 + 2) * 4**3,
        ("padding=0", "padding=1"),
    ),
    "nested_kernel": Planted(
        # A unit: 2 * 2 residual, 3 * 2 mobile, 2 + 1 + 1 cell ones; the last has tails of 2 and 3 * 2.
        "E0304",
        {"last_unit:residual/tail:gated.kernel": "2"},
        2 * 2 * 14**18,
        (2 * (2 + 3 * 2) + 6 + 4) * 14**18,
        ("gated(choose [1, 2, 3]", "gated(choose [1, 3, 5]"),
    ),
    "no_branches": Planted(
        "E0306",
        {"branches": "2", "dropped": "2"},
        18**16,
        9 * 18**16,
        ("branches = choose 2..4", "branches = choose 3..5"),
    ),
    "picked_heads": Planted(
        # Of the 10 pairs, 4 hold the last head.
        "E0304",
        {"picked": "[0, 4]"},
        4 * 9**21,
        10 * 9**21,
        ("linear(12)", "linear(10)"),
    ),
    "pixel_shuffle": Planted(
        "E0313", {"factor": "3", "width": "64"}, 36**14, 9 * 36**14, ("[64, 144, 288]", "[576, 144, 288]")
    ),
    "position_table": Planted(
        "E0313",
        {"patch": "14", "pooled": "token"},
        18**16,
        8 * 18**16,
        ("position_embedding(256)", "position_embedding(257)"),
    ),
    "recipe_field": Planted(
        "E0308",
        {"optimizer": "sgd", "schedule": "cosine"},
        3 * 2 * 20**8 * 5**16 * 5,
        (3 * 2 + 2 * 3 + 2 * 2) * 3 * 20**8 * 5**16 * 5,
        ("nesterov: choose [true, false]", "decay: choose [0.0, 0.0001]"),
    ),
    "required_product": Planted(
        # 64 channels, 4 deep, are no program.
        "E0313",
        {"depth": "4", "width": "48"},
        6**4 * 24**14,
        (3 * (6**2 + 6**3 + 6**4) - 6**4) * 24**14,
        ("{ 32 } else", "{ 8 } else"),
    ),
    "residual_split": Planted(
        "E0304",
        {"context.branches": "3", "width": "40"},
        STAGE**5,
        12 * STAGE**5,
        ("[24, 36, 40, 48]", "[24, 36, 60, 48]"),
    ),
    "shrunk_input": Planted(
        "E0313",
        {"kernel": "5", **{f"stage[{i}].stride": "2" for i in range(4)}},
        6**28,
        3 * 2**4 * 6**28,
        ("kernel = choose [1, 3, 5]", "kernel = choose [1, 3, 4]"),
    ),
    "token_type": Planted(
        "E0303",
        {"positions": "table"},
        36**13,
        3 * 36**13,
        ("table: embedding(128, 128)", "table: position_embedding(256)"),
    ),
    "unet_skips": Planted(
        # Blocks of 81 choices: two for each level, and three.
        "E0313",
        {"depth": "4", "stem": "2"},
        81**11,
        2 * (81**9 + 81**11),
        ("f32[n, 1, 80, 80]", "f32[n, 1, 96, 96]"),
    ),
    "uneven_concat": Planted(
        "E0313",
        {"reduction.kernel": "2", "reduction.stride": "1"},
        9**21,
        4 * 9**21,
        ("kernel = choose [2, 3]", "kernel = choose [1, 3]"),
    ),
}


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.arch").read_text(encoding="utf-8")


def test_every_file_has_its_mistake_told() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_the_mistake_is_found_with_its_cause(name: str) -> None:
    planted = PLANTED[name]
    assert planted.of >= 10**20
    with pytest.raises(ArchError) as refused:
        space_in(text_of(name)).check()
    (found,) = refused.value.diagnostics
    assert found.cause is not None
    assert found.code == planted.code
    assert dict(found.cause.choices) == planted.cause
    assert (found.cause.programs, found.cause.of) == (planted.programs, planted.of)


@pytest.mark.parametrize("name", PLANTED)
def test_programs_with_the_cause_are_broken_by_themselves(name: str) -> None:
    space, planted = space_in(text_of(name)), PLANTED[name]
    random = Random(0)

    def pick(decision: Decision) -> Pick:
        wanted = planted.cause.get(decision.address)
        if wanted is not None:
            return next(
                p for i in range(int(decision.domain.size)) if show_pick(p := decision.domain.pick(i)) == wanted
            )
        inside = [address for address in planted.cause if address.startswith(f"{decision.address}:")]
        return (
            inside[0][len(decision.address) + 1 :].split("/")[0].split(".")[0]
            if inside
            else decision.domain.draw(random)
        )

    for _ in range(3):
        resolved = EachAnew(space.module, space.declaration, {}).resolve(pick)
        assert resolved.decisions.keys() >= planted.cause.keys()
        assert resolved.fault is not None
        assert resolved.fault.diagnostic.code == planted.code


@pytest.mark.parametrize("name", PLANTED)
def test_nothing_is_found_once_it_is_mended(name: str) -> None:
    text, (wrong, right) = text_of(name), PLANTED[name].mend
    assert text.count(wrong) == 1
    space = space_in(text.replace(wrong, right))
    space.check()
    assert space.unproved is None
    assert space.size == PLANTED[name].mended
