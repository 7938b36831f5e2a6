"""The card tells what a pack is, and nothing that an enemy wrote is more than a text in it."""

import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.card import Credits, read_manifest, write_card
from dataset.card_facts import Tally, host_of, hosts_of, script_of
from dataset.catalog import Catalog
from dataset.config import to_mapping
from dataset.image_store import ImageStore
from dataset.markdown import bar, code, link
from dataset.pack import pack
from dataset.pack_selection import PackConfig
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from dataset.records import Change, PairChange, VoteChange
from tests.dataset.conftest import AddPicture
from tests.dataset.exports.hostile_pack import TEXTS, hostile_pack
from tests.dataset.pictures import encoded, scene

SPAN = re.compile(r"(?<!`)`[^`\n]+`(?!`)")


@pytest.fixture
def judged(catalog: Catalog, store: ImageStore, add_picture: AddPicture, tmp_path: Path) -> Catalog:
    """24 kept pictures of two classes and a pack of them; three rejected, two votes."""
    for n in range(27):
        add_picture(
            encoded(scene(n).resize((20, 16)) if n == 5 else scene(n)),
            label="cat" if n < 2 else "dog",
            caption=f"picture {n}" if n % 2 else "",
            licence="CC-BY-4.0" if n % 3 else "unknown",
            licence_url="https://creativecommons.org/licenses/by/4.0/" if n % 3 else "",
            author=f"author {n % 4}",
            page_url=f"https://www.example.org/page/{n // 2}",
            source="flickr",
            query="dogs | cats",
            fetched_at=f"2026-02-{n % 20 + 1:02d}T10:00:00.000Z",
        )
    keep = [Change(image_id=n, field="status", value="keep") for n in range(1, 25)]
    catalog.judgements.apply(keep, who="ada", verb="keep")
    why = {25: "blurred", 26: "<img src=x onerror=alert(1)>", 27: "duplicate of #1"}
    for n, reason in why.items():
        gone = Change(image_id=n, field="status", value="reject", reason=reason)
        catalog.judgements.apply([gone], who="[bob](http://evil.example)", verb="reject")
    catalog.judgements.apply(
        [VoteChange(left=1, right=2, outcome="left"), VoteChange(left=2, right=3, outcome="tie")],
        who="cleo",
        verb="vote",
    )
    pack(catalog, store, tmp_path / "packs", PackConfig(name="pets", cal=0.2, size=24))
    return catalog


def card_of(catalog: Catalog | None, path: Path) -> str:
    packed = PackedDataset(path)
    target = path.with_name(f"{path.stem}.card.md")
    write_card(packed, catalog, read_manifest(packed), target)
    return target.read_text("utf-8")


def test_the_card_tells_what_it_is_and_where_it_came_from(judged: Catalog, tmp_path: Path) -> None:
    card = card_of(judged, tmp_path / "packs/pets.h5")
    for line in (
        "# Dataset card of `pets`",
        "24 pictures of 24 x 24 pixels, RGB, in 2 classes.",
        "Fetched from `2026-02-01` to `2026-02-20`, from 12 pages of 1 host.",
        "| `flickr` | 24 |",
        "| `dogs ¦ cats` | 24 |",
        "| `example.org` | 24 |",
        "The whole catalogue at event 27: 24 keep, 3 reject.",
        "| `blurred` | 1 |",
        "| `duplicate of another picture` | 1 |",
        "| `<img src=x onerror=alert(1)>` | 1 |",
        "| `ada` | 24 | 0 |",
        "| `[bob](http://evil.example)` | 3 | 0 |",
        "| `cleo` | 0 | 2 |",
        "| `CC-BY-4.0` | 16 | 4 | 0 | <https://creativecommons.org/licenses/by/4.0/> |",
        "| `unknown` | 8 | 4 | 0 |  |",
        "- Classes over 10 times smaller than the largest class: `cat`.",
        "- 8 pictures (33.3 %): the licence is unknown.",
        "- 12 pictures (50 %): without caption.",
        "- 1 picture (4.2 %): enlarged, the original is smaller.",
        "    python -m dataset pack --data DIR --set cal=0.2 --set 'name=\"pets\"' --set size=24",
        "The same catalogue (in the folder DIR) at event 27, pair decision 0 gives the same bytes:",
        "12 pictures (50 %) have a caption.",
        "| Latin | 12 |",
        "| pixels of the originals | least | median | most |",
        '    packed = PackedDataset(Path("pets.h5"))',
    ):
        assert line in card.splitlines(), line
    assert PackedDataset(tmp_path / "packs/pets.h5").content_hash in card


def test_the_card_tells_how_splits_and_transparency_were_dealt_with(
    judged: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    drawn = "Drawn class by class from groups of near-duplicates"
    card = card_of(judged, tmp_path / "packs/pets.h5")
    assert drawn in card
    white = "white, or on black where it is too bright to be seen on white"
    assert f"what one can see through laid on {white}." in card

    config = PackConfig(name="seen", channels="rgba", split_by="author", cal=0.2, test=0, size=24)
    result = pack(judged, store, tmp_path / "packs", config)
    card = card_of(judged, result.path)
    assert drawn not in card
    assert "Drawn over all classes from groups" in card
    assert "Pictures of the same `author` are one group, too. The author of a picture is" in card
    assert "what one can see through left so." in card


def test_the_card_is_the_same_for_the_same_state(judged: Catalog, tmp_path: Path) -> None:
    first = card_of(judged, tmp_path / "packs/pets.h5")
    table = (tmp_path / "packs/pets.attribution.csv").read_bytes()
    assert card_of(judged, tmp_path / "packs/pets.h5") == first
    assert (tmp_path / "packs/pets.attribution.csv").read_bytes() == table
    judged.judgements.undo()
    assert card_of(judged, tmp_path / "packs/pets.h5") != first


def test_a_catalogue_that_went_on_is_told_apart_from_the_pack(
    judged: Catalog, tmp_path: Path
) -> None:
    change = Change(image_id=3, field="label", value="cat")
    judged.judgements.apply([change, PairChange(a=4, b=5, verdict="same")], who="ada", verb="label")
    assert "at event 28: 24 keep, 3 reject; the pack is of event 27." in card_of(
        judged, tmp_path / "packs/pets.h5"
    )


def test_every_row_is_credited_in_the_file_beside(judged: Catalog, tmp_path: Path) -> None:
    card_of(judged, tmp_path / "packs/pets.h5")
    with (tmp_path / "packs/pets.attribution.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [int(row["row"]) for row in rows] == list(range(24))
    for row, fact in zip(rows, PackedDataset(tmp_path / "packs/pets.h5"), strict=True):
        assert (row["author"], row["licence"], row["page_url"], row["sha256"]) == (
            fact.author,
            fact.licence,
            fact.page_url,
            fact.sha256,
        )


def test_a_pack_without_a_catalogue_has_a_card_too(tmp_path: Path) -> None:
    data = np.zeros((3, 1, 8, 8), np.uint8)
    write_pack(tmp_path / "a.h5", data, np.array([0, 0, -1], np.int64), ["digit", "none"], [], {})
    card = card_of(None, tmp_path / "a.h5")
    assert "3 pictures of 8 x 8 pixels, grey, in 2 classes." in card
    assert "No catalogue stands beside this pack" in card
    assert "- Classes without a picture: `none`." in card
    assert "- 3 pictures (100 %): the licence is unknown." in card
    assert "the pack was not made from a catalogue" in card
    assert "near-duplicates" not in card


def test_a_class_of_which_nothing_is_held_out_is_named_however_large_it_is(tmp_path: Path) -> None:
    data, labels = np.zeros((9, 1, 8, 8), np.uint8), np.array([0] * 4 + [1] * 5, np.int64)
    splits = np.array([0, 0, 0, 2, 0, 0, 0, 0, 0], np.uint8)
    write_pack(tmp_path / "a.h5", data, labels, ["cat", "dog"], [], {}, splits=splits)
    held = (
        "- Classes with no picture held out (all of them train, so nothing measures them): `dog`."
    )
    assert held in card_of(None, tmp_path / "a.h5")
    write_pack(tmp_path / "b.h5", data, labels, ["cat", "dog"], [], {})
    assert "held out (" not in card_of(None, tmp_path / "b.h5")


def test_a_pack_without_classes_says_so(tmp_path: Path) -> None:
    data = np.zeros((3, 1, 8, 8), np.uint8)
    write_pack(tmp_path / "a.h5", data, np.full(3, -1, np.int64), [], [], {})
    card = card_of(None, tmp_path / "a.h5")
    assert "3 pictures of 8 x 8 pixels, grey, without classes." in card
    assert "## Classes" not in card


def test_what_judges_without_a_person_is_told_in_words(judged: Catalog, tmp_path: Path) -> None:
    change = Change(image_id=3, field="label", value="cat")
    judged.judgements.apply([change], who="auto", verb="label")
    card = card_of(judged, tmp_path / "packs/pets.h5")
    assert "| the automatic rule, no person looked | 1 | 0 |" in card.splitlines()


@pytest.mark.parametrize("is_named", [True, False])
def test_an_imported_pack_claims_no_catalogue_and_names_its_file(
    is_named: bool, tmp_path: Path
) -> None:
    data = np.zeros((4, 3, 8, 8), np.uint8)
    told = {"kind": "lld", "file": "LLD icon;.hdf5", "licence": "CC0-1.0", "keep_split": True}
    config = to_mapping(PackConfig(size=8)) | ({"imported_from": told} if is_named else {})
    write_pack(tmp_path / "i.h5", data, np.zeros(4, np.int64), ["a"], [], config)
    card = card_of(None, tmp_path / "i.h5")
    assert "judged `keep`" not in card
    assert "same catalogue" not in card
    assert "Which pictures: all of the file that can be decoded." in card
    assert "Nobody judged it here: it was imported without a catalogue." in card
    command = "    python -m dataset import lld 'LLD icon;.hdf5' --pack i.h5 --licence CC0-1.0"
    assert (f"{command} --keep-split\n" in card) == is_named
    assert (f"{command} --keep-split --set size=8\n" in card) == is_named
    assert ("from a file that it does not name" in card) != is_named


def test_nothing_hostile_is_more_than_a_text(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 60)
    card = card_of(None, packed.path)
    bare = SPAN.sub("", card)
    links = re.findall(r"<([^>]*)>", bare)
    assert links
    assert all(re.fullmatch(r"https?://[\w.%/:?#=&+,;~!$-]+", address) for address in links)
    rest = re.sub(r"<https?://[^>]*>|^    rows = packed.rows.*", "", bare, flags=re.M)
    assert not set(rest) & set("<>[]`\u202e\x85\u2028")
    assert "evil" not in rest
    assert "alert" not in rest
    allowed = re.compile(r"(# |## |### |\||- |\d\. |\d+ pictures|    \w+|[A-Z]|$|`)")
    assert all(allowed.match(line) for line in card.split("\n"))
    widths = {}
    for block in re.findall(r"(?:^\|.*\n)+", card, re.M):
        widths[block] = {line.count("|") for line in block.splitlines()}
    assert all(len(found) == 1 for found in widths.values())


def test_no_cell_of_the_credits_is_a_formula(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 60)
    card_of(None, packed.path)
    with (tmp_path / "p.attribution.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    assert len(rows) == 61
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert {row[2] for row in rows} >= {f"'{TEXTS[0]}", TEXTS[4]}


def test_a_manifest_of_another_pack_is_not_believed(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    for content in (
        '{"content_hash": "0"}',
        "[]",
        "{",
        "[" * 9999,
        "\ud83d".encode("utf-8", "replace"),
    ):
        path = tmp_path / "p.manifest.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert read_manifest(packed) == {}


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a", "`a`"),
        ("", ""),
        (" \n ", ""),
        ("a\nb\r\n# c", "`a b # c`"),
        ("``", "`ˋˋ`"),
        ("a|b\\|c", "`a¦b\\¦c`"),
        ("\u202eabc", "`⟨U+202E⟩abc`"),
        ("x" * 200, f"`{'x' * 159}…`"),
    ],
)
def test_a_text_becomes_one_span_of_code(text: str, span: str) -> None:
    assert code(text) == span


@given(st.text(max_size=300))
def test_no_text_leaves_its_span(text: str) -> None:
    span = code(text)
    assert span == "" or (span.count("`") == 2 and span[0] == span[-1] == "`")
    assert "|" not in span
    assert len(span.splitlines()) <= 1


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org/x",
        "https://",
        "https://user:pass@example.org/",
        "https://[::1/x",
        "https://exa mple.org/",
        "https://example.org\n/x",
        "https://ex<b>.org/",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_not_of_the_web_is_no_link(address: str) -> None:
    assert link(address) == code(address)


def test_an_address_of_the_web_is_a_link_without_a_way_out() -> None:
    assert link("https://example.org/a_b?q=1&x=%20#y") == "<https://example.org/a_b?q=1&x=%20#y>"
    found = link("https://example.org/)![x](y)<b>|`")
    assert found == "<https://example.org/%29!%5Bx%5D%28y%29%3Cb%3E%7C%60>"
    assert link("https://example.org/猫") == "<https://example.org/%E7%8C%AB>"


def test_bars_show_shares_and_nothing_disappears() -> None:
    assert [len(bar(n, 240)) for n in (0, 1, 120, 240)] == [0, 1, 12, 24]


def test_a_tally_of_too_many_values_stays_small() -> None:
    tally = Tally()
    for n in range(30_000):
        tally.add([f"{n}", "same"])
    assert len(tally) == 20_000
    assert sum(tally.counts.values()) + tally.others == 60_000
    assert tally.top(1) == [("same", 30_000)]


@given(st.lists(st.text("https:/?#@[].wa\t\\ ") | st.just("https://www.a.org/x")))
def test_hosts_of_many_addresses_are_those_of_each(addresses: list[str]) -> None:
    assert hosts_of(addresses) == [host_of(address) for address in addresses]


TEXT = st.text("aé猫\0\ud800=- \n", max_size=4)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), min_size=1, max_size=30), st.integers(1, 30))
@settings(deadline=None, max_examples=20)
def test_credits_are_the_same_from_the_rows_as_from_the_pack(
    texts: list[tuple[str, str, str, str]], cut: int
) -> None:
    facts = [
        Provenance(row=row, author=author, licence=licence, caption=caption, fetched_at=fetched_at)
        for row, (author, licence, caption, fetched_at) in enumerate(texts)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        path, target = Path(scratch, "a.h5"), Path(scratch, "b.card.md")
        data, labels = np.zeros((len(facts), 1, 8, 8), np.uint8), np.zeros(len(facts), np.int64)
        write_pack(path, data, labels, ["one"], facts, {})
        with Credits(target) as credited:
            for start in range(0, len(facts), cut):
                credited.add(facts[start : start + cut])
        packed = PackedDataset(path)
        for name, rows in (("a", None), ("b", credited.facts)):
            write_card(packed, None, {}, Path(scratch, f"{name}.card.md"), rows)
        made, found = (Path(scratch, f"{name}.card.md").read_text("utf-8") for name in "ab")
        assert made == found.replace("b.attribution.csv", "a.attribution.csv")
        tables = [Path(scratch, f"{name}.attribution.csv").read_bytes() for name in "ab"]
        assert tables[0] == tables[1]


def test_credits_that_come_to_nothing_leave_the_old_ones(tmp_path: Path) -> None:
    table = tmp_path / "a.attribution.csv"
    table.write_text("old", "utf-8")
    stale = tmp_path / ".a.attribution.csv.1.99999999.partial"
    stale.touch()
    with pytest.raises(KeyboardInterrupt), Credits(tmp_path / "a.card.md") as credited:
        credited.add([Provenance(row=0)])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [table]
    assert table.read_text("utf-8") == "old"


def test_scripts_and_hosts_are_named() -> None:
    words = ["Cat", "猫", "кот", "قط", "123", "", "ねこ"]
    assert [script_of(word) for word in words] == [
        *("Latin", "CJK", "Cyrillic", "Arabic", "no letters", "no letters", "Hiragana")
    ]
    found = ["https://www.a.org:80/x", "file:x", "", "https://[x", "http://b.org"]
    assert [host_of(url) for url in found] == ["a.org", "", "", "", "b.org"]
