"""Personal data made unreadable, with as much left as is needed to recognise one's own."""

_STAR = "*"
_PHONE_HEAD, _PHONE_TAIL = 3, 4
_ID_HEAD, _ID_TAIL = 6, 4


def mask_plate(plate: str) -> str:
    """A plate with its middle hidden: `苏F12345-yellow` is `苏F1***5-yellow`."""
    number, dash, colour = plate.partition("-")
    return _middle(number, 3, 1) + dash + colour


def mask_phone(phone: str) -> str:
    """A phone number with its middle hidden: `13812345678` is `138****5678`."""
    return _middle(phone, _PHONE_HEAD, _PHONE_TAIL)


def mask_name(name: str) -> str:
    """A person's name by its first character: `张三丰` is `张**`."""
    return name[:1] + _STAR * (len(name) - 1)


def mask_id(number: str) -> str:
    """An identity number without its birth date: `320682199001011234` is `320682********1234`."""
    return _middle(number, _ID_HEAD, _ID_TAIL)


def mask_text(text: str) -> str:
    """Any text with its middle half hidden."""
    quarter = max(1, len(text) // 4)
    return _middle(text, quarter, quarter)


def _middle(text: str, head: int, tail: int) -> str:
    """A text with stars between its head and its tail; all stars if that leaves no middle."""
    hidden = len(text) - head - tail
    if hidden <= 0:
        return text[:1] + _STAR * (len(text) - 1) if len(text) > 1 else _STAR * len(text)
    return text[:head] + _STAR * hidden + text[len(text) - tail :]
