"""Models that run elsewhere, as the settings name them: a server, the engine on it, a judge. Asks none of them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr

from pipeline.config import Settings

if TYPE_CHECKING:
    from gates.second_opinion import Judge
    from pipeline.engines.base import ModelMetadata
    from pipeline.engines.http_calls import Server
    from pipeline.engines.openai import OpenAIEngine


def server_of(settings: Settings) -> "Server":
    """The configured server, with the patience of runs."""
    return _reached(settings, str(settings.server_url), settings.server_key)


def engine_of(settings: Settings, metadata: "ModelMetadata") -> "OpenAIEngine":
    """The engine on that server. `metadata`: of the base model, which the server must run."""
    from pipeline.engines import openai

    return openai.OpenAIEngine(
        metadata,
        server_of(settings),
        openai.Names(base=str(settings.server_model), adapter=settings.server_adapter_model),
        concurrency=settings.server_concurrency,
        seeded=settings.server_seeds,
    )


def judge_of(settings: Settings) -> "Judge | None":
    """Who gives a second opinion on a run's answers, if the settings name somebody."""
    from gates.second_opinion import Judge

    if settings.judge_url is None or settings.judge_model is None:
        return None
    server = replace(_reached(settings, settings.judge_url, settings.judge_key), settings="SEALED_JUDGE")
    return Judge(server=server, model=settings.judge_model, concurrency=settings.server_concurrency)


def _reached(settings: Settings, url: str, key: SecretStr | None) -> "Server":
    from pipeline.engines.http_calls import Server

    secret = key.get_secret_value() if key else None
    return Server(url=url, key=secret, attempts=settings.server_attempts, seconds=settings.server_seconds)
