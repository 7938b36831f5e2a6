"""Models write captions beside those of people, once each; unsafe or broken models are refused."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataset.captioner import Captioner, clean_text, fault_of, find_model
from dataset.catalog import Catalog
from dataset.cli import main
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.records import Change, Status
from tests.dataset.conftest import AddPicture
from tests.dataset.loopback_hub import COMMIT, NAME, loopback_hub
from tests.dataset.pictures import encoded
from tests.dataset.tiny_captioner import (
    COLOURS,
    build_blip,
    build_git,
    build_vit_gpt2,
    caption_of,
    plain,
    plain_bytes,
    plain_pixels,
)

ROOT = Path(__file__).parent.parent.parent
Harm = Callable[[Path], object]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_vit_gpt2(tmp_path_factory.mktemp("models") / "vit-gpt2")


@pytest.fixture
def broken_model(model: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be harmed."""
    return Path(shutil.copytree(model, tmp_path / "copy"))


@pytest.fixture
def colours(add_picture: AddPicture) -> dict[int, str]:
    """Six plain pictures without captions: id to colour."""
    return {
        add_picture(plain_bytes(colour, shade), label=colour): colour
        for shade in (0, 4)
        for colour in COLOURS
    }


def caption(tmp_path: Path, model: Path | str, *options: str) -> int:
    return main(["caption", "--data", str(tmp_path), "--model", str(model), *options])


def texts(catalog: Catalog) -> dict[int, list[str]]:
    ids = [record.id for record in catalog.images.all()]
    found = catalog.images.captions_of(ids)
    return {image_id: [caption.text for caption in found.get(image_id, [])] for image_id in ids}


def judge(catalog: Catalog, image_id: int, status: Status) -> None:
    change = Change(image_id=image_id, field="status", value=status)
    catalog.judgements.apply([change], who="test", verb="judge")


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one error line; whatever else was written on stderr is no traceback."""
    told = capsys.readouterr().err
    assert "Traceback" not in told
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    return line


def test_pictures_without_a_caption_get_one_with_the_model_and_its_version_as_origin(
    model: Path, catalog: Catalog, colours: dict[int, str], tmp_path: Path
) -> None:
    assert caption(tmp_path, model, "--batch", "4") == 0
    assert texts(catalog) == {image_id: [caption_of(c)] for image_id, c in colours.items()}
    version = find_model(str(model)).version
    origins = {catalog.images.captions(image_id)[0].origin for image_id in colours}
    assert origins == {f"model vit-gpt2@{version[:12]}"}


def test_a_second_run_writes_nothing(
    model: Path,
    catalog: Catalog,
    colours: dict[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for options in ((), (), ("--all",)):
        assert caption(tmp_path, model, *options) == 0
    assert Counter(map(len, texts(catalog).values())) == {1: len(colours)}
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" of ")[0] for line in told] == [
        "wrote 6 captions",
        "0 pictures want a caption",
        "0 pictures want a caption",
    ]


def test_a_limit_is_kept_and_the_next_run_goes_on_behind_it(
    model: Path, catalog: Catalog, colours: dict[int, str], tmp_path: Path
) -> None:
    first, *_ = sorted(colours)
    assert caption(tmp_path, model, "--limit", "4", "--batch", "3") == 0
    assert [len(found) for found in texts(catalog).values()] == [1, 1, 1, 1, 0, 0]
    written_at = catalog.images.captions(first)[0].added_at
    assert caption(tmp_path, model) == 0
    assert [len(found) for found in texts(catalog).values()] == [1] * 6
    assert catalog.images.captions(first)[0].added_at == written_at


def test_what_people_wrote_stays_first_and_is_only_added_to_when_asked(
    model: Path, catalog: Catalog, add_picture: AddPicture, tmp_path: Path
) -> None:
    told = add_picture(plain_bytes("red"), caption="My red wall")
    bare = add_picture(plain_bytes("blue"))
    assert caption(tmp_path, model) == 0
    assert texts(catalog) == {told: ["My red wall"], bare: [caption_of("blue")]}
    assert caption(tmp_path, model, "--all") == 0
    assert texts(catalog)[told] == ["My red wall", caption_of("red")]
    assert texts(catalog)[bare] == [caption_of("blue")]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), {"red", "green"}),
        (("--status", "keep"), {"red"}),
        (("--status", "undecided"), {"green"}),
        (("--status", "reject"), {"blue"}),
        (("--label", "green"), {"green"}),
        (("--label", "none"), set()),
    ],
)
def test_status_and_label_choose_and_rejected_pictures_are_left_out(
    options: tuple[str, ...],
    wanted: set[str],
    model: Path,
    catalog: Catalog,
    add_picture: AddPicture,
    tmp_path: Path,
) -> None:
    ids = {colour: add_picture(plain_bytes(colour), label=colour) for colour in COLOURS}
    judge(catalog, ids["red"], "keep")
    judge(catalog, ids["blue"], "reject")
    assert caption(tmp_path, model, *options) == 0
    found = texts(catalog)
    assert {colour for colour, image_id in ids.items() if found[image_id]} == wanted


def test_a_dry_run_counts_and_writes_nothing(
    model: Path,
    catalog: Catalog,
    colours: dict[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert caption(tmp_path, model, "--dry-run", "--limit", "5") == 0
    assert capsys.readouterr().out.startswith("5 pictures want a caption of model vit-gpt2@")
    assert not any(texts(catalog).values())


def test_other_files_are_another_version_and_caption_anew(
    model: Path, broken_model: Path, catalog: Catalog, colours: dict[int, str], tmp_path: Path
) -> None:
    edit(broken_model / "generation_config.json", num_beams=2)
    before, after = find_model(str(model)), find_model(str(broken_model))
    assert before.version != after.version
    assert caption(tmp_path, model) == 0
    assert caption(tmp_path, broken_model) == 0  # every picture has a caption
    assert Counter(map(len, texts(catalog).values())) == {1: len(colours)}
    assert caption(tmp_path, broken_model, "--all", "--max-tokens", "12") == 0
    assert Counter(map(len, texts(catalog).values())) == {2: len(colours)}


@pytest.mark.parametrize("build", [build_blip, build_git])
def test_blip_and_git_caption_with_and_without_a_prompt(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    found = find_model(str(build(tmp_path / "model")))
    pictures = [plain_pixels(colour, 2) for colour in COLOURS]
    for prompt in ("", "a plain"):
        captioner = Captioner(found, prompt=prompt, max_tokens=10, device="cpu")
        assert captioner.describe(pictures) == [caption_of(colour) for colour in COLOURS]
        assert captioner.origin.endswith(' prompt "a plain"') == bool(prompt)


def always(folder: Path, token: int) -> None:
    """Make the model say one token for ever (3 ends the text)."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    embedding = weights["decoder.transformer.wte.weight"]
    weights["decoder.transformer.ln_f.weight"].zero_()
    weights["decoder.transformer.ln_f.bias"] = embedding[token] * 100
    embedding[[row for row in range(len(embedding)) if row != token]] = 0
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(("token", "reason"), [(3, "empty"), (8, "repeated")])
def test_a_model_that_is_mute_or_loops_is_counted_and_nothing_is_written(
    token: int,
    reason: str,
    broken_model: Path,
    catalog: Catalog,
    colours: dict[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    always(broken_model, token)
    assert caption(tmp_path, broken_model, "--max-tokens", "12") == 0
    assert not any(texts(catalog).values())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("wrote 0 captions")
    assert lines[1].split() == ["6", reason]


def test_a_picture_that_no_longer_decodes_is_counted_and_the_others_go_on(
    model: Path,
    catalog: Catalog,
    store: ImageStore,
    colours: dict[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sha256 = store.put(b"GIF89a no longer")
    with sqlite3.connect(catalog.path) as connection:
        connection.execute("UPDATE image SET sha256 = ? WHERE id = 1", (sha256,))
    connection.close()
    assert caption(tmp_path, model) == 0
    assert [len(found) for found in texts(catalog).values()] == [0, 1, 1, 1, 1, 1]
    assert "skipped 1" in capsys.readouterr().out


def only_pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def lacking_weights(folder: Path) -> None:
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    del weights["decoder.transformer.ln_f.bias"]
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def with_code_of_its_own(folder: Path) -> None:
    (folder / "theirs.py").write_text("raise SystemExit('their code ran')")
    auto_map = {"AutoConfig": "theirs.Config", "AutoModelForImageTextToText": "theirs.Model"}
    edit(folder / "config.json", model_type="theirs", auto_map=auto_map)


@pytest.mark.parametrize(
    ("harm", "code", "told"),
    [
        (only_pickled, 3, "has no safetensors (only pytorch_model.bin, a pickle"),
        (lambda folder: (folder / "model.safetensors").unlink(), 3, "no weights"),
        (cut, 3, "is cut or no safetensors file"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), 3, "is cut or no"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), 3, "is cut or no"),
        (lacking_weights, 3, "lacks the weights decoder.transformer.ln_f.bias"),
        (lambda folder: (folder / "config.json").unlink(), 2, "it has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), 3, "cannot be used"),
        (lambda folder: (folder / "config.json").write_text("{}"), 3, "cannot be used"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), 3, "cannot be used"),
        (lambda folder: (folder / "tokenizer.json").unlink(), 3, "cannot be used"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), 3, "cannot be used"),
        (lambda folder: edit(folder / "config.json", model_type="vit"), 2, "of the kind vit"),
        (with_code_of_its_own, 3, "cannot be used"),
    ],
)
def test_a_folder_that_is_no_safe_whole_captioner_is_refused_in_one_line(
    harm: Harm,
    code: int,
    told: str,
    broken_model: Path,
    catalog: Catalog,
    colours: dict[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harm(broken_model)
    assert caption(tmp_path, broken_model) == code
    assert told in error_of(capsys)
    assert not any(texts(catalog).values())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--limit", "0"), "--limit is 0"),
        (("--batch", "0"), "--batch is 0"),
        (("--max-tokens", "0"), "--max-tokens is 0"),
        (("--max-tokens", "257"), "--max-tokens is 257"),
        (("--max-tokens", "200"), "choose a smaller --max-tokens"),
        (("--prompt", "a logo of"), "takes no prompt"),
        (("--revision", "main"), "--revision is for models of the hub"),
        (("--model", "no/such/folder"), "no model folder at no/such/folder"),
        (("--model", "./gone"), "no model folder at ./gone"),
    ],
)
def test_wrong_options_are_told_in_one_line(
    options: tuple[str, ...],
    told: str,
    broken_model: Path,
    colours: dict[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    always(broken_model, 8)  # never ends by itself
    assert caption(tmp_path, broken_model, *options) == 2
    assert told in error_of(capsys)


def test_no_catalogue_is_told(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert caption(tmp_path, model) == 2
    assert "no catalogue at" in error_of(capsys)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_told(model: Path) -> None:
    with pytest.raises(ConfigError, match="no CUDA device"):
        Captioner(find_model(str(model)), device="cuda")


def test_without_transformers_the_extra_is_named(
    catalog: Catalog, colours: dict[int, str], tmp_path: Path
) -> None:
    code = "import sys; sys.modules['transformers'] = None; from dataset.cli import main; "
    code += f"raise SystemExit(main(['caption', '--data', {str(tmp_path)!r}, '--model', 'a/b']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: captioning needs transformers; install the extra: ")
    assert done.stderr.count("\n") == 1


def test_the_other_verbs_import_neither_transformers_nor_torch() -> None:
    code = "import sys, dataset.cli; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def run_command(tmp_path: Path, *options: str, **more: str) -> subprocess.Popen[str]:
    """The real command in a process of its own, with a hub cache of its own."""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1", **more}
    command = [sys.executable, "-m", "dataset", "caption", "--data", str(tmp_path), *options]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_midway_nothing_is_lost_or_doubled(
    model: Path, catalog: Catalog, add_picture: AddPicture, tmp_path: Path
) -> None:
    count = 60
    for number in range(count):
        add_picture(encoded(plain("blue", size=(40 + number, 30))))
    with run_command(tmp_path, "--model", str(model), "--batch", "1") as process:
        while not any(texts(catalog).values()):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    before = texts(catalog)
    assert caption(tmp_path, model) == 0
    after = texts(catalog)
    assert len(after) == count
    assert all(len(found) == 1 for found in after.values())
    assert all(after[image_id] == found for image_id, found in before.items() if found)


def test_a_model_of_the_hub_is_pinned_to_its_commit(
    model: Path, catalog: Catalog, colours: dict[int, str], tmp_path: Path
) -> None:
    with loopback_hub(model) as (address, asked):
        with run_command(tmp_path, "--model", NAME, HF_ENDPOINT=address) as process:
            out, err = process.communicate()
        assert process.returncode == 0, err
    assert out.startswith(f"wrote 6 captions of model {NAME}@{COMMIT[:12]}")
    assert texts(catalog) == {image_id: [caption_of(c)] for image_id, c in colours.items()}
    assert f"/{NAME}/resolve/{COMMIT}/model.safetensors" in asked


def test_a_hub_model_with_pickled_weights_only_is_refused(
    broken_model: Path, catalog: Catalog, colours: dict[int, str], tmp_path: Path
) -> None:
    only_pickled(broken_model)
    with loopback_hub(broken_model) as (address, asked):
        with run_command(tmp_path, "--model", NAME, HF_ENDPOINT=address) as process:
            _, err = process.communicate()
        assert process.returncode == 3
    told = next(line for line in err.splitlines() if line.startswith("error: "))
    assert "has no safetensors in the hub" in told
    assert not [path for path in asked if path.endswith(".bin")]


@pytest.mark.parametrize(
    "setting",
    [
        {"HF_HUB_OFFLINE": "1"},
        # The discard port, where nobody listens: asked several times.
        pytest.param({"HF_ENDPOINT": "http://127.0.0.1:9"}, marks=pytest.mark.slow),
    ],
)
def test_a_hub_that_is_away_is_told(
    setting: dict[str, str], colours: dict[int, str], tmp_path: Path
) -> None:
    with run_command(tmp_path, "--model", NAME, **setting) as process:
        _, err = process.communicate()
    assert process.returncode == 4, err
    assert f"model {NAME} cannot be had from the hub" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a dog on a lawn", None),
        ("a b c a b c d", None),
        ("very, very good", None),
        ("x", None),
        ("ein Hund", None),
        ("犬", None),
        ("", "empty"),
        ("... !!!", "empty"),
        ("dog dog dog", "repeated"),
        ("a man with a hat with a hat with a hat", "repeated"),
        ("A dog, a dog, a dog.", "repeated"),
        ("aaaaaaaaaa", "repeated"),
    ],
)
def test_empty_texts_and_loops_are_no_captions(text: str, fault: str | None) -> None:
    assert fault_of(text) == fault


def test_control_characters_and_line_breaks_are_taken_out() -> None:
    assert clean_text(" a\x00 dog\r\n on\u202e\ta\u200b lawn \x1b") == "a dog on a lawn"


@given(st.text(max_size=2000))
def test_a_cleaned_text_is_one_short_printable_line(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= 500
    assert cleaned == clean_text(cleaned)
    assert all(unicodedata.category(sign)[0] != "C" for sign in cleaned)
