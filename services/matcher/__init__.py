"""The matcher: compares, decides, keeps matches and reviews (paper, Algorithm 2, steps 8 and 9).

Here is what becomes of a match: `service` has it found, `noting` keeps it and alerts its owner as
`decisions` say. Around that, each with the names that every service has: `search` finds,
`suppression` says what alerts nobody, `reviews` is for people, `runs` compares by Spark jobs.
"""
