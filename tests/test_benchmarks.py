"""The benchmarks run at tiny sizes and stop if the contenders read different data. Times are not checked here."""

from __future__ import annotations

import importlib
import json
import time
from contextlib import nullcontext

import pytest

for peer in ("dlt", "msgspec", "orjson", "polars", "xmltodict"):
    pytest.importorskip(peer, reason="the peers are not installed; `make bench` installs them and runs these tests")

from benchmarks import b01_bytes_to_frame, b04_end_to_end, b06_save, b07_import, harness, isolate, results, vendor
from benchmarks.__main__ import MODULES, main
from benchmarks.harness import Bar, Contender, DifferentDataError, Measured, Report, Size
from vendorkit import local
from vendorkit.local.server.address_file import address_file
from vendorkit.local.server.settings import Settings

TINY = Size(tiny=True, rounds=1)


def bench(number):
    """Run one benchmark at its tiny size."""
    return importlib.import_module(f"benchmarks.{MODULES[number]}").bench(TINY)


def here(name, module, order):
    """Run a contender in this process, because starting one takes a second. Benchmark 06 keeps its processes."""
    return isolate.do({"module": module, "contender": name, "order": order}) | {"name": name}


@pytest.mark.parametrize("number", MODULES)
def test_a_benchmark_runs_at_its_tiny_size(number, monkeypatch):
    """A benchmark measures vendorkit and at least one alternative, and has figures for its bars."""
    if number == "04":
        monkeypatch.setattr(harness, "_alone", here)
    try:
        report = bench(number)
    except harness.Skip as skip:
        pytest.skip(str(skip))
    assert report.number == number
    assert report.bars
    assert len(report.rows) >= 2
    assert all(row.walls for row in report.rows)
    assert json.loads(json.dumps(results.entry(report, TINY)))["rows"][0]["wall"] >= 0
    assert results.text(results.entry(report, TINY)).count("NOT JUDGED") == len(report.bars)


@pytest.mark.parametrize("number", ["01", "02"])
def test_one_other_value_in_a_record_ends_a_benchmark_of_pages(number, monkeypatch):
    """The benchmark stops if vendorkit reads another status for one record than the peers."""
    honest = vendor.medipim_on

    def planted(bodies, servers):
        other = bodies[2].replace(b'"status":"active"', b'"status":"planted"', 1)
        assert other != bodies[2]
        return honest([*bodies[:2], other, *bodies[3:]], servers)

    monkeypatch.setattr(vendor, "medipim_on", planted)
    with pytest.raises(DifferentDataError, match=r"record 5\d\d: .*planted"):
        bench(number)


@pytest.mark.parametrize(
    ("there", "instead", "seen"),
    [(b"<title-type>feature<", b"<title-type>planted<", "planted"), (b"/api/licensors/", b"/api/planted/", "planted")],
)
def test_one_other_value_in_a_title_ends_the_benchmark_of_xml(there, instead, seen, monkeypatch):
    """The benchmark stops if one string or one link differs."""
    honest = vendor.mediagenix_on

    def planted(bodies, servers):
        assert there in bodies[1]
        return honest([bodies[0], bodies[1].replace(there, instead, 1), *bodies[2:]], servers)

    monkeypatch.setattr(vendor, "mediagenix_on", planted)
    with pytest.raises(DifferentDataError, match=seen):
        bench("03")


def test_a_contender_that_reads_something_else_ends_a_benchmark_of_processes(monkeypatch):
    """The message names the contender that differs in one fact."""

    def planted(name, module, order):
        outcome = here(name, module, order)
        if "loop" in name:
            outcome["facts"][4] = "planted"
        return outcome

    monkeypatch.setattr(harness, "_alone", planted)
    with pytest.raises(DifferentDataError, match=r"requests loop.*fact 4"):
        bench("04")


def test_records_that_no_one_read_end_the_benchmark(monkeypatch):
    """The benchmark stops if all contenders agree but a window is missing."""
    honest = b04_end_to_end.windows
    monkeypatch.setattr(b04_end_to_end, "windows", lambda *how: honest(*how)[:-1])
    monkeypatch.setattr(harness, "_alone", here)
    with pytest.raises(DifferentDataError, match=r"600 records, .*frame\(\) 500"):
        bench("04")


@pytest.mark.parametrize("count", [3_000, 12_000])
def test_windows_part_all_products(count):
    """Each record is in exactly one window, and no window exceeds the requested size."""
    with local.start(vendors=("medipim",), products=count, gzip=False) as servers:
        products = vendor.connect("medipim", servers).products
        planned = b04_end_to_end.windows(Settings(products=count), 1_000)
        counts = [products.query(where=asked).count() for asked, _ in planned]
    assert sum(counts) == count
    assert max(counts) <= 1_000
    assert [pages for _, pages in planned] == [-(-found // vendor.PAGE) for found in counts]


def test_another_answer_ends_the_benchmark_of_digest(monkeypatch):
    """The benchmark stops if vendorkit's scheme gets another body than the peers."""
    module = importlib.import_module("benchmarks.b05_digest")
    monkeypatch.setattr(module.Where, "ours", lambda self: nullcontext(lambda: b"planted"))
    with pytest.raises(DifferentDataError, match="planted"):
        bench("05")


def test_a_dataset_that_is_not_whole_ends_the_benchmark_of_save(tmp_path):
    """The benchmark stops if the vendor has fewer records than the dataset needs."""
    with local.start(vendors=("medipim",), products=30, gzip=False) as servers:
        order = {"servers": {"all": str(address_file(servers))}, "counts": {"all": 31}, "folder": str(tmp_path)}
        run, check = b06_save.prepare("all", order)
        with pytest.raises(DifferentDataError, match="30 rows"):
            check(run())


@pytest.mark.parametrize(
    ("others", "words"),
    [([(1, "a")], "1 records"), ([(1, "a"), (2, "c")], "record 1: .*'b'.*'c'"), ([], "0 records")],
)
def test_equality_looks_at_every_record_and_value(others, words):
    """A missing record, a different value and an empty result are all differences."""
    with pytest.raises(DifferentDataError, match=words):
        harness.same({"one": [(1, "a"), (2, "b")], "two": others})


def test_two_that_read_nothing_are_not_equal():
    """Two empty results are not equal: a benchmark without data would compare nothing."""
    with pytest.raises(DifferentDataError, match="nothing"):
        harness.same({"one": [], "two": []})


def test_contenders_take_turns():
    """Each contender runs once untimed, then once per round in changing order, so a slow moment affects all."""
    calls = []
    pair = [Contender(name, lambda name=name: calls.append(name), lambda _: [(1,)]) for name in "ab"]
    found = harness.measure(pair, Size(rounds=3))
    assert [sorted(calls[at : at + 2]) for at in range(0, 8, 2)] == [["a", "b"]] * 4
    assert [len(row.walls) for row in found] == [3, 3]


def test_slow_contender_runs_once(monkeypatch):
    """A slow contender's first run is both compared and timed."""
    calls = []
    slow = Contender("slow", lambda: calls.append("slow") or time.sleep(0.2), lambda _: [(1,)])
    quick = Contender("quick", lambda: calls.append("quick"), lambda _: [(1,)])
    monkeypatch.setattr(harness, "ONCE_S", 0.2)
    rows = {row.name: row.walls for row in harness.measure([slow, quick], Size(rounds=3))}
    assert (calls.count("slow"), calls.count("quick")) == (1, 4)
    assert len(rows["slow"]) == 1 <= len(rows["quick"]) == 3
    assert rows["slow"][0] >= 0.2


def test_odd_records_are_regular_ones_in_the_fair_comparison():
    """The mock server serves the same number of records with and without oddities."""
    odd, clean = vendor.products(2_000, odd=True), vendor.products(2_000, odd=False)
    assert len(clean) == len(odd) == 2_000
    assert 10 < sum(a != b for a, b in zip(odd, clean, strict=True)) < 30


@pytest.fixture
def missed(monkeypatch):
    """Benchmark 07 with a bar that it misses."""
    rows = [Measured("ours", [2.0], [2.0]), Measured("theirs", [1.0], [1.0])]
    report = Report("07", "A test", rows, "theirs", [Bar("ours / theirs", 2.0, "at most", 1.5)])
    monkeypatch.setattr(b07_import, "bench", lambda _: report)
    return report


def test_a_missed_bar_is_a_failure_and_is_in_the_readme(missed, tmp_path, capsys):
    """A missed bar gives status 1 and "missed" on the screen, in the JSON and in the tables."""
    readme, out = tmp_path / "README.md", tmp_path / "build" / "bench.json"
    readme.write_text(f"above\n{results.BEGIN}\nold\n{results.END}\nbelow\n")
    assert main(["--only", "07", "--out", str(out), "--readme", str(readme)]) == 1
    assert "MISSED: ours / theirs = 2, limit: at most 1.5" in capsys.readouterr().out
    assert json.loads(out.read_text())["07"]["bars"][0]["held"] is False
    written = readme.read_text()
    assert "| 07 | ours / theirs | 2 | at most 1.5 | missed |" in written
    assert written.startswith("above\n")
    assert written.endswith("\nbelow\n")
    assert "old" not in written


def test_a_tiny_run_judges_nothing_and_leaves_the_readme(missed, tmp_path):
    """A tiny run does not check bars, because small data says nothing about speed."""
    readme = tmp_path / "README.md"
    readme.write_text(f"{results.BEGIN}\nold\n{results.END}\n")
    out = tmp_path / "tiny.json"
    assert main(["--only", "07", "--tiny", "--out", str(out), "--readme", str(readme)]) == 0
    assert "old" in readme.read_text()
    assert json.loads(out.read_text())["07"]["tiny"] is True


def test_a_benchmark_that_fails_leaves_no_old_result(missed, tmp_path, monkeypatch):
    """A failed benchmark deletes the result file of the previous run."""
    out = tmp_path / "bench.json"
    main(["--only", "07", "--out", str(out)])
    monkeypatch.setattr(b07_import, "bench", lambda _: harness.same({"one": [], "two": []}))
    with pytest.raises(DifferentDataError):
        main(["--only", "07", "--out", str(out)])
    assert json.loads(out.read_text()) == {}


def test_peers_may_be_missing_only_in_a_tiny_run():
    """A full run without a peer fails and says what to install."""
    report = b01_bytes_to_frame.Report("01", "A test")
    assert not harness.installed("no_such_peer", TINY, report)
    assert report.notes == ["no_such_peer is not installed: left out."]
    with pytest.raises(RuntimeError, match="make bench"):
        harness.installed("no_such_peer", Size(), report)


def test_the_readme_of_the_benchmarks_has_a_place_for_results():
    """The README has both markers for the results once, in order."""
    text = (harness.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert text.count(results.BEGIN) == text.count(results.END) == 1
    assert text.index(results.BEGIN) < text.index(results.END)
