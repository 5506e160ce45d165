"""Number plates in one spelling, with their colour."""

import pytest

from engine.model.plates import COLOURS, normalise, of_code


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        pytest.param("苏F12345", "苏F12345", id="an ordinary plate without a colour"),
        pytest.param("苏F12345-yellow", "苏F12345-yellow", id="the canonical form stays"),
        pytest.param("苏f12345-YELLOW", "苏F12345-yellow", id="case does not matter"),
        pytest.param("苏F·12345", "苏F12345", id="the dot after the office letter is left out"),
        pytest.param(" 苏F 12345 ", "苏F12345", id="spaces are left out"),
        pytest.param("苏Ｆ１２３４５－黄", "苏F12345-yellow", id="full-width letters become plain"),
        pytest.param("苏F12345_黄色", "苏F12345-yellow", id="a Chinese colour word"),
        pytest.param("苏F12345黄", "苏F12345-yellow", id="a Chinese colour right behind"),
        pytest.param("苏F12345(黄牌)", "苏F12345-yellow", id="a colour in brackets"),
        pytest.param("苏F12345-2", "苏F12345-yellow", id="a JT/T 415 colour code"),
        pytest.param("苏F12345 yellow", "苏F12345-yellow", id="a colour after a space"),
        pytest.param("苏FD12345-94", "苏FD12345-green", id="a small new-energy plate"),
        pytest.param("苏F12345D-93", "苏F12345D-yellow-green", id="a large new-energy plate"),
        pytest.param("苏F12345D-黄绿", "苏F12345D-yellow-green", id="its colour in Chinese"),
        pytest.param("苏F1234挂-黄", "苏F1234挂-yellow", id="a trailer"),
        pytest.param("粤Z1234港-黑", "粤Z1234港-black", id="a Hong Kong plate"),
        pytest.param("", None, id="nothing is no plate"),
        pytest.param("苏F1234", None, id="too short"),
        pytest.param("苏F1234567", None, id="too long"),
        pytest.param("苏I12345", None, id="no office has the letter I"),
        pytest.param("苏F12O45", None, id="no plate has the letter O"),
        pytest.param("X F12345", None, id="no province"),
        pytest.param("苏F12345-mauve", None, id="no such colour"),
        pytest.param("苏F12345-7", None, id="no such colour code"),
        pytest.param("苏F12345-", None, id="a hyphen without a colour"),
        pytest.param("苏F12345-yellow苏F12345", None, id="two plates in one text"),
    ],
)
def test_plates_have_one_spelling(text: str, plate: str | None) -> None:
    assert normalise(text) == plate


@pytest.mark.parametrize("code", sorted(COLOURS))
def test_every_colour_code_gives_a_plate_that_stays_as_it_is(code: int) -> None:
    plate = of_code("苏F12345", code)
    assert plate is not None
    assert normalise(plate) == plate


def test_an_unknown_colour_code_is_no_plate() -> None:
    assert of_code("苏F12345", 7) is None
