"""Run scikit-learn's own tests of GaussianMixture, and its estimator checks, on gmmseg's; print a table.

usage: sklearn_suite.py [WORD]      needs the `test` extra; WORD runs only tests whose names contain it

The class is replaced before the tests are imported; scikit-learn's private functions, which they use as oracles, stay
its own. Tests left out are named with their reason; the exit code is 1 if any other fails.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # read when scikit-learn is imported: runs the array API tests on NumPy
os.environ["SKLEARN_RUN_FLOAT32_TESTS"] = "1"

import pytest
import sklearn.mixture
from sklearn.utils.estimator_checks import check_estimator

import gmmseg

LEFT_OUT = {
    "test_check_weights": "its pattern wants the smallest weight called the largest and the largest the smallest; "
    "the same three refusals are tested, the right way round, in tests/mixture/test_drop_in.py",
    "test_gaussian_mixture_precisions_init": "calls the private methods _set_parameters and _initialize",
    "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters": "counts calls of the private function "
    "_estimate_gaussian_parameters",
    "test_gaussian_mixture_raises_where_array_api_not_implemented": "wants k-means starts refused, NumPy arrays' too, "
    "while scikit-learn's array API dispatch is on; here they work",
}
NOT_OURS = "tests scikit-learn's functions alone: GaussianMixture does not occur in it"


class Recorder:
    """Pytest plugin that leaves tests out and counts the outcomes of the others by test function."""

    def __init__(self) -> None:
        self.left_out: dict[str, str] = {}
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self.skip_reasons: dict[str, set[str]] = defaultdict(set)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[Any]) -> None:
        """Leave out what is named above, and what does not concern gmmseg."""
        kept, dropped = [], []
        for item in items:
            reason = LEFT_OUT.get(item.originalname) or ("" if concerns_us(item) else NOT_OURS)
            if reason:
                self.left_out[item.originalname] = reason
            (dropped if reason else kept).append(item)
        items[:] = kept
        config.hook.pytest_deselected(items=dropped)
        for item in kept:
            self.left_out.pop(item.originalname, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an outcome."""
        name = report.nodeid.split("::")[-1].split("[")[0]
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[name][report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skip_reasons[name].add(report.longrepr[2].removeprefix("Skipped: "))


def concerns_us(item: Any) -> bool:
    """Whether a test makes a GaussianMixture, or is given one."""
    given = item.callspec.params.get("estimator") if hasattr(item, "callspec") else None
    return isinstance(given, gmmseg.GaussianMixture) or "GaussianMixture" in item.obj.__code__.co_names


def estimator_checks() -> tuple[Counter[str], list[str]]:
    """Outcomes of scikit-learn's checks that any estimator should pass, and a line for each that did not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(gmmseg.GaussianMixture(), on_skip=None, on_fail=None)
    remarks = [f"{r['check_name']} {r['status']}: {r['exception']}" for r in results if r["status"] != "passed"]
    return Counter(r["status"] for r in results), remarks


def row(name: str, counts: Counter[str], remarks: list[str]) -> str:
    text = "; ".join(" ".join(remark.split()) for remark in remarks).replace("|", r"\|")
    return f"| {name} | {counts['passed']} | {counts['failed']} | {counts['skipped']} | {text} |"


def main() -> int:
    sklearn.mixture.GaussianMixture = gmmseg.GaussianMixture
    folder = Path(sklearn.mixture.__file__).parent / "tests"
    recorder = Recorder()
    files = [str(folder / name) for name in ("test_gaussian_mixture.py", "test_mixture.py")]
    options = ["-q", "--no-summary", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(folder), "--tb=short"]
    code = pytest.main([*files, *options, "-k", "".join(sys.argv[1:2])], plugins=[recorder])
    checks, remarks = estimator_checks()
    print(f"\nscikit-learn {sklearn.__version__}, gmmseg.GaussianMixture in place of its own\n")
    print("| test | passed | failed | skipped | remarks |\n| --- | ---: | ---: | ---: | --- |")
    for name, counts in recorder.outcomes.items():
        print(row(name, counts, sorted(recorder.skip_reasons[name])))
    print(row("check_estimator", checks, remarks))
    total = sum(recorder.outcomes.values(), Counter())
    print(row("**all of scikit-learn's tests**", total, []))
    print("\n| left out | reason |\n| --- | --- |")
    for name, reason in recorder.left_out.items():
        print(f"| {name} | {reason} |")
    return int(code != pytest.ExitCode.OK or checks["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
