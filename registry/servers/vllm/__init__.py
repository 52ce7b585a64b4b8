"""Releases on a running vLLM server: adapters verified and loaded here, texts asked of it, an engine for runs.

Each name is imported from its module: they load torch.
"""
