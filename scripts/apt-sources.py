#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Copies the archive entries of apt's sources files for another release.
#
# usage: apt-sources.py TYPE OWN SUITE TO FILE...
#
#   TYPE   deb or deb-src: what the copies are for
#   OWN    the machine's release: only entries that carry it are copied
#   SUITE  the release that takes its place; NAME-backports brings NAME, too
#   TO     folder for private.sources and private.list, each made if not empty
#   FILE   *.sources (stanzas) or *.list (lines)
#
# URIs, keys and options stay; architectures and other components than main go.

import os
import re
import sys

ROLLING = ('sid', 'unstable', 'experimental')   # no security suite


def suites_for(words, own, suite):
    """The suites of an entry under the new release, in order, none twice"""
    base = re.sub(r'-backports(-sloppy)?$', '', suite)
    pattern = re.compile(r'(%s|stable|oldstable|testing|unstable|sid)'
                         r'(-security|/updates)?$' % re.escape(own))
    found = []

    for word in words:
        match = pattern.match(word)
        if not match or (match.group(2) and base in ROLLING):
            continue
        found.append(base + (match.group(2) or ''))
        if base != suite and not match.group(2):
            found.append(suite)
    return list(dict.fromkeys(found))


def fields_of(stanza):
    """(key in lower case, text with continuation lines) of each field"""
    fields = []

    for line in stanza.splitlines():
        if line.startswith('#'):
            continue
        if line[:1] in ' \t' and fields:
            fields[-1][1].append(line)
        elif ':' in line:
            fields.append((line.split(':')[0].strip().lower(), [line]))
    return [(key, '\n'.join(lines)) for key, lines in fields]


def value(text):
    return text.split(':', 1)[1].split()


def stanzas(text, kind, own, suite):
    # a line of a comment ends no stanza
    for stanza in re.split(r'\n[ \t]*\n', '\n' + text + '\n'):
        fields = fields_of(stanza)
        have = dict(fields)
        if (value(have.get('enabled', ':yes'))[:1] or ['yes'])[0].lower() in (
                'no', 'false', '0', 'off', 'without', 'disable'):
            continue
        found = suites_for(value(have.get('suites', ':')), own, suite)
        if not found or 'main' not in value(have.get('components', ':')):
            continue
        yield '\n'.join(['Types: ' + kind, 'Suites: ' + ' '.join(found),
                         'Components: main'] +
                        [text for key, text in fields if key not in (
                            'types', 'suites', 'components', 'enabled',
                            'architectures')]) + '\n'


def lines(text, kind, own, suite):
    for line in text.splitlines():
        match = re.match(r'\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s+(.*)',
                         line)
        if not match:
            continue
        options, uri, release, components = match.groups()
        if 'main' not in components.split('#')[0].split():
            continue
        kept = [word for word in (options or '').split()
                if not re.match(r'(arch|lang|target)[-+]?=', word)]
        for found in suites_for([release], own, suite):
            yield '%s %s%s %s main\n' % (
                kind, '[%s] ' % ' '.join(kept) if kept else '', uri, found)


def main():
    if len(sys.argv) < 6:
        sys.exit('usage: apt-sources.py TYPE OWN SUITE TO FILE...')
    kind, own, suite, to = sys.argv[1:5]
    made = {'private.sources': [], 'private.list': []}

    for name in sys.argv[5:]:
        with open(name, encoding='utf-8', errors='surrogateescape') as file:
            text = file.read()
        if name.endswith('.sources'):
            made['private.sources'] += stanzas(text, kind, own, suite)
        else:
            made['private.list'] += lines(text, kind, own, suite)
    for name, entries in made.items():
        if entries:
            with open(os.path.join(to, name), 'w', encoding='utf-8',
                      errors='surrogateescape') as file:
                file.write(('\n' if name.endswith('.sources') else '').join(
                    dict.fromkeys(entries)))


main()
