"""Rule packs as data: one folder a domain, shipped with the wheel."""
