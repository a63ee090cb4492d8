"""The page's files as they are served, and its reader of rows beside the library's."""

import json
import re
from email.message import Message
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from thanos.dialogue import read_rows
from thanos.serve.page.router import page_assets
from thanos.skills import CATEGORIES, Skill

pytest_plugins = ["page_fixtures"]


def ask(site: str, path: str, method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
    """Status, headers and body; the path is sent as it is."""
    connection = HTTPConnection(urlsplit(site).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    result = answer.status, answer.headers, answer.read()
    connection.close()
    return result


def test_every_file_has_the_policy_and_is_asked_for_again(site):
    for path, asset in page_assets().items():
        status, headers, body = ask(site, path)
        assert (status, body) == (200, asset.content), path
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        status, _, body = ask(site, path, **{"If-None-Match": headers["etag"]})
        assert (status, body) == (304, b"")
    assert ask(site, "/")[1]["content-type"] == "text/html; charset=utf-8"
    assert ask(site, "/page/js/main.js")[1]["content-type"].startswith("text/javascript")
    assert ask(site, "/", "HEAD")[::2] == (200, b"")


def test_nothing_outside_the_page_is_served(site):
    for path in ("/page/../router.py", "/page/%2e%2e/router.py", "/page/router.py", "/page/js/", "/page/nothing.js"):
        assert ask(site, path)[0] == 404, path


def test_the_files_name_no_other_host():
    for path, asset in page_assets().items():
        text = asset.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "//cdn" not in text, path


def test_the_taxonomy_is_the_librarys():
    categories = json.loads(page_assets()["/page/taxonomy.json"].content)
    assert tuple(category["name"] for category in categories) == CATEGORIES
    skills = [skill for category in categories for skill in category["skills"]]
    assert {skill["name"]: skill["definition"] for skill in skills} == {s.value: s.definition for s in Skill}


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb", as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_can_be_read_on_every_surface(theme):
    block = re.findall(r":root[^{]*{(.*?)}", page_assets()["/page/css/base.css"].content.decode(), re.S)[theme]
    colour = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
    text = [(ink, on) for ink in ("ink", "soft", "accent-strong") for on in ("paper", "surface", "sunken")]
    text += [("on-accent", "accent"), ("on-accent", "accent-strong"), ("error", "error-wash"), ("ink", "accent-wash")]
    text += [("accent-strong", "accent-wash"), ("error", "paper")]
    text += [(ink, f"c{lane}-wash") for lane in range(5) for ink in (f"c{lane}", "ink")]
    marks = [(f"c{lane}", on) for lane in range(5) for on in ("paper", "surface", *(f"c{i}-wash" for i in range(5)))]
    marks += [("control-line", on) for on in ("paper", "surface")] + [("accent", "paper")]
    poor = [(a, b, round(contrast(colour[a], colour[b]), 2)) for a, b in text if contrast(colour[a], colour[b]) < 4.5]
    poor += [(a, b, round(contrast(colour[a], colour[b]), 2)) for a, b in marks if contrast(colour[a], colour[b]) < 3]
    assert poor == []


TURN = {"speaker": "A", "text": "b"}
FILES = [
    "# They met\n#  on a train\n\nVasco: So what?\nIngrid: a: b\n",
    "\ufeff\n{}\n".format(json.dumps({"turns": [TURN]})),
    "A: b\r\nC:\r\n",
    "no speaker",
    "A: b\n\nno speaker",
    "# only a context",
    json.dumps([{"turns": [TURN]}, {"turns": []}, 5]),
    json.dumps({"turns": [TURN], "social_context": "s"}, indent=1),
    '{"turns": [}',
    "\n".join(
        json.dumps(row)
        for row in [
            {"dialogue": [{"speaker": " A  B ", "utter": "b"}], "social_context_prompt": "s"},
            {"turns": "A: b\nC: d"},
            {
                "turns": [
                    "A: b",
                    {"role": "C", "content": "d"},
                    {"name": 3, "utterance": ""},
                    {"speaker": 1.5, "text": ""},
                ]
            },
            {"turns": [{"speaker": "A", "text": "[Sharing Image: a dog ] look"}]},
            {"turns": [{"speaker": "A", "image": "a dog"}, {"speaker": "B", "image_description": "x", "text": "y"}]},
            {"turns": [{"speaker": "A"}]},
            {"turns": [{"speaker": " ", "text": "b"}]},
            {"turns": [{"text": "b"}]},
            {"turns": [{"speaker": "A", "text": 5}]},
            {"turns": [7]},
            {"turns": {}},
            {"turns": None},
            {"turns": [TURN], "social_context": None},
            {"turns": [TURN], "social_context": 1},
            {"a": 1, "b": 2},
            {},
            [],
            "text",
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], "social_context": "t"},
            {"messages": [{"role": "user", "content": "u", "name": "Zoe"}, {"role": "assistant", "content": None}]},
            {"messages": [{"role": "tool", "content": "x"}]},
            {"messages": [{"role": "judge", "content": "x"}]},
            {"messages": [{"content": "x"}]},
            {"messages": [{"role": "user", "content": 4}]},
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url"}, "there"]}
                ]
            },
        ]
    ),
]


def library(path) -> list:
    rows = []
    for row in read_rows(str(path)):
        if row.dialogue:
            turns = [turn.model_dump(exclude_none=True) for turn in row.dialogue.turns]
            rows.append([row.dialogue.social_context, turns])
        else:
            # How a parser words its complaint is its own affair.
            rows.append("not JSON" if row.error.startswith("not JSON") else row.error)
    return rows


def test_the_page_reads_rows_as_the_library_does(page, tmp_path):
    path = tmp_path / "rows"
    for text in FILES:
        path.write_text(text, encoding="utf-8", newline="")
        read = page.evaluate(
            """async (text) => {
              const { readRows } = await import("/page/js/reader.js");
              const error = (row) => row.error.replace(/^not JSON.*/s, "not JSON");
              return readRows(text).map((row) =>
                row.dialogue ? [row.dialogue.context, row.dialogue.turns] : error(row));
            }""",
            text,
        )
        assert read == library(path), text
