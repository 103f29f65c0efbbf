"""Verilog that people read: a pass over the text that yosys writes, which changes no function.

yosys writes one operator per line and names every intermediate ``_12_``. This pass puts such wires
back where they are used, declares ports in the module's head, folds ``{ a, a, a }`` into
``{3{a}}`` and drops wires that nothing reads. It moves an expression only to places where Verilog
gives it the same width: width rules (IEEE 1364-2005, 5.4) make ``a & b`` depend on its context,
while comparisons, reductions and concatenations do not. Sums are never moved.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

__all__ = ["pretty"]

BITWISE = {"&", "|", "^", "~^"}
COMPARE = {"==", "!=", "<", "<=", ">", ">=", "&&", "||", "===", "!=="}
OTHER = {"+", "-", "*", "/", "%", "<<", ">>", "<<<", ">>>"}
REDUCE = {"|", "&", "^", "!", "~|", "~&", "~^"}
WIDEST = 96  # characters of an expression that may move to another line
SHORT = 16  # characters of one that may move to several places

NAME = re.compile(r"[A-Za-z_$][\w$]*")
NAMELESS = re.compile(r"_\d+_")
ESCAPED = re.compile(r"\\(\S+) ")
NUMBER = re.compile(r"\d+'\w+")
SIGNED = re.compile(r"^  (?:input|output) signed ", re.MULTILINE)
DECLARED = re.compile(
    r"  (?P<kind>input|output|wire|reg) (?:\[(?P<high>\d+):0\] )?"
    r"(?P<name>[\w$]+)(?P<init> = [^;]+)?;"
)
ASSIGN = re.compile(r"  assign (?P<to>.+?) = (?P<what>.+);")
CLOCKED = re.compile(
    r"    (?P<lead>(?:else )?)(?:if \((?P<cond>!?[^()]+)\) )?(?P<to>[^=]+?) <= (?P<what>.+);"
)
PORT = re.compile(r"    \.(?P<to>[\w$]+)\((?P<what>[^()]*)\)(?P<comma>,?)")


@cache
def _names(operand: str) -> list[str]:
    return NAME.findall(NUMBER.sub("", operand))


@dataclass
class Node:
    """An expression: ``op`` is "" for a single operand, "{}" for a concatenation, "?" for a mux."""

    op: str
    args: "list[Node | str]"

    def names(self) -> Iterator[str]:
        for arg in self.args:
            yield from (_names(arg) if isinstance(arg, str) else arg.names())

    def __str__(self) -> str:
        if self.op == "{}":
            return _concatenation([str(arg) for arg in self.args])
        parts = [f"({a})" if isinstance(a, Node) and a.op not in ("", "{}") else str(a)
                 for a in self.args]  # fmt: skip
        if self.op == "?":
            return f"{parts[0]} ? {parts[1]} : {parts[2]}"
        if len(parts) == 2:
            return f"{parts[0]} {self.op} {parts[1]}"
        return f"{self.op}{parts[0]}"

    @property
    def fixed(self) -> bool:
        """The value has the same bits in every context."""
        return self.op == "{}" or self.op in COMPARE or (len(self.args) == 1 and self.op in REDUCE)

    @property
    def bitwise(self) -> bool:
        """The value has the same bits in every context of its own width."""
        return self.op == "?" or self.op == "~" or (len(self.args) == 2 and self.op in BITWISE)


def _concatenation(parts: list[str]) -> str:
    runs: list[tuple[str, int]] = []
    for part in parts:
        if runs and runs[-1][0] == part:
            runs[-1] = (part, runs[-1][1] + 1)
        else:
            runs.append((part, 1))
    texts = []
    for part, count in runs:
        texts += [f"{{{count}{{{part}}}}}"] if count > 2 else [part] * count
    return texts[0] if len(runs) == 1 and runs[0][1] > 2 else f"{{{', '.join(texts)}}}"


@dataclass
class Place:
    """A spot in the module that holds an expression; the context is as wide as ``to``.

    ``lead`` and ``tail`` are the text around it; ``alone`` marks a self-determined spot.
    """

    lead: str
    to: str
    what: Node
    tail: str
    alone: bool = False


@dataclass
class Body:
    """Statements of a module; plain strings are left as they are."""

    head: str
    declared: dict[str, re.Match] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    lines: "list[list[Place | str]]" = field(default_factory=list)

    def width(self, operand: str) -> int | None:
        """Bits of an operand, or None if it is not one that this pass understands."""
        operand = operand.strip()
        if match := re.fullmatch(r"(\d+)'s?[hbd][0-9a-fA-Fxz?_]+", operand):
            return int(match[1])
        if match := re.fullmatch(r"([\w$]+)(?:\[(\d+)(?::(\d+))?\])?", operand):
            if match[2] is None:
                return self.widths.get(match[1])
            return int(match[2]) - int(match[3] or match[2]) + 1
        if operand.startswith("{"):
            return self.natural(Node("{}", list(_split(operand))))
        return None

    def natural(self, what: Node | str) -> int | None:
        """Bits of an expression on its own, without context."""
        if isinstance(what, str):
            return self.width(what)
        if what.op in COMPARE or (len(what.args) == 1 and what.op in REDUCE):
            return 1
        if what.op in OTHER or what.op == "-":
            return None
        parts = [self.natural(arg) for arg in (what.args[1:] if what.op == "?" else what.args)]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return sum(known) if what.op == "{}" else max(known)

    def places(self) -> Iterator[Place]:
        for line in self.lines:
            yield from (part for part in line if isinstance(part, Place))


def _split(operand: str) -> list[str]:
    """Elements of a concatenation without nesting."""
    return [part.strip() for part in operand.strip()[1:-1].split(",")]


def _parse(text: str) -> Node:
    """One yosys expression: at most one operator, operands without parentheses."""
    text = text.strip()
    if "$signed" in text or "(" in text or '"' in text:
        return Node("", [text])
    depth, words, start = 0, [], 0
    for n, char in enumerate(text + " "):
        depth += (char == "{") - (char == "}")
        if char == " " and depth == 0:
            words.append(text[start:n])
            start = n + 1
    words = [word for word in words if word]
    if len(words) == 5 and words[1] == "?" and words[3] == ":":
        return Node("?", [_operand(words[i]) for i in (0, 2, 4)])
    if len(words) == 3 and words[1] in BITWISE | COMPARE | OTHER:
        return Node(words[1], [_operand(words[0]), _operand(words[2])])
    if len(words) == 2 and words[0] in REDUCE | {"~", "-"}:
        return Node(words[0], [_operand(words[1])])
    if len(words) == 1:
        only = _operand(words[0])
        return only if isinstance(only, Node) else Node("", [only])
    return Node("", [text])


def _operand(text: str) -> "Node | str":
    if text.startswith("{") and text.count("{") == 1:
        return Node("{}", list(_split(text)))
    return text


def _read(text: str) -> Body | None:
    """Parse a module; None if it holds something that this pass does not know."""
    head, _, rest = text.partition(");\n")
    body = Body(head)
    for line in rest.split("\n"):
        if match := DECLARED.fullmatch(line):
            name, width = match["name"], int(match["high"] or 0) + 1
            if match["kind"] in ("input", "output"):
                body.ports[name] = match["kind"]
            else:
                body.declared[name] = match
            body.widths[name] = width
        elif match := ASSIGN.fullmatch(line):
            place = Place(f"  assign {match['to']} = ", match["to"], _parse(match["what"]), ";")
            body.lines.append([place])
        elif match := CLOCKED.fullmatch(line):
            parts: list[Place | str] = []
            lead = f"    {match['lead']}"
            if match["cond"]:
                negated = match["cond"].startswith("!")
                condition = _parse(match["cond"].lstrip("!"))
                parts.append(
                    Place(f"{lead}if ({'!' if negated else ''}", "", condition, ") ", not negated)
                )
                lead = ""
            what = _parse(match["what"])
            parts.append(Place(f"{lead}{match['to']} <= ", match["to"], what, ";"))
            body.lines.append(parts)
        elif match := PORT.fullmatch(line):
            what = _parse(match["what"]) if match["what"] else Node("", [""])
            place = Place(f"    .{match['to']}(", "", what, f"){match['comma']}", True)
            body.lines.append([place])
        elif "\\" in line:
            return None
        else:
            body.lines.append([line])
    return body


def _inline(body: Body) -> None:
    """Move the expressions of nameless wires to where they are used, until none can move."""
    uses: Counter[str] = Counter()
    homes: dict[str, dict[int, Place]] = {}  # places that read a nameless wire
    for line in body.lines:
        for part in line:
            if isinstance(part, str):
                uses.update(NAME.findall(part))
                continue
            uses.update(NAME.findall(part.to))
            for name in part.what.names():
                uses[name] += 1
                if NAMELESS.fullmatch(name):
                    homes.setdefault(name, {})[id(part)] = part

    moved = True
    while moved:
        moved, kept = False, []
        for line in body.lines:
            place = line[0]
            if isinstance(place, str) or not _move(body, place, uses, homes):
                kept.append(line)
            else:
                moved = True
        body.lines = kept


def _move(body: Body, place: Place, uses: Counter[str], homes: dict[str, dict[int, Place]]) -> bool:
    """Put the expression of a nameless wire where the wire is read, if that is the same everywhere.

    Keeps `uses` and `homes` up to date.
    """
    name, what = place.to, place.what
    if not NAMELESS.fullmatch(name):
        return False
    count, length = uses[name] - 1, len(str(what))
    if count < 1 or length > WIDEST or (count > 1 and length > SHORT):
        return False
    if not (what.fixed or what.bitwise):
        return False
    if what.op == "{}" and body.natural(what) != body.widths[name]:
        return False
    sites = [site for site in homes.get(name, {}).values() if site is not place]
    if sum(_count(site, name, what, body) for site in sites) != count:
        return False
    for site in sites:
        site.what = _replace(site.what, name, what)
    for inner in what.names():
        uses[inner] += count - 1
        if inner in homes:
            homes[inner].pop(id(place), None)
            homes[inner].update((id(site), site) for site in sites)
    del body.declared[name]
    return True


def _count(site: Place, name: str, what: Node, body: Body) -> int:
    """Uses of a wire in a place that its expression may take."""

    def visit(node: Node, context: int | None) -> int:
        """``context``: width of the operands of this node, if it is known."""
        found = 0
        for n, arg in enumerate(node.args):
            alone = node.op == "{}" or (node.op == "?" and n == 0)
            inner = body.natural(arg) if alone else context
            if not (alone or node.op == "" or node.bitwise):
                inner = None
            if isinstance(arg, Node):
                found += visit(arg, inner)
            elif arg == name and (what.fixed or inner == body.widths[name]):
                found += 1
        return found

    return visit(site.what, body.natural(site.what) if site.alone else body.width(site.to))


def _replace(node: Node, name: str, what: Node) -> Node:
    args = [
        _replace(arg, name, what) if isinstance(arg, Node) else what if arg == name else arg
        for arg in node.args
    ]
    if node.op == "" and isinstance(args[0], Node):
        return args[0]
    return Node(node.op, args)


def _spell_reductions(body: Body) -> None:
    """Write ``| { a, b }`` of single bits as ``a | b``."""
    for place in body.places():
        node = place.what
        if node.op in ("|", "&") and len(node.args) == 1 and isinstance(node.args[0], Node):
            bits = node.args[0]
            single = [isinstance(arg, str) and body.width(arg) == 1 for arg in bits.args]
            if bits.op == "{}" and len(bits.args) == 2 and all(single):
                place.what = Node(node.op, list(bits.args))


def _drop_unread(body: Body) -> None:
    """Forget Amaranth's second names of ports (``planes__0``), which nothing reads."""
    uses: Counter[str] = Counter()
    for place in body.places():
        uses.update(place.what.names())
    text = "\n".join(part for line in body.lines for part in line if isinstance(part, str))
    uses.update(NAME.findall(text))
    for at in range(len(body.lines) - 1, -1, -1):
        place = body.lines[at][0]
        if isinstance(place, Place) and place.lead.startswith("  assign "):
            name = place.to
            if "__" in name and name in body.declared and not uses[name]:
                del body.lines[at], body.declared[name]


def _write(body: Body) -> str:
    """The module with its ports in the head: clock and reset, inputs, outputs."""
    name = re.match(r"module ([\w$]+)", body.head)
    if name is None:
        return body.head
    order = {"clk": 0, "rst": 1}
    ports = sorted(body.ports, key=lambda p: (order.get(p, 2), body.ports[p] == "output"))
    heads = []
    for port in ports:
        match = body.declared.pop(port)
        size = f"[{body.widths[port] - 1}:0] " if body.widths[port] > 1 else ""
        heads.append(
            f"  {body.ports[port]:<6} {match['kind']:<4} {size}{port}{match['init'] or ''}"
        )
    head = f"module {name[1]} (\n" + ",\n".join(heads) + "\n);"
    declared = [match[0] for match in body.declared.values()]
    lines = [
        "".join(
            part if isinstance(part, str) else f"{part.lead}{part.what}{part.tail}" for part in line
        )
        for line in body.lines
    ]
    return "\n".join([head, *declared, *lines])


def plain_names(text: str) -> str:
    r"""Give names that Verilog must escape (``\first$31``, keywords) names that it need not.

    Examples
    --------
    >>> print(plain_names("wire first; wire \\first$31 ; assign first = \\first$31 ;"))
    wire first; wire first_31; assign first = first_31;
    """
    taken = set(NAME.findall(text))
    found: dict[str, str] = {}
    for name in dict.fromkeys(ESCAPED.findall(text)):
        plain = re.sub(r"\W", "_", name.strip("$").replace("$", "_"))
        plain = plain if NAME.fullmatch(plain) and plain != name else f"{plain}_"
        while plain in taken:
            plain += "_"
        taken.add(plain)
        found[name] = plain
    return ESCAPED.sub(lambda match: found[match[1]], text)


def pretty(text: str) -> str:
    """Rewrite the modules of a Verilog text for readers.

    Parameters
    ----------
    text
        What yosys' ``write_verilog -noattr`` wrote, after ``proc`` and ``opt_dff``.

    Returns
    -------
    str
        The same modules. One that holds anything unknown is left as it is.
    """

    def rewrite(match: re.Match) -> str:
        body = None if SIGNED.search(match[0]) else _read(match[0])
        if body is None or any(port not in body.declared for port in body.ports):
            return match[0]
        _spell_reductions(body)
        _inline(body)
        _drop_unread(body)
        return _write(body)

    return re.sub(
        r"^module .*?^endmodule", rewrite, plain_names(text), flags=re.MULTILINE | re.DOTALL
    )
