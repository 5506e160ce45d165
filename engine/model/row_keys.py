"""Keys of state rows where several rows belong to one key of a key space.

A rule over places reads notes under the key of a map cell and remembers one row for each key in
it. Such a row's key names both: the owner decides the partition, the subject is what it is about.
"""

_BETWEEN = "\x1f"


def row_key(owner: str, subject: str) -> str:
    """The key of a row that an owner keeps about a subject."""
    return f"{owner}{_BETWEEN}{subject}"


def owner_of(row: str) -> str:
    """The key that decides the row's partition; of an ordinary row the whole."""
    return row.partition(_BETWEEN)[0]


def subject_of(row: str) -> str:
    """What the row is about, which is also what its alerts are about; else the whole."""
    return row.rpartition(_BETWEEN)[2]


def parts_of(row: str) -> tuple[str, str]:
    """Owner and subject."""
    owner, _, subject = row.partition(_BETWEEN)
    return owner, subject
