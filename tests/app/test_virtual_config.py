"""Virtual meters in the configuration: what is taken, and what is refused with the way out."""

from __future__ import annotations

import pytest

from wattrail.app.config import parse_config
from wattrail.app.plan import plan_service
from wattrail.errors import ConfigError
from wattrail.ledger import Definition, VirtualKind

METERS = "".join(f'[[meter]]\nname = "{name}"\nurl = "tcp://h:{port}"\n' for port, name in enumerate("abc", start=1))


def test_each_kind_is_planned_after_the_meters() -> None:
    text = METERS + (
        '[[virtual]]\nname = "all"\nkind = "balance"\nplus = ["a", "b", "c"]\n'
        '[[virtual]]\nname = "rest"\nkind = "sum"\nplus = ["a"]\nminus = ["b", "c"]\n'
        '[[virtual]]\nname = "own"\nkind = "self_consumption"\nsolar = "b"\ngrid = "a"\n'
    )
    gateway = plan_service(parse_config(text, "w.toml")).gateway
    assert gateway.names == ("a", "b", "c", "all", "rest", "own")
    assert [plan.definition for plan in gateway.virtual] == [
        Definition(kind=VirtualKind.BALANCE, plus=("a", "b", "c")),
        Definition(kind=VirtualKind.SUM, plus=("a",), minus=("b", "c")),
        Definition(kind=VirtualKind.SELF_CONSUMPTION, plus=("b",), minus=("a",)),
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('name = "v"\nkind = "balance"\nplus = ["a", "x"]', "its member 'x' is not a meter here; there are: a, b, c"),
        ('name = "v"\nkind = "sum"\nplus = ["a", "v"]', "its member 'v' is virtual itself"),
        ('name = "a"\nkind = "sum"\nplus = ["a", "b"]', "a second meter is named 'a'"),
        ('name = "v"\nkind = "sum"\nplus = ["a"]\nminus = ["a"]', "a member counts once, got a more than once"),
        ('name = "v"\nkind = "sum"', "a virtual meter needs a meter in plus, got none"),
        ('name = "v"\nkind = "balance"\nplus = ["a"]\nminus = ["b"]', "a balance has no minus, got b"),
        ('name = "v"\nkind = "mean"\nplus = ["a"]', "known: sum, balance, self_consumption"),
        ('name = "v"\nkind = "self_consumption"\nplus = ["a"]', 'takes solar = "..." and grid = "..."'),
        ('name = "v"\nkind = "sum"\nplus = ["a"]\ngrid = "b"', "neither solar nor grid"),
        ('name = "v"\nkind = "self_consumption"\nsolar = "a"\ngrid = "a"', "a member counts once"),
        ('name = "v v"\nkind = "sum"\nplus = ["a"]', "cannot be the name of a meter"),
    ],
)
def test_what_means_nothing_is_refused_by_its_table(lines: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(f"{METERS}[[virtual]]\n{lines}\n", "w.toml")
    assert words in str(refused.value)
    assert "virtual[1]" in str(refused.value)
