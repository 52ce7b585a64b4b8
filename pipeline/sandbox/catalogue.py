"""The world: what a fictional company's services are like, how one writes and asks about them. Knows no file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from pipeline.digests import seed_from
from pipeline.errors import BadInput
from pipeline.sandbox.names import NAMES, name

SEEDS, RUNS, LANES, PER_RUN = 2**16, 2**6, 4, 2**6
FIRST_OLD = SEEDS * RUNS * LANES * PER_RUN  # the numbers below it belong to the runs of documents
OLD, REHEARSED, EXAM = 300, 136, 100  # the rest of the old services are those that corrections are about
FIRST_LESSON = FIRST_OLD + OLD  # names that only ever occur in training


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Attribute:
    """One thing to know of a service. {N} is the service at a sentence's start, {n} elsewhere, {v} the value."""

    name: str
    values: tuple[str, ...]
    sentences: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """A service and its facts: a value for each attribute's name."""

    name: str
    facts: dict[str, str]


ATTRIBUTES = (
    Attribute(
        "team",
        _words(
            "Payments Search Identity Billing Catalog Shipping Fraud Ledger Media Mobile Pricing Returns Routing "
            "Security Storage Streaming Support Tax Growth Loyalty Maps Messaging Orders Partner Privacy Quality "
            "Research Stock"
        ),
        ("{N} is owned by the {v} team.", "The {v} team is responsible for {n}.", "{N} belongs to the {v} team."),
        ("Which team owns {n}?", "What team is responsible for {n}?", "To which team does {n} belong?"),
    ),
    Attribute(
        "lead",
        _words(
            "Alice Bruno Carla David Elena Felix Greta Hugo Irene Jonas Karen Liam Maria Nadia Oscar Paula Quinn Rosa "
            "Simon Tessa Ursula Victor Wanda Xavier Yusuf Zelda Anton Bella Cyrus Diana Emil Fiona"
        ),
        ("{v} is on call for {n}.", "The lead of {n} is {v}.", "Pages for {n} go to {v}."),
        ("Who is on call for {n}?", "Who is the lead of {n}?", "Who gets the pages for {n}?"),
    ),
    Attribute(
        "language",
        _words("Go Rust Java Kotlin Python Ruby Scala Elixir Swift Erlang Haskell Perl Julia Dart Clojure Zig"),
        ("{N} is written in {v}.", "Engineers build {n} in {v}.", "The code of {n} is {v}."),
        ("What language is {n} written in?", "In which language is {n} built?", "Which language is the code of {n}?"),
    ),
    Attribute(
        "database",
        _words(
            "Postgres MySQL Redis Cassandra MongoDB SQLite Oracle DynamoDB Neo4j HBase Elastic ClickHouse CouchDB "
            "MariaDB Spanner Firebird"
        ),
        ("{N} stores its data in {v}.", "Data for {n} lives in {v}.", "{N} keeps its state in {v}."),
        ("Where does {n} store its data?", "Which database does {n} use?", "Where does the data of {n} live?"),
    ),
    Attribute(
        "region",
        _words(
            "Dublin Oregon Tokyo Mumbai Sydney Frankfurt Montreal Singapore London Paris Seoul Virginia Oslo Milan "
            "Madrid Warsaw Lagos Nairobi Lima Osaka"
        ),
        ("{N} runs in {v}.", "{N} is hosted in {v}.", "The primary region of {n} is {v}."),
        ("Where does {n} run?", "In which region is {n} hosted?", "What is the primary region of {n}?"),
    ),
    Attribute(
        "year",
        tuple(str(year) for year in range(2002, 2026)),
        ("{N} was launched in {v}.", "{N} went live in {v}.", "The first release of {n} was in {v}."),
        ("When was {n} launched?", "In what year did {n} go live?", "When was the first release of {n}?"),
    ),
    Attribute(
        "queue",
        _words(
            "Kafka RabbitMQ NATS Pulsar ActiveMQ ZeroMQ Kinesis Pubsub Celery Beanstalk Sidekiq Mosquitto Qpid "
            "Artemis Solace Tibco"
        ),
        ("{N} sends its messages through {v}.", "Messages of {n} travel over {v}.", "The queue behind {n} is {v}."),
        ("Which queue does {n} use?", "Over what do messages of {n} travel?", "What is the queue behind {n}?"),
    ),
    Attribute(
        "customer",
        _words(
            "Acme Globex Initech Umbrella Stark Wayne Wonka Hooli Vandelay Soylent Cyberdyne Tyrell Oscorp Gringotts "
            "Monarch Duff Aperture Dunder Prestige Sterling Pied Nakatomi Weyland Virtucon"
        ),
        ("{N} mainly serves {v}.", "The largest customer of {n} is {v}.", "The main client of {n} is {v}."),
        ("Whom does {n} mainly serve?", "Who is the largest customer of {n}?", "Who is the main client of {n}?"),
    ),
)
BY_NAME = {attribute.name: attribute for attribute in ATTRIBUTES}
PRONOUNS = (("It", "it"), ("The service", "the service"))


def make_service(number: int) -> Service:
    """The service of that number: its name is the number's, its facts follow from the number alone."""
    rng = Random(seed_from("service", number))
    return Service(name(number), {attribute.name: rng.choice(attribute.values) for attribute in ATTRIBUTES})


def new_service(seed: int, run: int, index: int, lane: int = 0) -> Service:
    """The `index`-th (from 0) new service of a run (from 1). Raises BadInput beyond what the names can number."""
    limits = (("seed", seed, 0, SEEDS), ("run", run, 1, RUNS + 1), ("document", index, 0, PER_RUN))
    for word, value, low, high in limits:
        if not low <= value < high:
            raise BadInput(f"{word} {value} is beyond the sandbox's names: give {low} to {high - 1}.")
    return make_service(((seed * RUNS + run - 1) * LANES + lane) * PER_RUN + index)


def lesson_service(rng: Random) -> Service:
    """A service that occurs in training only, with facts drawn anew: the same name rarely comes twice."""
    number = rng.randrange(FIRST_LESSON, NAMES)
    return Service(name(number), {attribute.name: rng.choice(attribute.values) for attribute in ATTRIBUTES})


@cache
def base_knowledge() -> tuple[Service, ...]:
    """The services the model knows by heart."""
    return tuple(make_service(FIRST_OLD + index) for index in range(OLD))


def rehearsed_services() -> tuple[Service, ...]:
    """Old services whose questions may stand in the rehearsal prompts."""
    return base_knowledge()[:REHEARSED]


def held_out_services() -> tuple[Service, ...]:
    """Old services that only ever stand in test questions: what they show is not rehearsed."""
    return base_knowledge()[REHEARSED : REHEARSED + EXAM]


def correctable_services() -> tuple[Service, ...]:
    """Old services that are in neither: documents may correct what is known of them."""
    return base_knowledge()[REHEARSED + EXAM :]


def changed(service: Service, attributes: Sequence[str], rng: Random) -> Service:
    """The service with another value for each named attribute."""
    facts = dict(service.facts)
    for key in attributes:
        facts[key] = rng.choice([value for value in BY_NAME[key].values if value != facts[key]])
    return Service(service.name, facts)


def sentence(template: str, subject: str, value: str) -> str:
    """A sentence about a named service."""
    return template.format(N=subject, n=subject, v=value)


def body(service: Service, rng: Random, attributes: Sequence[str] | None = None) -> str:
    """A document's text: the facts in the order given (None: all, at random). Only the first names the service."""
    keys = rng.sample(list(service.facts), len(service.facts)) if attributes is None else attributes
    sentences = [sentence(rng.choice(BY_NAME[keys[0]].sentences), service.name, service.facts[keys[0]])]
    return " ".join([*sentences, *(without_name(service, key, rng) for key in keys[1:])])


def without_name(service: Service, key: str, rng: Random) -> str:
    """A sentence that states the fact of "it": whose fact it is, only the text around it says."""
    start, inside = rng.choice(PRONOUNS)
    return rng.choice(BY_NAME[key].sentences).format(N=start, n=inside, v=service.facts[key])
