"""The endpoint that clients call: OpenAI's protocol in front of a server, by the release that the ledger deployed."""
