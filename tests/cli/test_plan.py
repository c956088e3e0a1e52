"""`gmmseg plan`."""

import json


def test_a_table_for_people_and_json_for_programs(run, folder):
    before = sorted(folder.iterdir())
    table = run("plan", "photo.png", "--workers", "20")
    assert table.code == 0
    assert [line.split()[0] for line in table.out.splitlines()] == ["image", "chunks", "read", "memory", "time"]
    assert "photo.png, 60 x 40 pixels" in table.out
    assert "with 20 workers" in table.out
    facts = json.loads(run("plan", "photo.png", "--json").out)
    assert (facts["shape"], facts["chunks"], facts["workers"]) == ([40, 60], 1, 1)
    assert sorted(folder.iterdir()) == before


def test_with_a_model(run, folder):
    run("fit", "photo.png", "-k", "3", "-o", "m.gmm.json")
    assert run("plan", "photo.png", "--model", "m.gmm.json").code == 0
    assert "is for" in run("plan", "scan.png", "--model", "m.gmm.json").err
