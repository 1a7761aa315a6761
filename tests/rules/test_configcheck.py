"""A configuration as a whole: each mistake at the line to change."""

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, SecretStr

from config.load import Invalid, load
from config.plugin import Plugin
from config.settings import Duration, Section
from gateway.configcheck import problems
from gateway.plugins import load as installed

HEAD = """\
channels:
  - {kind: web, name: portal}
  - {kind: sms, name: mobile, number: "106912345", port: 2775, password: hunter2}
adapters:
  - {kind: backoffice, name: backoffice, retry_for: 3d}
"""
REST = "  - {name: rest, send: {to: backoffice}}\n"


class Web(Section):
    """Settings of a channel whose name has a default."""

    kind: Literal["web"]
    name: str = "portal"


class Sms(Section):
    """Settings of a channel with a password."""

    kind: Literal["sms"]
    name: str
    number: str
    port: int = Field(ge=1, le=65535)
    password: SecretStr


class Office(Section):
    """Settings of an adapter."""

    kind: Literal["backoffice"]
    name: str
    retry_for: Duration


def plugin(name: str, settings: type[Section]) -> Plugin[Any, Any]:
    return Plugin(name, settings, lambda each: each)


CHANNELS = {"web": plugin("web", Web), "sms": plugin("sms", Sms)}
ADAPTERS = {"backoffice": plugin("backoffice", Office)}


def told(folder: Path, text: str) -> list[str]:
    """Return the problems of a configuration, without its file's name."""
    path = folder / "gateway.yaml"
    path.write_text(text)
    found = problems(load(path, {}), CHANNELS, ADAPTERS)
    return [str(each).removeprefix(f"{path}:") for each in found]


def routes(folder: Path, *lines: str, default: bool = True) -> list[str]:
    """Return the problems of a routing table; its first route is on line 7."""
    rows = "".join(f"  - {line}\n" for line in lines)
    return told(folder, HEAD + "routes:\n" + rows + (REST if default else ""))


def test_a_right_configuration_has_no_problems(tmp_path: Path) -> None:
    """Of channels, adapters, desks and routes of every kind."""
    text = (
        HEAD
        + """\
liaison:
  "119":
    ladder:
      - {after: 0s, to: desk}
      - {after: 30s, to: sms, number: "+8613800138000"}
      - {after: 30s, to: duty}
  gas: {label: 燃气}
  duty: {ack_within: 1m}
routes:
  - {name: market, when: {called: ["12315"]}, send: {to: backoffice, unit: 市市场监管局}}
  - name: night
    when: {hours: [18:00-08:00, holidays], place: [埇桥, "341321"], text: [路灯, "/井.*盖/"]}
    send: {to: backoffice, unit: 埇桥区人民政府, assist: [市公安局]}
  - {name: mobile, when: {account: mobile, requester: enterprise}, send: {to: backoffice}}
  - {name: rest, send: {to: backoffice, unit: 市长热线办}}
"""
    )
    assert told(tmp_path, text) == []


def test_the_shipped_default_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the plug-ins that are installed."""
    monkeypatch.chdir(tmp_path)
    channels, adapters = installed("gateway.channels"), installed("gateway.adapters")
    assert problems(load(None, {}), channels, adapters) == []


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{name: x}", "6: channels.2: kind is required; known: sms, web"),
        (
            "{kind: smss, name: x}",
            "6: channels.2.kind: no channel of this kind is installed; did you mean sms?",
        ),
        (
            "{kind: fax, name: x}",
            "6: channels.2.kind: no channel of this kind is installed; known: sms, web",
        ),
        ("{kind: [web], name: x}", "6: channels.2.kind: no channel of this kind is installed"),
        ("{kind: web, names: x}", "6: channels.2.names: unknown key; did you mean name?"),
        ("{kind: sms, name: x, port: 1, password: p}", "6: channels.2.number: is required"),
        (
            "{kind: sms, name: x, number: 1, port: 0, password: p}",
            "6: channels.2.port: must be at least 1",
        ),
        (
            "{kind: sms, name: x, number: 1, port: p, password: p}",
            "6: channels.2.port: must be a whole number",
        ),
        ("{kind: web, name: mobile}", "6: channels.2.name: another one has this name, on line 3"),
    ],
)
def test_a_wrong_section_is_told_at_its_line(tmp_path: Path, section: str, problem: str) -> None:
    """Through the plug-in's own settings."""
    head = HEAD.replace("adapters:", f"  # blank\n\n  - {section}\nadapters:")
    found = told(tmp_path, head + "routes:\n" + REST)
    assert any(each.startswith(problem) for each in found)
    assert all(each.startswith("6: ") for each in found)


def test_a_name_that_a_section_has_by_default_counts(tmp_path: Path) -> None:
    """Two web channels without a name are both called portal."""
    text = HEAD.replace("adapters:", "  - {kind: web}\nadapters:") + "routes:\n" + REST
    assert told(tmp_path, text) == ["4: channels.2.name: another one has this name, on line 2"]


def test_adapters_are_checked_likewise(tmp_path: Path) -> None:
    """Kind, keys and names."""
    text = HEAD + "  - {kind: backoffice, name: backoffice, retry_for: 3}\nroutes:\n" + REST
    assert told(tmp_path, text) == [
        "6: adapters.1.name: another one has this name, on line 5",
        "6: adapters.1.retry_for: a duration is a number and one of s, m, h, d: 30s, 5m, 2h, 3d",
    ]


@pytest.mark.parametrize("name", ["liaison", "answer", "media", "notify"])
def test_an_adapter_is_called_like_none_of_our_own_destinations(tmp_path: Path, name: str) -> None:
    """Tickets that are sent there would reach desks or citizens, and no back office."""
    text = HEAD.replace("name: backoffice", f"name: {name}")
    text += f"routes:\n  - {{name: rest, send: {{to: {name}}}}}\n"
    (problem,) = told(tmp_path, text)
    assert problem.startswith("5: adapters.0.name: the gateway's own destinations are called")


@pytest.mark.parametrize("name", ["a:b", "a/b", "a b", "liaison:119", "a?b"])
def test_a_name_is_fit_for_an_address(tmp_path: Path, name: str) -> None:
    """It is part of addresses and destinations, of channels and adapters alike."""
    text = HEAD.replace("name: portal", f"name: '{name}'")
    text += f"  - {{kind: backoffice, name: '{name}', retry_for: 3d}}\n"
    found = told(tmp_path, f"{text}routes:\n{REST}")
    assert [line.partition(": no spaces")[0] for line in found] == [
        "2: channels.0.name",
        "6: adapters.1.name",
    ]


def test_no_problem_holds_a_password(tmp_path: Path) -> None:
    """Even one that stands where another value belongs."""
    text = HEAD.replace("port: 2775", "port: hunter2").replace("mobile", "hunter2")
    text += "routes:\n  - {name: a, when: {account: hunter}, send: {to: hunter2}}\n" + REST
    found = told(tmp_path, text)
    assert len(found) == 3
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize(
    ("desk", "expected"),
    [
        ('"911": {}', ["7: liaison.911: no such service; did you mean 119?"]),
        (
            "police: {}",
            [
                "7: liaison.police: no such service; known: 110, 119, 120, 122, duty, gas, heat, power, seats, water"
            ],
        ),
        (
            '"119": {ladder: [{after: 0s, to: duty}]}',
            ["7: liaison.119.ladder.0.to: there is no desk liaison.duty"],
        ),
        (
            '"119": {ladder: [{after: 0s, to: sms}]}',
            ["7: liaison.119.ladder.0: a rung to sms needs number"],
        ),
        (
            '"119": {ladder: [{after: 0s, to: phone, number: "+8613800138000"}]}',
            ["7: liaison.119.ladder.0.to: there is no channel of kind phone"],
        ),
        (
            '"119": {ladder: [{after: 0s, to: email, address: a@b.example}]}',
            ["7: liaison.119.ladder.0.to: there is no channel of kind email"],
        ),
        (
            '"119": {ladder: [{after: 0s, to: desk, number: "110"}]}',
            ["7: liaison.119.ladder.0.number: a rung to desk takes no number"],
        ),
        (
            '"119": {ladder: [{after: 1m, to: desk}, {after: 30s, to: desk}]}',
            [
                "7: liaison.119.ladder.1.after: comes before the rung above it: "
                "a ladder is climbed in the order of time"
            ],
        ),
    ],
)
def test_a_wrong_desk_is_told_at_its_line(tmp_path: Path, desk: str, expected: list[str]) -> None:
    """Services, and rungs that could call nobody."""
    assert told(tmp_path, HEAD + f"liaison:\n  {desk}\nroutes:\n" + REST) == expected


@pytest.mark.parametrize(
    ("alarms", "expected"),
    [
        ("{ladder: [{to: sms}]}", ["6: alarms.ladder.0: a rung to sms needs number"]),
        (
            "{ladder: [{to: email, address: a@b.example}]}",
            ["6: alarms.ladder.0.to: there is no channel of kind email"],
        ),
        (
            "{ladder: [{to: webhook, number: '110'}]}",
            [
                "6: alarms.ladder.0: a rung to webhook needs secret",
                "6: alarms.ladder.0: a rung to webhook needs url",
                "6: alarms.ladder.0.number: a rung to webhook takes no number",
            ],
        ),
        (
            "{ladder: [{to: webhook, url: 'ftp://a', secret: hunter2}]}",
            [
                "6: alarms.ladder.0.secret: a secret is whsec_ and the key in base64, e.g. of 32 ",
                "6: alarms.ladder.0.url: an http:// or https:// address with a host",
            ],
        ),
        (
            "{ladder: [{to: sms, number: '110', after: 1m}, {to: sms, number: '120'}]}",
            ["6: alarms.ladder.1.after: comes before the rung above it: "],
        ),
        ("{ladder: [{to: sms, number: '110'}], repeat: 30m}", []),
    ],
)
def test_a_wrong_alarm_is_told_at_its_line(
    tmp_path: Path, alarms: str, expected: list[str]
) -> None:
    """Operators whom nobody could reach are found before they are needed; no secret is repeated."""
    found = told(tmp_path, HEAD + f"alarms: {alarms}\nroutes:\n" + REST)
    assert len(found) == len(expected)
    assert [line for line, start in zip(found, expected, strict=True) if start not in line] == []
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize(
    "alarms",
    [
        "{ladder: []}",
        "{ladder: [{to: desk}]}",
        "{down_for: 0s, ladder: [{to: sms, number: '110'}]}",
    ],
)
def test_alarms_for_nobody_are_refused(tmp_path: Path, alarms: str) -> None:
    """No rung at all, a rung of another ladder, no time at all."""
    with pytest.raises(Invalid, match=r"6: alarms\."):
        told(tmp_path, HEAD + f"alarms: {alarms}\nroutes:\n" + REST)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (
            "{name: a, when: {type: praise}, send: {to: backofice}}",
            ["routes.0.send.to: there is no adapter of this name; did you mean backoffice?"],
        ),
        (
            "{name: a, when: {type: praise}, send: {to: backoffice, unit: 市市场监督局}}",
            [
                "routes.0.send.unit: the rule pack suzhou knows no unit of this name; "
                "did you mean 市市场监管局?"
            ],
        ),
        (
            "{name: a, when: {type: praise}, send: {to: backoffice, assist: [市公安局, 魔法部]}}",
            ["routes.0.send.assist.1: the rule pack suzhou knows no unit of this name"],
        ),
        (
            "{name: rest, when: {type: praise}, send: {to: backoffice}}",
            ["8: routes.1.name: another route has this name, on line 7"],
        ),
        (
            "{name: a, when: {channel: fax}, send: {to: backoffice}}",
            [
                "routes.0.when.channel: never holds; known: email, open311, phone, sms, web, webhook, wechat"
            ],
        ),
        (
            "{name: a, when: {account: [portal, desk]}, send: {to: backoffice}}",
            ["routes.0.when.account.1: never holds; known: mobile, portal"],
        ),
        (
            "{name: a, when: {type: 投诉}, send: {to: backoffice}}",
            ["routes.0.when.type: never holds; known: complaint"],
        ),
        (
            "{name: a, when: {domain: markets}, send: {to: backoffice}}",
            ["routes.0.when.domain: never holds; did you mean market?"],
        ),
        (
            "{name: a, when: {urgency: high}, send: {to: backoffice}}",
            ["routes.0.when.urgency: never holds; known: emergency, normal, urgent"],
        ),
        (
            "{name: a, when: {requester: company}, send: {to: backoffice}}",
            ["routes.0.when.requester: never holds; known: enterprise, person"],
        ),
        (
            "{name: a, when: {hours: [workdays, 8-18]}, send: {to: backoffice}}",
            ["routes.0.when.hours.1: must be 08:00-18:00, workdays, holidays"],
        ),
        (
            "{name: a, when: {hours: 08:00-25:00}, send: {to: backoffice}}",
            ["routes.0.when.hours: must be 08:00-18:00, workdays, holidays"],
        ),
        (
            "{name: a, when: {called: shouji}, send: {to: backoffice}}",
            ["routes.0.when.called: must be a telephone number"],
        ),
        (
            "{name: a, when: {text: /(/}, send: {to: backoffice}}",
            ["routes.0.when.text: is not a regular expression: missing )"],
        ),
    ],
)
def test_a_wrong_route_is_told_at_its_line(tmp_path: Path, route: str, expected: list[str]) -> None:
    """Destinations, units, and conditions that can never hold."""
    found = routes(tmp_path, route)
    assert len(found) == len(expected)
    for each, start in zip(found, expected, strict=True):
        assert each.startswith(start if start[0].isdigit() else f"7: {start}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "when: {type: praise}, "),
        ("when: {}, ", "when: {type: praise}, "),
        ("when: {type: praise}, ", "when: {type: praise}, "),
        ("when: {type: [praise, help]}, ", "when: {type: praise, urgency: normal}, "),
        ("when: {called: 12315}, ", 'when: {called: "+8655712315"}, '),
        ("when: {place: 341300}, ", "when: {place: 341302}, "),
        ("when: {place: 340000}, ", "when: {place: [341302, 341300]}, "),
        ("when: {place: 埇桥}, ", "when: {place: 埇桥区}, "),
        ("when: {text: 路灯}, ", "when: {text: 路燈壞, type: help}, "),
        ("when: {text: /a+/}, ", "when: {text: /a+/}, "),
        ("when: {hours: 08:00-18:00}, ", "when: {hours: 09:00-12:00}, "),
        ("when: {hours: workdays}, ", "when: {hours: workdays 09:00-12:00}, "),
        ("when: {hours: 17:00-09:00}, ", "when: {hours: 22:00-06:00}, "),
        ("when: {channel: sms}, ", "when: {account: mobile}, "),
    ],
)
def test_a_route_behind_a_wider_one_is_told(tmp_path: Path, first: str, second: str) -> None:
    """Equal or weaker conditions above leave nothing over."""
    (found,) = routes(
        tmp_path,
        f"{{name: a, {first}send: {{to: backoffice}}}}",
        f"{{name: b, {second}send: {{to: backoffice}}}}",
        default=bool(first) and first != "when: {}, ",
    )
    assert found == "8: routes.1: can never be reached: a on line 7 takes all of it"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("type: praise", "type: [praise, help]"),
        ("type: praise, urgency: normal", "type: praise"),
        ("type: praise", "urgency: normal"),
        ("called: 12315", "called: 12345"),
        ("place: 341302", "place: 341300"),
        ("place: 341302", "place: 埇桥区"),
        ("place: 埇桥区", "place: 埇桥"),
        ("text: 路灯坏", "text: 路灯"),
        ("text: /a/", "text: a"),
        ("hours: 09:00-12:00", "hours: 08:00-18:00"),
        ("hours: workdays 09:00-12:00", "hours: 09:00-12:00"),
        ("hours: 22:00-06:00", "hours: 17:00-09:00"),
        ("account: mobile", "channel: sms"),
        ("account: mobile", "account: portal"),
    ],
)
def test_a_route_that_still_takes_something_is_no_problem(
    tmp_path: Path, first: str, second: str
) -> None:
    """Narrower above wider is the normal order."""
    assert (
        routes(
            tmp_path,
            f"{{name: a, when: {{{first}}}, send: {{to: backoffice}}}}",
            f"{{name: b, when: {{{second}}}, send: {{to: backoffice}}}}",
        )
        == []
    )


def test_routes_that_take_every_value_between_them_are_counted(tmp_path: Path) -> None:
    """What stands behind them is out of reach; the default may stay."""
    found = routes(
        tmp_path,
        "{name: a, when: {urgency: emergency}, send: {to: backoffice}}",
        "{name: b, when: {urgency: [urgent, normal]}, send: {to: backoffice}}",
        "{name: c, when: {text: 路灯}, send: {to: backoffice}}",
    )
    assert found == ["9: routes.2: can never be reached: the routes above it take every urgency"]


@pytest.mark.parametrize("when", ["when: {type: praise}, ", "when: {text: ['路', '灯']}, "])
def test_a_table_without_a_default_is_told(tmp_path: Path, when: str) -> None:
    """At its last route."""
    (found,) = routes(
        tmp_path,
        "{name: a, when: {type: help}, send: {to: backoffice}}",
        f"{{name: b, {when}send: {{to: backoffice}}}}",
        default=False,
    )
    assert found.startswith("8: routes.1: no default route: the last must have no when")
