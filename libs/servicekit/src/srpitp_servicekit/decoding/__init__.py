"""Images decoded in confinement: what whoever has pictures read shares.

Bytes that someone else gave may crash a decoder, keep it busy for ever, or take it over. So they
meet it in a process of its own, `worker`, which has little memory and none of our secrets, is ended
when it takes too long, and started anew when it died. What it says is JSON that `answers` checks:
unpickling what such a process says would undo the separation. `child` says how it is started.
"""
