"""A favicon bundle of one drawing: .ico, touch and manifest icons, site.webmanifest, the <head>."""

import io
import json
from html import escape

import numpy as np
from PIL import Image

from sample.sticker import fitted

_ICO_SIDES = (16, 32, 48)
_TOUCH, _MANIFEST_SIDES = 180, (192, 512)
# Of the side that the drawing takes. A mask leaves a circle of 0.8 of the side, at the least
# (W3C Web App Manifest, 1.8.4.1); a square of 0.56 fits in any case, and most drawings are rounder.
_TOUCH_SHARE, _MASKED_SHARE = 0.82, 0.64
_LIGHT, _DARK = (255, 255, 255), (24, 26, 30)
_BRIGHT = 200.0  # mean luma above which a drawing is not seen on white


def icon_files(drawing: Image.Image, name: str, svg: str | None) -> dict[str, bytes]:
    """The files of a bundle by name, from a `drawing` (RGBA, cut to what is drawn)."""
    ground = ground_for(drawing)
    small = [fitted(drawing, side) for side in _ICO_SIDES]
    files = {
        "favicon.ico": _ico(small),
        "apple-touch-icon.png": _png(fitted(drawing, _TOUCH, _TOUCH_SHARE, ground)),
        "icon-maskable-512.png": _png(fitted(drawing, 512, _MASKED_SHARE, ground)),
        "site.webmanifest": _web_manifest(name, drawing, ground),
        "head.html": _head(svg is not None, drawing),
    }
    files |= {f"icon-{side}.png": _png(fitted(drawing, side)) for side in _MANIFEST_SIDES}
    return files | ({"favicon.svg": svg.encode()} if svg is not None else {})


def ground_for(drawing: Image.Image) -> tuple[int, int, int]:
    """White, or nearly black for a drawing too bright to be seen on white."""
    pixels = np.asarray(drawing.resize((64, 64)).convert("RGBA"), np.float64)
    luma = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
    weight = pixels[..., 3].sum()
    bright = weight > 0 and float((luma * pixels[..., 3]).sum() / weight) > _BRIGHT
    return _DARK if bright else _LIGHT


def main_colour(drawing: Image.Image) -> str:
    """The most frequent colour of the drawing that is no grey, or the most frequent one of a
    drawing that is next to all grey; as #rrggbb."""
    small = np.asarray(drawing.resize((64, 64)).convert("RGBA"))
    drawn = small[small[..., 3] > 200][:, :3].astype(np.int64)
    if len(drawn) == 0:
        return "#ffffff"
    coloured = drawn[np.ptp(drawn, axis=1) > 40]
    counted = coloured if len(coloured) > 0.1 * len(drawn) else drawn
    places, counts = np.unique(counted // 16, axis=0, return_counts=True)
    alike = (counted // 16 == places[counts.argmax()]).all(axis=1)
    red, green, blue = np.rint(np.median(counted[alike], axis=0)).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _ico(pictures: list[Image.Image]) -> bytes:
    """An ICO of PNGs, each picture as it is."""
    buffer = io.BytesIO()
    *smaller, largest = pictures
    sizes = [picture.size for picture in pictures]
    largest.save(buffer, "ICO", sizes=sizes, append_images=smaller)
    return buffer.getvalue()


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _web_manifest(name: str, drawing: Image.Image, ground: tuple[int, int, int]) -> bytes:
    """W3C Web App Manifest; `start_url` and the names are for the site's owner to change."""
    icons = [
        {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"}
        for side in _MANIFEST_SIDES
    ]
    masked = {"src": "icon-maskable-512.png", "sizes": "512x512", "type": "image/png"}
    content = {
        "name": name,
        "short_name": name[:12],
        "icons": [*icons, {**masked, "purpose": "maskable"}],
        "theme_color": main_colour(drawing),
        "background_color": "#{:02x}{:02x}{:02x}".format(*ground),
        "display": "standalone",
        "start_url": "/",
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _head(has_svg: bool, drawing: Image.Image) -> bytes:
    """What a page's <head> says, with the files at the root of the site."""
    lines = ['<link rel="icon" href="/favicon.ico" sizes="32x32">']
    if has_svg:
        lines.append('<link rel="icon" href="/favicon.svg" type="image/svg+xml">')
    lines += [
        '<link rel="apple-touch-icon" href="/apple-touch-icon.png">',
        '<link rel="manifest" href="/site.webmanifest">',
        f'<meta name="theme-color" content="{escape(main_colour(drawing))}">',
    ]
    return ("\n".join(lines) + "\n").encode()
