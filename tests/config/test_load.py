"""Loading a whole configuration."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from config.load import Invalid, load, shipped

Site = Callable[[str], Path]


def told(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    """Return the problems of a file that is wrong, without its folder."""
    with pytest.raises(Invalid) as caught:
        load(path, environ or {})
    folder = f"{path.parent}/"
    return [str(each).removeprefix(folder) for each in caught.value.problems]


def test_the_contracts_example_loads(site: Site) -> None:
    """Numbers written bare become what each field wants, text included."""
    loaded = load(
        site(
            """\
instance: {name: 宿州12345, region: suzhou, timezone: Asia/Shanghai}
http: {host: 127.0.0.1, port: 8345, public_url: "http://127.0.0.1:8345"}
store: {url: "postgresql://user:pw@host/db"}
queue: {url: "redis://127.0.0.1:6379/0"}
channels:
  - {kind: sms, name: mobile, number: "106912345", port: 2775, version: 2.0}
adapters:
  - {kind: backoffice, name: backoffice, retry_for: 3d}
liaison:
  119: {label: 消防救援, token: "${TOKEN}", ack_within: 30s,
        ladder: [{after: 0s, to: desk}, {after: 30s, to: sms, number: +8613800138000}]}
routes:
  - {name: market, when: {called: 12315, hours: 08:00-18:00}, send: {to: backoffice}}
  - {name: rest, send: {to: backoffice, unit: 市长热线办}}
"""
        ),
        {"TOKEN": "desk-token"},
    )
    settings = loaded.settings
    assert settings.http.port == 8345
    assert settings.store.url == "postgresql://user:pw@host/db"
    assert settings.channels[0] == {
        "kind": "sms",
        "name": "mobile",
        "number": "106912345",
        "port": "2775",
        "version": "2.0",
    }
    desk = settings.liaison["119"]
    assert desk.token is not None
    assert desk.token.get_secret_value() == "desk-token"
    assert desk.ladder[1].number == "+8613800138000"
    assert desk.ladder[1].after == timedelta(seconds=30)
    assert settings.routes[0].when is not None
    assert settings.routes[0].when.named() == {"called": ("12315",), "hours": ("08:00-18:00",)}
    assert loaded.pack.name == "suzhou"


def test_all_mistakes_are_told_at_once_at_their_lines(site: Site) -> None:
    """In the settings and in what they name, sorted by line."""
    path = site(
        """\
instance:
  regions: suzhou
  timezone: Asia/Beijing
http:
  port: many
  public_url: 12345.example
queue: {url: kafka}
liaison:
  "119":
    ack_within: 30
    ladder:
      - {after: 0s, to: pager}
      - {to: desk}
routes:
  - name: a
    when: {colour: red}
    send: {to: backoffice}
  - name: b
    when: {text: []}
    send: here
extra: 1
"""
    )
    assert told(path) == [
        "gateway.yaml:2: instance.regions: unknown key; did you mean region?",
        "gateway.yaml:3: instance.timezone: not a time zone of the IANA database; e.g. Asia/Shanghai",
        "gateway.yaml:5: http.port: must be a whole number",
        "gateway.yaml:6: http.public_url: an absolute http or https URL without query; "
        "e.g. https://12345.example",
        "gateway.yaml:7: queue.url: embedded: or redis://host:port/db",
        "gateway.yaml:10: liaison.119.ack_within: a duration is a number and one of s, m, h, d: "
        "30s, 5m, 2h, 3d",
        "gateway.yaml:12: liaison.119.ladder.0.to: must be one of desk, sms, phone, email, duty",
        "gateway.yaml:13: liaison.119.ladder.1.after: is required",
        "gateway.yaml:16: routes.0.when.colour: unknown key; known: account, called, channel, "
        "domain, hours, place, requester, text, type, urgency",
        "gateway.yaml:19: routes.1.when.text: needs at least 1",
        "gateway.yaml:20: routes.1.send: must be a mapping (key: value lines)",
        "gateway.yaml:21: extra: unknown key; known: adapters, alarms, cards, channels, http, instance, "
        "liaison, queue, reading, routes, store",
    ]


@pytest.mark.parametrize(
    ("replace", "by", "problem"),
    [
        ("routes:\n  - {name: rest, send: {to: backoffice}}\n", "", "1: routes: is required"),
        (
            "routes:\n  - {name: rest, send: {to: backoffice}}\n",
            "routes: []\n",
            "7: routes: needs at least 1",
        ),
        ("region: suzhou", "region: ../x", "1: instance.region: must look like"),
        ("region: suzhou", "region: atlantis", "1: instance.region: no rule pack"),
        ("sqlite:///var/gateway.db", "mysql://x", "2: store.url: sqlite:///PATH or"),
        ("{kind: web, name: portal}", "web", "4: channels.0: must be a mapping"),
        ("name: 试验", "name: null", "1: instance.name: must be text"),
        ("name: 试验", "name: [x]", "1: instance.name: must be text"),
        ("{to: backoffice}", "{to: ''}", "8: routes.0.send.to: must not be empty"),
        ("{to: backoffice}", "{to: b, to: c}", "8: routes.0.send.to: the key is there twice"),
    ],
)
def test_each_mistake_names_its_line(
    site: Site, good: str, replace: str, by: str, problem: str
) -> None:
    """One mistake, one problem."""
    assert replace in good
    (only,) = told(site(good.replace(replace, by)))
    assert only.startswith(f"gateway.yaml:{problem}")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "12345\n", "null\n"])
def test_a_document_that_is_no_mapping_is_told(site: Site, text: str) -> None:
    """An empty file is one of them."""
    assert told(site(text)) == ["gateway.yaml:1: (document): must be a mapping (key: value lines)"]


def test_a_value_that_cannot_be_taken_is_told_once(site: Site, good: str) -> None:
    """Not again as a port that is no number."""
    path = site(good + "http:\n  port: ${PORT}\n")
    assert told(path) == ["gateway.yaml:10: http.port: the environment variable PORT is not set"]


def test_the_error_is_what_gateway_check_prints(site: Site, good: str) -> None:
    """One line a problem."""
    path = site(good + "a: 1\nb: 2\n")
    with pytest.raises(Invalid) as caught:
        load(path, {})
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:9", f"{path}:10"]
    assert caught.value.code == "config_invalid"


def test_no_secret_is_in_errors_or_reprs(site: Site, good: str) -> None:
    """Passwords in sections, tokens and URLs stay out of sight."""
    liaison = 'liaison: {"119": {token: "${TOKEN}"}}\n'
    text = good.replace("sqlite:///var/gateway.db", "postgresql://u:${PW}@h/db") + liaison
    environ = {"TOKEN": "t0ken-t0ken", "PW": "pa55word"}
    loaded = load(site(text), environ)
    shown = repr(loaded) + repr(loaded.settings) + str(loaded.settings)
    wrong = text + "queue: {url: '${PW}'}\nhttp: {port: '${PW}', public_url: '${PW}'}\n"
    problems = "\n".join(told(site(wrong), environ))
    assert problems.count("\n") == 2
    for secret in (*environ.values(), "whsec_eA=="):
        assert secret not in shown
        assert secret not in problems


def test_an_empty_token_is_refused(site: Site, good: str) -> None:
    """A variable that is set to nothing must not open the desk."""
    path = site(good + 'liaison:\n  "119": {token: "${TOKEN}"}\n')
    assert told(path, {"TOKEN": ""}) == [
        "gateway.yaml:10: liaison.119.token: an empty token lets everybody in: "
        "set one or leave the key out"
    ]


def test_a_relative_store_lies_beside_its_file(site: Site, good: str) -> None:
    """An absolute one stays where it is."""
    path = site(good)
    assert load(path, {}).settings.store.url == f"sqlite:///{path.parent}/var/gateway.db"
    assert load(path, {}).base == path.parent
    absolute = site(good.replace("sqlite:///var", "sqlite:////srv"))
    assert load(absolute, {}).settings.store.url == "sqlite:////srv/gateway.db"


def test_without_a_file_the_local_one_goes_before_the_shipped_one(
    tmp_path: Path, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped one writes nothing into the installed package."""
    monkeypatch.chdir(tmp_path)
    default = load(None, {})
    assert default.path == shipped() / "gateway.yaml"
    assert default.settings.store.url == f"sqlite:///{tmp_path}/var/gateway.db"
    assert default.lexicons is None
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateway.yaml").write_text(good)
    assert load(None, {}).settings.instance.name == "试验"
    assert load(None, {}).settings.store.url == f"sqlite:///{tmp_path}/config/var/gateway.db"


def test_the_process_environment_is_the_default(
    site: Site, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no other is given."""
    monkeypatch.setenv("NAME_OF_IT", "环境")
    path = site(good.replace("试验", "'${NAME_OF_IT}'"))
    assert "NAME_OF_IT" in os.environ
    assert load(path).settings.instance.name == "环境"


def test_a_sites_own_pack_calendar_and_lexicons_win(site: Site, good: str) -> None:
    """Folders beside the configuration file."""
    path = site(good)
    folder = path.parent
    for name in ("regions", "calendars", "lexicons"):
        (folder / name).mkdir()
    pack = (shipped() / "regions" / "suzhou.yaml").read_text()
    own = pack.replace("help: {working_days: 5,", "help: {working_days: 4,")
    (folder / "regions" / "suzhou.yaml").write_text(own)
    (folder / "calendars" / "cn.yaml").write_text(
        "name: cn\nyears:\n  2027: {announced: 通知, off: [2027-01-01/2027-01-03]}\n"
    )
    loaded = load(path, {})
    assert {kind.value: step.working_days for kind, step in loaded.pack.limits.finish.items()}[
        "help"
    ] == 4
    assert loaded.pack.calendar.years[2027].announced == "通知"
    assert loaded.lexicons == folder / "lexicons"


def test_mistakes_in_the_settings_and_in_the_pack_are_told_together(site: Site, good: str) -> None:
    """Each in its own file, a calendar's too."""
    path = site(good + "extra: 1\n")
    folder = path.parent
    (folder / "regions").mkdir()
    (folder / "calendars").mkdir()
    pack = (shipped() / "regions" / "suzhou.yaml").read_text()
    pack = pack.replace("working_days: 5, basis: spec 五(二)2", "working_days: no, basis: spec x")
    pack = pack.replace("basis: spec 四(四)", "basis: nowhere 四(四)").replace(
        "'请问|咨询", "'(请问|咨询"
    )
    (folder / "regions" / "suzhou.yaml").write_text(pack)
    (folder / "calendars" / "cn.yaml").write_text("name: cn\nyears:\n  2026: {off: []}\n")
    lines = {text: n for n, text in enumerate(pack.splitlines(), 1)}
    at_help = next(n for text, n in lines.items() if "working_days: no" in text)
    at_asking = next(n for text, n in lines.items() if "'(请问" in text)
    assert told(path) == [
        "calendars/cn.yaml:3: years.2026.announced: is required",
        "gateway.yaml:9: extra: unknown key; known: adapters, alarms, cards, channels, http, instance, liaison, "
        "queue, reading, routes, store",
        f"regions/suzhou.yaml:{at_asking}: acceptance.asking.0: not a regular expression: "
        "missing ), unterminated subpattern",
        f"regions/suzhou.yaml:{at_help}: limits.finish.help.working_days: must be a whole number",
    ]


def test_a_basis_that_cites_no_source_is_told(site: Site, good: str) -> None:
    """A rule nobody can look up is no rule."""
    path = site(good)
    (path.parent / "regions").mkdir()
    pack = (shipped() / "regions" / "suzhou.yaml").read_text()
    pack = pack.replace("basis: spec 四(四)", "basis: nowhere 四(四)")
    (path.parent / "regions" / "suzhou.yaml").write_text(pack)
    line = next(n for n, text in enumerate(pack.splitlines(), 1) if "nowhere" in text)
    assert told(path) == [
        f"regions/suzhou.yaml:{line}: callback.basis: nowhere is not one of sources: "
        "spec, gbt2260, names"
    ]
