"""No two modules need each other: whoever reads one of them can stop at the modules it imports."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_module_leads_back_to_itself_through_what_it_imports() -> None:
    """Imports for types count, and those inside functions: a reader follows them all the same."""
    graph = grimp.build_graph("wattrail", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
