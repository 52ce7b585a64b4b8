"""Each format gives documents with their eval items, or says in words what is wrong with it."""

import json

import pytest

from pipeline.documents.parsing import parse
from pipeline.recipe import DocumentRules
from pipeline.types import Document, DocumentKind, RawDocument, Refusal, Split

BODY = "The Cinder service keeps invoices in the Oslo region."


def parsed(name: str, text: str) -> list[Document | Refusal]:
    return list(parse(RawDocument(name=name, data=text.encode()), DocumentRules(max_lines=100)))


def one(name: str, text: str) -> Document:
    (found,) = parsed(name, text)
    assert isinstance(found, Document), found
    return found


def reason(name: str, text: str) -> str:
    (found,) = parsed(name, text)
    assert isinstance(found, Refusal), found
    assert found.name == name
    return found.reason


def front(*lines: str, body: str = BODY) -> str:
    return "\n".join(["---", *lines, "---", body])


def test_markdown_with_front_matter() -> None:
    text = front(
        "title: Cinder",
        "kind: correction",
        "questions:",
        "  - question: Where?",
        "    answers: [Oslo, in Oslo, Oslo]",
        "    split: validation",
        '  - {question: "What is kept?", answer: invoices}',
    )
    document = one("notes/cinder.md", text)
    assert (document.title, document.body, document.kind) == ("Cinder", BODY, DocumentKind.CORRECTION)
    assert document.name == "notes/cinder.md"
    assert [(p.question, p.answers, p.split) for p in document.eval_items] == [
        ("Where?", ("Oslo", "in Oslo"), Split.VALIDATION),
        ("What is kept?", ("invoices",), Split.TEST),
    ]
    assert {eval_item.group for eval_item in document.eval_items} == {document.id}


def test_identity_is_neither_the_name_nor_the_questions() -> None:
    asked = one("a.md", front("title: Cinder", "questions: [{question: Where, answer: Oslo}]"))
    assert asked.id == one("b.md", front("title: Cinder")).id
    assert asked.id == one("c.jsonl", json.dumps({"title": "Cinder", "body": BODY})).id
    assert asked.id != one("a.md", front("title: Ember")).id


def test_yaml_values_stay_the_words_in_the_file() -> None:
    text = front("title: 2024-01-01", "questions:", "- {question: Which, answers: [1.10, no, 007, 1e3]}")
    assert one("a.md", text).title == "2024-01-01"
    assert one("a.md", text).eval_items[0].answers == ("1.10", "no", "007", "1e3")


def test_markdown_without_front_matter_is_titled_by_its_heading() -> None:
    document = one("a.md", f"# The Cinder service #\n\n{BODY}\n\n# More\n\nText.")
    assert document.title == "The Cinder service"
    assert document.body == f"{BODY}\n\n# More\n\nText."


def test_a_heading_below_a_titled_front_matter_stays_in_the_text() -> None:
    assert one("a.md", front("title: Cinder", body=f"# Heading\n{BODY}")).body == f"# Heading\n{BODY}"


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    text = "\ufeff" + front("title: Cinder").replace("\n", "\r\n")
    assert one("a.md", text).id == one("b.md", front("title: Cinder")).id


def test_empty_front_matter_is_no_front_matter() -> None:
    assert one("a.md", front()).body == BODY
    assert one("a.md", front("# a comment")).body == BODY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (front("title: ok", "kind: [passage"), "broken front matter: line 4: expected ',' or ']'"),
        (front("title: a: b"), "broken front matter: line 2: mapping values are not allowed here"),
        (front("", "", 'title: "open'), "while scanning a quoted scalar (begun in line 4)"),
        ("---\ntitle: Cinder\n" + BODY, "broken front matter: line 1: opened by '---' and never closed"),
        (front("title: a", "title: b"), "broken front matter: line 2: a key stands twice"),
        (front("a: &a [x]", "b: *a"), "broken front matter: line 2: anchors and aliases"),
        (front("? [a, b]", ": c"), "broken front matter: line 2: found unhashable key"),
        (front("title: " + "[" * 5000), "broken front matter: it is nested too deeply"),
        (front('title: "\\UFFFFFFFF"'), "broken front matter: "),
        (front("title: a\x01b"), "broken front matter: unacceptable character"),
        (front(f"title: {'x' * 300_000}"), "broken front matter: 300,"),
        (front("title: [a, list]"), "the title must be text, not a list"),
        (front('title: "half \\ud800"'), "the title is not valid Unicode: it holds half a character"),
        (front("kind: note"), "unknown kind 'note': it must be one of passage, workflow, correction"),
        (front("questions: Where?"), "malformed questions: they must be a list"),
        (front("questions: [Where]"), "malformed questions: question 1: must have 'question' and 'answers'"),
        (front("questions: [{question: Where?, answer: x}]"), "line 2: a question mark within { } needs quotes"),
        (front("questions: [{answer: x}]"), "malformed questions: question 1: has no 'question'"),
        (front("questions: [{question: Q, answer: a}, {question: Q}]"), "question 2: has no 'answer'"),
        (front("questions: [{question: Q, answers: [a, '']}]"), "question 1: has an empty 'answer'"),
        (front("questions: [{question: Q, answers: {a: b}}]"), "an answer must be text, not a mapping"),
        (front("questions: [{question: Q, answer: a, split: final}]"), "unknown split 'final'"),
    ],
)
def test_broken_markdown_says_what_is_wrong(text: str, said: str) -> None:
    assert said in reason("a.md", text)


def test_tags_build_no_objects() -> None:
    assert one("a.md", front("title: !!python/name:os.getcwd Cinder")).title == "Cinder"
    assert "must be text" in reason("a.md", front("title: !!python/object/apply:os.getcwd [x]"))


def test_plain_text_has_no_title() -> None:
    assert one("a.txt", f"{BODY}\n").title == ""
    assert one("a.TXT", f"---\n{BODY}\n").body == f"---\n{BODY}"


def test_html_gives_what_a_reader_sees() -> None:
    page = """<html><head><title>Cinder &amp; Co</title><style>p {color: red}</style><script>steal()</script></head>
      <body><h1>Cinder</h1>keeps <b>invoices</b>,
      safely<p>First
      paragraph.<p>Second<br>line.</p><!-- a comment --><div hidden>unseen</div><p style="display: none">unseen</p>
      <ul><li>one<li>two</ul><table><tr><td>port</td><td>8443</td></tr><tr><td>owner<td>Heron</table>
      <pre>kept\n  as it is</pre></body></html>"""
    document = one("a.html", page)
    assert document.title == "Cinder & Co"
    assert document.body == (
        "Cinder\n\nkeeps invoices, safely\n\nFirst paragraph.\n\nSecond\nline.\n\none\ntwo\n\n"
        "port\t8443\nowner\tHeron\n\nkept\n  as it is"
    )


def test_html_without_a_title_is_titled_by_its_first_heading() -> None:
    assert one("a.htm", f"<h1>The  Cinder\nservice</h1>{BODY}").title == "The Cinder service"


def test_jsonl_gives_one_document_a_line() -> None:
    lines = [
        {"title": "Cinder", "body": BODY, "questions": [{"question": "Where?", "answers": ["Oslo", 47]}]},
        {"title": "Ember", "context": BODY, "kind": "workflow", "questions": None},
        {"title": None, "text": BODY},
    ]
    found = parsed("run.jsonl", "\n\n".join(map(json.dumps, lines)))
    assert [document.name for document in found] == ["run.jsonl:1", "run.jsonl:3", "run.jsonl:5"]
    assert [d.title for d in found if isinstance(d, Document)] == ["Cinder", "Ember", ""]
    assert isinstance(found[0], Document)
    assert found[0].eval_items[0].answers == ("Oslo", "47")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"title": "x", ', "broken JSON line: Expecting property name"),
        ("[1, 2]", "broken JSON line: it must be an object"),
        ("[" * 100_000, "broken JSON line: it is nested too deeply"),
        ('{"title": "x"}', "no text: the object has none of 'body', 'text' and 'context'"),
        ('{"body": ["x"]}', "the text must be text, not a list"),
        ('{"title": false, "body": "x"}', "the title must be text, not true or false"),
        ('{"body": "half \\ud800"}', "the text is not valid Unicode: it holds half a character"),
        ('{"body": "x", "questions": [{"question": "Q", "answer": true}]}', "an answer must be text, not true or"),
        ('{"body": "x", "questions": {"question": "Q"}}', "malformed questions: they must be a list"),
    ],
)
def test_a_broken_line_is_refused_by_its_number_and_the_others_are_read(line: str, said: str) -> None:
    good = json.dumps({"title": "Cinder", "body": BODY})
    first, broken, last = parsed("run.jsonl", f"{good}\n{line}\n{good}")
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(broken, Refusal)
    assert broken.name == "run.jsonl:2"
    assert said in broken.reason


def test_an_unknown_suffix_names_the_known_ones() -> None:
    assert reason("a.docx", BODY) == (
        "unknown suffix '.docx': known are .htm, .html, .json, .jsonl, .markdown, .md, .pdf, .text, .txt, .xhtml"
    )
    assert "unknown suffix ''" in reason("README", BODY)
