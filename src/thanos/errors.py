"""The one kind of error that a user may see as a single line."""


class ThanosError(Exception):
    """Something the user can mend: the message says what, where and how.

    The command line prints the message alone and exits with code 2; library users catch it as usual.
    """


class UnknownSkillError(ThanosError, ValueError):
    """A label that maps to none of the 39 skills.

    Attributes:
        label: The label as it came.
        nearest: Names that look alike, best first, possibly empty. Never used as a default.
    """

    def __init__(self, label: str, nearest: list[str]):
        self.label = label
        self.nearest = nearest
        hint = f"; did you mean {' or '.join(nearest)}?" if nearest else "; see `thanos skills`"
        super().__init__(f"unknown skill {label!r}{hint}")


class EngineError(ThanosError):
    """A model that can't be found, loaded or reached."""
