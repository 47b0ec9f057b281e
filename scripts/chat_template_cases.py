"""Small cases of Jinja for check_chat_template.py: whitespace, statements, expressions, errors, random expressions."""
import random

# Each is a template of its own, rendered with a chat of three messages.
STATEMENTS = [
    # White space: trim_blocks and lstrip_blocks.
    'a\n  {% if true %}\nb\n  {% endif %}\nc\n\n',
    'a  {% if true %}  b  {% endif %}  c',
    'a\n  {%+ if true %}\nb{% endif +%}\nc',
    'a \n {%- if true -%} \n b \n {%- endif -%} \n c',
    'a\n  {{ 1 }}\n  {{- 2 -}}\n  b',
    'a\n  {# x #}\nb {#- y -#} c {#+ z +#}\nd',
    '\r\na\r\n{% if 1 %}\r\nb\rc{% endif %}\r\n',
    '{% if 1 %}\n\n  x\n{% endif %}\n',
    '  {% raw %}\n {{ x }} {% if %}\n  {% endraw %}\n y',
    'a {%- raw -%}  {{ b }}  {%- endraw -%}  c',
    '{{-1}}{{+1}}{{ -1 }}',
    '\t{% set x = 1 %}\n{{ x }}\xa0{%- if 1 %}y{% endif %}',
    '{% if 1 %}a{% endif %}  {% if 1 %}b{% endif %}\n  {% if 1 %}\n  c{% endif %}',
    '{#-#}x{# a\nb #}\n  y',
    '',
    '\n',
    '{{ \'}}\' }}{{ "%}" }}{{ {\'a\': {\'b\': 1}}[\'a\'][\'b\'] }}{{ {\'a\': 1}}}',
    # Loops.
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }}:{{ m.role }}{{ ' ' if not loop.last }}{% endfor %}",
    "{% for m in messages if m.role != 'user' %}{{ loop.index0 }}{{ m.role }}{% else %}none{% endfor %}",
    '{% for x in [] %}{{ x }}{% else %}empty{% endfor %}{% for x in undefined_name %}{% else %}E{% endfor %}',
    '{% for x in [1] %}{% break %}{% else %}Jinja runs this{% endfor %}',
    '{% for x in [1, 2] %}{% continue %}{% else %}and this{% endfor %}',
    '{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x > 4 %}{% break %}{% endif %}{{ x }}{% endfor %}',
    "{% for k, v in {'a': 1, 'b': [2]}.items() %}{{ k }}={{ v }};{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a+b+c }}{% endfor %}",
    "{% for x in 'añ√' %}[{{ x }}{{ loop.previtem }}{{ loop.nextitem }}]{% endfor %}",
    '{% for x in range(3) %}{{ loop.first }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}',
    '{% for x in [1, 2] %}{% for y in [3, 4] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}',
    '{% set ns = namespace(stop=false) %}{% for x in range(5) if not ns.stop %}{{ x }}{% if x == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}',
    '{% set ns = namespace(stop=false) %}{% for x in range(5) if not ns.stop %}{{ x }}{{ loop.last }}{% if x == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}',
    '{% for x in [1, 2, 3] if x > 1 %}{{ loop.length }}{{ x }}{% endfor %}{{ loop is defined }}',
    '{% for x in [1, 2] %}{% set y %}a{% break %}{% endset %}{% endfor %}{{ y is defined }}',
    '{% for m in messages: %}{{ m.role }}{% endfor %}{% for a in 1, 2 %}{{ a }}{% endfor %}',
    # Variables and their scopes.
    '{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}',
    '{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}',
    "{% set a, b = 1, 'c' %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c + d }}",
    "{% set ns = namespace(a=1, b='x') %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}{{ ns.c is defined }}",
    "{% set x %}a{{ 1 + 1 }}b{% endset %}[{{ x }}]{% set y | upper | replace('A', 'z') %}abc{% endset %}{{ y }}",
    '{% filter upper | trim %}  abc {{ bos_token }} {% endfilter %}',
    "{% for m in messages %}{{ bos_token }}{% endfor %}{% set bos_token = 'x' %}{{ bos_token }}",
    '{% set bos_token %}<{{ bos_token }}>{% endset %}{{ bos_token }}',
    '{{ bos_token }}{% set bos_token %}<{{ bos_token }}>{% endset %}{{ bos_token }}',
    '{% if false %}{% set bos_token = 1 %}{% endif %}{{ bos_token }}{% for x in [1] %}{{ bos_token }}{% endfor %}',
    "{% macro f() %}{{ bos_token }}{% endmacro %}{{ f() }}{% set bos_token = 'x' %}{{ f() }}",
    '{% for i in [1, 2] %}{{ eos_token }}{% set eos_token = i %}{{ eos_token }}{% endfor %}{{ eos_token }}',
    '{% for i in [1, 2] %}{% if i == 2 %}{{ z is defined }}{% endif %}{% set z = i %}{{ z }}{% endfor %}{{ z is defined }}',
    '{% for bos_token in [1] %}{{ bos_token }}{% else %}{% endfor %}{{ bos_token }}',
    '{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}',
    # Macros.
    '{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}|{% endmacro %}{{ f(1) }}{{ f(1, c=5) }}{{ f(b=1, a=7) }}{{ f() }}',
    '{% macro fact(n) %}{{ n * (fact(n - 1) | int) if n > 1 else 1 }}{% endmacro %}{{ fact(10) }}',
    "{% set x = 'o' %}{% macro f(x) %}{{ x }}{{ y }}{% endmacro %}{% set y = 3 %}{{ f('i') }}{{ x }}{{ f is callable }}",
    '{% macro f(m) -%}\n  [{{ m.role }}]\n{%- endmacro %}{% for m in messages %}{{ f(m) }}{{ f(m) | length }}{% endfor %}',
    '{% if true %}{% macro f() %}a{% endmacro %}{% endif %}{{ f() ~ f() }}',
    # Conditions.
    "{% if messages | length > 5 %}a{% elif messages[1].role == 'user' %}b{% else %}c{% endif %}{% if [] or {} or '' or 0 %}d{% endif %}",
    '{% if x is defined and x.y %}a{% else %}b{% endif %}{% if not tools and documents is none %}c{% endif %}',
    # The chat.
    "{{ messages[-1].content }}{{ messages[0]['content'] }}{{ messages[9] is defined }}{{ messages | map(attribute='role') | join('-') }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ (messages | rejectattr('role', 'eq', 'user') | first).role }}",
    "{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}{{ messages[1:] | map(attribute='content') | list }}",
    '{% for m in messages[1:] | reverse %}{{ m.role }}{% endfor %}{{ messages == messages[:] }}{{ messages[0] in messages }}',
    "{{ strftime_now('%Y-%m-%d') | length }}{{ strftime_now('%%') }}{{ strftime_now is defined }}{{ raise_exception is defined }}",
    "{{ messages[0].items() | list }}{{ messages[0] | items | list }}{{ messages[0].keys() }}{{ messages[0].get('x', 3) }}{{ messages[0].get('x') }}",
]

# Each is printed by a template of its own.
EXPRESSIONS = [
    '1 + 2 * 3 - 4',
    '7 // 2, -7 // 2, 7 % -3, -7 % 3',
    '7 / 2, 6 / 3',
    '7.5 // 2, -7.5 % 2, 1e3, 1.5e-7, 1e16, 123456.789e3',
    "2 * 'ab' ~ 3 * [1]",
    'true + true, -true, +false',
    "1 == 1.0, 1 == true, '1' == 1, none == false",
    '1 < 2 < 3, 1 < 2 > 3, 3 >= 3 <= 2',
    "'a' < 'b', [1, 2] < [1, 3], (1,) <= (1, 2)",
    "'b' in 'abc', 'x' not in 'abc', 1 in [1.0], 'a' in {'a': 1}, 2 in (1, 3)",
    'not 1 == 2 and 3 or 4',
    "0 or '' or none",
    '1 and 2, 0 and 1, not [] ',
    "'a' if 0 else 'b' if 0 else 'c'",
    "('x' if false) is defined, 'x' if false",
    '\'it\\\'s\', "say \\"x\\"", \'a\\nb\\t\\\\\', \'\\x41\\u00e9\\U0001F600\\101\\q\\é\'',
    '\'a\' \'b\' "c"',
    '[\'it\\\'s\', \'q"\', \'n\\n\', \'é\', \'\\x7f\\u200b\\u00a0\']',
    "[1, 2.0, none, true, 'x', (1,), (), {'a': [1]}, {}]",
    "{'b': 1, 'a': 2, 'b': 3}",
    "{1: 'a', true: 'b', 1.0: 'c'}",
    "{'a': {'b': 1}}.a.b, {'a': 1}['b'] is defined",
    '[1, 2, 3][-1], [1, 2, 3][5] is defined, [[1], [2]][1][0], [4, 5].1',
    "'héllo'[1], 'abc'[-1], 'héllo' | length",
    "'abcdef'[1:4], 'abcdef'[::-1], 'abcdef'[::2], 'abc'[-2:], 'abc'[5:], 'abc'[:-1]",
    '[1, 2, 3, 4][1:3], [1, 2, 3, 4][::-1], [1, 2, 3, 4][-1:0:-2], (1, 2, 3)[:2]',
    'range(5)[1:3] | list, range(1, 10, 3) | list, range(5, 0, -2) | list, range(3)[-1]',
    "'  a b '.strip() ~ '|' ~ ' a '.lstrip() ~ '|' ~ ' a '.rstrip() ~ '|' ~ 'xxaxx'.strip('x') ~ 'ab'.strip('ba') ~ '|'",
    "'a,b,,c'.split(','), 'a,b,c'.split(',', 1), ' a  b c '.split(), ' a b c '.split(none, 1), 'a.b.c'.rsplit('.', 1)",
    "'abc'.startswith('ab'), 'abc'.endswith(('x', 'bc')), 'abc'.startswith(())",
    "'aBc dE'.upper() ~ 'aBc dE'.lower() ~ 'aBc dE\\'s x1y'.title() ~ 'aBc dE'.capitalize()",
    "'aBc-dE f\\'g 1x(ab' | title, 'ABC d' | capitalize",
    "'aaaa'.replace('a', 'b', 2), 'abc'.replace('', '-'), 'aXbX' | replace('X', 'y'), 'abab' | replace('ab', 'c', 1), 123 | replace(2, 'x')",
    "'abcabc'.find('c'), 'abcabc'.rfind('c'), 'abc'.find('x'), 'éa'.find('a'), 'aaa'.count('a'), 'a'.join(['x', 'y'])",
    "'prefix-a'.removeprefix('prefix-') ~ 'a.txt'.removesuffix('.txt'), 'a\\nb\\r\\nc\\n'.splitlines(), 'a\\nb'.splitlines(true)",
    "{'a': 1}.get('a'), {'a': 1}.get('b', 'd'), {'a': 1}.keys() | list, {'a': 1}.values() | list, {'a': 1}.items()",
    "{'items': 1}.items is callable, {'items': 1}['items'], {'x': 1}['get'] is callable",
    "'  x ' | trim ~ '|', 'xxaxx' | trim('x'), none | trim, 1 | string ~ 'x', [1] | string | length",
    '[1, [2, {\'a\': none}], \'é"\\n\\x01\'] | tojson, {\'a\': 1.0, \'b\': true, 1: 2} | tojson, \'é\' | tojson(true), \'😀\' | tojson(ensure_ascii=true)',
    "{'b': [1, 2], 'a': {}, 'c': []} | tojson(indent=2), [1, {'a': [3]}] | tojson(indent='->'), [1, 2] | tojson(indent=0)",
    "{'b': 1, 'a': (1, 2)} | tojson(sort_keys=true, separators=(',', ':')), 1.5 | tojson if false, none | tojson",
    "[3, 'a', none] | join, [1, 2] | join(', '), [{'a': 1}, {'a': 2}] | join('-', attribute='a'), 'abc' | join('.')",
    "x | default('d'), '' | default('d'), '' | default('d', true), none | d('e', boolean=true), x | default",
    "[1, 2] | first, [1, 2] | last, [] | first is defined, 'abc' | last, {'a': 1, 'b': 2} | last, x | first",
    "'42' | int, '4.7' | int, 'x' | int, 'x' | int(7), 3.9 | int, -3.9 | int, ' 12 ' | int, '1_0' | int, none | int, true | int, '1e3' | int",
    "'4.5' | float, 'x' | float(1.5), 'inf' | float, '-inf' | float, 3 | float",
    "'abc' | reverse, [1, 2] | reverse | list, {'a': 1, 'b': 2} | reverse | list, 'abc' | list, {'a': 1} | list, x | list",
    "[1, 2] | length, 'é' | count, {} | length, x | length",
    "[{'a': {'b': 1}}, {'a': {'b': 2}}] | map(attribute='a.b') | list, [[1, 2], [3]] | map(attribute='0') | list, ['a'] | map('upper') | list, [{}] | map(attribute='x', default='d') | list, ['a b'] | map('replace', 'a', 'c') | list",
    "[1, 2, 3, 4] | select('odd') | list, [1, 2, 3] | reject('divisibleby', 2) | list, [0, 1, ''] | select | list, [{'a': 1}, {}] | selectattr('a') | list, [{'a': 1}, {}] | rejectattr('a', 'defined') | list, [1, 5] | select('>', 2) | list",
    "x is defined, x is undefined, none is none, 'a' is string, {} is mapping, [] is iterable, [] is sequence, {} is sequence, 'a' is iterable, 1 is iterable, x is iterable, x is sequence",
    'true is boolean, 1 is boolean, 1 is number, true is number, 1.0 is number, 1 is integer, true is integer, 1.0 is float, true is true, 1 is true, false is false, 0 is false',
    '3 is odd, 4 is even, 9 is divisibleby 3, 9 is divisibleby(2), 1 is eq 1, 1 is equalto 2, 1 is ne 2, 1 is lt 2, 3 is ge(3), 1 is in [1], none is sameas none, x is not defined, 1 is not odd',
    '1 is odd and 2 is even or x is defined',
    '-1 | string, -(1) * 2, - 2 + 3, 1 - -1',
    '1 ~ 2 + 3 ~ 4',
    "{'a': [1, 2]} == {'a': [1, 2]}, [1] != (1,), [1] + [2], (1,) + (2,), x == y, x == none",
    "dict(a=1, b=2), dict([('a', 1)]), dict({'a': 1}, b=x is defined)",
    '(1, 2), (1,), 1,',
    '0.1 + 0.2, 1.0, 100000000000000000000.0, 1e-5, 0.0001, -0.0, 5e-324',
    "range(0) | list, [] + [], '' ~ none ~ true ~ x ~ 1.50",
    'tools, documents, add_generation_prompt',
    "'A' 'b'.upper()",
    "'<b>' ~ 'x' | safe",
    "messages | map(attribute='role') | select('equalto', 'user') | list",
    '1_000 + 2, 1e2, 1.5E+2',
    "[1, 2,], {'a': 1,}, f is defined",
    "{'a b': 1}['a b'], {(1, 2): 3}[(1, 2)], {none: 1}[none]",
    "{'b': 1, 'A': 3, 'a': 2} | dictsort, {'b': 1, 'A': 3} | dictsort(true), {'b': 1, 'a': 3} | dictsort(by='value', reverse=true)",
    "['b', 'A', 'a'] | sort, ['b', 'A', 'a'] | sort(case_sensitive=true), [3, 1.5, true] | sort(reverse=true), [{'a': 2}, {'a': 1}] | sort(attribute='a')",
    "('<a>' | safe if true else 1) ~ '<b>', ['<' | safe] | join, '<' | safe | string | length, '<' | safe in '<>', ('<' | safe | replace('<', '&')) + '<'",
    "'中文 Test' | upper, '中文 Test'.title()",
    "'%' in '50%', 'a\\\nb'",
]

ERRORS = [
    '{{ x.y }}', '{{ x + 1 }}', '{{ x() }}', '{{ x[0] }}', "{{ 'a' + 1 }}", '{{ 1 + none }}', '{{ [1] + (2,) }}',
    '{{ 1 / 0 }}', '{{ 1 % 0 }}', '{{ 1 in 2 }}', "{{ 1 in 'a' }}", "{{ 'a' < 1 }}", '{{ {[]: 1} }}',
    '{{ none | length }}', "{{ messages | selectattr('role') | length }}", '{{ x | tojson }}',
    "{{ [1] | join(attribute='a.b') }}", "{{ 'a'.split('') }}", '{{ [].append(1) }}', '{{ {}.update({}) }}',
    "{{ {}.pop('a') }}", "{{ raise_exception('no') }}", '{% set x.y = 1 %}',
    '{% set ns = namespace() %}{% set ns._a = 1 %}', '{% set a, b = [1] %}', '{% for a, b in [1] %}{% endfor %}',
    '{% for x in 1 %}{% endfor %}', '{% for x in none %}{% endfor %}', '{% if true %}', '{% for x in y %}',
    '{% endif %}', '{% unknown %}', '{{ 1 | unknown }}', '{{ 1 is unknown }}', "{{ 'a", '{{ (1 }}', '{{ 1) }}',
    '{{ }}', '{% %}', '{% if %}{% endif %}', '{% set 1 = 2 %}', '{% set true = 2 %}', '{{ 1 2 }}', '{{ a b }}',
    '{{ $ }}', '{# a', '{% raw %}a', '{{ [1, 2 }}', '{{ a. }}', '{{ a | }}', '{{ f(a=1, 2) }}',
    '{{ range(1000000) }}', '{{ [1][::0] }}', '{{ messages[0][1:] }}', "{{ 'a'[x:] }}", '{% break %}',
    '{% for x in [1] %}{% set loop = 1 %}{% endfor %}', '{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}',
    '{% macro f(a) %}{% endmacro %}{{ f(b=1) }}', '{% macro f(a=1, b) %}{% endmacro %}',
    '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', "{{ '\\x4' }}", '{{ x is divisibleby }}',
    '{{ 1 is odd is even }}', '{% for x in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}',
    '{{ messages[0].content.foo() }}', "{{ - 'a' }}", '{{ not }}', '{{ 012 }}', '{{ 1 if }}', '{{ x | int }}',
    "{{ ['a', 1] | sort }}", '{{ 1 | dictsort }}', "{{ 'a' | last(1) }}", "{{ ''.join([1]) }}", '{% else %}',
]

ATOMS = [
    '0', '1', '-2', '7', '2.5', 'true', 'false', 'none', 'x', "''", "'a'", "'Ab c'", "' 1 '", "'é'", '[]', "[1, 'a']",
    '(1, 2)', '{}', "{'a': 1, 'b': [2]}", 'messages[0]', 'bos_token', '(range(3) | list)',
]
METHODS = [
    'strip()', "strip('a')", 'split()', "split('b')", 'upper()', 'title()', "startswith('A')", "endswith('c')",
    "replace('a', 'xy')", "get('a')", 'items()', 'keys()', 'a', 'b[0]', 'role', "find('b')",
]
FILTERS = [
    'length', 'list', 'first', 'last', 'upper', 'trim', 'string', 'int', 'tojson', "join('-')", 'default(3)',
    "default('d', true)", "replace('a', 'b')", 'reverse | list', 'title', "map('string') | list", 'select | list',
    'float', 'capitalize',
]
TESTS = [
    'defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'boolean', 'number', 'integer', 'odd', 'true',
    "in [1, 'a']", 'eq 1', 'undefined', 'false',
]
OPERATORS = [
    '+', '-', '*', '/', '//', '%', '~', '==', '!=', '<', '>=', 'and', 'or', 'in', 'not in',
]
INDICES = [
    '0', '-1', "'a'", 'x',
]


def random_expression(source, depth):
    """An expression of at most `depth` levels; about half of them fail in Jinja."""
    if depth == 0 or source.random() < 0.1:
        return source.choice(ATOMS)
    inner = lambda: random_expression(source, depth - 1)
    kind = source.randrange(9)
    if kind < 3:
        return f"({inner()} {source.choice(OPERATORS)} {inner()})"
    if kind == 3:
        return f"({inner()}).{source.choice(METHODS)}"
    if kind == 4:
        return f"({inner()})[{source.choice(INDICES)}]"
    if kind == 5:
        return f"({inner()} | {source.choice(FILTERS)})"
    if kind == 6:
        return f"({inner()} is {source.choice(['', 'not '])}{source.choice(TESTS)})"
    if kind == 7:
        return f"({inner()} if {inner()} else {inner()})"
    return source.choice([f"[{inner()}, {inner()}]", f"{{'k': {inner()}}}", f"(not {inner()})", f"({inner()},)"])


def random_templates(seed, count):
    source = random.Random(seed)
    return ["{{ " + random_expression(source, source.randint(1, 4)) + " }}" for _ in range(count)]
