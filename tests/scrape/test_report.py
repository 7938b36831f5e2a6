"""The summary counts every outcome once and names what went wrong."""

import json

from scrape.report import CrawlReport, SourceReport, table


def test_the_summary_shows_what_counts_and_leaves_out_zeros() -> None:
    report = CrawlReport(added=12, seen=3, seconds=1.25)
    report.outcomes["rejected"].update({"html": 2, "truncated": 5})
    report.outcomes["retry"]["http-503"] = 1
    report.sources["logos"] = SourceReport(items=9, reason="no-cards", message="nothing there")
    assert report.to_text().splitlines() == [
        "added          12",
        "seen            3  had it already",
        "rejected        5  truncated",
        "rejected        2  html",
        "retry           1  http-503",
        "source logos stopped after 9 items: nothing there",
        "1.2 s",
    ]


def test_an_empty_run_still_says_that_nothing_was_added() -> None:
    assert CrawlReport().to_text().startswith("added           0")
    assert CrawlReport().verdict() is None


def test_the_report_is_json() -> None:
    report = CrawlReport(added=1)
    report.sources["logos"] = SourceReport(items=1, is_read=True)
    report.outcomes["refused"]["robots"] = 2
    content = json.loads(json.dumps(report.to_json()))
    assert content["refused"] == {"robots": 2}
    assert content["sources"]["logos"]["items"] == 1


def test_counts_are_listed_largest_first() -> None:
    assert table("by label", {"": 1, "cat": 2, "bird": 2}).splitlines() == [
        "by label:",
        "        2  bird",
        "        2  cat",
        "        1  (none)",
    ]
