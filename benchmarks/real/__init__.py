"""A real pretrained model learns real passages: what each way of learning teaches, and what it costs elsewhere."""
