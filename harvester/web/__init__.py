"""Web pages for cataloguers, partners and operators: to add a page, add a file to `pages` that holds `pages`, a Pages.

A handler takes a Visit and returns a View (data, table, template) or a Response; it runs in a thread, may read and
write the database, and says by `needs=` which action of harvester.accounts it asks for. Pages register each view as
HTML, `.json` and `.csv`. What concerns single objects is asked again inside: `visit.need("raw", [partner])`.
"""
