"""Packs are read from disk: everything below a folder, nothing outside it."""

from pathlib import Path

import pytest

from engine.edge.files import read_project, shipped_packs
from engine.errors import DeclarationError
from engine.ruleset.load import load_project
from engine.ruleset.source import MAX_BYTES

BASES = Path(__file__).parent / "bases"


def codes(error: DeclarationError) -> list[str]:
    return [problem.code for problem in error.problems]


def test_a_folder_of_packs_and_one_pack_are_read_alike() -> None:
    together = read_project([BASES])
    river = read_project([BASES / "river"])
    assert [file for file in together if "/river/" in file.path] == river
    assert [file.path for file in together] == sorted(file.path for file in together)


def test_a_pack_given_twice_is_read_once() -> None:
    assert read_project([BASES, BASES / "river"]) == read_project([BASES])


def test_the_packs_that_come_with_forewarn_are_named_as_in_the_checkout() -> None:
    files = shipped_packs()
    assert "rules/hazmat/pack.yaml" in [file.path for file in files]
    assert load_project(files).errors == ()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("rule: secret\n")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "pack.yaml").write_text("pack: one\n")
    (pack / "stolen.yaml").symlink_to(secret)
    (pack / "feeds").symlink_to(tmp_path)
    with pytest.raises(DeclarationError) as caught:
        read_project([pack])
    assert codes(caught.value) == ["R140", "R140"]


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text("pack: one\n")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "a.yaml").write_text("feed: a\n")
    (tmp_path / "feeds" / "b.yaml").symlink_to(tmp_path / "feeds" / "a.yaml")
    assert len(read_project([tmp_path])) == 2


def test_all_missing_paths_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").symlink_to(tmp_path / "nowhere.yaml")
    with pytest.raises(DeclarationError) as caught:
        read_project([tmp_path, tmp_path / "no-such-pack"])
    assert codes(caught.value) == ["R141", "R141"]


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_bytes(b"#" * (MAX_BYTES * 3))
    (file,) = read_project([tmp_path])
    assert len(file.raw) == MAX_BYTES + 1
    assert [problem.code for problem in load_project([file]).problems] == ["R100"]


def test_notes_pictures_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    for name in ("README.md", "map.png", ".git/config.yaml", "__pycache__/x.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert read_project([tmp_path]) == []
