"""From a loaded configuration to the rules in force."""

from pathlib import Path

from config.load import Loaded
from gateway.compose import Rules
from gateway.judge.rulebook import load as load_rulebook
from gateway.judge.rulebook import shipped_model
from gateway.lifecycle import WorkRules
from gateway.route import Router
from normalizer.gazetteer import Gazetteer
from normalizer.normalize import Context


def compile_rules(loaded: Loaded) -> Rules:
    """Return the rules of a configuration.

    Raises:
        ConfigError: A lexicon or a route is wrong; names file and line.
    """
    return Rules(
        zone=loaded.settings.instance.zone,
        context=Context(home=loaded.pack.home, area_code=loaded.pack.area_code),
        gazetteer=Gazetteer.load(loaded.pack.home),
        rulebook=load_rulebook(loaded.lexicons, model_of(loaded)),
        pack=loaded.pack,
        router=Router(loaded.settings.routes, loaded.pack),
    )


def model_of(loaded: Loaded) -> Path:
    """Return the judge's model: the site's own, ``models/judge.model`` beside its file, or the shipped."""
    own = loaded.path.parent / "models" / "judge.model"
    return own if own.is_file() else shipped_model()


def work_rules(rules: Rules) -> WorkRules:
    """Return what the region says about the steps of handling units."""
    extension, returns = rules.pack.extension, rules.pack.returns
    return WorkRules(
        extensions_max=extension.at_most if extension else None,
        extension_days=extension.each if extension else None,
        extension_within_original=bool(extension and extension.within_original),
        extension_before_days=extension.apply_before if extension else None,
        extension_basis=rules.pack.cite(extension.basis) if extension else None,
        reason_for_return=bool(returns and "reason" in returns.needs),
        return_basis=rules.pack.cite(returns.basis) if returns else None,
        calendar=rules.pack.calendar,
        zone=rules.zone,
    )
