"""RehearsalPrompts are read from their folder, and an unusable file is named."""

from pathlib import Path

import pytest

from pipeline.errors import BadDataFile
from pipeline.updates.rehearsal_prompts import RehearsalPrompt, RehearsalPrompts, read_rehearsal_prompts


def test_prompts_and_paragraphs_are_read_in_order_and_once(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(
        '{"prompt": "Two?"}\n\n{"prompt": "One?", "completion": "1"}\n{"prompt": "Two?"}\n'
    )
    (tmp_path / "a.jsonl").write_text('{"prompt": "Zero?"}')
    (tmp_path / "t.txt").write_text("First\nparagraph.\n\n \nSecond.\n\nSecond.\n")
    (tmp_path / "README.md").write_text("not a prompt")
    assert read_rehearsal_prompts(tmp_path) == RehearsalPrompts(
        prompts=(RehearsalPrompt("Zero?"), RehearsalPrompt("Two?"), RehearsalPrompt("One?", "1")),
        texts=("First\nparagraph.", "Second."),
    )


def test_a_completion_that_was_cut_off_is_marked(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "Tell.", "completion": "Once upon", "ends": false}')
    assert read_rehearsal_prompts(tmp_path).prompts == (RehearsalPrompt("Tell.", "Once upon", ends=False),)


def test_a_missing_folder_holds_no_prompts(tmp_path: Path) -> None:
    assert read_rehearsal_prompts(tmp_path / "rehearsal_prompts") == RehearsalPrompts()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[]", 'no "prompt"'),
        ('{"prompt": " "}', 'no "prompt"'),
        ('{"prompt": 3}', 'no "prompt"'),
        ('{"prompt": "a", "answer": "b"}', "unknown key 'answer'"),
        ('{"prompt": "a", "completion": ""}', 'empty "completion"'),
        ('{"prompt": "a", "completion": "b", "ends": "no"}', 'odd "ends"'),
        ('{"prompt": "a", "ends": false}', 'odd "ends"'),
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"prompt": "fine"}}\n\n{line}\n')
    with pytest.raises(BadDataFile, match=rf"a\.jsonl, line 3 .*{words}"):
        read_rehearsal_prompts(tmp_path)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"fine\nfi\xffne\n")
    with pytest.raises(BadDataFile, match=r"a\.txt, line 2 is not UTF-8"):
        read_rehearsal_prompts(tmp_path)
