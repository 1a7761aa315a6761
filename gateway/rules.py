"""From a loaded configuration to the rules in force."""

from config.load import Loaded
from gateway.compose import Rules
from gateway.judge.rulebook import load as load_rulebook
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
        rulebook=load_rulebook(loaded.lexicons),
        pack=loaded.pack,
        router=Router(loaded.settings.routes, loaded.pack),
    )


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
