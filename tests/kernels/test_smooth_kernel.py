"""Mean-field smoothing: compiled against reference, tiles against the whole, and its limits."""

import itertools
import os

import numpy as np
import pytest
from implementations import both, compiled
from processes import process

from gmmseg.kernels import Densities, Neighbourhood, reference

OFFSETS = {
    "4 neighbours": np.array([[0, 0, 1], [0, 1, 0]], np.int64),
    "8 neighbours": np.array([[0, 0, 1], [0, 1, -1], [0, 1, 0], [0, 1, 1]], np.int64),
    "6 neighbours": np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], np.int64),
    "26 neighbours": np.array([o for o in itertools.product((-1, 0, 1), repeat=3) if o > (0, 0, 0)], np.int64),
}
CASES = [
    *((shape, name) for shape in [(1, 23, 37), (1, 1, 1), (1, 1, 50), (1, 40, 1)] for name in list(OFFSETS)[:2]),
    *((shape, name) for shape in [(6, 9, 19), (3, 1, 17), (1, 9, 33)] for name in list(OFFSETS)[2:]),
]


def problem(shape, k=3, *, seed=0, guides=2, sure=4.0):
    """Noisy posteriors of a picture of stripes, and a guide that shows the stripes."""
    rng = np.random.default_rng([seed, k, *shape])
    truth = (np.indices(shape).sum(axis=0) // 6) % k
    score = sure * (truth == np.arange(k)[:, None, None, None]) + rng.gumbel(0, 1.5, (k, *shape))
    prior = np.exp(score - score.max(axis=0))
    prior /= prior.sum(axis=0)
    guide = truth + rng.normal(0, 0.3, (guides, *shape))
    return prior.astype(np.float32), guide.astype(np.float32)


def smooth(
    kernel, prior, guide, offsets, *, strength=6.0, valid=None, sharpness=0.7, sweeps=8, first=(0, 0, 0), size=None
):
    """Labels and probabilities; `strength` is what all neighbours give together."""
    size = prior.shape[1:] if size is None else size
    strengths = np.full(len(offsets), strength / 2 / len(offsets), np.float32)
    labels, soft = np.full(size, 99, np.uint8), np.full((len(prior), *size), np.nan, np.float32)
    sharpness = np.full(len(guide), sharpness, np.float32)
    kernel.smooth(prior, guide, valid, Neighbourhood(offsets, strengths, sharpness, sweeps), first, labels, soft)
    return labels, soft


def holes(shape, seed=0):
    """About three voxels of four, with a large hole."""
    valid = np.random.default_rng(seed).random(shape) < 0.75
    valid[:, : shape[1] // 3, : shape[2] // 3] = False
    return valid.astype(np.uint8)


def assert_equal(found, expected, sweeps=8):
    """Probabilities agree, and labels wherever the probabilities decide.

    One sweep is some 30 float32 operations and an exponential. What goes to the neighbours is rounded to 6 bits: after
    the first sweep the last bit of a probability may tip that, and move a few others by some thousandths.
    """
    (labels, soft), (exact_labels, exact) = found, expected
    rounding, tolerance = 5e-6, 5e-6 if sweeps == 1 else 5e-3
    difference = np.abs(soft - exact)
    assert difference.max() <= tolerance
    assert (difference <= rounding).mean() >= 0.99
    if len(exact) > 1:
        second, best = np.sort(exact, axis=0)[-2:]
        decided = best - second > 2 * tolerance
        np.testing.assert_array_equal(labels[decided], exact_labels[decided])


@pytest.mark.slow
@compiled
@pytest.mark.parametrize("sweeps", [1, 2, 8])
@pytest.mark.parametrize("masked", [False, True], ids=["all", "holes"])
@pytest.mark.parametrize(("shape", "neighbours"), CASES)
def test_compiled_smoothing_equals_the_reference(kernel, shape, neighbours, masked, sweeps):
    prior, guide = problem(shape)
    arguments = (prior, guide, OFFSETS[neighbours])
    options = {"valid": holes(shape) if masked else None, "sweeps": sweeps}
    assert_equal(smooth(kernel, *arguments, **options), smooth(reference, *arguments, **options), sweeps)


@compiled
@pytest.mark.parametrize("k", range(1, 8))
@pytest.mark.parametrize("neighbours", ["8 neighbours", "26 neighbours"])
def test_any_number_of_classes_equals_the_reference(kernel, k, neighbours):
    prior, guide = problem((1, 30, 33) if neighbours == "8 neighbours" else (5, 8, 18), k)
    arguments = (prior, guide, OFFSETS[neighbours])
    assert_equal(smooth(kernel, *arguments), smooth(reference, *arguments))


@pytest.mark.slow
@compiled
@pytest.mark.parametrize("shape", [(1, 1, 300), (3, 20, 40), (5, 4, 18)], ids=["line", "slices", "volume"])
def test_as_many_classes_as_there_can_be_equal_the_reference(kernel, shape):
    prior, guide = problem(shape, 255, guides=1)
    arguments = (prior, guide, OFFSETS["26 neighbours"])
    assert_equal(smooth(kernel, *arguments), smooth(reference, *arguments))


@compiled
@pytest.mark.parametrize("masked", [False, True], ids=["all", "holes"])
@pytest.mark.parametrize("shape", [(1, 60, 90), (3, 25, 70), (12, 20, 50)])
def test_islands_of_doubt_among_certain_voxels_equal_the_reference(kernel, shape, masked):
    """Only what is undecided, and what lies next to it, is looked at: here a tenth, in clusters."""
    prior, guide = islands(shape)
    arguments = (prior, guide, OFFSETS["8 neighbours" if shape[0] == 1 else "26 neighbours"])
    valid = holes(shape) if masked else None
    smooth(kernel, prior, 1000 * guide, arguments[2])  # leaves other edges in the kernel's memory
    alone = np.empty(shape, np.uint8)  # without probabilities, certain voxels have no edges
    strengths, sharpness = np.full(len(arguments[2]), 3.0 / len(arguments[2]), np.float32), np.full(2, 0.7, np.float32)
    heard = Neighbourhood(arguments[2], strengths, sharpness, 8)
    kernel.smooth(*arguments[:2], valid, heard, (0, 0, 0), alone, None)
    found = smooth(kernel, *arguments, valid=valid)
    assert_equal(found, smooth(reference, *arguments, valid=valid))
    inside = np.ones(shape, bool) if valid is None else valid > 0
    np.testing.assert_array_equal(alone[inside], found[0][inside])


@compiled
@pytest.mark.parametrize(("shape", "neighbours"), [((1, 60, 203), "8 neighbours"), ((6, 20, 83), "26 neighbours")])
def test_what_the_last_tile_left_in_memory_is_not_heard(kernel, shape, neighbours):
    """Voxels next to those in doubt are sure, but may change, beside registers that nothing around them can change."""
    prior, guide = problem(shape, sure=2.0)
    certain = np.full(prior.shape, 0.005, np.float32)
    certain[0] = 0.99
    prior = np.where(np.random.default_rng(1).random(shape) < 0.005, prior, certain)
    offsets = OFFSETS[neighbours]
    heard = Neighbourhood(offsets, np.full(len(offsets), 3.0 / len(offsets), np.float32), np.float32([0.7, 0.7]), 8)
    found = []
    for _ in range(2):
        found.append(np.empty(shape, np.uint8))
        kernel.smooth(prior, guide, None, heard, (0, 0, 0), found[-1], None)
        for rows in (
            5,
            10,
            20,
            40,
        ):  # their edges, bytes of 255, are no numbers where they are taken for messages
            smaller = np.full((2, 1, rows, 150), 0.5, np.float32)
            smooth(kernel, smaller, np.zeros((1, 1, rows, 150), np.float32), OFFSETS["8 neighbours"])
    np.testing.assert_array_equal(*found)


def islands(shape):
    """Posteriors that are certain everywhere but in two boxes, one of which ends where registers of any width do."""
    prior, guide = problem(shape)
    certain = np.where(prior == prior.max(axis=0), 1, 1e-9).astype(np.float32)
    doubt = np.zeros(shape, bool)
    doubt[:, 5:14, 16:32] = doubt[-1:, -4:, -3:] = True
    return np.where(doubt, prior, certain), guide


@compiled
@pytest.mark.parametrize("guides", [0, 1, 5])
@pytest.mark.parametrize("sharpness", [0.0, 0.2, 50.0])
def test_any_contrast_equals_the_reference(kernel, guides, sharpness):
    prior, guide = problem((1, 30, 33), guides=guides)
    arguments = (prior, guide, OFFSETS["8 neighbours"])
    assert_equal(smooth(kernel, *arguments, sharpness=sharpness), smooth(reference, *arguments, sharpness=sharpness))


@both
@pytest.mark.parametrize(
    ("shape", "first", "size"),
    [((1, 30, 40), (0, 5, 9), (1, 11, 21)), ((1, 30, 40), (0, 29, 39), (1, 1, 1)), ((6, 9, 20), (1, 2, 3), (4, 5, 16))],
)
def test_a_window_of_the_result_is_that_part_of_it(kernel, shape, first, size):
    prior, guide = problem(shape)
    offsets = OFFSETS["8 neighbours" if shape[0] == 1 else "26 neighbours"]
    labels, soft = smooth(kernel, prior, guide, offsets)
    part = tuple(slice(f, f + s) for f, s in zip(first, size, strict=True))
    inner_labels, inner_soft = smooth(kernel, prior, guide, offsets, first=first, size=size)
    np.testing.assert_array_equal(inner_labels, labels[part])
    np.testing.assert_array_equal(inner_soft, soft[:, *part])


@compiled
@pytest.mark.parametrize("wanted", ["labels", "probabilities"])
def test_tiles_of_islands_of_doubt_give_the_whole_bit_for_bit(kernel, wanted):
    shape, sweeps = (14, 25, 70), 3
    prior, guide = islands(shape)
    offsets = OFFSETS["26 neighbours"]
    weights = np.full(len(offsets), 6.0 / len(offsets), np.float32), np.full(2, 0.7, np.float32)

    def run(outer, inner):
        size = tuple(s.stop - s.start for s in inner)
        out = np.empty(size, np.uint8) if wanted == "labels" else np.empty((3, *size), np.float32)
        parts = [np.ascontiguousarray(a[:, *outer]) for a in (prior, guide)]
        first = tuple(i.start - o.start for i, o in zip(inner, outer, strict=True))
        outputs = (out, None) if wanted == "labels" else (None, out)
        kernel.smooth(*parts, None, Neighbourhood(offsets, *weights, sweeps), first, *outputs)
        return out

    everything = tuple(slice(0, n) for n in shape)
    whole = run(everything, everything)
    for z, y, x in itertools.product(range(0, 14, 5), range(0, 25, 6), range(0, 70, 21)):
        inner = tuple(slice(c, min(c + s, n)) for c, s, n in zip((z, y, x), (5, 6, 21), shape, strict=True))
        outer = tuple(
            slice(max(s.start - sweeps, 0), min(s.stop + sweeps, n)) for s, n in zip(inner, shape, strict=True)
        )
        np.testing.assert_array_equal(run(outer, inner), whole[..., *inner])


@compiled
@pytest.mark.parametrize("masked", [False, True], ids=["all", "holes"])
@pytest.mark.parametrize("sweeps", [1, 3, 8])
@pytest.mark.parametrize(
    ("shape", "sides", "neighbours"),
    [
        ((1, 50, 70), (1, 19, 23), "8 neighbours"),
        ((1, 50, 70), (1, 50, 17), "4 neighbours"),
        ((14, 13, 31), (5, 6, 9), "26 neighbours"),
    ],
)
def test_tiles_with_a_halo_of_the_sweeps_give_the_whole_bit_for_bit(kernel, shape, sides, neighbours, sweeps, masked):
    prior, guide = problem(shape)
    valid = holes(shape) if masked else None
    labels, soft = smooth(kernel, prior, guide, OFFSETS[neighbours], valid=valid, sweeps=sweeps, strength=12.0)
    for corner in itertools.product(*(range(0, n, side) for n, side in zip(shape, sides, strict=True))):
        inner = [slice(c, min(c + side, n)) for c, side, n in zip(corner, sides, shape, strict=True)]
        outer = [slice(max(s.start - sweeps, 0), min(s.stop + sweeps, n)) for s, n in zip(inner, shape, strict=True)]
        part_labels, part = smooth(
            kernel,
            np.ascontiguousarray(prior[:, *outer]),
            np.ascontiguousarray(guide[:, *outer]),
            OFFSETS[neighbours],
            valid=None if valid is None else np.ascontiguousarray(valid[*outer]),
            sweeps=sweeps,
            strength=12.0,
            first=tuple(i.start - o.start for i, o in zip(inner, outer, strict=True)),
            size=tuple(s.stop - s.start for s in inner),
        )
        np.testing.assert_array_equal(part_labels, labels[*inner])
        assert part.tobytes() == np.ascontiguousarray(soft[:, *inner]).tobytes()


def mean_field(prior, guide, offsets, *, strength=6.0, sharpness=0.7, sweeps=8):
    """Labels without any voxel settled first: q(k) ~ p(k) exp(sum of edges times q(k) of neighbours), written out."""
    near = [sign * offset for offset in offsets for sign in (1, -1)]
    shape = prior.shape[1:]
    padded_guide, there = np.pad(guide, [(0, 0), (1, 1), (1, 1), (1, 1)]), np.pad(np.ones(shape), 1)

    def at(values, offset):
        return values[..., *(slice(1 + o, 1 + o + n) for o, n in zip(offset, shape, strict=True))]

    def edge(offset):
        distance = ((sharpness * (guide - at(padded_guide, offset))) ** 2).sum(axis=0)
        return strength / len(near) * (0.2 + 0.8 * np.clip(1 - distance / 8, 0, None) ** 8) * at(there, offset)

    edges, q = [edge(offset) for offset in near], prior.astype(float)
    for _ in range(sweeps):
        padded = np.pad(q, [(0, 0), (1, 1), (1, 1), (1, 1)])
        q = prior * np.exp(sum(e * at(padded, offset) for e, offset in zip(edges, near, strict=True)))
        q /= q.sum(axis=0)
    return q.argmax(axis=0) + 1


@both
@pytest.mark.parametrize(("shape", "neighbours"), [((1, 90, 120), "8 neighbours"), ((9, 30, 40), "26 neighbours")])
@pytest.mark.parametrize("strength", [1.0, 6.0, 24.0])
def test_voxels_that_are_settled_first_have_the_labels_of_mean_field(kernel, shape, neighbours, strength):
    prior, guide = problem(shape, sure=7.0)
    exact = mean_field(prior, guide, OFFSETS[neighbours], strength=strength)
    labels, _ = smooth(kernel, prior, guide, OFFSETS[neighbours], strength=strength, sweeps=9)
    assert (labels != exact).mean() < 0.001
    assert (labels != prior.argmax(axis=0) + 1).mean() > 0.005


@both
@pytest.mark.parametrize("strength", [6.0, 12.0])
def test_an_island_holds_if_it_is_sure_enough_and_not_otherwise(kernel, strength):
    """Of the eight neighbours of a corner of three by three pixels five lie outside: what they can say decides."""
    offsets = OFFSETS["8 neighbours"]
    guide, island = np.zeros((1, 1, 21, 23), np.float32), (0, slice(9, 12), slice(15, 18))
    for log_odds, holds in ((strength * 5 / 8 + 0.1, True), (0.5, False)):
        first = np.full((1, 21, 23), 1e-6)
        first[island] = 1 / (1 + np.exp(-log_odds))
        prior = np.stack([first, 1 - first]).astype(np.float32)
        labels, soft = smooth(kernel, prior, guide, offsets, strength=strength, sharpness=0.0, sweeps=9)
        assert (labels[0, 10, 16] == 1) == holds
        np.testing.assert_array_equal(labels, soft.argmax(axis=0) + 1)
        assert (np.delete(labels.ravel(), np.flatnonzero(np.isin(first.ravel(), first[island]))) == 2).all()


@both
@pytest.mark.parametrize(("beside", "others", "loose"), [(4.0, 4.0, 2), (4.0, 20.0, 1), (12.0, 12.0, 0)])
def test_pixels_beside_another_class_hold_theirs_if_their_odds_outweigh_it(kernel, beside, others, loose):
    """Three of eight neighbours say 2.25 nats, as odds 9.5. Whom they talk out of a class loosens the next ones.

    Those who hold their class are heard as sure of it, the others by the probability that they have alone.
    """
    away = np.abs(np.arange(40) - 19.5)  # from where classes meet, between pixels
    odds = np.where(away < 1, beside, others)
    first = np.where(np.arange(40) < 20, odds, 1) / (1 + odds)
    prior = np.tile(np.stack([first, 1 - first])[:, None, None], (1, 1, 9, 1)).astype(np.float32)
    guide = np.zeros((1, 1, 9, 40), np.float32)
    _, soft = smooth(kernel, prior, guide, OFFSETS["8 neighbours"], sharpness=0.0, sweeps=3)
    heard = np.where(away > loose, first > 0.5, np.rint(64 * first) / 64)
    ahead = 2 * heard - 1
    said = 6 / 8 * (3 * ahead[:-2] + 2 * ahead[1:-1] + 3 * ahead[2:])
    expected = np.log(first[1:-1] / (1 - first[1:-1])) + said
    found = np.log(soft[0, 0, 4, 1:-1] / soft[1, 0, 4, 1:-1])
    np.testing.assert_allclose(found, expected, atol=0.01 * 6)


@both
@pytest.mark.parametrize(("odds", "heard"), [(4.0, 51 / 64), (20.0, 1.0)])
def test_at_little_strength_only_pixels_that_are_nearly_certain_hold(kernel, odds, heard):
    """Neighbours say 1 nat: with half of it odds of 20 are above .95, and those of 4 are not."""
    prior = np.tile(np.float32([odds, 1])[:, None, None, None] / np.float32(1 + odds), (1, 1, 9, 40))
    guide = np.zeros((1, 1, 9, 40), np.float32)
    _, soft = smooth(kernel, prior, guide, OFFSETS["8 neighbours"], strength=1.0, sharpness=0.0, sweeps=3)
    found = np.log(soft[0, 0, 4, 20] / soft[1, 0, 4, 20])
    assert found == pytest.approx(np.log(odds) + 2 * heard - 1, abs=0.01)


@both
@pytest.mark.parametrize("sweeps", [1, 8])
def test_without_strength_the_prior_comes_back(kernel, sweeps):
    prior, guide = problem((1, 20, 31), 4)
    labels, soft = smooth(kernel, prior, guide, OFFSETS["8 neighbours"], strength=0.0, sweeps=sweeps)
    np.testing.assert_allclose(soft, prior, rtol=1e-6)
    np.testing.assert_array_equal(labels, prior.argmax(axis=0) + 1)


@compiled
def test_neighbours_that_say_more_than_numbers_can_hold_are_refused(kernel):
    prior, guide = problem((1, 9, 21), 2)
    smooth(kernel, prior, guide, OFFSETS["8 neighbours"], strength=32.0)
    with pytest.raises(ValueError, match="more than 32 nats"):
        smooth(kernel, prior, guide, OFFSETS["8 neighbours"], strength=33.0)


@both
@pytest.mark.parametrize("neighbours", OFFSETS)
@pytest.mark.parametrize("said", [0, 1])
def test_all_neighbours_together_say_as_much_as_they_may(kernel, neighbours, said):
    """The largest sums of edges times messages that there can be, for one class and for the other."""
    offsets, strength = OFFSETS[neighbours], 32.0
    prior = np.zeros((2, 3, 5, 21), np.float32)
    prior[said] = 1
    prior[:, 1, 2, 10] = 0.5
    _, soft = smooth(kernel, prior, np.zeros((1, 3, 5, 21), np.float32), offsets, strength=strength, sweeps=1)
    found = np.log(soft[said, 1, 2, 10] / soft[1 - said, 1, 2, 10])
    # Each of the edges is rounded to whole steps, of which all have 511 less half a step for each.
    half = strength / (511 - len(offsets)) / 2
    np.testing.assert_allclose(found, strength, rtol=0, atol=2 * len(offsets) * half + 1e-4)


@both
@pytest.mark.parametrize("neighbours", OFFSETS)
def test_results_are_probabilities_and_labels_their_maximum(kernel, neighbours):
    prior, guide = problem((1, 20, 31) if "6" not in neighbours else (5, 6, 21), 5)
    labels, soft = smooth(kernel, prior, guide, OFFSETS[neighbours])
    assert (soft >= 0).all()
    np.testing.assert_allclose(soft.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(labels, soft.argmax(axis=0) + 1)


@both
def test_one_sweep_is_the_formula(kernel):
    """Two pixels written out, with no contrast between them: q(k) ~ p(k) exp(w p'(k))."""
    prior = np.array([[0.625, 0.25], [0.375, 0.75]], np.float32).reshape(2, 1, 1, 2)
    guide = np.zeros((1, 1, 1, 2), np.float32)
    _, soft = smooth(kernel, prior, guide, np.array([[0, 0, 1]], np.int64), strength=4.0, sweeps=1)
    expected = prior * np.exp(2.0 * prior[..., ::-1])
    np.testing.assert_allclose(soft, expected / expected.sum(axis=0), rtol=2e-6)


@compiled
@pytest.mark.parametrize("guides", [1, 2, 3, 6])
def test_edges_are_the_references_to_the_last_bit(kernel, guides):
    """One sweep of a prior that is 1 or 0 is exp of whole numbers of steps: any edge that differed would be seen."""
    prior, guide = problem((4, 7, 33), 2, guides=guides)
    prior = np.stack([prior[0] > 0.5, prior[0] <= 0.5]).astype(np.float32) * np.float32(0.999) + np.float32(0.0005)
    arguments = (prior, guide, OFFSETS["26 neighbours"])
    (_, soft), (_, exact) = (smooth(k, *arguments, strength=6.0, sweeps=1) for k in (kernel, reference))
    # A step, one of 498 of all edges, is 0.012 of a natural logarithm; rounding is 800 times less.
    np.testing.assert_allclose(np.log(soft[0] / soft[1]), np.log(exact[0] / exact[1]), rtol=0, atol=1.5e-5)


@both
def test_contrast_weakens_an_edge(kernel):
    prior = np.array([[0.6, 0.01], [0.4, 0.99]], np.float32).reshape(2, 1, 1, 2)
    offset = np.array([[0, 0, 1]], np.int64)
    pulls = [
        smooth(kernel, prior, np.array([0, step], np.float32).reshape(1, 1, 1, 2), offset, strength=4.0)[1][1, 0, 0, 0]
        for step in (0.0, 0.5, 1.0, 2.0)
    ]
    assert (np.diff(pulls) < 0).all()
    assert pulls[-1] > 0.4


@both
def test_a_hole_sends_and_receives_nothing(kernel):
    prior, guide = problem((1, 24, 30))
    valid = holes((1, 24, 30))
    clean = smooth(kernel, prior, guide, OFFSETS["8 neighbours"], valid=valid)[1]
    assert np.isfinite(clean).all()
    for rubbish in (np.nan, np.inf, 1e30):
        dirty_prior, dirty_guide = np.where(valid, prior, rubbish), np.where(valid, guide, rubbish)
        dirty = smooth(
            kernel, dirty_prior.astype(np.float32), dirty_guide.astype(np.float32), OFFSETS["8 neighbours"], valid=valid
        )[1]
        np.testing.assert_array_equal(dirty[:, valid > 0], clean[:, valid > 0])
    everything = smooth(kernel, prior, guide, OFFSETS["8 neighbours"])[1]
    assert not np.array_equal(everything[:, valid > 0], clean[:, valid > 0])


@both
def test_inputs_may_be_read_only_and_are_not_changed(kernel):
    prior, guide = problem((1, 12, 18))
    valid = holes((1, 12, 18))
    before = [a.copy() for a in (prior, guide, valid)]
    for array in (prior, guide, valid):
        array.flags.writeable = False
    smooth(kernel, prior, guide, OFFSETS["8 neighbours"], valid=valid)
    for now, then in zip((prior, guide, valid), before, strict=True):
        np.testing.assert_array_equal(now, then)


@both
def test_each_output_may_be_left_out_and_be_a_view(kernel):
    prior, guide = problem((1, 12, 18))
    labels, soft = smooth(kernel, prior, guide, OFFSETS["8 neighbours"])
    heard = Neighbourhood(OFFSETS["8 neighbours"], np.full(4, 0.75, np.float32), np.full(2, 0.7, np.float32), 8)
    arguments = (prior, guide, None, heard, (0, 0, 0))
    wide_labels, wide_soft = np.zeros((1, 20, 18 * 2), np.uint8), np.zeros((3, 1, 20, 30), np.float32)
    kernel.smooth(*arguments, wide_labels[:, 4:16, ::2], None)
    kernel.smooth(*arguments, None, wide_soft[:, :, 4:16, 5:23])
    np.testing.assert_array_equal(wide_labels[:, 4:16, ::2], labels)
    np.testing.assert_array_equal(wide_soft[:, :, 4:16, 5:23], soft)
    assert np.count_nonzero(wide_labels) == labels.size
    assert np.count_nonzero(wide_soft) <= soft.size


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="asks Linux how much memory there is")
def test_too_little_memory_is_an_error_each_time():
    pytest.importorskip("gmmseg.kernels._native", reason="nothing was compiled")
    code = """
import resource
import numpy as np
from gmmseg.kernels import Neighbourhood, native
shape = (1, 2000, 2000)
ones = [np.ones((3, *shape), np.float32) for _ in range(3)]
near = Neighbourhood(np.array([[0, 0, 1]]), np.ones(1, np.float32), np.ones(3, np.float32), 2)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, 2 * (pages * resource.getpagesize() + (4 << 20),))
for _ in range(2):
    try:
        native.smooth(ones[0], ones[1], None, near, (0, 0, 0), np.ones(shape, np.uint8), ones[2])
    except MemoryError:
        print("too little")
"""
    finished = process("-c", code, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert (finished.returncode, finished.stdout) == (0, "too little\n" * 2), finished


def mixture(k, d, *, apart=3.0, seed=0):
    """Densities of k components in d features, means up to `apart` from 0."""
    rng = np.random.default_rng([seed, k, d])
    factors = np.tril(rng.normal(0, 0.4, (k, d, d))) + np.eye(d)
    constants = np.log(np.full(k, 1 / k)) + np.log(np.einsum("kii->ki", np.abs(factors))).sum(axis=1)
    return Densities(constants, rng.uniform(-apart, apart, (k, d)), factors)


def classes(densities, per_class):
    """Classes of so many components, each class as likely as the others."""
    shares = np.log(np.repeat(np.maximum(per_class, 1), per_class))
    return densities._replace(log_constants=densities.log_constants - shares, per_class=np.array(per_class))


def drawn(shape, densities, seed=0):
    """Planes of a picture of patches, each of a component, with noise."""
    rng = np.random.default_rng(seed)
    which = np.indices(shape).sum(axis=0) // 9 % len(densities.means)
    noise = rng.normal(0, 1, (densities.means.shape[1], *shape))
    return np.float32(np.moveaxis(densities.means[which], -1, 0) + noise)


def heard(offsets, d, strength, sweeps=7):
    strengths = np.full(len(offsets), strength / 2 / len(offsets), np.float32)
    return Neighbourhood(offsets, strengths, np.full(min(d, 3), 0.3, np.float32), sweeps)


def labels_of(kernel, planes, densities, valid, neighbourhood, first=(0, 0, 0), size=None):
    """Labels by way of posteriors, and of planes."""
    size = planes.shape[1:] if size is None else size
    two_steps, one_step = np.full(size, 99, np.uint8), np.full(size, 99, np.uint8)
    prior = np.empty((densities.n_classes, *planes.shape[1:]), np.float32)
    kernel.posterior(planes.reshape(len(planes), -1), densities, prior.reshape(len(prior), -1), None, 1)
    guide = planes[: len(neighbourhood.sharpness)]
    kernel.smooth(prior, guide, valid, neighbourhood, first, two_steps, None)
    assert kernel.smooth_planes(planes, (), densities, valid, neighbourhood, first, one_step)
    return two_steps, one_step


@both
@pytest.mark.parametrize("strength", [0.5, 6.0, 24.0])
@pytest.mark.parametrize("apart", [1.0, 4.0, 30.0])
@pytest.mark.parametrize(("k", "d"), [(2, 1), (4, 5), (7, 3), (3, 8), (1, 2)])
def test_labels_of_planes_are_those_of_their_posteriors_byte_for_byte(kernel, k, d, apart, strength):
    densities = mixture(k, d, apart=apart)
    planes, neighbourhood = drawn((1, 33, 61), densities), heard(OFFSETS["8 neighbours"], d, strength)
    two_steps, one_step = labels_of(kernel, planes, densities, None, neighbourhood)
    np.testing.assert_array_equal(one_step, two_steps)
    assert len(np.unique(one_step)) > 1 or k == 1


@both
@pytest.mark.parametrize("sweeps", [1, 2, 7])
@pytest.mark.parametrize(("shape", "neighbours"), [((1, 33, 61), "4 neighbours"), ((5, 9, 19), "26 neighbours")])
def test_labels_of_planes_with_holes_and_of_a_window_are_those_of_their_posteriors(kernel, shape, neighbours, sweeps):
    densities = mixture(3, 4)
    planes, neighbourhood = drawn(shape, densities), heard(OFFSETS[neighbours], 4, 6.0, sweeps)
    first, size = (shape[0] // 2, 2, 3), (1, 5, 9)
    two_steps, one_step = labels_of(kernel, planes, densities, holes(shape), neighbourhood, first, size)
    np.testing.assert_array_equal(one_step, two_steps)


@both
@pytest.mark.parametrize("strength", [0.5, 6.0, 24.0])
@pytest.mark.parametrize("apart", [1.0, 4.0, 30.0])
@pytest.mark.parametrize(
    ("d", "per_class"), [(1, [2, 1]), (1, [1, 2, 3]), (5, [3, 0, 2, 0]), (3, [9, 1]), (2, [5]), (4, [1, 1, 1])]
)
def test_labels_of_classes_of_several_components_are_those_of_their_posteriors(kernel, d, per_class, apart, strength):
    densities = classes(mixture(sum(per_class), d, apart=apart), per_class)
    planes, neighbourhood = drawn((1, 33, 61), densities), heard(OFFSETS["8 neighbours"], d, strength)
    two_steps, one_step = labels_of(kernel, planes, densities, None, neighbourhood)
    np.testing.assert_array_equal(one_step, two_steps)
    assert len(np.unique(one_step)) > 1 or len(per_class) == 1 or strength > 0.5


@both
def test_classes_of_several_components_with_holes_and_in_volumes_are_the_same(kernel):
    densities = classes(mixture(6, 4), [1, 3, 2])
    for shape, neighbours in (((1, 33, 61), "4 neighbours"), ((5, 9, 19), "26 neighbours")):
        planes, neighbourhood = drawn(shape, densities), heard(OFFSETS[neighbours], 4, 6.0)
        two_steps, one_step = labels_of(kernel, planes, densities, holes(shape), neighbourhood)
        np.testing.assert_array_equal(one_step, two_steps)


@both
def test_many_alike_components_hold_a_class_that_none_of_them_would(kernel):
    """Each of 40 is less likely than the one of the other class; together they are 20 times as likely everywhere."""
    densities = Densities(np.log([1.0] + [0.5] * 40), np.zeros((41, 1)), np.ones((41, 1, 1)))
    planes = np.random.default_rng(0).normal(size=(1, 1, 9, 40)).astype(np.float32)
    labels = np.empty(planes.shape[1:], np.uint8)
    grouped = densities._replace(per_class=np.array([1, 40]))
    assert kernel.smooth_planes(planes, (), grouped, None, heard(OFFSETS["8 neighbours"], 1, 6.0), (0, 0, 0), labels)
    assert (labels == 2).all()
    assert kernel.classify(planes.reshape(1, -1), grouped, labels.reshape(-1), 1, 1)
    assert (labels == 2).all()
    assert kernel.classify(planes.reshape(1, -1), densities, labels.reshape(-1), 1, 1)
    assert (labels == 1).all()


@both
@pytest.mark.parametrize("n_places", [1, 2, 3])
@pytest.mark.parametrize(("shape", "neighbours"), [((1, 33, 61), "8 neighbours"), ((5, 9, 19), "26 neighbours")])
def test_what_changes_along_one_axis_need_not_be_planes(kernel, shape, neighbours, n_places):
    densities, neighbourhood = mixture(3, 5), heard(OFFSETS[neighbours], 2, 6.0)
    planes = drawn(shape, densities)
    places = tuple(np.linspace(-3 - a, 3, n, dtype=np.float32) for a, n in enumerate(shape[::-1]))[:n_places]
    for axis, place in enumerate(places):
        planes[5 - n_places + axis] = place.reshape(-1, *[1] * axis)
    expected, found = np.full(shape, 99, np.uint8), np.full(shape, 99, np.uint8)
    rest = (densities, holes(shape), neighbourhood, (0, 0, 0))
    assert kernel.smooth_planes(planes, (), *rest, expected)
    assert kernel.smooth_planes(np.ascontiguousarray(planes[: 5 - n_places]), places, *rest, found)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 1


@compiled
def test_places_have_to_fit_their_axis(kernel):
    densities, neighbourhood = mixture(3, 4), heard(OFFSETS["8 neighbours"], 2, 6.0)
    planes, labels = drawn((1, 9, 21), densities)[:2].copy(), np.full((1, 9, 21), 99, np.uint8)
    for places in ((np.zeros(9, np.float32), np.zeros(21, np.float32)), (np.zeros(21, np.float32),)):
        with pytest.raises(ValueError, match="axis|number of features"):
            kernel.smooth_planes(planes, places, densities, None, neighbourhood, (0, 0, 0), labels)
    assert (labels == 99).all()


@both
def test_planes_that_lack_a_number_are_left_alone(kernel):
    densities, neighbourhood = mixture(3, 4), heard(OFFSETS["8 neighbours"], 4, 6.0)
    planes, labels = drawn((1, 9, 21), densities), np.full((1, 9, 21), 99, np.uint8)
    planes[2, 0, 8, 20] = np.nan
    assert not kernel.smooth_planes(planes, (), densities, None, neighbourhood, (0, 0, 0), labels)
    assert (labels == 99).all()


@compiled
@pytest.mark.parametrize("kind", ["along the axes", "long tails", "many features"])
def test_mixtures_of_other_kinds_are_left_to_posteriors(kernel, kind):
    d = 9 if kind == "many features" else 4
    densities, neighbourhood = mixture(3, d), heard(OFFSETS["8 neighbours"], d, 6.0)
    planes, labels = drawn((1, 9, 21), densities), np.full((1, 9, 21), 99, np.uint8)
    if kind == "along the axes":
        densities = densities._replace(factors=np.ones((3, d)))
    elif kind == "long tails":
        densities = densities._replace(dof=np.full(3, 5.0))
    assert not kernel.smooth_planes(planes, (), densities, None, neighbourhood, (0, 0, 0), labels)
    assert (labels == 99).all()
