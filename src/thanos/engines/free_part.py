"""Where the free part of an answer ends: before the lead, if the model writes it, or at the end token."""

from collections.abc import Callable, Sequence


def cut_before_lead(tokens: Sequence[int], decode: Callable[[Sequence[int]], str], lead: str) -> tuple[list[int], str]:
    """Cut a generated sequence before the lead.

    Args:
        tokens: Generated ids without the end token.
        decode: Ids -> text.
        lead: For example "[RESULT SKILL]".

    Returns:
        The ids of the free part and its text, stripped. Without the lead, everything.
    """
    text = decode(tokens)
    start = text.find(lead)
    if start < 0:
        return list(tokens), text.strip()
    keep = len(tokens)
    # The lead is a handful of tokens at the end, so walking back is short.
    while keep and len(decode(tokens[:keep]).rstrip()) > len(text[:start].rstrip()):
        keep -= 1
    return list(tokens[:keep]), text[:start].strip()
