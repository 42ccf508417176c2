"""Workflows that together use every task kind, for random weather."""

from __future__ import annotations

_HEAD = """
document:
  dsl: '1.0.3'
  namespace: simulation
  name: {name}
  version: '1.0.0'
  metadata: {{ counterpoint: {{ {extras} }} }}
use:
  retries:
    soon: {{ delay: {{ milliseconds: 300 }}, backoff: {{ exponential: {{}} }}, jitter: {{ from: {{ seconds: 0 }}, to: {{ seconds: 1 }} }} }}
    often: {{ delay: {{ seconds: 1 }}, limit: {{ attempt: {{ count: 4 }} }} }}
    at-once: {{ limit: {{ attempt: {{ count: 3 }} }} }}
  functions:
    twice:
      do:
        - first: {{ call: world.keyed, with: {{ value: '${{ . }}' }}, {soon} }}
        - second: {{ call: world.natural, with: {{ value: '${{ . }}' }}, {soon} }}
do:
"""
_SOON = "metadata: { counterpoint: { retry: soon } }"
_RETRIES = "retries: { world: soon }"


def document(name: str, do: str, extras: str = _RETRIES) -> str:
    """Text of a workflow."""
    return _HEAD.format(name=name, extras=extras, soon=_SOON) + do


SEQUENCE = document(
    "sequence",
    """
  - one: { call: world.keyed, with: { value: 1 }, export: { as: '${ $context + {one: .} }' } }
  - two: { call: world.asked, with: { value: '${ . + 1 }' } }
  - pause: { wait: { milliseconds: 700 } }
  - three: { call: world.once, with: { value: '${ . + 1 }' } }
  - foreign: { set: { sum: '${ [limit(5; range(.))] | add }', one: '${ $context.one }' } }
  - four: { call: world.natural, with: { value: '${ .sum }' } }
  - last: { call: twice, with: { value: '${ . }' } }
""",
    "retries: { world: soon }, outcome: '.value'",
)

PARALLEL = document(
    "parallel",
    """
  - both:
      fork:
        branches:
          - a: { do: [ { a1: { call: world.keyed, with: { value: 1 } } }, { a2: { call: world.asked, with: { value: 2 } } } ] }
          - b: { call: world.natural, with: { value: 3 } }
          - c: { do: [ { c1: { wait: { seconds: 2 } } }, { c2: { call: world.once, with: { value: 4 } } } ] }
  - race:
      fork:
        compete: true
        branches:
          - quick: { call: world.keyed, with: { value: quick } }
          - other: { call: world.asked, with: { value: other } }
          - slow: { do: [ { s1: { wait: { seconds: 30 } } }, { s2: { call: world.once, with: { value: 1 } } } ] }
  - many:
      for: { each: n, in: '${ [1, 2, 3, 4, 5] }' }
      metadata: { counterpoint: { parallel: 2 } }
      do:
        - act: { call: world.keyed, with: { value: '${ $n }' } }
        - rest: { wait: { milliseconds: 200 } }
  - end: { set: { all: '${ . }' } }
""",
)

LOOP = document(
    "loop",
    """
  - begin: { set: { n: 0 } }
  - step: { call: world.keyed, with: { value: '${ {n: (.n + 1)} }' } }
  - inner:
      for: { each: i, in: '${ [1, 2] }' }
      do:
        - act: { call: world.natural, with: { value: '${ . }' } }
  - more:
      switch:
        - again: { when: '${ .n < 4 }', then: step }
        - over: { then: finish }
  - never: { call: world.once, with: { value: 0 } }
  - finish: { set: { n: '${ .n }' } }
""",
)

TRIES = document(
    "tries",
    """
  - guarded:
      try:
        - count: { set: { tries: '${ ($context.tries // 0) + 1 }' }, export: { as: '${ {tries: .tries} }' } }
        - act: { call: world.keyed, with: { value: 7 }, metadata: { counterpoint: { retry: soon } } }
        - other: { call: world.asked, with: { value: 8 } }
        - fail: { if: '${ $context.tries < 3 }', raise: { error: { type: 'https://example.com/again', status: 409 } } }
      catch:
        as: problem
        retry: { delay: { milliseconds: 400 }, backoff: { linear: {} }, limit: { attempt: { count: 6 } } }
        do:
          - told: { call: world.natural, with: { value: '${ $problem.status }' } }
  - bounded:
      try:
        - within:
            do:
              - quick: { call: world.keyed, with: { value: 1 } }
              - slow: { wait: { seconds: 50 } }
              - late: { call: world.once, with: { value: 1 } }
            timeout: { after: { seconds: 3 } }
      catch:
        errors: { with: { status: 408 } }
        do:
          - after: { call: world.natural, with: { value: late } }
""",
)

CHILD = document(
    "child",
    """
  - work: { call: world.keyed, with: { value: '${ . }' } }
  - rest: { wait: { milliseconds: 500 } }
  - more: { call: world.asked, with: { value: '${ . }' } }
""",
)

PARENT = document(
    "parent",
    """
  - awaited: { run: { workflow: { namespace: simulation, name: child, version: '1.0.0', input: { from: 1 } } } }
  - two:
      fork:
        branches:
          - left: { run: { workflow: { namespace: simulation, name: child, version: '1.0.0', input: { from: 2 } } } }
          - right: { run: { workflow: { namespace: simulation, name: fragile, version: '1.0.0', input: { from: 3 } } } }
  - loose: { run: { workflow: { namespace: simulation, name: child, version: '1.0.0', input: { from: 4 } }, await: false } }
  - race:
      fork:
        compete: true
        branches:
          - quick: { wait: { milliseconds: 300 } }
          - long: { run: { workflow: { namespace: simulation, name: child, version: '1.0.0', input: { from: 5 } } } }
""",
)

FRAGILE = document(
    "fragile",
    """
  - first: { call: world.keyed, with: { value: 1 } }
  - both:
      fork:
        branches:
          - bad: { call: world.barred, with: { value: 2 } }
          - good: { do: [ { g1: { call: world.asked, with: { value: 3 } } }, { g2: { wait: { seconds: 1 } } } ] }
  - last: { call: world.barred, with: { value: 4 } }
""",
)

CAREFUL = document(
    "careful",
    """
  - both:
      fork:
        branches:
          - risky: { call: world.once, with: { value: 1 }, metadata: { counterpoint: { onUncertain: pause } } }
          - other: { do: [ { o1: { call: world.keyed, with: { value: 2 } } }, { o2: { call: world.asked, with: { value: 3 } } } ] }
          - third: { wait: { seconds: 3 } }
  - last: { call: world.barred, with: { value: 4 } }
""",
    "retries: { world: often }, onFault: pause, criticality: high-risk",
)

GATED = document(
    "gated",
    """
  - first: { call: world.keyed, with: { value: '${ . }' } }
  - rest: { wait: { seconds: 1 } }
  - second: { call: world.natural, with: { value: 2 } }
""",
    "retries: { world: at-once }, concurrency: { limit: 2, key: '.lane' }",
)

ONCE = document(
    "once",
    """
  - act: { call: world.keyed, with: { value: '${ . }' } }
  - rest: { wait: { seconds: 4 } }
  - large: { set: { text: '${ [range(0; 9000)] | map(tostring) | join(" ") }' } }
  - send: { call: world.natural, with: { value: '${ .text }' } }
""",
    "retries: { world: soon }, startKey: '.order'",
)

ALL = [SEQUENCE, PARALLEL, LOOP, TRIES, CHILD, PARENT, FRAGILE, CAREFUL, GATED, ONCE]
NAMES = ["sequence", "parallel", "loop", "tries", "child", "parent", "fragile", "careful", "gated", "once"]
