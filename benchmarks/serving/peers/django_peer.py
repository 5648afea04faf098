"""Django's syndication feed behind its cache and its conditional requests."""

import json
import os
from datetime import datetime

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.core.wsgi import get_wsgi_application
from django.urls import path
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.cache import cache_page

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="-",
    USE_TZ=True,
    MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
)
with open(os.environ["ENTRIES"], encoding="utf-8") as file:
    entries = json.load(file)


class Posts(Feed):
    feed_type = Atom1Feed
    title, link = "Blog", "https://blog.example/"

    def get_object(self, request, count):
        return count

    def items(self, obj):
        return entries[:obj]

    def item_title(self, item):
        return item["title"]

    def item_description(self, item):
        return item["text"]

    def item_link(self, item):
        return item["url"]

    def item_updateddate(self, item):
        return datetime.fromisoformat(item["day"])


urlpatterns = [path("feeds/<int:count>.atom", cache_page(3600)(Posts()))]
application = get_wsgi_application()
