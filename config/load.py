"""Loading a configuration: settings, the region's rule pack, and where everything was written.

All that is wrong, in every file that takes part, is found at once and told as
``FILE:LINE: path.to.key: what is wrong``. Nothing here opens a store or a socket.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from config.calendar import Calendar
from config.document import Document, Problem, ValuePath, environment, read
from config.explain import problems_of
from config.region import RegionPack
from config.settings import SQLITE, Section, Settings, Word
from normalizer.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

#: Looked for when no file is named, relative to the current directory.
DEFAULT = Path("config/gateway.yaml")
#: Keys of channels' sections that are paths.
_PATHS = ("folder", "dialogue", "recordings", "ca", "certificate", "certificate_key")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Invalid(ConfigError):
    """A configuration cannot be used.

    Attributes:
        problems: All that is wrong, by file and line.
    """

    code = "config_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Departments(Section):
    """A list of names of units, shared by regions."""

    name: str
    units: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    path: Path  #: the file, absolute
    settings: Settings
    #: The site's own lexicons, ``lexicons/`` beside its file; None: the shipped ones.
    lexicons: Path | None
    pack: RegionPack = field(repr=False)
    document: Document = field(repr=False)  #: the file with the line of every value

    @property
    def base(self) -> Path:
        """The folder that relative paths in the file are relative to."""
        return base_of(self.path)

    def problem(self, path: ValuePath, message: str) -> Problem:
        """Return a problem at a value of the file."""
        return self.document.problem(path, message)


def shipped() -> Path:
    """Return the folder of the data that the gateway ships with."""
    return Path(str(files("config")))


def base_of(path: Path) -> Path:
    """Return what relative paths in a configuration file are relative to: its folder.

    The shipped default is no site's file: its paths are relative to the current directory, so
    that nothing is ever written into the installed package.
    """
    folder = path.resolve().parent
    return Path.cwd() if folder == shipped().resolve() else folder


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, raw: bytes | None = None
) -> Loaded:
    """Return the configuration in a file.

    Args:
        path: The file; None takes ``./config/gateway.yaml`` if present, else the shipped default.
        environ: Where ``${NAME}`` is looked up; None is this process's environment.
        raw: What would be in the file; None: what is.

    Raises:
        Invalid: With all that is wrong.
    """
    file = path or (DEFAULT if DEFAULT.is_file() else shipped() / "gateway.yaml")
    document = read(file, environment() if environ is None else environ, raw)
    problems = list(document.problems)
    settings = _validate(Settings, document, problems)
    pack = _pack(_region(settings, document), file, document, problems)
    if settings is None or pack is None or problems:
        raise Invalid(problems)
    lexicons = file.parent / "lexicons"
    own = lexicons.is_dir() and lexicons.resolve() != (shipped() / "lexicons").resolve()
    return Loaded(
        path=file.resolve(),
        settings=_rooted(settings, base_of(file)),
        pack=pack,
        lexicons=lexicons.resolve() if own else None,
        document=document,
    )


def load_pack(region: str, beside: Path | None = None) -> RegionPack:
    """Return a region's rule pack.

    Args:
        region: Its name.
        beside: A configuration file; ``regions/<region>.yaml`` beside it goes before the shipped
            one, as do its ``calendars/`` and ``departments/``.

    Raises:
        Invalid: There is none, or it is wrong.
    """
    problems: list[Problem] = []
    document = Document(str(beside or shipped() / "gateway.yaml"))
    pack = _pack(region, beside, document, problems)
    if pack is None or problems:
        raise Invalid(problems)
    return pack


def _validate(model: type[M], document: Document, problems: list[Problem]) -> M | None:
    """Return the document as a model, else None and add what is wrong."""
    if not isinstance(document.data, dict):
        if not document.problems:
            problems.append(document.problem((), "must be a mapping (key: value lines)"))
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems.extend(problems_of(error, document, model))
        return None


def _region(settings: Settings | None, document: Document) -> str | None:
    """Return the region's name, also from settings that are wrong elsewhere."""
    if settings is not None:
        return settings.instance.region
    instance = document.data.get("instance", {}) if isinstance(document.data, dict) else None
    name = instance.get("region", "suzhou") if isinstance(instance, dict) else None
    return name if isinstance(name, str) and _PLAIN.fullmatch(name) else None


def _find(folder: str, name: str, beside: Path | None) -> Path | None:
    """Return the site's file of that name, else the shipped one."""
    roots = ([beside.parent] if beside else []) + [shipped()]
    return next((at for root in roots if (at := root / folder / f"{name}.yaml").is_file()), None)


def _pack(
    region: str | None, beside: Path | None, document: Document, problems: list[Problem]
) -> RegionPack | None:
    if region is None:
        return None
    path = _find("regions", region, beside)
    if path is None:
        names = ", ".join(sorted(each.stem for each in (shipped() / "regions").glob("*.yaml")))
        message = f"no rule pack regions/{region}.yaml beside this file; shipped: {names}"
        problems.append(document.problem(("instance", "region"), message))
        return None
    written = read(path)
    problems.extend(written.problems)
    if isinstance(written.data, dict):
        _refer(written, beside, problems)
    before = len(problems)
    pack = _validate(RegionPack, written, problems)
    if pack is None or len(problems) > before:
        return None
    for where, key in pack.miscited():
        known = ", ".join(pack.sources)
        problems.append(written.problem(where, f"{key} is not one of sources: {known}"))
    if pack.name != path.stem:
        problems.append(written.problem(("name",), f"must be {path.stem}, like the file"))
    return pack


def _refer(written: Document, beside: Path | None, problems: list[Problem]) -> None:
    """Put in place of the names of a calendar and of departments what their files hold."""
    data: dict[str, Any] = written.data
    if isinstance(name := data.get("calendar"), str):
        calendar = _named("calendars", name, Calendar, written, beside, problems)
        data["calendar"] = calendar or Calendar(name=name, years={})
    if isinstance(name := data.get("departments"), str):
        departments = _named("departments", name, Departments, written, beside, problems)
        data["departments"] = departments.units if departments else ()


def _named(
    folder: str,
    name: str,
    model: type[M],
    written: Document,
    beside: Path | None,
    problems: list[Problem],
) -> M | None:
    """Return what ``folder/name.yaml`` holds, else None and add what is wrong."""
    path = _find(folder, name, beside) if _PLAIN.fullmatch(name) else None
    if path is None:
        key = "calendar" if folder == "calendars" else folder
        problems.append(written.problem((key,), f"there is no {folder}/{name}.yaml"))
        return None
    document = read(path)
    problems.extend(document.problems)
    return _validate(model, document, problems)


def _rooted(settings: Settings, base: Path) -> Settings:
    """Return the settings with the store's path and those of channels made absolute."""
    store, url = settings.store, settings.store.url
    paths: dict[str, Any] = {"folder": store.folder, "attachments": store.attachments}
    if not url.startswith(SQLITE):
        paths["folder"] = store.beside
    elif not url.startswith(SQLITE + "/"):
        url = SQLITE + str(base / url.removeprefix(SQLITE))
    paths = {name: base / path for name, path in paths.items() if path is not None}
    channels = tuple(_with_paths(section, base) for section in settings.channels)
    rooted = store.model_copy(update={"url": url, **paths})
    return settings.model_copy(update={"channels": channels, "store": rooted})


def _with_paths(section: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return a channel's section with the keys that are paths made absolute."""
    paths = {key: section[key] for key in _PATHS if isinstance(section.get(key), str)}
    return section | {key: str(base / path) for key, path in paths.items()}
