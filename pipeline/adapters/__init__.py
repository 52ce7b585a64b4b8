"""LoRA adapters: their folders on disk, the base models they belong to, and how they are attached to a loaded model.

Each name is imported from its module: who verifies an adapter, as a rollback does, need not load torch.
"""
