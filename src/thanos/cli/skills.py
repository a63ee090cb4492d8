"""thanos skills: the taxonomy."""

from typing import Annotated

import typer


def skills(
    json: Annotated[bool, typer.Option("--json", help="One JSON object a skill.")] = False,
) -> None:
    """List the 39 skills in their 5 categories, with definitions."""
    import json as json_module

    from rich.console import Console
    from rich.table import Table

    from thanos.cli.table import COLOURS
    from thanos.skills import CATEGORIES, Skill

    if json:
        for skill in Skill:
            row = {"skill": skill.value, "category": skill.category, "definition": skill.definition}
            typer.echo(json_module.dumps(row, ensure_ascii=False))
        return
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("skill", no_wrap=True)
    table.add_column("what a speaker with it does")
    for category in CATEGORIES:
        table.add_section()
        table.add_row(f"[bold {COLOURS[category]}]{category}[/]", "")
        for skill in Skill:
            if skill.category == category:
                table.add_row(skill.value, skill.definition)
    Console().print(table)
