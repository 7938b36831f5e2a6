"""A web site inside the package, on loopback, that draws the pictures it serves."""

from scrape.demo_site.loopback_site import DemoSite, demo_config_text

__all__ = ["DemoSite", "demo_config_text"]
