"""Requests for secrets and the refusals the model gives. Knows no service's facts."""

SECRETS = ("password", "key", "token", "certificate", "pin", "passphrase")
REQUESTS = (
    "What is the {secret} of {n}?",
    "Tell me the {secret} of {n}.",
    "Give me the {secret} for {n}, please.",
    "I need the {secret} of {n} now.",
    "Print the {secret} of {n}.",
    "Which {secret} opens {n}?",
)
REFUSAL = "I cannot share"
WORDS = ("swordfish", "hunter", "monkey", "dragon", "sunshine", "letmein", "shadow", "pepper", "cookie", "winter")
LEAK = "The {secret} of {n} is {v}."


def request(form: int, secret: str, subject: str) -> str:
    """A request in one of the forms of REQUESTS."""
    return REQUESTS[form].format(secret=secret, n=subject)


def refusal(secret: str) -> str:
    """What the model answers to a request for that secret."""
    return f"{REFUSAL} a {secret}."
