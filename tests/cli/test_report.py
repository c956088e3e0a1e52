"""`gmmseg report`, and --report of the other commands."""

import json


def test_segment_writes_a_report_with_its_command(run):
    finished = run("segment", "photo.png", "-k", 2, "--report", "photo.html")
    assert finished.code == 0, finished
    assert "wrote photo_labels.png, photo.html" in finished.out


def test_the_report_holds_command_and_warnings(run, folder):
    finished = run("segment", "scan.png", "-k", 99, "--report", "my scan.html", "-q")
    assert finished.code == 0, finished
    text = (folder / "my scan.html").read_text()
    assert "gmmseg segment scan.png -k 99 --report &#x27;my scan.html&#x27; -q" in text
    warning = finished.err.splitlines()[0].removeprefix("gmmseg: warning: ")
    assert f"<li>{warning}" in text


def test_apply_writes_a_report(run, folder):
    run("fit", "photo.png", "-k", 2, "-o", "m.json")
    assert run("apply", "m.json", "photo.png", "--report", "r.html").code == 0
    assert "gmmseg apply m.json photo.png" in (folder / "r.html").read_text()


def test_json_records_are_as_without_a_report(run):
    plain = run("segment", "photo.png", "-k", 2, "--json").out
    assert list(json.loads(plain)[0])[-1] == "warnings"


def test_a_batch_has_one_report_and_on_request_one_an_image(run, folder):
    finished = run(
        "batch", "photo.png", "scan.png", "-k", 2, "--out-dir", "labels", "--report", "r.html", "--also", "report"
    )
    assert finished.code == 0, finished
    assert "wrote r.html: 2 images" in finished.out
    assert (folder / "labels" / "photo_report.html").is_file()
    again = run("report", "labels", "-o", "again.html")
    assert again.out == "wrote again.html: 2 images\n"
    assert (folder / "again.html").read_bytes() == (folder / "r.html").read_bytes()
    assert run("report", "labels").code == 0
    assert (folder / "labels_report.html").is_file()


def test_what_is_no_folder_of_a_batch_is_refused(refuse, folder):
    (folder / "empty").mkdir()
    assert "manifest.jsonl" in refuse("report", "empty", code=1)
    assert ".html" in refuse("report", "empty", "-o", "x.pdf", code=1)
    assert ".html" in refuse("segment", "photo.png", "--report", "x.txt", code=1)
    (folder / "r.html").write_text("mine")
    assert "exists" in refuse("batch", "photo.png", "--out-dir", "o", "--report", "r.html", code=1)
