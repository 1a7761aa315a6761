"""The application: accept, assess, route, store, dispatch."""
