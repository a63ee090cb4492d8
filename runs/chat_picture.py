"""A picture of `thanos chat` in a real terminal (tmux), for docs/respond.md.

python runs/chat_picture.py docs/respond-chat.svg     # and, with chromium installed, docs/respond-chat.png
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 84, 60
YOU = "Mara"
OPTIONS = ["--you", YOU, "--other", "Jonas", "--context", "Mara and Jonas are old friends. Mara is a baker."]
SAID = [
    "I burnt forty loaves this morning, and the first customers were already at the door.",
    "/why",
    "Never mind. How was your day?",
    "/undo",
    "Should I repair the old oven once more or buy a new one?",
]
SECONDS = 120
"""Longest wait for a reply."""
SOCKET = "thanos-chat-picture"


def tmux(*arguments: str) -> str:
    """Run one tmux command on a server of our own."""
    return subprocess.run(["tmux", "-L", SOCKET, *arguments], check=True, capture_output=True, text=True).stdout


def wait_for_prompt() -> None:
    """Until the last line of the screen is an empty prompt."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        lines = tmux("capture-pane", "-p").rstrip().splitlines()
        if lines and lines[-1].strip() == f"{YOU}:":
            return
        time.sleep(0.2)
    raise SystemExit("no prompt came back:\n" + tmux("capture-pane", "-p"))


def converse(history: str) -> str:
    """Have the conversation; the screen with its escape sequences."""
    command = [sys.executable, "-m", "thanos", "chat", "--history", history, *OPTIONS]
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), *command)
    try:
        for line in SAID:
            wait_for_prompt()
            tmux("send-keys", "-l", line)
            tmux("send-keys", "Enter")
            time.sleep(0.5)  # the prompt is gone by then
        wait_for_prompt()
        return tmux("capture-pane", "-e", "-p").rstrip()
    finally:
        tmux("kill-server")


def draw(screen: str, path: Path) -> None:
    """Write the screen as SVG, and as PNG where there is a browser."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(screen))
    svg = console.export_svg(title="thanos chat")
    path.write_text(svg)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser:
        width, height = (round(float(size)) for size in re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},{height}"]
        picture = f"--screenshot={path.with_suffix('.png').resolve()}"
        subprocess.run([browser, *flags, picture, path.resolve().as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        draw(converse(f"{folder}/chat.jsonl"), Path(sys.argv[1]))
