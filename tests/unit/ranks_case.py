"""What `test_ranks` runs on two ranks: every electric field, and facts about the ranks."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._ranks import active, run
from rheobase.fields.basis import FieldBasis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.induction import solve_induction
from rheobase.fields.interference import envelope_max
from rheobase.fields.solver import Conductor
from rheobase.fields.tensors import Tensors
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc

SIGMA = {2: 0.33, 4: 0.02, 5: 0.4}
TOP = 0.095


def mesh() -> TetMesh:
    """Three layers."""
    return mesh_spheres((0.065, 0.08, TOP), (2, 4, 5), 0.0135)


def with_a_ball(head: TetMesh) -> TetMesh:
    """Return the mesh and a ball beside it that nothing joins to it."""
    ball = mesh_spheres((0.02,), (2,), 0.01)
    return TetMesh(
        nodes=np.concatenate([head.nodes, ball.nodes + np.array([0.0, 0.0, 0.2])]),
        tets=np.concatenate([head.tets, ball.tets + len(head.nodes)]).astype(np.int32),
        labels=np.concatenate([head.labels, ball.labels]),
    )


def montages() -> list[Montage]:
    """Ideal electrodes, and metal behind gel."""
    places = np.array([[0, 0, TOP], [TOP, 0, 0], [0, TOP, 0]])
    return [
        Montage(
            name=model,
            electrodes=tuple(
                Electrode(name=str(k), centre=p, shape=Disc(), model=model)  # type: ignore[arg-type]
                for k, p in enumerate(places)
            ),
            currents=currents,
        )
        for model, currents in (("ideal", (1e-3, -1e-3, 0.0)), ("complete", (1e-3, 1e-3, -2e-3)))
    ]


def fields() -> dict[str, np.ndarray[Any, Any]]:
    """Return what one rank and several must find alike."""
    m = mesh()
    both = with_a_ball(m)
    inner = np.flatnonzero(both.labels == 2).astype(np.int32)[::2]
    tensors = Tensors(tets=inner, values=np.tile([1.5, 0.1, 0, 0.8, 0, 0.9], (len(inner), 1)))
    plain, fibres = Conductor(m, SIGMA), Conductor(both, SIGMA, tensors=tensors)
    dipole = magnetic_dipole([0.0, 0.02, 0.13], [1.0, 0.0, 0.3])
    electric = solve_conduction(plain, montages())
    induced = solve_induction(fibres, dipole)
    V = np.cos(np.arange(len(both.nodes)))
    found = {
        "K V": fibres.apply(V),
        "envelope": envelope_max(electric.E),
    }
    for name, basis in (("electric", electric), ("induced", induced)):
        found |= _of(name, basis)
    return found


def _of(name: str, basis: FieldBasis) -> dict[str, np.ndarray[Any, Any]]:
    assert basis.correction is not None
    found = {
        f"{name} E": basis.E,
        f"{name} V": basis.potential,
        f"{name} W": basis.correction,
        f"{name} power": np.array([r.power for r in basis.report]),
    }
    if basis.unit == "A":
        found[f"{name} delivered"] = np.array([r.delivered for r in basis.report])
    return found


def facts() -> dict[str, Any]:
    """Return what a rank has to itself."""
    from joblib import cpu_count
    from numba import get_num_threads

    team = active()
    assert team is not None
    return {
        "rank": team.rank,
        "threads": [get_num_threads(), cpu_count()],
        "told": [name for name in os.environ if name.startswith("PMI")],
        "nodes": [int(part._portion.own.sum()) for part in team._parts.values()],
    }


def program() -> int:
    """Solve, and write what was found."""
    folder = Path(sys.argv[1])
    np.savez(folder / "ranks.npz", **fields())  # type: ignore[arg-type]
    team = active()
    assert team is not None
    kept = Conductor(mesh(), SIGMA)
    told = team.everywhere(facts)
    del kept
    (folder / "ranks.json").write_text(json.dumps(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(program))
