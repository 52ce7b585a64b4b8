"""Makes the world fail under a release's whole story, and holds the invariants against what is left of it.

`facts` and `invariants` are the judge: they read databases and files by themselves and import nothing of sealed.
"""
