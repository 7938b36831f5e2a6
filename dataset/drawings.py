"""SVG drawings: checked, written anew without anything that reaches outside, and rendered.

The renderer (resvg) only ever reads what was written here, element by element, from what the
check has seen: no document type, no entity, no script, no link but to the drawing itself.
"""

import base64
import binascii
import re
from collections.abc import Callable
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from dataset.errors import PictureError

# The longer side of a rendered drawing in pixels.
SIDE = 512
MOST_BYTES = 2_000_000

# Depth of elements, those included that a reference leads to; the renderer's stack holds 100.
_DEEPEST = 64
_MOST_ELEMENTS = 100_000
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LINKS = ("href", "src", "base")
_URL = re.compile(r"url\(\s*[\"']?\s*([^)]*)", re.IGNORECASE)
_DATA = re.compile(r"data:image/(png|jpe?g|gif|webp)\s*;\s*base64\s*,", re.IGNORECASE)
_LENGTH = re.compile(r"\s*\+?(\d*\.?\d+(?:e[+-]?\d+)?)\s*(px|pt|pc|mm|cm|in|em|ex)?\s*", re.ASCII)
# Pixels in a unit (CSS Values 4, 5.2 and 6.2; em and ex of a 16 px font).
_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54}
_UNITS |= {"in": 96.0, "em": 16.0, "ex": 8.0}
# What a browser gives a drawing that says nothing of its size (CSS 2.2, 10.3.2).
_UNSIZED = (300.0, 150.0)

CheckImage = Callable[[bytes], None]


def is_drawing(content: bytes) -> bool:
    """Whether the bytes are an XML document whose first element is svg (RFC 7303 encodings)."""
    if content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<" and content[:2] not in _UTF_16:
        return False
    head = _text_start(content)
    for _ in range(64):
        head = head.lstrip("\ufeff \t\r\n")
        if head.startswith("<?"):
            head = head.partition("?>")[2]
        elif head.startswith("<!--"):
            head = head.partition("-->")[2]
        else:
            break
    if re.match(r"<!doctype\s+(\w+:)?svg[\s>\[]", head, re.IGNORECASE):
        return True
    return re.match(r"<([\w.-]+:)?svg[\s/>]", head) is not None


def render(content: bytes, check_image: CheckImage, max_aspect: float) -> bytes:
    """A PNG of the drawing on transparency, its longer side of 512 px; fonts are not used.

    `check_image` is called with the bytes of every embedded picture and raises what it will.
    Raises PictureError with reason too-many-bytes, svg-external, odd-aspect, broken, or svg when
    no renderer is installed.
    """
    if len(content) > MOST_BYTES:
        raise PictureError("too-many-bytes", f"a drawing of {len(content)} bytes, over 2 MB")
    written = _Rewriter(check_image, max_aspect).rewrite(content)
    try:
        import resvg_py
    except ImportError:
        raise PictureError(
            "svg", "a drawing, and no renderer is installed; pip install resvg_py"
        ) from None
    try:
        # Without fonts text is left out: with them the pixels would depend on the machine.
        return bytes(resvg_py.svg_to_bytes(svg_string=written, skip_system_fonts=True))
    except ValueError as error:
        raise PictureError("broken", f"the drawing cannot be rendered: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's: derives from BaseException
            raise
        raise PictureError("broken", "the drawing broke its renderer") from error


def _text_start(content: bytes) -> str:
    head = content[:65_536]
    if head.startswith(_UTF_16):
        return head.decode("utf-16", "replace")
    return head.decode("utf-8", "replace")


class _Rewriter:
    """Reads a drawing with expat and writes what may stay; refuses what reaches outside."""

    def __init__(self, check_image: CheckImage, max_aspect: float) -> None:
        self._check_image = check_image
        self._max_aspect = max_aspect
        self._written: list[str] = []
        self._elements = 0
        self._skipped = 0  # depth inside an element that is left out
        self._open: list[str] = []
        self._depths = _Depths()

    def rewrite(self, content: bytes) -> str:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 3 * len(content) + 1  # a text in one piece, whatever its encoding
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.EntityDeclHandler = self._refuse_doctype
        parser.ExternalEntityRefHandler = self._refuse_doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            cut = "no element found" in str(error) or "unclosed" in str(error)
            reason = "truncated" if cut else "broken"
            raise PictureError(reason, f"the drawing is no XML: {error}") from error
        if self._depths.deepest() > _DEEPEST:
            raise PictureError("broken", f"the drawing is nested deeper than {_DEEPEST}")
        return "".join(self._written)

    def _refuse_doctype(self, *_facts: object) -> int:
        raise PictureError("svg-external", "the drawing has a document type or entities")

    def _instruction(self, target: str, _data: str) -> None:
        if target.lower() == "xml-stylesheet":
            raise PictureError("svg-external", "the drawing asks for a style sheet elsewhere")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        local = name.rpartition(":")[2].lower()
        if self._skipped or local in ("script", "foreignobject"):
            self._skipped += 1
            return
        if self._elements > _MOST_ELEMENTS or len(self._open) >= _DEEPEST:
            raise PictureError(
                "broken",
                f"the drawing has over {_MOST_ELEMENTS} elements or is "
                f"nested deeper than {_DEEPEST}",
            )
        if not self._open:
            if local != "svg":
                raise PictureError("not-an-image", f"an XML document of {name[:40]}")
            attributes = self._sized(attributes)
        self._depths.enter(attributes.get("id", ""))
        self._open.append(local)
        self._written.append(f"<{name}")
        for key, value in attributes.items():
            key_name = key.rpartition(":")[2].lower()
            if key_name.startswith("on") or key in ("xml:space", "xml:lang"):
                continue
            self._check_value(key_name, value)
            self._written.append(f" {key}={quoteattr(value)}")
        self._written.append(">")

    def _end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        self._depths.leave()
        self._open.pop()
        self._written.append(f"</{name}>")

    def _text(self, text: str) -> None:
        if self._skipped:
            return
        if self._open and self._open[-1] == "style":
            self._check_style(text)
        self._written.append(escape(text))

    def _check_value(self, name: str, value: str) -> None:
        if name in _LINKS:
            self._check_link(value)
        elif name == "style" or "(" in value:
            self._check_style(value)

    def _check_style(self, text: str) -> None:
        if "@import" in text.lower() or "\\" in text:
            raise PictureError("svg-external", "the drawing imports a style or hides one")
        for match in _URL.finditer(text):
            self._check_link(match[1])

    def _check_link(self, target: str) -> None:
        target = target.strip(" \t\r\n\"'")
        if target.startswith("#"):
            self._depths.refer(target[1:])
            return
        if not target:
            return
        start = _DATA.match(target)
        if start is None:
            raise PictureError("svg-external", f"the drawing reaches for {target[:80]}")
        try:
            picture = base64.b64decode("".join(target[start.end() :].split()))
        except (binascii.Error, ValueError) as error:
            raise PictureError("broken", f"a picture in the drawing is broken: {error}") from error
        self._check_image(picture)

    def _sized(self, attributes: dict[str, str]) -> dict[str, str]:
        """The root's attributes with a viewBox and sides of which the longer one is 512."""
        box = _numbers(attributes.get("viewBox", ""))
        sides = _pixels(attributes.get("width", "")), _pixels(attributes.get("height", ""))
        if box is None:
            width, height = sides[0] or _UNSIZED[0], sides[1] or _UNSIZED[1]
            box = [0.0, 0.0, width, height]
        elif sides[0] and sides[1]:
            width, height = sides[0], sides[1]
        else:
            width, height = box[2], box[3]
        longer, shorter = max(width, height), min(width, height)
        if not 0 < shorter <= longer < 1e9:
            raise PictureError("broken", f"the drawing has no usable size: {width} x {height}")
        if longer > self._max_aspect * shorter:
            raise PictureError("odd-aspect", f"the drawing is longer than {self._max_aspect}:1")
        scale = SIDE / longer
        return attributes | {
            "viewBox": " ".join(f"{number:.9g}" for number in box),
            "width": str(max(1, round(width * scale))),
            "height": str(max(1, round(height * scale))),
        }


class _Depths:
    """How deep a drawing is nested when its references are followed (use, mask, pattern, ...)."""

    def __init__(self) -> None:
        self._open: list[str] = []
        # By id: how deep the element itself goes, and what it refers to at which depth.
        self._own: dict[str, int] = {"": 0}
        self._references: dict[str, dict[str, int]] = {}
        self._known: dict[str, int] = {}

    def enter(self, name: str) -> None:
        self._open.append(name)
        self._for_each_open(self._deepen)

    def leave(self) -> None:
        self._open.pop()

    def refer(self, target: str) -> None:
        def note(name: str, depth: int) -> None:
            references = self._references.setdefault(name, {})
            references[target] = max(depth, references.get(target, 0))

        self._for_each_open(note)

    def deepest(self) -> int:
        return self._depth("", _DEEPEST)

    def _deepen(self, name: str, depth: int) -> None:
        self._own[name] = max(depth, self._own.get(name, 0))

    def _for_each_open(self, act: Callable[[str, int], None]) -> None:
        act("", len(self._open))
        for place, name in enumerate(self._open):
            if name:
                act(name, len(self._open) - place)

    def _depth(self, name: str, left: int) -> int:
        """The depth below `name`; more than `left` (a circle of references is endless)."""
        if name in self._known:
            return self._known[name]
        deepest = self._own.get(name, 0)
        for target, depth in self._references.get(name, {}).items():
            if depth >= left:
                return left + 1
            deepest = max(deepest, depth + self._depth(target, left - depth))
            if deepest > left:
                return deepest
        self._known[name] = deepest
        return deepest


def _numbers(text: str) -> list[float] | None:
    """A viewBox's four numbers, or None when it has none that can be used."""
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        return None
    usable = len(numbers) == 4 and all(abs(n) < 1e9 for n in numbers) and min(numbers[2:]) > 0
    return numbers if usable else None


def _pixels(text: str) -> float | None:
    """A length in pixels, or None for a percentage, auto or nothing."""
    match = _LENGTH.fullmatch(text)
    return float(match[1]) * _UNITS[match[2] or ""] if match else None
