"""A dialogue for the page, and what its speakers think."""

CONTEXT = "Ana and Ben share an office."
DIALOGUE = "Ana: I got the job!\nBen: No way. Which one?\nAna: The lighthouse. I start in May."
SCRIPT = {
    "I got the job!": (
        "Knowledge Acquisition",
        "She applied for two, so I have to ask which.",
        ["Active Listening", "Empathy", "Clarification", "Echoing", "Rhetoric"],
    ),
    "No way. Which one?": (
        "Clarification",
        "He forgot that there were two. I'll name it.",
        ["Self-disclosure", "Rhetoric", "Confirmation", "Echoing", "Memory Recall"],
    ),
    "The lighthouse. I start in May.": (
        "Empathy",
        "She's beaming, and I'll miss her.",
        ["Rhetoric", "Active Listening", "Helpfulness", "Ethics", "Urgency Recognition"],
    ),
    "My dog died.": (
        "Empathy",
        "A friend is gone.",
        ["Active Listening", "Helpfulness", "Echoing", "Ethics", "Rhetoric"],
    ),
    "Her name was Luna.": (
        "Memory Recall",
        "A name to remember.",
        ["Empathy", "Echoing", "Rhetoric", "Ethics", "Helpfulness"],
    ),
}
"""Last turn -> skill, explanation, the next most probable skills."""


def show_thoughts(page, words=DIALOGUE, context=CONTEXT):
    page.locator("#context").fill(context)
    page.get_by_label("Turns").fill(words)
    page.get_by_role("button", name="Show the thoughts").click()
