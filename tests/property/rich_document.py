"""A valid document that uses almost every part of the language."""

RICH = """\
document:
  dsl: 1.0.3
  namespace: test
  name: rich
  version: 1.0.0-rc.1+b
  title: T
  tags: { a: b }
  metadata: { counterpoint: { owner: team, onFault: pause, concurrency: { limit: 2 } } }
input: { schema: { format: json, document: { type: object } }, from: .order }
output: { as: { a: '${ . }' }, schema: { document: true } }
timeout: long
evaluate: { language: jq, mode: strict }
schedule:
  every: { hours: 1 }
  after: PT5M
  cron: '0 0 * * *'
  on: { any: [ { with: { type: t } } ] }
  read: raw
use:
  timeouts: { long: { after: P1D } }
  secrets: [ s ]
  catalogs: { c: { endpoint: { uri: 'https://x.y/{v}' } } }
  retries:
    r:
      when: .status == 503
      delay: { seconds: 1 }
      backoff: { linear: { factor: 2 } }
      jitter: { from: PT0S, to: PT1S }
      limit: { attempt: { count: 3, duration: PT9S }, duration: PT1H }
  errors: { e: { type: 'https://x.y/e', status: 400, title: T, detail: '${ .d }', instance: /do/0 } }
  authentications:
    basic: { basic: { username: u, password: p } }
    digest: { digest: { use: s } }
    oauth2:
      oauth2:
        authority: 'https://a.b'
        grant: password
        client: { id: i, secret: s, authentication: none }
        request: { encoding: application/json }
        scopes: [ a ]
        subject: { token: t, type: u }
        endpoints: { token: /t }
  extensions: [ { x: { extend: all, when: '$task.name == "a"', before: [ { b: { wait: PT1S } } ] } } ]
  functions: { f: { set: { n: 1 }, input: { schema: { document: {} } } } }
do:
- a:
    if: .x
    call: f
    with: { n: 1 }
    input: { from: { a: .b } }
    export: { as: '$context + { n: $output }' }
    timeout: { after: { minutes: 1 } }
    then: g
    metadata: { counterpoint: { retry: r, onUncertain: pause, idempotency: { key: '${ .id }' } } }
- g:
    try:
    - h:
        for: { each: p, in: [ { a: 1 } ], at: i }
        while: $i < 3
        do: [ { j: { fork: { compete: true, branches: [ { k: { raise: { error: e } } } ] } } } ]
    catch:
      errors: { with: { type: t, status: 1, instance: /a, title: t, detail: d } }
      as: err
      when: .status > 1
      exceptWhen: $err.status > 2
      retry: r
      do: [ { l: { set: '${ $err }' } } ]
      then: end
- m:
    switch: [ { one: { when: .a, then: a } }, { two: { then: exit } } ]
- n:
    emit:
      event:
        with: { id: '1', source: 'https://x.y', type: t, time: '2026-01-01T00:00:00Z', subject: s, x: 1 }
- o:
    listen:
      to: { any: [ { with: { type: t }, correlate: { c: { from: .id, expect: '1' } } } ], until: length > 1 }
      read: envelope
    foreach: { item: it, at: n, do: [], output: { as: . }, export: { as: . } }
- p:
    run:
      await: false
      return: code
      shell: { command: ls, stdin: x, arguments: [ a ], environment: { A: b } }
- q:
    run:
      container:
        image: i
        name: n
        ports: {}
        volumes: {}
        lifetime: { cleanup: eventually, after: PT1S }
- r:
    call: a2a
    with: { server: 'https://x.y', method: tasks/get, parameters: { id: 1 } }
- s:
    call: mcp
    with:
      method: tools/list
      timeout: PT5S
      transport: { http: { endpoint: 'https://x.y', headers: { a: b } }, options: { a: b } }
      client: { name: n, version: v }
- t:
    call: http
    with:
      method: put
      endpoint: { uri: '${ .url }', authentication: { use: basic } }
      headers: { a: b }
      query: '${ .q }'
      body: [ 1 ]
      output: raw
      redirect: true
- u: { run: { script: { language: js, source: { name: n, endpoint: 'https://x.y' } } } }
- v: { wait: '${ .w }' }
"""
