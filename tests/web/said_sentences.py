"""Collects from the source what the gateway says to a person: errors and remedies, findings, advice, alarms, notes.

A sentence becomes a template: each place of its f-string is the last name in the expression, so ``f"{self.url}: no
answer within {timeout_s:g} s"`` is ``{url}: no answer within {timeout_s} s``. Alternatives (``x if y else z``) are a
template each, and so is a sentence that is put into another one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Final

from pydantic_core import PydanticKnownError

from wattrail import errors
from wattrail.alarms.kinds import KINDS, AlarmKind, Side

__all__ = [
    "MODULES", "SPELT_OUT", "SYSTEM_SENTENCES", "alarm_sentences", "quantity_sentences", "refusals", "said_by",
    "said_in", "validation_sentences",
]  # fmt: skip

SOURCE: Final = Path(errors.__file__).parent

MODULES: Final = {
    "": "errors.MissingExtra urls",
    "gateway": "account failures feed plan waiting",
    "sources": "broker polled pushed tuya tuya_key",
    "transport": "carrier connection_reason discovery.words ftdi_bus gpio_bus http rfc2217 schemes._scheme serial_port "
    "spi_wire spidev_bus tcp tcp_bus",
    "chips": "spi",
    "meter": "calibration chip_client diagnosis meter opening wave",
    "metrology": "accuracy._clipping accuracy._wiring accuracy.causes calibrate.Given calibrate.Reference "
    "calibrate.unsteadiness calibration_checks fitting scale_origin typed_reference",
    "network_meters": "json_meter link_health mac_address openbeken payload tasmota tuya_meter tuya_session unit_check",
    "ledger": "audit ledger ledger_slice manual register_rule virtual watched",
    "publish": "authority delivery email home_assistant_history_fill home_assistant_history_socket influxdb mqtt "
    "mqtt_connection p1_server pending webhook",
    "alarms": "kinds watch",
    "store": "chain._broken damage read_only.file_problems verification",
    "app": "alarm_schema price_fetch publish_schema schema service_changes settings settings_document settings_file "
    "settings_secrets",
    "app/doctor": "machine",
    "toml_schema": "validation",
    "web": "accuracy_api administration alarms api calibration_api energy_api gateway_calls health_api ledger_api "
    "permissions site_meters",
}
"""The modules whose sentences the page shows in its own language, by room; ``module.part`` is one function or class
of it. docs/page.md says the same as text. Modules of app that answer a call of the page are found by themselves."""

SPELT_OUT: Final = (
    "make it again from the entries and readings, the gateway may run: wattrail store check --rebuild",
    "{meter}: rollup of the {period} {start}: {what} is {got}, should be {wanted}",
    "entry {number}", "manual entry {number}", "totals", "the file", "the ledger", "a member",
    "entries {first} to {last}", "manual entries {first} to {last}", "{count} rows", "its row",
    "{length}, as the end of the chain says", "{rest} more than entry {about} had",
    "{meter}: rollups: {more} more differ", "{meter}: sums of {period}s: {more} more differ",
    "{meter}: sum of the hour {start}, epoch {epoch}: {what} is {got}, should be {wanted}",
    "{meter}: sum of the quarter hour {start}, epoch {epoch}: {what} is {got}, should be {wanted}",
    "send", "write", "standing charge per day", "standing charge per month", "days", "month", "of {count} days",
    *(f"{line}{since}{mean}" for line in ("import, {rate}", "feed-in") for since in ("", ", from {valid_from}")
      for mean in ("", ", mean of {count} prices")),
    "the current", "the power", "the voltage", "once", "twice", "{count} times", "{factor} capacitive",
    "{factor} inductive", "line {offset} is used by {consumer}", "line {offset} is used by the kernel",
)  # fmt: skip
"""Values of these sentences that are words, too short to be known from a name in the source."""

_FIRST: Final = {name for name in errors.__all__ if name[0].isupper()} - {"LedgerError"} | {"ValueError", "fine"}
_NOT_SAID: Final = {
    "debug", "info", "warning", "exception", "compile", "needs_library", "needs_pydantic", "UrlOption", "Option",
    "Field", "Query", "Path", "AssertionError", "ConnectionError", "KeyError",
    "startswith", "partition", "removeprefix", "Example", "_record", "execute",
}  # fmt: skip
"""Calls whose sentences are for the log, for a form or for nobody."""
_KEYWORDS: Final = {
    "hint", "remedy", "notice", "sentence", "cleared", "advice", "note", "why_not", "detail", "text", "error",
}  # fmt: skip
_VARIABLES: Final = {
    "note", "why", "until", "what", "allowed", "moved", "readings", "sign", "said", "text", "remedy", "reason",
    "expected", "advice", "hint", "holds", "evidence", "usual", "where", "known", "limit", "way",
}  # fmt: skip
_AT: Final = {
    "AuditFinding": (1, 2, 3),
    "_finding": (3, 4, 5),
    "Region": (3, 4),
    "Partition": (3,),
    "Foreign": (0, 1),
    "Problem": (0,),
}
"""Which arguments are sentences, however short they are."""

_TABLES: Final = {"_OTHERS", "_RULES", "MEANING"}
_TEXT: Final = (ast.Constant, ast.JoinedStr, ast.IfExp, ast.BinOp)
_PARTS: Final = (ast.FunctionDef, ast.ClassDef)
_MAX_WAYS: Final = 12

_NO_SENTENCE: Final = re.compile(r"\S*[A-Z:=/$]\S*")  # an address, an option or a name: the same in every language
_WORDS: Final = re.compile(r"[a-z]{2,} [a-z]{2,}|[a-z]{4,}")
_PLACE: Final = "\0"


def said_by(modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The same for every module, or part of one, of a table such as ``MODULES``."""
    for room, names in modules.items():
        for name in names.split():
            module, _, part = name.partition(".")
            yield from said_in(f"{room}/{module}.py".removeprefix("/"), part)


def said_in(module: str, part: str = "") -> Iterator[tuple[str, str]]:
    """(template, place in the source) of every sentence of a module, a path below ``src/wattrail``.

    With ``part`` only of the function or class of that name.
    """
    tree: ast.AST = ast.parse((SOURCE / module).read_text("utf-8"))
    if part:
        tree = next(one for one in ast.walk(tree) if isinstance(one, _PARTS) and one.name == part)
    for node in ast.walk(tree):
        for said in _said_by(node):
            for pieces in _ways(said):
                text = _named(pieces)
                if _WORDS.search(re.sub(r"\{\w+\}", "", text)) and not _NO_SENTENCE.fullmatch(text):
                    yield text, f"src/wattrail/{module}:{said.lineno}"


def refusals() -> Iterator[tuple[str, str]]:
    """The same for every module of app that refuses what the page asks: none has to be added to the table."""
    for module in sorted((SOURCE / "app").glob("*.py")):
        if "RequestRefused(" in module.read_text("utf-8"):
            yield from said_in(f"app/{module.name}")


def quantity_sentences() -> Iterator[str]:
    """What a calibration says of a quantity, for each: alone, such a word may be the name of a setting."""
    words = {"{name}": ("volts", "amps", "amperes", "watts"), "{over}": ("voltage", "current", "voltage and current")}
    for template, _ in said_by({"metrology": "calibrate.Reference calibration_checks"}):
        for place, names in words.items():
            yield from (template.replace(place, name) for name in names if place in template)


def alarm_sentences() -> Iterator[str]:
    """What an alarm says when a value is beyond its limit, by the table of kinds."""
    for name, kind in KINDS.items():
        if name is AlarmKind.LOAD_STOPPED:
            yield f"{kind.what} {kind.side} {{limit}} for {{duration}}, now {{value}}"
        elif kind.side is not Side.TRUE:
            yield f"{kind.what} {{value}}, {kind.side} {{limit}}"
        elif name is AlarmKind.METER_SILENT:
            yield f"{kind.sentence} for {{value}}"
        else:
            yield f"{kind.sentence}: {{held}}"


SYSTEM_SENTENCES: Final = (
    "Broken pipe", "Connection refused", "Connection reset by peer", "Connection timed out", "Input/output error",
    "Network is unreachable", "No route to host", "No space left on device", "No such file or directory",
    "Permission denied",
)  # fmt: skip
"""What Linux says most often where a meter, a broker or a file cannot be reached; its other words stay as they are."""

_VALIDATIONS: Final[dict[str, dict[str, object]]] = {
    "bool_parsing": {}, "bool_type": {}, "finite_number": {}, "float_parsing": {}, "float_type": {},
    "int_from_float": {}, "int_parsing": {}, "int_type": {}, "string_type": {},
    "greater_than": {"gt": 0}, "greater_than_equal": {"ge": 0}, "less_than": {"lt": 0}, "less_than_equal": {"le": 0},
    "literal_error": {"expected": ""}, "string_pattern_mismatch": {"pattern": ""},
    "string_too_long": {"max_length": 1}, "string_too_short": {"min_length": 1},
}  # fmt: skip
"""What pydantic may say of a field of wattrail.toml, by its names, with a context that it accepts."""


def validation_sentences() -> Iterator[str]:
    """What pydantic says of a setting, in the words of ``toml_schema.validation``: alone, and with what was written."""
    for name, context in _VALIDATIONS.items():
        text = PydanticKnownError(name, context or None).message_template.replace("Input should", "must")  # type: ignore[arg-type]
        for plural in {"", "s"} if "{expected_plural}" in text else {""}:
            sentence = text[:1].lower() + text[1:].replace("{expected_plural}", plural)
            yield sentence
            yield f"{sentence}, got {{got}}"


def _said_by(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Attribute(attr="append", value=ast.Attribute(attr="notes")), args=args):
            yield from args
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
            yield from _arguments(name, args)
            yield from (said for one in keywords if one.arg in _KEYWORDS for said in _each(one.value))
        case ast.Return(value=ast.Tuple(elts=several)):
            yield from (one for one in several if isinstance(one, _TEXT) and _literal(one).count(" ") > 1)
        case (
            ast.Return(value=ast.JoinedStr() | ast.Constant() | ast.IfExp() | ast.BinOp() as value)
            | ast.Yield(value=ast.JoinedStr() | ast.Constant() | ast.IfExp() | ast.BinOp() as value)
        ):
            yield value
        case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value) if name in _VARIABLES:
            yield from _each(value)
        case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(attr="held"))], value=value):
            yield value
        case ast.Yield(value=ast.Tuple(elts=several)):
            yield from (one for one in several if isinstance(one, _TEXT))
        case ast.GeneratorExp(elt=ast.JoinedStr() as value):
            yield value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=value):
            if any(isinstance(one, ast.Name) and one.id in _VARIABLES for one in names):
                yield from _texts(value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper():
            yield from _constant(name, value)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if name.isupper():
            yield from _constant(name, value)


def _arguments(name: str, args: list[ast.expr]) -> Iterator[ast.expr]:
    """Those arguments of a call that are sentences: the first of an error, and every one that has some words."""
    if name in _NOT_SAID:
        return
    for place, one in enumerate(args):
        if (
            place in _AT.get(name, ())
            or (place == 0 and name in _FIRST)
            or (isinstance(one, _TEXT) and _literal(one).count(" ") > 1)
        ):
            yield one


def _literal(node: ast.expr) -> str:
    """The text of a sentence by itself."""
    return "".join(one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _each(value: ast.expr) -> Iterator[ast.expr]:
    """The sentences of a tuple of them, or the only one."""
    match value:
        case ast.Tuple(elts=several):
            yield from several
        case ast.IfExp(body=one, orelse=other):
            yield from (*_each(one), *_each(other))
        case _:
            yield value


def _constant(name: str, value: ast.expr) -> Iterator[ast.expr]:
    """A constant that is a sentence, and every text of a table of them."""
    if name in _TABLES:
        yield from _texts(value)
    elif isinstance(value, ast.Dict):
        yield from (one for one in value.values if isinstance(one, _TEXT) and _literal(one).count(" ") > 1)
    elif isinstance(value, _TEXT) and _literal(value).count(" ") > 1:
        yield value


def _texts(value: ast.expr) -> Iterator[ast.expr]:
    """Every text in a table or a tuple."""
    inside = {part for one in ast.walk(value) if isinstance(one, ast.JoinedStr) for part in one.values}
    yield from (one for one in ast.walk(value) if isinstance(one, ast.Constant | ast.JoinedStr) and one not in inside)


def _ways(node: ast.expr) -> list[list[str]]:
    """Each way to say it, as pieces; a place is marked by its first character."""
    match node:
        case ast.Constant(value=str(text)):
            return [[text]]
        case ast.Constant():
            return []
        case ast.JoinedStr(values=parts):
            ways = list(product(*map(_ways, parts)))[:_MAX_WAYS]
            return [[piece for pieces in way for piece in pieces] for way in ways]
        case ast.FormattedValue(value=ast.IfExp() as value):
            return _ways(value)
        case ast.FormattedValue(value=value):
            return [[_PLACE + _name(value)]]
        case ast.IfExp(body=one, orelse=other):
            return _ways(one) + _ways(other)
        case ast.BoolOp(values=values):
            return [way for one in values for way in _ways(one)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [one + other for one in _ways(left) for other in _ways(right)]
        case _:
            return [[_PLACE + _name(node)]]


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_")
        case ast.Subscript(value=value) | ast.Await(value=value) | ast.UnaryOp(operand=value):
            return _name(value)
        case ast.Call(args=[first, *_]):
            return _name(first)
        case ast.Call(func=ast.Attribute(value=value)):
            return _name(value)
        case ast.BinOp(left=left):
            return _name(left)
        case _:
            return "value"


def _named(pieces: list[str]) -> str:
    """One text; a name that comes again is numbered."""
    used: dict[str, int] = {}
    text = ""
    for piece in pieces:
        if piece.startswith(_PLACE):
            used[piece] = used.get(piece, 0) + 1
            text += "{" + piece.removeprefix(_PLACE) + (str(used[piece]) if used[piece] > 1 else "") + "}"
        else:
            text += piece
    return text
