"""`sealed ask`: puts questions to the production model. The answer names the release that gave it."""

from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption


def ask(
    questions: Annotated[list[str], typer.Argument(help="One or more questions, each in quotes.")],
    release: Annotated[int | None, typer.Option(help="Ask this release instead of production; 0 is the base.")] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Ask the production model a question, closed-book."""
    from flows.steps.answers import ask
    from flows.wiring import open_workspace

    answers = ask(open_workspace(workspace), tuple(questions), release)
    if json:
        screen.as_json(answers)
    elif len(answers) == 1:
        screen.say(f"{answers[0].text}  (release {answers[0].release})")
    else:
        rows = [(answer.question, answer.text) for answer in answers]
        screen.table(f"Release {answers[0].release} answers", ("question", "answer"), rows)
