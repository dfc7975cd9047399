"""Small changes to a kernel's text, for mutate.py."""

import collections
import dataclasses
import pathlib
import random
import re

# Each has a name, a pattern and what stands in its place: a text, or a function of the match that gives several.
def number(match):
    text = match[0]
    value = int(text.rstrip("uUlL"), 0)
    suffix = text[len(text.rstrip("uUlL")):]
    show = hex if text.lower().startswith("0x") else str
    return [show(value + 1) + suffix] + ([show(value - 1) + suffix] if value > 0 else [])


def swap(first, second):
    return lambda match: [match[0].replace(first, second) if first in match[0] else match[0].replace(second, first)]


def each(table):
    return lambda match: [match[0].replace(match[1], other) for other in table[match[1]].split()]


OPERATORS = [
    ("barrier dropped", r"__sync(?:threads|warp)\([^()]*\);", ";"),
    ("wait dropped", r"cp_async_wait<[^<>]*>\(\);", ";"),
    ("wait for one less", r"cp_async_wait<([^<>]*)>", r"cp_async_wait<(\1) + 1>"),
    ("group not closed", r"cp_async_commit\(\);", ";"),
    ("comparison", r" (<|>|<=|>=|==|!=) ",
     each({"<": "<= >", ">": ">= <", "<=": "<", ">=": ">", "==": "!=", "!=": "=="})),
    ("arithmetic", r" (\+|-|\*|/|%) ", each({"+": "-", "-": "+", "*": "+", "/": "*", "%": "/"})),
    ("assignment", r" (\+|-|\||&|\^)= ", each({"+": "-", "-": "+", "|": "&", "&": "|", "^": "|"})),
    ("bits", r" (&|\||\^|<<|>>) ", each({"&": "|", "|": "&", "^": "|", "<<": ">>", ">>": "<<"})),
    ("logic", r" (&&|\|\|) ", each({"&&": "||", "||": "&&"})),
    ("negation dropped", r"(?<=[(\s])!(?=[\w(])", ""),
    ("constant", r"(?<![\w.])(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*(?![\w.])", number),
    ("float constant", r"(?<![\w.])\d+\.\d*f?(?![\w.])",
     lambda m: [f"({m[0]} + 1)"] + ([f"(-{m[0]})"] if re.search("[1-9]", m[0]) else [])),
    ("minimum and maximum", r"\b(?:fminf|fmaxf)\(", swap("fmin", "fmax")),
    ("minimum and maximum", r"\b(?:min|max)\(", swap("min", "max")),
    ("minimum and maximum", r"\batomic(?:Min|Max)\(", swap("Min", "Max")),
    ("guard dropped", r"\bif \((?!constexpr)", lambda m: ["if (true || ", "if (false && "]),
    ("atomic made plain", r"\batomic(\w+)\(", r"plain\1("),
    ("shuffle", r"__shfl_(xor|up|down)_sync", each({"xor": "down", "up": "down", "down": "up"})),
    ("mask", r"~0u", "0x7fffffffu"),
    ("volatile dropped", r"\bvolatile ", ""),
    ("rounded twice", r"\bfmaf\(", "rounded_twice("),
    ("statement dropped", r"(?m)^ *[\w\[\].>()*-]+(?:\[[^=;]*\])? [-+*/|&^]?= [^;{}]*;$", ";"),
    ("call dropped", r"(?m)^ *[a-z]\w*\([^;{}]*\);$", ";"),
    ("loop left", r"\b(continue|break);", each({"continue": "break", "break": "continue"})),
]

# What mutants call.
HELPERS = """
template <class T, class V> static inline T plainAdd(T* p, V v) { T o = *p; *p = (T)(o + (T)v); return o; }
template <class T, class V> static inline T plainSub(T* p, V v) { T o = *p; *p = (T)(o - (T)v); return o; }
template <class T, class V> static inline T plainMin(T* p, V v) { T o = *p; if ((T)v < o) *p = (T)v; return o; }
template <class T, class V> static inline T plainMax(T* p, V v) { T o = *p; if ((T)v > o) *p = (T)v; return o; }
template <class T, class V> static inline T plainOr(T* p, V v) { T o = *p; *p = (T)(o | (T)v); return o; }
template <class T, class V> static inline T plainAnd(T* p, V v) { T o = *p; *p = (T)(o & (T)v); return o; }
template <class T, class V> static inline T plainExch(T* p, V v) { T o = *p; *p = (T)v; return o; }
template <class T, class C, class V> static inline T plainCAS(T* p, C c, V v) {
  T o = *p;
  if (o == (T)c) *p = (T)v;
  return o;
}
static inline float rounded_twice(float a, float b, float c) { float p = a * b; return p + c; }
"""


# Files whose tests compare with a tolerance, and the operators that leave their results within it.
TOLERANT = {"conv.cu", "conv.cuh", "conv_f32.cu", "style.cu"}
BITS_ONLY = {"rounded twice"}


@dataclasses.dataclass
class Mutant:
    file: pathlib.Path
    operator: str
    line: int
    before: str
    after: str
    text: str

    def key(self):
        return self.file.name, normal(self.before), normal(self.after)


def normal(line):
    return " ".join(line.split())


def code(text):
    """The text with comments, strings, directives and what is no code of a kernel as blanks."""
    blank = lambda match: re.sub(r"[^\n]", " ", match[0])
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"", blank, text, flags=re.S)
    text = re.sub(r"(?m)^ *#[^\n]*(?:\\\n[^\n]*)*", blank, text)
    text = re.sub(r"\b(?:LAUNCH_BOUNDS|EMU_KERNEL|static_assert)\([^;{]*?\)(?=[\s;])", blank, text)
    return re.sub(r"\bextern \"C\"|\btemplate <[^>]*>", blank, text)


def mutants(file):
    text = file.read_text()
    seen = code(text)
    for name, pattern, replacement in OPERATORS:
        if file.name in TOLERANT and name in BITS_ONLY:
            continue
        for match in re.finditer(pattern, seen):
            others = replacement(match) if callable(replacement) else [match.expand(replacement)]
            for other in others:
                # Several lines in one keep their number.
                other += "\n" * (text[match.start():match.end()].count("\n") - other.count("\n"))
                broken = text[:match.start()] + other + text[match.end():]
                line = text.count("\n", 0, match.start())
                yield Mutant(file, name, line + 1, text.split("\n")[line], broken.split("\n")[line], broken)


def choose(file, wanted, seed):
    """Mutants in an order in which each operator has its turn, so that the rare ones are among the first."""
    groups = collections.defaultdict(list)
    for mutant in mutants(file):
        groups[mutant.operator].append(mutant)
    draw = random.Random(f"{seed} {file.name}")
    for group in groups.values():
        draw.shuffle(group)
    order = []
    while any(groups.values()):
        order += [group.pop() for group in groups.values() if group]
    return order if wanted is None else order[:wanted]


def equivalent(path):
    """Reasons by mutant: blocks of `file`, `- line`, `+ line`, `= reason`."""
    reasons, file, before, after = {}, None, None, None
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("- "):
            before = normal(line[2:])
        elif line.startswith("+ "):
            after = normal(line[2:])
        elif line.startswith("= "):
            reasons[file, before, after] = line[2:]
        elif line and not line.startswith(("#", "  ")):
            file = line
    return reasons
