"""The HTML of the demo site; everything that comes from a picture's words is escaped here."""

from html import escape
from urllib.parse import quote, urlencode

from scrape.demo_site.collection import Answer, Collection, SitePicture

CARDS_PER_PAGE = 12
# Captions on cards longer than this are cut on about every other card.
_LONG_CAPTION = 80

_LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/static/site.css">
<link rel="icon" href="/static/placeholder.svg">
</head>
<body>
<header><a class="home" href="/">{site}</a>
<nav><a href="/logos/">Logos</a> <a href="/search">Search</a> <a href="/api/pictures">API</a></nav>
</header>
<main>
{content}
</main>
<footer>A practice site on this machine. The pictures are not on the web.</footer>
</body>
</html>
"""


def page(collection: Collection, title: str, content: str, status: int = 200) -> Answer:
    """A whole page; `content` is HTML, `title` is text."""
    text = _LAYOUT.format(title=escape(title), site=escape(collection.title), content=content)
    return Answer(text.encode(), "text/html; charset=utf-8", status)


def index_page(collection: Collection) -> Answer:
    labels: dict[str, int] = {}
    for picture in collection.labelled:
        labels[picture.label] = labels.get(picture.label, 0) + 1
    items = "\n".join(
        f'<li><a href="/search?{escape(urlencode({"q": label}))}">{escape(label)}</a> '
        f"<small>{count}</small></li>"
        for label, count in sorted(labels.items())
    )
    content = f"""<h1>{escape(collection.title)}</h1>
<p>A small web site for practising the collection of pictures. It has what real sites have: lists
in pages, captions that are cut short, results that load while you scroll, licences that are
sometimes missing, copies, broken files, and a corner that robots.txt closes.</p>
<h2><a href="/logos/">Logos</a> <small>{len(collection.cards)}</small></h2>
<p>Cards with a caption, {CARDS_PER_PAGE} to a page; each has a page of its own.</p>
<h2><a href="/search">Picture search</a> <small>{len(collection.labelled)}</small></h2>
<ul class="labels">
{items}
</ul>
<p>The same as JSON: <a href="/api/pictures"><code>/api/pictures</code></a> with
<code>label</code>, <code>breed</code>, <code>q</code>, <code>page</code> and
<code>per_page</code>. Please read <a href="/robots.txt">robots.txt</a> first.</p>"""
    return page(collection, collection.title, content)


def card_pages(collection: Collection) -> int:
    """How many pages the card grid has; an empty grid has one."""
    return max(-(-len(collection.cards) // CARDS_PER_PAGE), 1)


def grid_page(collection: Collection, number: int) -> Answer:
    """Page `number` (from 1, at most card_pages) of the card grid."""
    first = (number - 1) * CARDS_PER_PAGE
    cards = [
        _card(picture, is_cut=(first + place) % 2 == 0)
        for place, picture in enumerate(collection.cards[first : first + CARDS_PER_PAGE])
    ]
    last = card_pages(collection)
    before = f'<a rel="prev" href="/logos/?page={number - 1}">Previous</a>' if number > 1 else ""
    after = f'<a rel="next" href="/logos/?page={number + 1}">Next</a>' if number < last else ""
    content = f"""<h1>Logos</h1>
<div class="grid">
{"".join(cards) or "<p>There are no cards here.</p>"}
</div>
<p class="pages">{before} <span>page {number} of {last}</span> {after}</p>"""
    answer = page(collection, f"Logos, page {number}", content)
    script = b'<script src="/static/cards.js" defer></script>\n</body>'
    return Answer(answer.body.replace(b"</body>", script), answer.content_type)


def detail_page(collection: Collection, picture: SitePicture) -> Answer:
    """A picture's own page: the whole text, the author, the licence."""
    facts = []
    if picture.author:
        facts.append(f'<dt>Author</dt><dd class="author">{escape(picture.author)}</dd>')
    if picture.licence:
        link = escape(picture.licence)
        if picture.licence_url:
            link = f'<a rel="license" href="{escape(picture.licence_url)}">{link}</a>'
        facts.append(f'<dt>Licence</dt><dd class="licence">{link}</dd>')
    if picture.source_page:
        address = escape(picture.source_page)
        facts.append(f'<dt>Source</dt><dd class="source"><a href="{address}">{address}</a></dd>')
    if picture.breed:
        facts.append(f'<dt>Breed</dt><dd class="breed">{escape(picture.breed)}</dd>')
    content = f"""<article>
<h1>{escape(picture.title)}</h1>
<img class="whole" src="{_source(picture)}" alt="{escape(_alt(picture))}">
<p class="description">{escape(picture.description)}</p>
<dl>
{"".join(facts)}
</dl>
</article>"""
    return page(collection, picture.title, content)


def search_page(collection: Collection, words: str) -> Answer:
    """Results are loaded by /static/search.js, page after page while the reader scrolls."""
    api = escape(f"/api/pictures?{urlencode({'q': words, 'per_page': 24})}")
    content = f"""<h1>Picture search</h1>
<form action="/search"><input type="search" name="q" value="{escape(words)}" maxlength="200"
 placeholder="dog, red bird, poodle" aria-label="words"> <button>Search</button></form>
<div id="results" class="grid" data-next="{api}"></div>
<p id="status" role="status">Loading</p>
<noscript><p>This page needs JavaScript; the same is at <a href="{api}">the API</a>.</p></noscript>
<script src="/static/search.js"></script>"""
    return page(collection, f"{words or 'all'}: picture search", content)


def error_page(collection: Collection, status: int, text: str) -> Answer:
    return page(collection, text, f"<h1>{status}</h1>\n<p>{escape(text)}</p>", status)


def _card(picture: SitePicture, is_cut: bool) -> str:
    caption = picture.description
    if is_cut and len(caption) > _LONG_CAPTION:
        caption = caption[:_LONG_CAPTION].rsplit(" ", 1)[0].rstrip(",.;:") + "…"
    source, alt = _source(picture), escape(_alt(picture))
    return f"""<div class="card"><a href="{escape(picture.page)}"><img data-src="{source}" \
src="/static/placeholder.svg" alt="{alt}"><noscript><img src="{source}" alt="{alt}"></noscript></a>\
<h3>{escape(picture.title)}</h3><p class="caption">{escape(caption)}</p></div>
"""


def _alt(picture: SitePicture) -> str:
    return picture.title if picture.label else f"{picture.title} logo"


def _source(picture: SitePicture) -> str:
    return escape(quote(picture.address))
