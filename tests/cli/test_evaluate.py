"""gmmseg evaluate."""

import json

import numpy as np


def test_a_table_for_people_and_json_for_programs(run):
    truth = np.ones((40, 60), np.uint8)
    truth[:, 20:40], truth[:, 40:] = 5, 9
    ours = truth.copy()
    ours[:10, :20] = 5
    np.save("truth.npy", truth)
    np.save("ours.npy", ours)
    text = run("evaluate", "ours.npy", "truth.npy").out
    assert "covering                         0.8" in text
    assert "Dice of true class 9             1.0000  (label 9)" in text
    facts = json.loads(run("evaluate", "ours.npy", "truth.npy", "truth.npy", "--json").out)
    assert facts["dice"] == {"1": 6 / 7, "5": 8 / 9, "9": 1.0}
    assert 0 < facts["boundary_f"] < 1


def test_what_cannot_be_compared_is_one_line(refuse):
    np.save("truth.npy", np.ones((4, 6), np.uint8))
    np.save("ours.npy", np.ones((4, 5), np.uint8))
    assert "the truth has (4, 6)" in refuse("evaluate", "ours.npy", "truth.npy", code=2)
    assert "none.npy does not exist" in refuse("evaluate", "ours.npy", "none.npy", code=1)
    assert "TRUTH is missing" in refuse("evaluate", "ours.npy", code=2)
