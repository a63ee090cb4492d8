"""The statistics as one HTML page that needs nothing else: pictures are inside it."""

import base64
from html import escape
from pathlib import Path
from string import Template

from thanos.data.stats import Stats
from thanos.skills import CATEGORIES, Skill

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #222; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.numbers { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.2rem 0; }
.numbers b { display: block; font-size: 1.5rem; line-height: 1.2; }
.numbers span { color: #666; }
img { max-width: 100%; height: auto; display: block; margin: 2rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #eee; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { border-bottom: 1px solid #999; vertical-align: bottom; }
tr.group td { font-weight: 600; padding-top: .8rem; }
td.zero { color: #bbb; }
</style>
</head>
<body>
<h1>$title</h1>
<div class="numbers">$numbers</div>
$pictures
<h2>Numbers</h2>
<div class="scroll">$table</div>
</body>
</html>
""")


def write_page(
    stats: Stats, pictures: list[Path], path: Path, title: str = "Skill-of-mind: what the data holds"
) -> None:
    """Write the page.

    Args:
        pictures: PNG files; they become part of the page; their titles are its headings.
    """
    sections = []
    for picture in pictures:
        data = base64.b64encode(picture.read_bytes()).decode()
        name = picture.stem.replace("-", " ")
        sections.append(f'<img alt="{name}" src="data:image/png;base64,{data}">')
    page = _PAGE.substitute(
        title=escape(title), numbers=_numbers(stats), pictures="\n".join(sections), table=_table(stats)
    )
    path.write_text(page, encoding="utf-8")


def _numbers(stats: Stats) -> str:
    values = {
        "turns": stats.rows,
        "dialogues": stats.dialogues,
        "sources": len(stats.skills),
        "skills in use": len(stats.by_skill),
        "with a second skill": stats.also.total(),
        "without a reply": stats.no_reply,
        "lines that hold no row": stats.bad,
    }
    return "".join(f"<div><b>{n:,}</b><span>{name}</span></div>" for name, n in values.items() if n or name == "turns")


def _table(stats: Stats) -> str:
    sources = sorted(stats.skills, key=lambda name: -stats.skills[name].total())
    head = "".join(f"<th>{escape(name)}</th>" for name in ("skill", "all", *sources))
    body = []
    for category in CATEGORIES:
        body.append(f'<tr class="group"><td>{escape(category)}</td>{"<td></td>" * (len(sources) + 1)}</tr>')
        for skill in Skill:
            if skill.category == category:
                counts = [stats.by_skill[skill.value], *(stats.skills[source][skill.value] for source in sources)]
                cells = "".join(f"<td>{n:,}</td>" if n else '<td class="zero">0</td>' for n in counts)
                body.append(f"<tr><td>{escape(skill.value)}</td>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
