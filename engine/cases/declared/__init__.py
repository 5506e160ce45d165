"""The desk as people declare it: departments, centres, routes, limits and mutes, from YAML."""
